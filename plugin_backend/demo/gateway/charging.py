"""What happens to money: charges, their ends, and refunds. Each is one entry in the ledger, so it happens once or not.

Every function holds the book's lock from reading to writing.
"""

from datetime import datetime, timedelta
from typing import Any

from plugin_backend.demo.gateway.book import Book, new_id
from plugin_backend.demo.gateway.cards import BY_NAME
from plugin_backend.demo.gateway.records import Account, Charge, Dispute, Refund
from plugin_backend.sdk.money import Money

PENDING_FOR = timedelta(days=1)
REFUND_SETTLES_AFTER = timedelta(hours=1)
REFUND_FAILED = "refund_failed"
_STATES = ("captured", "requires_action", "pending")


class Rejected(Exception):
    """The request itself is refused and nothing was done. ``code`` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def known_key(
    account: Account, kind: str, key: str, request: str, sent_at: datetime
) -> Charge | Refund | None:
    """What a key made before. ``Rejected`` with 422 where it came with another request; None where the key is new, is
    forgotten because its window is over for the caller, or where the account keeps no keys."""
    use, window = account.keys.get((kind, key)), account.behaves.key_window
    if use is None or window is None or not use.remembered(sent_at, window):
        return None
    if use.request != request:
        raise Rejected(422, "key_reused", "This idempotency key was used with another request.")
    return account.charges[use.made] if kind == "charge" else account.refunds[use.made]


def has_kept_error(account: Account, kind: str, key: str, sent_at: datetime) -> bool:
    """Was this key's first answer a 500 that is given again?"""
    kept, window = account.errors.get((kind, key)), account.behaves.key_window
    return kept is not None and window is not None and sent_at - kept <= window


def make_charge(
    book: Book, account: Account, asked: dict[str, Any], decline: str, advice: str = ""
) -> Charge:
    """Charge a stored card. ``asked`` holds the request's fields with key, request print and ``sent_at``;
    ``decline`` is a code that a test wants, or "", and ``advice`` the network's advice beside it."""
    with book.lock:
        card = account.cards.get(asked["token"])
        if card is None or card.detached:
            raise Rejected(422, "unknown_token", "This account has no such stored card.")
        behaviour = BY_NAME[card.behaviour]
        answer = decline or behaviour.answer_to(asked["initiator"], card.charges + 1)
        if asked["authenticate"] and answer == "captured" and card.method == "card":
            answer = "requires_action"
        state, code = (answer, "") if answer in _STATES else ("declined", answer)
        entry = book.write(
            account,
            "charge.made",
            id=new_id("ch"),
            **asked,
            state=state,
            code=code,
            advice=(advice if decline else behaviour.advice) if state == "declined" else "",
            network_transaction_id=new_id("ntx"),
            **({"moved": asked["amount"]} if state == "captured" else {}),
        )
        return account.charges[entry["id"]]


def capture(book: Book, account: Account, charge: Charge) -> None:
    """Take the money of a charge that was waiting; ``Rejected`` where it has ended otherwise."""
    with book.lock:
        if charge.state == "captured":
            return
        _must_wait(charge)
        amount = charge.amount.as_json()
        moved = {"id": charge.id, "reference": charge.reference, "key": charge.key, "moved": amount}
        book.write(account, "charge.captured", **moved)


def refuse(book: Book, account: Account, charge: Charge, code: str) -> None:
    """The customer, or the bank, said no to a charge that was waiting."""
    with book.lock:
        _must_wait(charge)
        book.write(account, "charge.declined", id=charge.id, reference=charge.reference, code=code)


def close(book: Book, account: Account, charge: Charge) -> bool:
    """Make an open 3-D Secure challenge useless; whatever else the charge is, it stays. True where it was closed now."""
    with book.lock:
        if charge.state != "requires_action":
            return False
        book.write(account, "charge.closed", id=charge.id, reference=charge.reference)
        return True


def settle_pending(book: Book, account: Account) -> list[Charge]:
    """Capture the pending charges whose day is over by the account's clock."""
    with book.lock:
        ready = [c for c in account.pending.values() if account.now() - c.at >= PENDING_FOR]
        for charge in ready:
            capture(book, account, charge)
        return ready


def make_refund(book: Book, account: Account, asked: dict[str, Any], amount: Money, *, fails: bool) -> Refund:
    """Give back a part of what was captured, never more than is left of it. Where ``fails``, the bank sends it back
    an hour later, whether it was pending or already given back."""
    with book.lock:
        charge = account.charges.get(asked["charge"])
        if charge is None:
            raise Rejected(422, "unknown_charge", "This account has no such charge.")
        if charge.state != "captured" or charge.amount.currency != amount.currency:
            raise Rejected(422, "not_refundable", "Nothing was captured by this charge in this currency.")
        if charge.refunded + amount.minor > charge.amount.minor:
            raise Rejected(422, "refund_exceeds_capture", "That is more than is left of the charge.")
        state = "pending" if account.behaves.slow_refunds else "refunded"
        entry = book.write(
            account,
            "refund.made",
            id=new_id("re"),
            **asked,
            amount=amount.as_json(),
            state=state,
            fails=fails,
            **({"moved": amount.as_json()} if state == "refunded" else {}),
        )
        return account.refunds[entry["id"]]


def settle_refunds(book: Book, account: Account) -> list[Refund]:
    """End the refunds whose hour is over by the account's clock: given back, or failed."""
    with book.lock:
        ready = [r for r in account.unsettled.values() if account.now() - r.at >= REFUND_SETTLES_AFTER]
        for refund in ready:
            named = {"id": refund.id, "reference": refund.reference, "key": refund.key}
            if refund.fails:
                book.write(account, "refund.failed", **named, code=REFUND_FAILED)
            else:
                book.write(account, "refund.refunded", **named, moved=refund.amount.as_json())
        return ready


def open_dispute(book: Book, account: Account, charge: Charge) -> Dispute:
    """The cardholder disputes a captured charge; ``Rejected`` where nothing was captured."""
    with book.lock:
        if charge.state != "captured":
            raise Rejected(422, "not_disputable", "Nothing was captured by this charge.")
        named = {"id": new_id("dp"), "reference": charge.reference, "charge": charge.id}
        book.write(account, "dispute.opened", **named, amount=charge.amount.as_json())
        return account.disputes[named["id"]]


def end_dispute(book: Book, account: Account, dispute: Dispute, state: str) -> None:
    """The dispute is ``won`` or ``lost`` for the merchant; ``Rejected`` where it ended before."""
    with book.lock:
        if dispute.state != "open":
            raise Rejected(409, "dispute_ended", "This dispute has already ended.")
        book.write(account, f"dispute.{state}", id=dispute.id, reference=dispute.reference)


def _must_wait(charge: Charge) -> None:
    if charge.state not in ("requires_action", "pending"):
        raise Rejected(409, "charge_ended", "This charge has already ended.")
