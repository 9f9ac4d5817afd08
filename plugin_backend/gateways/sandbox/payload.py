"""The sandbox's answers and callbacks, read into our words. What cannot be read is in doubt, never a decline."""

from datetime import datetime
from functools import cache
from typing import Any, Literal

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.gateways.sandbox.codes import decline_of
from plugin_backend.sdk.errors import NoAnswer, Unreadable
from plugin_backend.sdk.gateway import (
    Absent,
    Captured,
    CapturedPage,
    CardStored,
    CardUpdated,
    ChargeChanged,
    Checked,
    CheckoutDeclined,
    Decline,
    Declined,
    DisputeChanged,
    Flaw,
    GatewayEvent,
    InDoubt,
    Mode,
    NotExecuted,
    Outcome,
    Pending,
    RefundChanged,
    RequiresAction,
    SetupChanged,
    SetupFailed,
    SetupPage,
    SetupPending,
    Succeeded,
)
from plugin_backend.sdk.http import Response
from plugin_backend.sdk.money import EXPONENTS, Money
from plugin_backend.sdk.payload import Slim, Text, WebAddress, clean, read_object, text_of
from plugin_backend.sdk.wording import N_

_ID = validate.Regexp(r"[A-Za-z0-9._:-]{1,100}\Z")
CLOSED = NotExecuted("closed")
# A refused request that may all the same have been executed before: under another body, or right now.
_DOUBTFUL = {408, 409, 425, 429}


class _Amount(Slim):
    amount = fields.Integer(required=True, strict=True, validate=validate.Range(min=0))
    currency = fields.String(required=True, validate=validate.OneOf(list(EXPONENTS)))


class _Moved(Slim):
    """A charge or a refund; ``state`` is one of ours or something new."""

    id = fields.String(required=True, validate=_ID)
    reference = fields.String(required=True, validate=_ID)
    state = fields.String(required=True)
    amount = fields.Nested(_Amount, required=True)
    code = Text()
    url = WebAddress()
    network_transaction_id = Text()
    advice = Text()
    retry_not_before = fields.AwareDateTime(format="iso", load_default=None, allow_none=True)


class _Card(Slim):
    token = fields.String(required=True, validate=validate.Length(min=1))
    brand = Text()
    last4 = fields.String(required=True, validate=validate.Regexp(r"[0-9]{4}\Z"))
    method = fields.String(load_default="card", validate=validate.OneOf(["card", "sepa_debit"]))
    expiry_month = fields.Integer(required=True, strict=True, validate=validate.Range(0, 12))
    expiry_year = fields.Integer(required=True, strict=True, validate=validate.Range(0, 2999))
    fingerprint = Text()
    network_transaction_id = Text()
    country = Text()
    funding = Text()
    advice = Text()


class _Account(Slim):
    id = fields.String(required=True, validate=_ID)
    test = fields.Boolean(required=True)
    currencies = fields.List(fields.String(validate=validate.OneOf(list(EXPONENTS))), load_default=list)


class _Setup(Slim):
    id = fields.String(required=True, validate=_ID)
    state = fields.String(required=True, validate=validate.OneOf(["open", "completed", "failed"]))
    reason = Text()
    url = WebAddress()
    customer = Text()
    card = fields.Nested(_Card, load_default=None, allow_none=True)


class _Movement(Slim):
    kind = fields.String(required=True, validate=validate.OneOf(["charge", "refund"]))
    id = fields.String(required=True, validate=_ID)
    reference = fields.String(required=True, validate=_ID)
    amount = fields.Nested(_Amount, required=True)
    at = fields.AwareDateTime(format="iso", required=True)


class _Movements(Slim):
    movements = fields.List(fields.Nested(_Movement), required=True)
    cursor = fields.String(required=True)


class _About(Slim):
    id = fields.String(required=True, validate=_ID)
    reference = fields.String(required=True, validate=_ID)


