"""Every move of every noun, kept for ever: who wants to know why a row stands where it stands reads it here."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import states


class Stateful:
    """A row with a state; ``noun`` names its machine. The state is set by ``begin`` and ``move`` only."""

    noun: ClassVar[str]

    state: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")


class Move(Row, Base):
    """One step of one row. Append-only: the database role of the house may not change or delete it."""

    __tablename__ = "moves"
    prefix = "mov"
    # Its number in the sequence is not asked for when it is written: who needs it reads it.
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    noun: Mapped[str]
    row_id: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    reason: Mapped[str]

    __table_args__ = (Index("ix_moves_row", "shop_id", "row_id", "seq"),)


def enter(session: Session, row: Any, state: str, reason: str = "") -> None:
    """Add a new row in its first state. It is written when the session next is."""
    row.id = row.id or new_id(row.prefix)
    session.add(row)
    move(session, row, state, reason)


def begin(session: Session, row: Any, state: str, reason: str = "") -> Any:
    """Add a new row in its first state, and write it."""
    enter(session, row, state, reason)
    # Written now, since nothing tells the ORM that what hangs on this row must be written after it.
    session.flush()
    return row


def move(session: Session, row: Any, state: str, reason: str = "") -> None:
    """Move the row along an edge of its machine and keep the step. ``IllegalMove`` where there is no such edge."""
    before = row.state or states.START
    states.check(row.noun, before, state)
    row.state = state
    row.reason = reason
    note(session, row, before, reason)


def note(session: Session, row: Any, before: str, reason: str) -> None:
    """Keep the step that brought the row from ``before`` to where it stands. On its own only for a row whose state came
    with a backup that is newer than its history."""
    session.add(
        Move(
            id=new_id(Move.prefix),
            shop_id=row.shop_id,
            noun=row.noun,
            row_id=row.id,
            before=before,
            after=row.state,
            reason=reason,
        )
    )
