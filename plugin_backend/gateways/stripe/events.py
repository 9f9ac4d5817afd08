"""Stripe's webhooks: signed, at least once, in any order. Each is evidence, and what it is about is read again."""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from marshmallow import fields, validate

from plugin_backend.gateways.stripe import payload
from plugin_backend.gateways.stripe.amounts import from_stripe
from plugin_backend.sdk.errors import BadSignature, NotOurs, Unreadable
from plugin_backend.sdk.gateway import (
    Absent,
    CardUpdated,
    ChargeChanged,
    CheckoutDeclined,
    DisputeChanged,
    GatewayEvent,
    InDoubt,
    RefundChanged,
    SetupChanged,
)
from plugin_backend.sdk.http import Delivery
from plugin_backend.sdk.payload import Part, Slim, Text, clean, read_object, text_of
from plugin_backend.sdk.signing import TOLERANCE_SECONDS, hmac_sha256

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_STAMP = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"evt_[A-Za-z0-9_]{1,100}")
_ORDER = re.compile(r"[A-Za-z0-9_-]{1,60}")


class _Data(Slim):
    object = fields.Dict(required=True)


class _Event(Slim):
    """``account`` names a connected account, of which we have none. ``created`` is when it happened, in seconds."""

    type = fields.String(required=True)
    created = fields.Integer(required=True, strict=True, validate=validate.Range(0, 10**11))
    livemode = fields.Boolean(required=True)
    account = Text()
    data = fields.Nested(_Data, required=True)


class _Left(Slim):
    order_id = Text(limit=60)


class _AtTheCheckout(Slim):
    """A payment that the shop's own plugin asked for. ``order_id`` is what the official plugins of WooCommerce leave in its
    metadata, and others after them."""

    metadata = Part(_Left)
    last_payment_error = Part(payload.Wrong)


class _Dispute(Slim):
    id = fields.String(required=True, validate=validate.Length(1, 100))
    payment_intent = fields.String(load_default="", allow_none=True)
    amount = fields.Integer(required=True, strict=True, validate=validate.Range(min=0))
    currency = fields.String(required=True, validate=validate.Length(equal=3))
    status = fields.String(required=True)


class _Mandate(Slim):
    status = fields.String(required=True)
    payment_method = fields.String(required=True, validate=validate.Length(1, 100))


