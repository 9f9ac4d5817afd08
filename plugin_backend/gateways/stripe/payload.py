"""Stripe's objects, read into our words. What cannot be read is in doubt, never a decline."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.gateways.stripe.amounts import from_stripe
from plugin_backend.gateways.stripe.api import Answer
from plugin_backend.gateways.stripe.codes import METHOD_IS_GONE, advice_of, decline_of
from plugin_backend.sdk.errors import NoAnswer, Refused
from plugin_backend.sdk.gateway import (
    Absent,
    Captured,
    CardStored,
    Decline,
    Declined,
    InDoubt,
    NotExecuted,
    Outcome,
    Pending,
    RequiresAction,
    SetupFailed,
    SetupPage,
    SetupPending,
    Succeeded,
)
from plugin_backend.sdk.payload import Country, Part, Slim, Text, WebAddress, clean

CLOSED = NotExecuted("closed")
# Under this name our references stand in the metadata of whatever is ours; what else the merchant takes has none.
REFERENCE = "reprise_reference"
SEPA = "sepa_debit"
_NAME = validate.Regexp(r"[A-Za-z0-9_]{1,100}\Z")
# Answers after which the same may have been executed all the same: by another request under the same key, or right now.
_DOUBTFUL = frozenset((408, 409, 425, 429))


class _Object(Slim):
    """Anything with an id of its own. ``metadata`` holds texts by name."""

    id = fields.String(required=True, validate=_NAME)
    metadata = fields.Dict(load_default=dict, allow_none=True)


class Wrong(Slim):
    """Why a payment was refused."""

    code = Text(limit=64)
    decline_code = Text(limit=64)
    advice_code = Text(limit=64)
    network_advice_code = Text(limit=64)


class _Redirect(Slim):
    url = WebAddress()


class _Action(Slim):
    redirect_to_url = Part(_Redirect)


class _Network(Slim):
    network_transaction_id = Text()


class _Paid(Slim):
    card = Part(_Network)


class _Charge(Slim):
    payment_method_details = Part(_Paid)


class Intent(_Object):
    """A payment intent. It is paid once or never: whoever confirms it a second time is refused."""

    status = fields.String(required=True)
    currency = fields.String(required=True, validate=validate.Length(equal=3))
    amount_received = fields.Integer(load_default=0, strict=True, validate=validate.Range(min=0))
    created = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 10**11))
    last_payment_error = fields.Nested(Wrong, load_default=None, allow_none=True)
    next_action = Part(_Action)
    latest_charge = Part(_Charge)


class Refunded(_Object):
    status = fields.String(required=True, allow_none=True)
    currency = fields.String(required=True, validate=validate.Length(equal=3))
    amount = fields.Integer(required=True, strict=True, validate=validate.Range(min=0))
    created = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 10**11))
    failure_reason = Text(limit=64)


class _Page(Slim):
    data = fields.List(fields.Dict(), required=True)
    has_more = fields.Boolean(required=True)


class _Card(Slim):
    brand = Text(limit=40)
    last4 = Text(limit=4)
    exp_month = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 12))
    exp_year = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 2999))
    fingerprint = Text()
    country = Country()
    funding = Text(limit=40)


class Method(Slim):
    """A payment method. ``customer`` is whose it is; one that is nobody's cannot be charged again."""

    id = fields.String(required=True, validate=_NAME)
    type = fields.String(required=True)
    customer = Text(limit=100)
    card = Part(_Card)
    sepa_debit = Part(_Card)


class _SetupIntent(Slim):
    status = fields.String(required=True)
    payment_method = fields.Nested(Method, load_default=None, allow_none=True)


class _Session(_Object):
    status = fields.String(required=True, validate=validate.OneOf(["open", "complete", "expired"]))
    url = WebAddress()
    customer = Text(limit=100)
    setup_intent = fields.Raw(load_default=None, allow_none=True)


def good(answer: Answer, what: str) -> Answer:
    """The answer where it is one; else ``Refused`` where Stripe said no, ``NoAnswer`` for anything else."""
    if answer.good:
        return answer
    if 400 <= answer.status < 500 or answer.status == 503:
        later = answer.status in (409, 429, 503)
        raise Refused(f"{what}: {why(answer)}", status=answer.status, permanent=not later)
    raise NoAnswer(f"{what}: answered {answer.status}")


