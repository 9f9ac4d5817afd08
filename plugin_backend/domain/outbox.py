"""What leaves us for the outside besides charges: mails and write-backs. Rows of one subject leave in order."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Identity, exists, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from plugin_backend.core import delays
from plugin_backend.core.db import Base
from plugin_backend.core.due import BATCH, Due, Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import moves
from plugin_backend.sdk import clock

LETTER = "letter"
# Ten tries over about three days; then a person must look.
_DELAYS = (10, 30, 120, 600, 1800, 7200, 21600, 43200, 86400, 86400)


class Out(moves.Stateful, Due, Row, Base):
    """Something to tell the outside: ``kind`` is ``mail`` or ``write_back``, ``what`` the row it is about (a message,
    a collection, a plan), ``subject`` the thing whose news must arrive in order. ``notice`` and ``card_news`` are
    judged, and where need be written, only when their turn comes; a ``letter`` is written then and is ``mail`` from then
    on."""

    __tablename__ = "outbox"
    prefix = "out"
    # Its number in the sequence is not asked for when it is written: who needs it reads it.
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012
    noun = "out"
    bell = "deliver"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    kind: Mapped[str]
    subject: Mapped[str]
    what: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    tries: Mapped[int] = mapped_column(default=0)


def post(
    session: Session,
    shop_id: str,
    kind: str,
    *,
    subject: str,
    what: str,
    not_before: datetime | None = None,
    **payload: Any,
) -> Out:
    """Have something told, soon or from ``not_before`` on, after whatever is still to be told of the same subject."""
    row = Out(shop_id=shop_id, id=new_id(Out.prefix), kind=kind, subject=subject, what=what, payload=payload)
    row.due_at = not_before or clock.now()
    moves.enter(session, row, "queued")
    return row


def is_told(session: Session, shop_id: str, subject: str) -> bool:
    """Was anything told of the subject, or is it to be?"""
    found = select(Out.id).where(Out.shop_id == shop_id, Out.subject == subject)
    return session.scalar(found.limit(1)) is not None


def take(session: Session, shop_id: str) -> list[str]:
    """Ids of rows that may leave now, leased to the caller: due, and the first of their subject."""
    earlier = aliased(Out)
    first = ~exists().where(
        earlier.shop_id == Out.shop_id,
        earlier.subject == Out.subject,
        earlier.state == "queued",
        earlier.seq < Out.seq,
    )
    now = clock.now()
    due = (
        select(Out.id)
        .where(Out.shop_id == shop_id, Out.due_at <= now, Out.state == "queued", first)
        .order_by(Out.seq)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .subquery()
    )
    taken = (
        update(Out)
        .where(Out.shop_id == shop_id, Out.id.in_(select(due.c.id)))
        .values(due_at=now + delays.DELAYS.lease, taken=True, tries=Out.tries + 1)
        .returning(Out.id, Out.seq)
        .execution_options(synchronize_session=False)
    )
    return [row.id for row in sorted(session.execute(taken), key=lambda row: row.seq)]


def done(session: Session, row: Out, state: str, reason: str = "") -> None:
    """It left (``sent``), is no longer wanted (``dropped``), or needs a person (``parked``)."""
    moves.move(session, row, state, reason)
    row.rest(None)


def later(session: Session, row: Out, reason: str) -> bool:
    """Try again after a while, and whatever stands behind it with it; False where it was tried often enough."""
    if row.tries > len(_DELAYS):
        return False
    at = clock.now() + timedelta(seconds=_DELAYS[row.tries - 1])
    row.reason = reason
    row.rest(at)
    behind = (
        Out.shop_id == row.shop_id,
        Out.subject == row.subject,
        Out.state == "queued",
        Out.seq > row.seq,
    )
    session.execute(update(Out).where(*behind, Out.due_at < at).values(due_at=at))
    return True


def try_again(session: Session, row: Out, now: datetime) -> None:
    """A person has looked at a parked row and wants it told."""
    moves.move(session, row, "queued", "tried again by a person")
    row.tries = 0
    row.rest(now)