class _Dispute(_About):
    charge = fields.String(required=True, validate=_ID)
    amount = fields.Nested(_Amount, required=True)
    state = fields.String(required=True, validate=validate.OneOf(["open", "won", "lost"]))


class _CardNews(Slim):
    token = fields.String(required=True, validate=validate.Length(1, 500))
    last4 = fields.String(required=True, validate=validate.Regexp(r"[0-9]{4}\Z"))
    expiry_month = fields.Integer(required=True, strict=True, validate=validate.Range(1, 12))
    expiry_year = fields.Integer(required=True, strict=True, validate=validate.Range(2000, 2999))
    closed = fields.Boolean(required=True)


class _AtTheCheckout(Slim):
    order = fields.String(required=True, validate=_ID)
    code = Text(limit=100)
    at = fields.AwareDateTime(format="iso", required=True)


class _Event(Slim):
    type = fields.String(required=True)
    data = fields.Dict(required=True)


def outcome(response: Response, reference: str) -> Outcome:
    """What the answer to a charge, a refund or a close says about ``reference``."""
    status = response.status
    if 200 <= status < 300:
        return _moved(response.body, reference)
    if status in _DOUBTFUL or not 400 <= status < 500 or error_code(response) == "key_reused":
        return InDoubt(f"answered {status}")
    return NotExecuted(f"refused with {status}", permanent=True)


def found(response: Response, reference: str, absent: str) -> Outcome | Absent:
    """What a look-up says. Only the gateway's own "not found" means absent: any server can answer 404."""
    if response.status == 404 and error_code(response) == absent:
        return Absent()
    if 200 <= response.status < 300:
        return _moved(response.body, reference)
    return InDoubt(f"answered {response.status}")


def error_code(response: Response) -> str:
    """The code in an error answer, "" where there is none."""
    error = (_object(response.body) or {}).get("error")
    return text_of(error.get("code")) if isinstance(error, dict) else ""


def _moved(body: bytes, reference: str) -> Outcome:
    read = _load(_Moved, body)
    if read is None or read["reference"] != reference:
        return InDoubt("the answer could not be read")
    return _standing(read)


def _standing(read: dict[str, Any]) -> Outcome:
    gateway_id, amount = read["id"], Money(read["amount"]["amount"], read["amount"]["currency"])
    match read["state"]:
        case "captured" | "refunded":
            return Succeeded(gateway_id, amount, read["network_transaction_id"])
        case "declined":
            code = read["code"]
            return Declined(decline_of(code), code, gateway_id, read["retry_not_before"], read["advice"])
        case "failed":
            return Declined(Decline.UNKNOWN, read["code"], gateway_id)
        case "requires_action" if read["url"]:
            return RequiresAction(read["url"], gateway_id)
        case "pending":
            return Pending(gateway_id)
        case "closed":
            return CLOSED
        case _:
            return InDoubt("the answer has a state we do not know")


def setup_page(response: Response) -> SetupPage:
    read = _load(_Setup, response.body)
    if read is None or not read["url"]:
        raise NoAnswer("set-up: the answer could not be read")
    return SetupPage(read["url"], read["id"])


def setup_state(response: Response) -> CardStored | SetupPending | SetupFailed:
    read = _load(_Setup, response.body)
    if read is None or (read["state"] == "completed" and read["card"] is None):
        raise NoAnswer("set-up: the answer could not be read")
    match read["state"]:
        case "completed":
            return _card(read["card"], read["customer"])
        case "failed":
            return SetupFailed(
                read["reason"] if read["reason"] in ("declined", "expired", "left") else "unknown"
            )
        case _:
            return SetupPending()


def card_shown(response: Response) -> CardStored:
    read = _load(_Card, response.body)
    if read is None:
        raise NoAnswer("token: the answer could not be read")
    return _card(read)


def _card(read: dict[str, Any], customer: str = "") -> CardStored:
    return CardStored(kind=read.pop("method"), **read, gateway_customer=customer)