def setup_page(answer: Answer) -> SetupPage:
    read = load(_Session, answer.body)
    if read is None or not read["url"]:
        raise NoAnswer("set-up: the answer could not be read")
    return SetupPage(read["url"], read["id"])


def setup_state(answer: Answer, reference: str) -> CardStored | SetupPending | SetupFailed:
    read = load(_Session, answer.body)
    if read is None or reference_of(read) != reference:
        raise NoAnswer("set-up: the answer could not be read")
    if read["status"] == "expired":
        return SetupFailed("expired")
    if read["status"] == "open":
        return SetupPending()
    intent = load(_SetupIntent, read["setup_intent"])
    if intent is None or (intent["status"] == "succeeded" and intent["payment_method"] is None):
        raise NoAnswer("set-up: the answer could not be read")
    match intent["status"]:
        case "succeeded":
            return stored(intent["payment_method"], read["customer"])
        case "canceled":
            return SetupFailed("left")
        case "requires_payment_method":
            return SetupFailed("declined")
        case _:
            return SetupPending()


def customer_of(answer: Answer) -> str:
    """Whose set-up it was; "" where the answer does not say."""
    read = load(_Session, answer.body)
    return read["customer"] if read is not None else ""


def stored(method: Mapping[str, Any], customer: str = "") -> CardStored:
    """A payment method as the house keeps it. ``NoAnswer`` where it is of a kind that was never asked for."""
    kind = method["type"]
    if kind not in ("card", SEPA) or len(method[kind]["last4"]) != 4:
        raise NoAnswer("the stored payment method could not be read")
    told = method[kind]
    return CardStored(
        token=token_of(kind, method["id"]),
        brand=told["brand"],
        last4=told["last4"],
        expiry_month=told["exp_month"],
        expiry_year=told["exp_year"],
        gateway_customer=customer or method["customer"],
        fingerprint=told["fingerprint"],
        country=told["country"],
        funding=told["funding"],
        kind=kind,
    )


def token_of(kind: str, method_id: str) -> str:
    """What the house keeps of a payment method. A charge must name the kind, so the token of a debit does."""
    return method_id if kind == "card" else f"{kind}:{method_id}"


def kind_and_id(token: str) -> tuple[str, str]:
    kind, parted, method_id = token.rpartition(":")
    return (kind, method_id) if parted else ("card", method_id)


def intent_of(answer: Answer, reference: str) -> dict[str, Any] | None:
    """The payment intent that was answered, None where it is none or another than was asked for."""
    read = load(Intent, answer.body)
    return read if read is not None and reference_of(read) == reference else None


def standing(intent: Mapping[str, Any]) -> Outcome | Absent:
    """How a payment stands. One that was never confirmed is as absent as none: no bank was asked, and only the engine knows
    whether somebody may still be confirming it."""
    name = intent["id"]
    match intent["status"]:
        case "succeeded":
            return _succeeded(intent)
        case "processing":
            return Pending(name)
        case "requires_action" if intent["next_action"]["redirect_to_url"]["url"]:
            return RequiresAction(intent["next_action"]["redirect_to_url"]["url"], name)
        case "requires_payment_method" | "canceled" if intent["last_payment_error"]:
            return declined(intent["last_payment_error"], name)
        case "canceled":
            return CLOSED
        case "requires_confirmation" | "requires_payment_method":
            return Absent()
        case _:
            return InDoubt("the answer has a state we do not know", name)


def _succeeded(intent: Mapping[str, Any]) -> Outcome:
    try:
        amount = from_stripe(intent["amount_received"], intent["currency"])
    except ValueError:
        return InDoubt("the answer has an amount we cannot read", intent["id"])
    network = intent["latest_charge"]["payment_method_details"]["card"]["network_transaction_id"]
    return Succeeded(intent["id"], amount, network)


def declined(wrong: Mapping[str, Any], name: str) -> Declined:
    code = wrong["decline_code"] or wrong["code"]
    decline = decline_of(code)
    advice = advice_of(decline, wrong["advice_code"], wrong["network_advice_code"])
    return Declined(decline, code, name, advice=advice)


