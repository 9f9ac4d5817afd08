"""How the gateway's objects look in answers."""

from datetime import timedelta
from typing import Any

from flask import url_for

from plugin_backend.demo.gateway.ledger import Entry
from plugin_backend.demo.gateway.records import Card, Charge, Refund, Setup

# Advice the network gives with some declines: not before this long after the charge.
_WAIT_AFTER = {"processing_error": timedelta(hours=1)}


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
        "funding": "credit",
    }


def charge(it: Charge, state: str = "", code: str = "") -> dict[str, Any]:
    """A charge as it stands, or in the ``state`` of an earlier answer."""
    state, code = (state, code) if state else (it.state, it.code)
    waits = state == "requires_action"
    retry = (it.at + _WAIT_AFTER[code]).isoformat() if code in _WAIT_AFTER else None
    return {
        "id": it.id,
        "object": "charge",
        "reference": it.reference,
        "state": state,
        "amount": it.amount.as_json(),
        "code": code,
        "retry_not_before": retry,
        "url": url_for("pages.challenge_page", charge_id=it.id, _external=True) if waits else "",
        "network_transaction_id": it.network_transaction_id if state == "captured" else "",
        "at": it.at.isoformat(),
    }


def refund(it: Refund) -> dict[str, Any]:
    return {
        "id": it.id,
        "object": "refund",
        "reference": it.reference,
        "state": "refunded",
        "charge": it.charge,
        "amount": it.amount.as_json(),
        "at": it.at.isoformat(),
    }


def first_answer(it: Charge | Refund) -> dict[str, Any]:
    """What the request that made it was answered; the same key is given it again."""
    return refund(it) if isinstance(it, Refund) else charge(it, *it.first)


def movement(entry: Entry) -> dict[str, Any]:
    return {
        "kind": "refund" if entry["kind"] == "refund.made" else "charge",
        "id": entry["id"],
        "reference": entry["reference"],
        "amount": entry["moved"],
        "at": entry["at"],
    }
