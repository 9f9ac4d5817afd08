"""Connect2Pay's calls that we use. HTTP 200 stands over logical errors too, so that each answer's own code is looked at."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from plugin_backend.gateways.payxpert import codes, payload
from plugin_backend.gateways.payxpert.handles import NAME, TRANSACTION
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.http import Client, Request, Response, raise_for_status
from plugin_backend.sdk.payload import clean, read_object, text_of

VERSION = "002.70"
# A request that did not do anything, by its HTTP status. Of every other status that is not 200 nothing is known.
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422})


class Unknown(Refused):
    """PayXpert's own "no such thing": any web server can answer 404."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an operation on a transaction was answered: the code, and the id of the transaction it made, "" where it made
    none."""

    code: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Prepared:
    merchant: str = field(repr=False)
    customer: str = field(repr=False)


class Api:
    """One account. Raises ``NotSent``, ``NoAnswer`` and ``Refused``, and keeps no state."""

    def __init__(self, url: str, originator: str, password: str, http: Client) -> None:
        self._url, self._http = url, http
        self._basic = "Basic " + base64.b64encode(f"{originator}:{password}".encode()).decode()

    def prepare(self, body: Mapping[str, Any], not_after: float | None = None) -> Prepared:
        """A page of which only we know. Where no answer came it has no visitor, and can take no money."""
        told = self._read(self._post("/payment/prepare", body, not_after), "prepare")
        merchant, customer = told.get("merchantToken"), told.get("customerToken")
        if not isinstance(merchant, str) or not isinstance(customer, str) or not _fit(merchant, customer):
            raise NoAnswer("prepare: the answer could not be read")
        return Prepared(merchant, customer)

    def page(self, customer: str) -> str:
        return f"{self._url}/payment/{quote(customer, safe='')}"

    def payment(self, merchant: str, not_after: float | None = None) -> payload.Payment:
        path = f"/payment/{quote(merchant, safe='')}/status"
        return payload.payment(self._read(self._get(path, {}, not_after), "payment"))

    def transaction(self, transaction: str, not_after: float | None = None) -> payload.Transaction:
        path = f"/transaction/{quote(transaction, safe='')}/info"
        found = payload.transaction(self._read(self._get(path, {}, not_after), "transaction"))
        if found.id != transaction:
            raise NoAnswer("transaction: the answer is about another one")
        return found

    def export(self, start: int, end: int, operation: str = "") -> list[payload.Transaction]:
        """What happened from ``start`` on and before ``end``, in whole seconds; of one operation where it is named."""
        span = {"startTime": str(start), "endTime": str(end)} | (
            {"operation": operation} if operation else {}
        )
        return payload.exported(self._read(self._get("/transactions/export", span), "export"))

    def account(self) -> payload.Account:
        return payload.account(self._read(self._get("/account", {}), "account"))

    def operate(
        self, transaction: str, verb: str, body: Mapping[str, Any], not_after: float | None = None
    ) -> Said:
        """``rebill``, ``capture``, ``refund`` or ``cancel``. ``Refused``: it did not happen; ``NoAnswer``: it may have."""
        path = f"/transaction/{quote(transaction, safe='')}/{verb}"
        response = self._post(path, body, not_after)
        told = _answered(response, verb)
        code = clean(text_of(told.get("code", told.get("errorCode"))), 10)
        if code in codes.API_REFUSED | codes.API_NOT_OURS | codes.API_UNKNOWN:
            raise Refused(f"{verb}: refused with {code}", status=_status(code))
        if not (code.isascii() and code.isdecimal()) or code in codes.API_BROKEN:
            raise NoAnswer(f"{verb}: the answer could not be read")
        made = text_of(told.get("transactionID"))
        return Said("000" if code in codes.API_OK else code, made if TRANSACTION.fullmatch(made) else "")

    def _get(self, path: str, query: Mapping[str, str], not_after: float | None = None) -> Response:
        asked = urlencode({"apiVersion": VERSION, **query})
        headers = {"Authorization": self._basic, "Accept": "application/json"}
        return self._http.send(Request("GET", f"{self._url}{path}?{asked}", headers, not_after=not_after))

    def _post(self, path: str, body: Mapping[str, Any], not_after: float | None) -> Response:
        """The same asked twice is the same bytes."""
        content = json.dumps({"apiVersion": VERSION, **body}, sort_keys=True, separators=(",", ":")).encode()
        headers = {"Authorization": self._basic, "Content-Type": "application/json"}
        return self._http.send(Request("POST", self._url + path, headers, content, not_after=not_after))

    def _read(self, response: Response, what: str) -> dict[str, Any]:
        """The answer to a question, whose own code must be one of success."""
        told = _answered(response, what)
        code = clean(text_of(told.get("code")), 10)
        if code in codes.API_OK:
            return told
        if code in codes.API_UNKNOWN:
            raise Unknown(f"{what}: not known", status=404)
        if code in codes.API_REFUSED | codes.API_NOT_OURS:
            raise Refused(f"{what}: refused with {code}", status=_status(code))
        raise NoAnswer(f"{what}: answered {code}")


def _answered(response: Response, what: str) -> dict[str, Any]:
    if response.status != 200:
        if response.status in _REFUSED:
            raise_for_status(response, what)
        raise NoAnswer(f"{what}: answered {response.status}")
    try:
        return read_object(response.body)
    except Unreadable:
        raise NoAnswer(f"{what}: the answer could not be read") from None


def _fit(*tokens: str) -> bool:
    return all(NAME.fullmatch(token) for token in tokens)


def _status(code: str) -> int:
    return int(code) if code in codes.API_NOT_OURS else 400