def refused(answer: Answer, name: str = "") -> Outcome:
    """What an answer that is no good says about what was asked: certainly not done, or in doubt. ``name`` is the payment's id
    where it is known."""
    wrong = load(Wrong, answer.error)
    if answer.status == 402 and wrong is not None and (wrong["code"] or wrong["decline_code"]):
        return declined(wrong, name)
    # Stripe says what is wrong; an answer that does not may be that of any web server on the way.
    known = 400 <= answer.status < 500 and answer.status not in (402, *_DOUBTFUL) and answer.says("type")
    if not known or answer.says("type") == "idempotency_error":
        return InDoubt(f"answered {answer.status}", name)
    if answer.says("code") in METHOD_IS_GONE or _is_missing(answer, "payment_method", "customer"):
        gone = decline_of(answer.says("code"))
        return Declined(gone if gone is not Decline.UNKNOWN else Decline.NEW_DATA, answer.says("code"), name)
    return NotExecuted(why(answer), permanent=True)


def _is_missing(answer: Answer, *params: str) -> bool:
    return answer.says("code") == "resource_missing" and answer.says("param") in params


def why(answer: Answer) -> str:
    """Why a request was refused: Stripe's own code, which names no object."""
    code = clean(answer.says("code") or answer.says("type"), 60)
    param = clean(answer.says("param"), 60)
    about = f" ({param})" if param and code else ""
    return f"refused with {answer.status}" + (f": {code}{about}" if code else "")


def refund_standing(read: Mapping[str, Any]) -> Outcome:
    match read["status"]:
        case "succeeded":
            return _given_back(read)
        case "pending" | "requires_action":
            return Pending(read["id"])
        case "failed" | "canceled":
            return Declined(Decline.UNKNOWN, read["failure_reason"] or read["status"], read["id"])
        case _:
            return InDoubt("the answer has a state we do not know", read["id"])


def _given_back(read: Mapping[str, Any]) -> Outcome:
    try:
        return Succeeded(read["id"], from_stripe(read["amount"], read["currency"]))
    except ValueError:
        return InDoubt("the answer has an amount we cannot read", read["id"])


def refund_of(answer: Answer, reference: str) -> dict[str, Any] | None:
    read = load(Refunded, answer.body)
    return read if read is not None and reference_of(read) == reference else None


def page_of(answer: Answer) -> tuple[list[dict[str, Any]], bool]:
    """The objects on a page of a list, and whether there are more."""
    read = load(_Page, answer.body) if answer.good else None
    if read is None or (read["has_more"] and not read["data"]):
        raise NoAnswer(f"list: answered {answer.status}")
    return read["data"], read["has_more"]


def movement(told: Mapping[str, Any], schema: type[Schema]) -> Captured | None:
    """A movement of ours on a page of a list; None for what is not ours, or moved nothing. ``NoAnswer`` where it is ours and
    cannot be read: a list with a hole in it is none."""
    metadata = told.get("metadata")
    if not isinstance(metadata, dict) or REFERENCE not in metadata:
        return None
    read = load(schema, told)
    if read is None:
        raise NoAnswer("list: a movement of ours could not be read")
    refund = schema is Refunded
    outcome = refund_standing(read) if refund else standing(read)
    if not isinstance(outcome, Succeeded):
        return None
    at = datetime.fromtimestamp(read["created"], UTC)
    return Captured(reference_of(read), read["id"], outcome.amount, at, "refund" if refund else "charge")


def reference_of(read: Mapping[str, Any]) -> str:
    """Our reference on an object, read or as it came; "" where it is not ours."""
    metadata = read.get("metadata")
    found = metadata.get(REFERENCE) if isinstance(metadata, Mapping) else ""
    return found if isinstance(found, str) else ""


def name_of(answer: Answer) -> str:
    """The id of the object that was answered."""
    read = load(_Object, answer.body)
    if read is None:
        raise NoAnswer("the answer could not be read")
    return str(read["id"])


def last_of(found: list[dict[str, Any]]) -> str:
    """Where the next page of a list begins."""
    read = load(_Object, found[-1])
    if read is None:
        raise NoAnswer("list: the answer could not be read")
    return str(read["id"])


@cache
def _made(schema: type[Schema]) -> Schema:
    """One for all answers: to make one costs more than to read with it."""
    return schema()


def load(schema: type[Schema], value: object) -> dict[str, Any] | None:
    """What the schema reads in the value; None where it does not fit."""
    try:
        loaded: dict[str, Any] | None = _made(schema).load(value) if isinstance(value, Mapping) else None
    except ValidationError:
        return None
    return loaded
