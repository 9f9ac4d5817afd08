"""Refunds: what was captured is given back by an ask like a charge: written down, asked with nothing open, recorded once.

Refunded and open together never exceed what was captured; none begins while its attempt is in doubt, since only a
captured attempt can be refunded at all.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import cases, ledger, merchants, moves, plans
from plugin_backend.domain.billing.attempts import Attempt, ask_again
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money

UNSETTLED = ("due", "sent", "pending", "in_doubt")


class Refund(moves.Stateful, Due, Row, Base):
    """One giving back of one attempt's money. ``number`` counts the tries, each of which has a reference of its own;
    a new one begins only when the one before has proven not to have happened."""

    __tablename__ = "refunds"
    prefix = "rfd"
    noun = "refund"
    bell = "refund"

    plan_id: Mapped[str]
    attempt_id: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    number: Mapped[int] = mapped_column(default=1)
    gateway_id: Mapped[str] = mapped_column(default="")
    asked: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    absent_at: Mapped[datetime | None]

    __table_args__ = (
        due_index("refunds"),
        ForeignKeyConstraint(["shop_id", "attempt_id"], ["attempts.shop_id", "attempts.id"]),
        UniqueConstraint("shop_id", "id", "number"),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def reference(self) -> str:
        """The idempotency key of this try: the same after any crash, never that of a charge."""
        digest = hashlib.sha256(f"reprise|refund|{self.id}|{self.number}".encode()).digest()
        return "rr-" + base64.b32encode(digest)[:32].decode().lower()


@dataclass(frozen=True, slots=True)
class RefundAsk:
    """What to ask of whom: to give back (``new``), or how a giving back stands."""

    refund_id: str
    request: sdk.RefundRequest
    gateway: sdk.Gateway
    gateway_id: str
    new: bool


def give_back(session: Session, shop: Shop, plan_id: str, *, attempt_id: str = "") -> list[Refund]:
    """Have what was captured for a plan (or by one attempt of it), and not yet given back, given back. Asking again
    adds nothing."""
    plans.locked(session, shop.id, plan_id)
    captured = select(Attempt).where(
        Attempt.shop_id == shop.id, Attempt.plan_id == plan_id, Attempt.state == "succeeded"
    )
    if attempt_id:
        captured = captured.where(Attempt.id == attempt_id)
    return [refund for attempt in session.scalars(captured) for refund in _rest_of(session, attempt)]


def _rest_of(session: Session, attempt: Attempt) -> list[Refund]:
    given = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.shop_id == attempt.shop_id,
        Refund.attempt_id == attempt.id,
        Refund.state.in_((*UNSETTLED, "succeeded")),
    )
    left = attempt.amount - int(session.scalar(given) or 0)
    if left <= 0:
        return []
    row = Refund(
        shop_id=attempt.shop_id,
        plan_id=attempt.plan_id,
        attempt_id=attempt.id,
        amount=left,
        currency=attempt.currency,
        number=1,
        asked=0,
    )
    row.rest(clock.now())
    moves.begin(session, row, "due")
    return [row]


def prepare_refund(session: Session, shop: Shop, refund_id: str) -> RefundAsk | None:
    """Write down that it is asked; None where it is settled."""
    row = session.get_one(Refund, (shop.id, refund_id), with_for_update=True, populate_existing=True)
    if row.state not in UNSETTLED:
        row.rest(None)
        return None
    new = row.state == "due"
    if new:
        moves.move(session, row, "sent")
        row.sent_at = clock.now()
    row.asked += 1
    attempt = session.get_one(Attempt, (shop.id, row.attempt_id))
    account = session.get_one(GatewayAccount, (shop.id, attempt.account_id))
    request = sdk.RefundRequest(row.reference, attempt.reference, attempt.gateway_id, row.money)
    return RefundAsk(row.id, request, merchants.gateway_of(shop, account), row.gateway_id, new)


def ask_refund(ask: RefundAsk) -> sdk.Outcome | sdk.Absent:
    """Ask the gateway, with no transaction open."""
    assert_no_transaction()
    if ask.new:
        return ask.gateway.refund(ask.request)
    return ask.gateway.find_refund(ask.request.reference, ask.gateway_id)


def record_refund(session: Session, shop: Shop, ask: RefundAsk, outcome: sdk.Outcome | sdk.Absent) -> None:
    """Enter what became of it. Entering it again changes nothing."""
    plan_id = session.get_one(Refund, (shop.id, ask.refund_id)).plan_id
    plans.locked(session, shop.id, plan_id)
    row = session.get_one(Refund, (shop.id, ask.refund_id), with_for_update=True, populate_existing=True)
    if row.state not in UNSETTLED:
        return
    match outcome:
        case sdk.Succeeded():
            _given_back(session, row, outcome)
        case sdk.Declined(code=code):
            moves.move(session, row, "declined", code)
            row.rest(None)
            cases.open_case(session, shop.id, "refund_refused", row.plan_id, refund=row.id, code=code)
        case sdk.Pending() | sdk.RequiresAction():
            _wait(session, row, "pending", "under way at the gateway")
        case sdk.NotExecuted(permanent=permanent):
            _once_more(
                session, row, delays.DELAYS.looked_at_again if permanent else delays.DELAYS.not_executed
            )
        case sdk.InDoubt(reason=reason):
            _wait(session, row, "in_doubt", reason)
        case sdk.Absent():
            _absent(session, row, ask.gateway.capabilities)
        case _:
            assert_never(outcome)


def _given_back(session: Session, row: Refund, outcome: sdk.Succeeded) -> None:
    if outcome.amount != row.money:
        cases.open_case(session, row.shop_id, "amount_differs", row.id, refunded=outcome.amount.as_json())
        _wait(session, row, "in_doubt", "amount differs")
        row.rest(clock.now() + delays.DELAYS.looked_at_again)
        return
    moves.move(session, row, "succeeded")
    row.gateway_id = outcome.gateway_id or row.gateway_id
    row.rest(None)
    ledger.book(
        session,
        row.shop_id,
        "refund",
        row.id,
        row.plan_id,
        row.money,
        debit=ledger.CUSTOMER,
        credit=ledger.GATEWAY,
    )
    attempt = session.get_one(Attempt, (row.shop_id, row.attempt_id))
    collection = session.get_one(Collection, (row.shop_id, attempt.collection_id), with_for_update=True)
    if collection.state == "paid" and row.amount == attempt.amount:
        moves.move(session, collection, "refunded", "given back")


def _wait(session: Session, row: Refund, state: str, reason: str) -> None:
    if row.state != state:
        moves.move(session, row, state, reason)
    row.rest(clock.now() + ask_again(row.asked - 1))


def _once_more(session: Session, row: Refund, delay: timedelta) -> None:
    """It did not happen: a new try, under a new reference."""
    moves.move(session, row, "due", "not executed")
    row.number += 1
    row.absent_at = None
    row.rest(clock.now() + delay)


def _absent(session: Session, row: Refund, capabilities: sdk.GatewayCapabilities) -> None:
    """As with charges: silence proves something when it is old, and said twice, ten minutes apart."""
    now = clock.now()
    believable = (
        row.sent_at is not None and now - row.sent_at >= delays.DELAYS.lease + capabilities.absent_after
    )
    if believable and row.absent_at is not None and now - row.absent_at >= delays.DELAYS.absent_twice:
        if row.state != "in_doubt":
            moves.move(session, row, "in_doubt", "absent for now")
        _once_more(session, row, timedelta(0))
        return
    _wait(session, row, "in_doubt", "absent for now")
    if believable and row.absent_at is None:
        row.absent_at = now