def verify(delivery: Delivery, secret: str) -> None:
    """``BadSignature`` unless one ``v1`` of the header fits: while a secret is changed there are two. The time may be five
    minutes off in either direction; Stripe's own library looks into the past only."""
    stamp, given = _signed(delivery.header("stripe-signature"))
    if not _STAMP.fullmatch(stamp) or not given or not secret:
        raise BadSignature("the callback is not signed")
    if abs(delivery.received_at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature("the callback's time is too far from ours")
    expected = hmac_sha256(secret.encode(), stamp.encode() + b"." + delivery.body)
    fits = False
    for one in given:
        fits |= hmac.compare_digest(bytes.fromhex(one), expected)
    if not fits:
        raise BadSignature("the signature does not fit the body")


def _signed(header: str) -> tuple[str, list[str]]:
    """The time and the signatures of version 1 in a header ``t=...,v1=...,v1=...``."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1" and _SIGNATURE.fullmatch(value)]
    return (stamps[0] if len(stamps) == 1 else ""), given


def identify(body: bytes) -> str:
    """The event's own id; "" where it has none. A delivery that is repeated can differ in its other bytes."""
    name = text_of(_object(body).get("id"))
    return name if _ID.fullmatch(name) else ""


def topic(body: bytes) -> str:
    return clean(text_of(_object(body).get("type")), 64)


def parse(body: bytes, mode: str) -> list[GatewayEvent]:
    """What a callback says; a type we do not know is of no interest. ``mode`` is the account's, "" where it is not known.
    ``NotOurs`` for what is another account's, or of the other mode."""
    told = payload.load(_Event, read_object(body))
    if told is None:
        raise Unreadable("the callback has no readable type, mode and data")
    if told["account"]:
        raise NotOurs("the callback is of another Stripe account")
    if mode and told["livemode"] is not (mode == "live"):
        theirs = "live" if told["livemode"] else "test"
        raise NotOurs(f"the callback is of {theirs} mode, and this account is connected in {mode} mode")
    kind = told["type"]
    found = next((read for begin, read in _READERS.items() if kind.startswith(begin)), None)
    return found(told["data"]["object"], told) if found else []


def _charge(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    """A payment of the merchant's own, without our reference, is passed over, but for why it failed."""
    if not _is_ours(told):
        return _at_the_checkout(told, event)
    read = payload.load(payload.Intent, told)
    if read is None:
        raise Unreadable("the payment in the callback cannot be read")
    outcome = payload.standing(read)
    known = None if isinstance(outcome, Absent | InDoubt) else outcome
    return [ChargeChanged(payload.reference_of(read), read["id"], known)]


def _at_the_checkout(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    """That a card was declined at the shop's own checkout, where the plugin there has left the order's number."""
    if event["type"] != "payment_intent.payment_failed":
        return []
    read = payload.load(_AtTheCheckout, told)
    if read is None or not _ORDER.fullmatch(read["metadata"]["order_id"]):
        return []
    wrong = read["last_payment_error"]
    reason = wrong["decline_code"] or wrong["code"]
    at = datetime.fromtimestamp(event["created"], UTC)
    return [CheckoutDeclined(read["metadata"]["order_id"], reason, at)]


def _setup(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    reference = payload.reference_of({"metadata": told.get("metadata") if _is_ours(told) else None})
    return [SetupChanged(reference)] if reference else []


def _refund(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    if not _is_ours(told):
        return []
    read = payload.load(payload.Refunded, told)
    if read is None:
        raise Unreadable("the refund in the callback cannot be read")
    outcome = payload.refund_standing(read)
    return [RefundChanged(payload.reference_of(read), None if isinstance(outcome, InDoubt) else outcome)]


def _dispute(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    """A dispute names the payment and not our reference. An inquiry (``warning_...``) moves no money, and is none yet."""
    read = payload.load(_Dispute, told)
    if read is None:
        raise Unreadable("the dispute in the callback cannot be read")
    state = _DISPUTES.get(read["status"])
    if state is None or not read["payment_intent"]:
        return []
    try:
        amount = from_stripe(read["amount"], read["currency"])
    except ValueError:
        raise Unreadable("the dispute's amount cannot be read") from None
    return [DisputeChanged(read["id"], "", read["payment_intent"], amount, state)]


def _method(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    read = payload.load(payload.Method, told)
    if read is None or read["type"] not in ("card", payload.SEPA):
        return []
    card = read[read["type"]]
    token = payload.token_of(read["type"], read["id"])
    closed = event["type"].endswith(".detached")
    return [CardUpdated(token, card["last4"], card["exp_month"], card["exp_year"], closed)]


def _mandate(told: Mapping[str, Any], event: Mapping[str, Any]) -> list[GatewayEvent]:
    """A debit's mandate that is no longer in force closes the bank account behind it."""
    read = payload.load(_Mandate, told)
    if read is None or read["status"] != "inactive":
        return []
    return [CardUpdated(payload.token_of(payload.SEPA, read["payment_method"]), closed=True)]


def _is_ours(told: Mapping[str, Any]) -> bool:
    metadata = told.get("metadata")
    return isinstance(metadata, dict) and payload.REFERENCE in metadata


def _object(body: bytes) -> dict[str, Any]:
    try:
        return read_object(body)
    except Unreadable:
        return {}


_DISPUTES: Mapping[str, Literal["open", "won", "lost"]] = {
    "needs_response": "open",
    "under_review": "open",
    "appeal_needs_response": "open",
    "appeal_under_review": "open",
    "won": "won",
    "lost": "lost",
}
_READERS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], list[GatewayEvent]]] = {
    "payment_intent.": _charge,
    "checkout.session.": _setup,
    "refund.": _refund,
    "charge.dispute.": _dispute,
    "payment_method.automatically_updated": _method,
    "payment_method.updated": _method,
    "payment_method.detached": _method,
    "mandate.updated": _mandate,
}
