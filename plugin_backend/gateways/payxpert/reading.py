"""What PayXpert's books say about a charge or a refund, in our words."""

from collections.abc import Iterable
from datetime import datetime

from plugin_backend.gateways.payxpert import codes
from plugin_backend.gateways.payxpert.handles import Card
from plugin_backend.gateways.payxpert.payload import Payment, Transaction
from plugin_backend.sdk.gateway import (
    Absent,
    Captured,
    CardStored,
    Decline,
    Declined,
    DisputeChanged,
    InDoubt,
    Outcome,
    Pending,
    RequiresAction,
    SetupFailed,
    SetupPending,
    Succeeded,
)
from plugin_backend.sdk.money import Money

_UNDER_WAY = ("pending", "not processed")
# PayXpert's words for a whole payment: its page is over, or its last try was refused.
_OVER, _REFUSED = "expired", "not authorized"
# A customer who pressed "cancel" on the page, or whose shop's page did.
_LEFT = ("-1", "-2")


def standing(found: Transaction) -> Outcome:
    """How one transaction stands. Its code decides; a word without a code says only that it is under way."""
    if found.done:
        return Succeeded(found.id, found.amount)
    if found.code == codes.DUPLICATE or found.status.lower() == "call failed":
        return InDoubt(f"PayXpert says {found.code or found.status}")
    if found.code:
        return Declined(codes.decline_of(found.code), found.code, found.id)
    return (
        Pending(found.id) if found.status.lower() in _UNDER_WAY else InDoubt("the transaction has no result")
    )


def taken(found: Iterable[Transaction], reference: str) -> Outcome | Absent:
    """The charge under a reference of ours: the one that took money where there is one, else the last try."""
    return _best(one for one in found if one.order == reference and one.operation in codes.TAKING)


def opening(payment: Payment, since: datetime | None = None) -> Outcome | Absent:
    """The first payment, that a set-up's page authorised: it was captured, or taken there and then. A capture that was
    refused counts from ``since`` on only."""
    captures = [one for one in payment.transactions if one.operation in ("capture", "sale")]
    return _best(one for one in captures if one.done or since is None or one.at >= since)


def on_page(payment: Payment, url: str, handle: str) -> Outcome:
    """A charge that its customer makes on a page. What he left or was refused there asks for him again."""
    outcome = _best(one for one in payment.transactions if one.operation in codes.TAKING)
    if isinstance(outcome, Succeeded | InDoubt):
        return outcome
    if isinstance(outcome, Pending):
        return Pending(handle)
    word = payment.status.lower()
    if word == _OVER or payment.code in _LEFT:
        return Declined(Decline.AUTHENTICATION, "expired" if word == _OVER else payment.code)
    if isinstance(outcome, Declined) and word == _REFUSED:
        return outcome
    return RequiresAction(url, handle)


def given_back(
    payment: Payment, charge: str, amount: Money, since: datetime, others: frozenset[str]
) -> Outcome | Absent:
    """A refund, which has no reference of ours at PayXpert: by the charge, the amount and the time, and because it is
    none of the charge's other refunds."""
    mine = (
        one
        for one in payment.transactions
        if one.operation in codes.GIVING and one.parent == charge and one.id not in others
    )
    return _best(one for one in mine if one.amount == amount and one.at >= since)


def _best(found: Iterable[Transaction]) -> Outcome | Absent:
    """The one that succeeded, else one that still may, else the last that did not."""
    known = sorted(found, key=lambda one: one.at)
    outcomes = [standing(one) for one in known]
    for kind in (Succeeded, Pending, InDoubt):
        if (first := next((one for one in outcomes if isinstance(one, kind)), None)) is not None:
            return first
    return outcomes[-1] if outcomes else Absent()


def authorised(payment: Payment) -> Transaction | None:
    """The transaction that a card page made, where it was accepted: what later payments are rebills of."""
    first = [one for one in payment.transactions if not one.parent and one.operation in ("authorize", "sale")]
    return next((one for one in first if one.done), None)


def why_no_card(payment: Payment) -> SetupPending | SetupFailed:
    """A card page on which nothing was accepted: over, or still open."""
    word = payment.status.lower()
    if payment.code in _LEFT:
        return SetupFailed("left")
    if word == _OVER:
        return SetupFailed("expired")
    return SetupFailed("declined") if word == _REFUSED else SetupPending()


def stored(found: Transaction, merchant: str) -> CardStored:
    means = found.means
    return CardStored(
        token=Card(found.id, merchant).token,
        brand=means.brand,
        last4=means.last4,
        expiry_month=means.month,
        expiry_year=means.year,
        fingerprint=means.fingerprint,
        country=means.country,
    )


def captures_of(payment: Payment, authorisation: str) -> list[Transaction]:
    return [one for one in payment.transactions if one.operation == "capture" and one.parent == authorisation]


def rebilled(payment: Payment, card: Card) -> str:
    """The transaction that a rebill names: an authorisation's capture, where it was captured."""
    done = [one.id for one in captures_of(payment, card.transaction) if one.done]
    return done[-1] if done else card.transaction


def movement(found: Transaction, at: datetime) -> Captured | None:
    """Money that moved, ``at`` in the shop's time; None for what moved none."""
    if not found.done or found.operation not in codes.TAKING | codes.GIVING:
        return None
    if found.operation in codes.TAKING:
        return Captured(found.order, found.id, found.amount, at)
    return Captured(found.order, found.id, found.amount, at, "refund", of=found.parent)


def dispute(found: Transaction) -> DisputeChanged | None:
    """What a bank did on behalf of its cardholder. A representment or reversal names the chargeback that it answers."""
    if not found.done or found.operation not in codes.DISPUTING | codes.WINNING:
        return None
    won = found.operation in codes.WINNING
    return DisputeChanged(
        found.parent if won else found.id,
        found.order,
        "" if won else found.parent,
        found.amount,
        "won" if won else "open",
    )
