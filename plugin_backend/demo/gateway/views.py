"""How the gateway's objects look in answers."""

from datetime import timedelta
from typing import Any

from flask import url_for

from plugin_backend.demo.gateway.cards import BY_NAME
from plugin_backend.demo.gateway.ledger import Entry
from plugin_backend.demo.gateway.records import Card, Charge, Dispute, Refund, Setup

# How long after the charge it may be tried again: by the code of the decline, or by the network's advice.
_WAIT_AFTER = {
    "processing_error": timedelta(hours=1),
    "24": timedelta(hours=1),
    "25": timedelta(hours=24),
    "26": timedelta(days=2),
    "27": timedelta(days=4),
    "28": timedelta(days=6),
    "29": timedelta(days=8),
    "30": timedelta(days=10),
}
_NEWS = {"token", "last4", "expiry_month", "expiry_year"}


def setup(it: Setup) -> dict[str, Any]:
    """A set-up. What the customer is doing on the page is nobody's business: a challenge shows as ``open``."""
    return {
        "id": it.id,
        "object": "setup",
        "reference": it.reference,
        "state": "open" if it.state == "challenge" else it.state,
        "reason": it.reason,
        "url": url_for("pages.card_page", setup_id=it.id, _external=True),
        "customer": it.customer,
        "card": card(it.card) if it.card and it.state == "completed" else None,
    }


def card(it: Card) -> dict[str, Any]:
    return {
        "token": it.token,
        "brand": it.brand,
        "last4": it.last4,
        "expiry_month": it.expiry_month,
        "expiry_year": it.expiry_year,
        "fingerprint": it.fingerprint,
        "network_transaction_id": it.network_transaction_id,
        "country": "FR",
        "funding": "credit" if it.method == "card" else "",
        "method": it.method,
        "advice": BY_NAME[it.behaviour].advice,
    }


def charge(it: Charge, state: str = "", code: str = "") -> dict[str, Any]:
    """A charge as it stands, or in the ``state`` of an earlier answer."""
    state, code = (state, code) if state else (it.state, it.code)
    waits = state == "requires_action"
    advice = it.advice if state == "declined" else ""
    wait = _WAIT_AFTER.get(advice) or _WAIT_AFTER.get(code)
    return {
        "id": it.id,
        "object": "charge",
        "reference": it.reference,
        "state": state,
        "amount": it.amount.as_json(),
        "code": code,
        "advice": advice,
        "retry_not_before": (it.at + wait).isoformat() if wait else None,
        "url": url_for("pages.challenge_page", charge_id=it.id, _external=True) if waits else "",
        "network_transaction_id": it.network_transaction_id if state == "captured" else "",
        "at": it.at.isoformat(),
    }


def refund(it: Refund, state: str = "", code: str = "") -> dict[str, Any]:
    """A refund as it stands, or in the ``state`` of an earlier answer."""
    state, code = (state, code) if state else (it.state, it.code)
    return {
        "id": it.id,
        "object": "refund",
        "reference": it.reference,
        "state": state,
        "code": code,
        "charge": it.charge,
        "amount": it.amount.as_json(),
        "at": it.at.isoformat(),
    }


def first_answer(it: Charge | Refund) -> dict[str, Any]:
    """What the request that made it was answered; the same key is given it again."""
    return refund(it, *it.first) if isinstance(it, Refund) else charge(it, *it.first)


def dispute(it: Dispute) -> dict[str, Any]:
    return {
        "id": it.id,
        "reference": it.reference,
        "charge": it.charge,
        "amount": it.amount.as_json(),
        "state": it.state,
    }


def news(it: Card) -> dict[str, Any]:
    """What the network says of a stored card."""
    shown = {name: value for name, value in card(it).items() if name in _NEWS}
    return {**shown, "closed": it.detached}


def told(it: Charge | Refund | Setup) -> dict[str, Any]:
    """What a callback says: how a charge or a refund stands, and of a set-up no more than which. A page's address is
    for the caller alone."""
    match it:
        case Charge():
            return charge(it) | {"url": ""}
        case Refund():
            return refund(it)
        case Setup():
            return {"id": it.id, "reference": it.reference}


def movement(entry: Entry) -> dict[str, Any]:
    return {
        "kind": "refund" if entry["kind"].startswith("refund.") else "charge",
        "id": entry["id"],
        "reference": entry["reference"],
        "amount": entry["moved"],
        "at": entry["at"],
    }
