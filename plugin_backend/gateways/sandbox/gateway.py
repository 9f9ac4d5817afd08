"""The sandbox gateway's adapter. Its API is shaped like our port, so this is the shortest example of one."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.gateways.sandbox import modes, payload
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import BadSignature, NoAnswer, NotSent
from plugin_backend.sdk.gateway import (
    Absent,
    AccountGuide,
    CapturedPage,
    CardStored,
    ChargeRequest,
    Checked,
    Closed,
    Flaw,
    GatewayEvent,
    InDoubt,
    Mode,
    NotExecuted,
    Outcome,
    PaidWith,
    RefundRequest,
    SetupFailed,
    SetupPage,
    SetupPending,
    SetupRequest,
    Trace,
)
from plugin_backend.sdk.http import Client, Delivery, Request, Response, raise_for_status
from plugin_backend.sdk.signing import TOLERANCE_SECONDS, hmac_sha256
from plugin_backend.sdk.wording import N_

# Both sides make the callback key of the API key, so that an account has one secret to configure and not two.
_CALLBACK_KEY_OF = b"sandbox gateway callbacks v1"
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def _address(text: str) -> None:
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValidationError("Not an address that begins with http:// or https://.")


class SandboxSettings(Schema):
    """Where the sandbox gateway listens, the account's key, where it may call us back, and which real gateway's
    weakness the account copies."""

    url = fields.String(required=True, validate=[validate.Length(min=1), _address])
    api_key = fields.String(required=True, validate=validate.Length(min=1), metadata={"secret": True})
    callback_url = fields.String(load_default="", validate=_address)
    mode = fields.String(load_default=modes.DEFAULT, validate=validate.OneOf(modes.MODES))
    lag_seconds = fields.Integer(load_default=60, validate=validate.Range(0, 86_400))
    processing_seconds = fields.Integer(load_default=120, validate=validate.Range(1, 86_400))
    sepa_debit = fields.Boolean(load_default=False)


_GUIDE = AccountGuide(
    steps=(
        N_("The sandbox is a gateway of this installation's own: no real money moves."),
        N_("Think of a key that begins with sk_test_sandbox: each key is an account of its own."),
    ),
    labels={
        "url": N_("Address of the sandbox gateway"),
        "api_key": N_("API key"),
        "callback_url": N_("Address of callbacks"),
        "mode": N_("Which gateway's weakness the account copies"),
        "lag_seconds": N_("Seconds for which a lagging account misses a charge"),
        "processing_seconds": N_("Seconds for which a request may still be worked on"),
        "sepa_debit": N_("Offer SEPA direct debit beside cards"),
    },
)
# The name under which a shop keeps the token of a payment by the sandbox with its order.
EARLIER = "_sandbox_payment"


class Sandbox:
    """One account of the sandbox gateway."""

    name: ClassVar[str] = "sandbox"
    title: ClassVar[str] = "Sandbox"
    test_only = True
    settings: ClassVar[type[Schema]] = SandboxSettings
    guide: ClassVar[AccountGuide] = _GUIDE

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._url = settings.get("url", "").rstrip("/")
        self._api_key = settings.get("api_key", "")
        self._callback_url = settings.get("callback_url", "")
        self._callback_key = settings.get("callback_key", "") or _callback_key(self._api_key)
        self._mode = settings.get("mode", modes.DEFAULT)
        self._lag = int(settings.get("lag_seconds", 60))
        processing = timedelta(seconds=int(settings.get("processing_seconds", 120)))
        self.capabilities = modes.capabilities(
            self._mode,
            processing,
            timedelta(seconds=self._lag),
            sepa_debit=settings.get("sepa_debit") == "True",
        )
        self._http = http

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The key that callbacks are signed with, from which the API key cannot be read back, and whether any is; and
        what customers may pay with."""
        return {
            "callback_key": _callback_key(settings["api_key"]),
            "mode": settings.get("mode", modes.DEFAULT),
            "sepa_debit": settings.get("sepa_debit", "False"),
        }

    @staticmethod
    def mode_of(settings: Mapping[str, str]) -> Mode | Literal[""]:
        return payload.mode_of(settings.get("api_key", ""))

    def begin_setup(self, request: SetupRequest) -> SetupPage:
        body = {
            "reference": request.reference,
            "amount": request.amount.as_json(),
            "return_url": request.return_url,
            "callback_url": self._callback_url,
            "customer": request.customer,
            "locale": request.locale,
            "description": request.description,
            "series": request.series,
            "method": request.kind,
        }
        return payload.setup_page(raise_for_status(self._post("/v1/setups", body), "set-up"))

    def complete_setup(self, reference: str, gateway_id: str) -> CardStored | SetupPending | SetupFailed:
        return payload.setup_state(raise_for_status(self._get(f"/v1/setups/{_in_path(reference)}"), "set-up"))

    def charge(self, request: ChargeRequest) -> Outcome:
        body = {
            "reference": request.reference,
            "amount": request.amount.as_json(),
            "token": request.token,
            "initiator": request.initiator,
            "series": request.series,
            "description": request.description,
            "collection": request.collection,
            "authenticate": request.authenticate,
            "return_url": request.return_url,
            "callback_url": self._callback_url,
        }
        return self._move("/v1/charges", request.reference, body, request.deadline)

    def find(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        return self._find(f"/v1/charges/{_in_path(reference)}", reference, "charge_not_found")

    def close(self, reference: str, gateway_id: str = "") -> Closed | Outcome:
        """A charge the gateway does not know is in doubt, not closed: it may still be on its way there."""
        if not self.capabilities.close:
            return InDoubt("this account cannot close a charge")
        try:
            answer = self._post(f"/v1/charges/{_in_path(reference)}/close", {})
        except (NotSent, NoAnswer) as error:
            return InDoubt(str(error))
        outcome = payload.found(answer, reference, "charge_not_found")
        if isinstance(outcome, Absent):
            return InDoubt("the gateway does not know it yet")
        return Closed() if outcome == payload.CLOSED else outcome

    def refund(self, request: RefundRequest) -> Outcome:
        body = {
            "reference": request.reference,
            "charge": request.charge_gateway_id,
            "amount": request.amount.as_json(),
            "reason": request.reason,
            "callback_url": self._callback_url,
        }
        return self._move("/v1/refunds", request.reference, body, request.deadline)

    def find_refund(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        return self._find(f"/v1/refunds/{_in_path(reference)}", reference, "refund_not_found")

    def verify(self, delivery: Delivery) -> None:
        if not self.capabilities.signed_events:
            return
        given = _SIGNATURE.fullmatch(delivery.header("sandbox-signature"))
        if given is None or not self._callback_key:
            raise BadSignature("the callback is not signed")
        if abs(delivery.received_at.timestamp() - int(given[1])) > TOLERANCE_SECONDS:
            raise BadSignature("the callback's time is too far from ours")
        key = bytes.fromhex(self._callback_key)
        expected = hmac_sha256(key, given[1].encode() + b"." + delivery.body)
        if not hmac.compare_digest(bytes.fromhex(given[2]), expected):
            raise BadSignature("the signature does not fit the body")

    def identify(self, delivery: Delivery) -> str:
        """The body holds the event's own id, and a callback sent again has the same bytes."""
        return hashlib.sha256(delivery.body).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        return payload.topic(delivery.body)

    def parse(self, delivery: Delivery) -> list[GatewayEvent]:
        return payload.events(delivery.body, believed=self.capabilities.signed_events)

    def list_since(self, since: datetime, cursor: str = "") -> CapturedPage:
        query = urlencode({"since": since.isoformat(), "cursor": cursor})
        return payload.captured_page(raise_for_status(self._get(f"/v1/movements?{query}"), "movements"))

    def detach(self, token: str) -> None:
        answer = self._post("/v1/tokens/detach", {"token": token})
        if payload.error_code(answer) != "token_not_found":
            raise_for_status(answer, "detach")

    def test_token(self) -> str:
        return "tok_test"

    def recognise(self, paid: PaidWith) -> CardStored | None:
        token = paid.references.get(EARLIER, "")
        if not token:
            return None
        answer = self._post("/v1/tokens/show", {"token": token})
        if payload.error_code(answer) == "token_not_found":
            return None
        return payload.card_shown(raise_for_status(answer, "token"))

    def checks(self) -> Checked:
        try:
            return payload.checked(self._get("/v1/account"))
        except (NotSent, NoAnswer):
            return Checked((Flaw("unreachable", N_("Start the sandbox gateway, or correct its address")),))

    def _move(self, path: str, key: str, body: Mapping[str, Any], deadline: float | None) -> Outcome:
        """Ask for money to be moved, before the deadline or not at all."""
        request = replace(self._request("POST", path, body, key), not_after=deadline)
        try:
            return payload.outcome(self._http.send(request), key)
        except NotSent as error:
            return NotExecuted(str(error))
        except NoAnswer as error:
            return InDoubt(str(error))

    def _find(self, path: str, reference: str, absent: str) -> Outcome | Absent:
        if self.capabilities.look_up == "none":
            return InDoubt("this account has no look-up")
        try:
            return payload.found(self._get(path), reference, absent)
        except (NotSent, NoAnswer) as error:
            return InDoubt(str(error))

    def _get(self, path: str) -> Response:
        return self._http.send(self._request("GET", path))

    def _post(self, path: str, body: Mapping[str, Any]) -> Response:
        return self._http.send(self._request("POST", path, body))

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = ""
    ) -> Request:
        """The same asked twice is the same bytes. The shop's time moves the account's clock along with it."""
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Sandbox-Time": clock.now().isoformat(),
            "Sandbox-Mode": self._mode,
            "Sandbox-Lag": str(self._lag),
        }
        if key:
            headers["Idempotency-Key"] = key
        if body is None:
            return Request(method, self._url + path, headers)
        content = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        return Request(method, self._url + path, {**headers, "Content-Type": "application/json"}, content)


def _in_path(reference: str) -> str:
    return quote(reference, safe="")


def _callback_key(api_key: str) -> str:
    """Of what the keys of an account have in common, so that another key changes no callback."""
    return hmac_sha256(api_key.partition(".")[0].encode(), _CALLBACK_KEY_OF).hex() if api_key else ""