def mode_of(api_key: str) -> Mode | Literal[""]:
    if api_key.startswith("sk_test_"):
        return "test"
    return "live" if api_key.startswith("sk_live_") else ""


def checked(response: Response) -> Checked:
    """What the gateway says of the account, or why it says nothing."""
    if response.status == 401:
        return Checked((Flaw("wrong_key", N_("Use a key that begins with sk_test_sandbox")),))
    if error_code(response) == "key_revoked":
        return Checked((Flaw("revoked", N_("Use another key that begins with sk_test_sandbox")),))
    read = _load(_Account, response.body) if 200 <= response.status < 300 else None
    if read is None:
        return Checked((Flaw("refused", detail=f"answered {response.status}"),))
    mode: Mode = "test" if read["test"] else "live"
    return Checked(mode=mode, currencies=frozenset(read["currencies"]) or None, identity=read["id"])


def captured_page(response: Response) -> CapturedPage:
    read = _load(_Movements, response.body)
    if read is None:
        raise NoAnswer("movements: the answer could not be read")
    return CapturedPage(tuple(_captured(movement) for movement in read["movements"]), read["cursor"])


def _captured(read: dict[str, Any]) -> Captured:
    amount = Money(read["amount"]["amount"], read["amount"]["currency"])
    at: datetime = read["at"]
    return Captured(read["reference"], read["id"], amount, at, read["kind"])


def events(body: bytes, *, believed: bool) -> list[GatewayEvent]:
    """What a callback says; a type we do not know is of no interest. How a charge or refund stands is taken from it only
    where callbacks are ``believed``: from one that anybody could have written it is not even looked at."""
    told = _load(_Event, body)
    if told is None:
        raise Unreadable("the callback has no readable type and data")
    kind, data = told["type"].partition(".")[0], told["data"]
    if kind == "card":
        return [CardUpdated(**_part(_CardNews, data))]
    if kind == "dispute":
        return [_dispute(_part(_Dispute, data))]
    if kind == "checkout":
        read = _part(_AtTheCheckout, data)
        return [CheckoutDeclined(read["order"], read["code"], read["at"])] if believed else []
    about = _part(_About, data)
    match kind:
        case "charge":
            return [ChargeChanged(about["reference"], about["id"], _told(data) if believed else None)]
        case "setup":
            return [SetupChanged(about["reference"])]
        case "refund":
            return [RefundChanged(about["reference"], _told(data) if believed else None)]
        case _:
            return []


def _told(data: dict[str, Any]) -> Outcome | None:
    """How a charge or refund stands by its callback; None where that is not said, or is nothing to rest on."""
    try:
        outcome = _standing(_made(_Moved).load(data))
    except ValidationError:
        return None
    return None if isinstance(outcome, InDoubt) else outcome


def _dispute(read: dict[str, Any]) -> DisputeChanged:
    amount = Money(read["amount"]["amount"], read["amount"]["currency"])
    return DisputeChanged(read["id"], read["reference"], read["charge"], amount, read["state"])


def _part(schema: type[Schema], data: dict[str, Any]) -> dict[str, Any]:
    try:
        read: dict[str, Any] = _made(schema).load(data)
    except ValidationError:
        raise Unreadable("the callback's data cannot be read") from None
    return read


def topic(body: bytes) -> str:
    return clean(text_of((_object(body) or {}).get("type")), 64)


@cache
def _made(schema: type[Schema]) -> Schema:
    """One for all answers: to make one costs more than to read with it."""
    return schema()


def _load(schema: type[Schema], body: bytes) -> dict[str, Any] | None:
    answer = _object(body)
    try:
        loaded: dict[str, Any] | None = _made(schema).load(answer) if answer is not None else None
    except ValidationError:
        return None
    return loaded


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        return read_object(body)
    except Unreadable:
        return None
