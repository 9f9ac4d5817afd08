"""Refunds as rows: what was captured goes back by an ask of its own, and what is left to go back."""

import base64
import hashlib
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.domain import moves, plans
from plugin_backend.domain.billing.attempts import Attempt
from plugin_backend.domain.billing.disputes import disputed
from plugin_backend.domain.billing.strays import Stray
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

UNSETTLED = ("due", "sent", "pending", "in_doubt")
# Refunds that count: the money went back, or may have.
HELD = (*UNSETTLED, "succeeded")


class Refund(moves.Stateful, Due, Row, Base):
    """One try at giving back a part of one attempt's money, or a stray's, with a reference of its own. ``number`` counts the tries of
    one giving back: the next begins only when this one has proven not to have happened. ``asked`` counts what was asked
    about it, and is the fence: an answer to an earlier ask than the last proves nothing but success. ``absent_at`` is when
    the gateway first said, credibly, that it knows nothing of it."""

    __tablename__ = "refunds"
    prefix = "rfd"
    noun = "refund"
    bell = "refund"

    plan_id: Mapped[str] = mapped_column(index=True)
    attempt_id: Mapped[str | None]
    stray_id: Mapped[str | None]
    credit_id: Mapped[str] = mapped_column(default="")
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    number: Mapped[int] = mapped_column(default=1)
    reference: Mapped[str]
    gateway_id: Mapped[str] = mapped_column(default="")
    code: Mapped[str] = mapped_column(default="")
    asked: Mapped[int] = mapped_column(default=0)
    first_sent_at: Mapped[datetime | None]
    last_sent_at: Mapped[datetime | None]
    absent_at: Mapped[datetime | None]

    __table_args__ = (
        due_index("refunds"),
        ForeignKeyConstraint(["shop_id", "attempt_id"], ["attempts.shop_id", "attempts.id"]),
        ForeignKeyConstraint(["shop_id", "stray_id"], ["strays.shop_id", "strays.id"]),
        UniqueConstraint("shop_id", "reference"),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


def begin(
    session: Session,
    captured: Attempt | Stray,
    amount: int,
    *,
    credit_id: str = "",
    number: int = 1,
    at: datetime | None = None,
) -> Refund:
    """Have so many minor units of what was captured given back, from ``at`` (now) on. The caller holds the plan's lock and has
    seen that so much is left."""
    row = Refund(
        shop_id=captured.shop_id,
        id=new_id(Refund.prefix),
        plan_id=captured.plan_id,
        attempt_id=captured.id if isinstance(captured, Attempt) else None,
        stray_id=captured.id if isinstance(captured, Stray) else None,
        credit_id=credit_id,
        amount=amount,
        currency=captured.currency,
        number=number,
    )
    row.reference = _reference(row.id)
    row.rest(at or clock.now())
    moves.begin(session, row, "due")
    return row


def _reference(refund_id: str) -> str:
    """The idempotency key of a try: the same after any crash, never that of a charge."""
    digest = hashlib.sha256(f"reprise|refund|{refund_id}".encode()).digest()
    return "rr-" + base64.b32encode(digest)[:32].decode().lower()


def refund_by_reference(session: Session, shop_id: str, reference: str) -> Refund | None:
    return session.scalar(select(Refund).where(Refund.shop_id == shop_id, Refund.reference == reference))


def refunds_of(session: Session, captured: Attempt | Stray) -> list[Refund]:
    """Every refund of what was captured, the oldest first."""
    of = Refund.attempt_id == captured.id if isinstance(captured, Attempt) else Refund.stray_id == captured.id
    found = select(Refund).where(Refund.shop_id == captured.shop_id, of)
    return list(session.scalars(found.order_by(Refund.created_at, Refund.id)))


def refunded(session: Session, attempt: Attempt, *states: str) -> int:
    """Minor units of the attempt in refunds that are in one of these states."""
    found = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.shop_id == attempt.shop_id, Refund.attempt_id == attempt.id, Refund.state.in_(states)
    )
    return int(session.scalar(found) or 0)


def left_of(session: Session, attempt: Attempt) -> Money:
    """What can still be given back of an attempt: what was captured, less what went back or may have. Nothing while it
    is disputed, and what a lost dispute gave back is gone."""
    if attempt.state != "succeeded" or disputed(session, attempt, "open"):
        return Money(0, attempt.currency)
    gone = refunded(session, attempt, *HELD) + disputed(session, attempt, "lost")
    return Money(max(attempt.amount - gone, 0), attempt.currency)


def captures(session: Session, shop_id: str, plan_id: str) -> list[Attempt]:
    """The captured attempts of a plan, the newest first: that is the order in which they are given back."""
    found = select(Attempt).where(
        Attempt.shop_id == shop_id, Attempt.plan_id == plan_id, Attempt.state == "succeeded"
    )
    return list(session.scalars(found.order_by(Attempt.first_sent_at.desc(), Attempt.id.desc())))


def give_back(session: Session, shop: Shop, plan_id: str, *, attempt_id: str = "") -> list[Refund]:
    """Have everything that is left of a plan's captures (or of one attempt of it) given back. Asking again adds
    nothing."""
    plans.locked(session, shop.id, plan_id)
    return [
        begin(session, attempt, left.minor)
        for attempt in captures(session, shop.id, plan_id)
        if attempt_id in ("", attempt.id) and (left := left_of(session, attempt)).minor
    ]


def give_back_stray(session: Session, shop: Shop, stray_id: str) -> list[Refund]:
    """Have a capture that nothing of ours explains given back, all of it. Asking again adds nothing."""
    stray = session.get_one(Stray, (shop.id, stray_id), with_for_update=True)
    given = select(Refund.id).where(
        Refund.shop_id == shop.id, Refund.stray_id == stray.id, Refund.state.in_(HELD)
    )
    if stray.kind != "charge" or session.scalar(given.limit(1)):
        return []
    return [begin(session, stray, stray.amount)]


def give_back_again(session: Session, shop: Shop, refund_id: str) -> Refund | None:
    """A person wants a refund that failed tried once more; None where it did not fail, or no longer so much is left."""
    known = session.get_one(Refund, (shop.id, refund_id))
    if known.stray_id is not None:
        return next(iter(give_back_stray(session, shop, known.stray_id)), None)
    plans.locked(session, shop.id, known.plan_id)
    row = session.get_one(Refund, (shop.id, refund_id), with_for_update=True, populate_existing=True)
    attempt = session.get_one(Attempt, (shop.id, row.attempt_id))
    later = select(Refund.id).where(
        Refund.shop_id == shop.id,
        Refund.attempt_id == row.attempt_id,
        Refund.credit_id == row.credit_id,
        Refund.number > row.number,
    )
    if row.state in HELD or session.scalar(later) or left_of(session, attempt) < row.money:
        return None
    return begin(session, attempt, row.amount, credit_id=row.credit_id, number=row.number + 1)


def follow(session: Session, attempt: Attempt) -> None:
    """Let a paid collection stand as its money does: disputed, lost, given back as a whole, or paid."""
    row = session.get_one(
        Collection, (attempt.shop_id, attempt.collection_id), with_for_update=True, populate_existing=True
    )
    if disputed(session, attempt, "lost"):
        state, reason = "lost", "the dispute was lost"
    elif disputed(session, attempt, "open"):
        state, reason = "disputed", "the payment is disputed"
    elif refunded(session, attempt, "succeeded") >= attempt.amount:
        state, reason = "refunded", "given back"
    else:
        state, reason = "paid", "the money is here again"
    if row.state != state:
        moves.move(session, row, state, reason)
