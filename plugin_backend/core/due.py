"""One column for every timer: ``due_at`` is a row's schedule, its lease and its retry.

Taking a row pushes ``due_at`` on by a lease and marks it ``taken``; whoever finishes with it sets the next moment, or
None, and lets it go. A process that dies leaves a row that is due again when the lease is over.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Index, select, text, true, update
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column

from plugin_backend.core import delays
from plugin_backend.sdk import clock

SET_ASIDE = timedelta(hours=1)
DAY = timedelta(days=1)
BATCH = 25
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:work, 0))")


class Row:
    """A tenant's row: it says itself whose it is, and its key begins with that."""

    prefix: ClassVar[str]

    shop_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class Due:
    """A row with a timer. ``bell`` names the work that its moment asks for."""

    bell: ClassVar[str]

    due_at: Mapped[datetime | None]
    taken: Mapped[bool] = mapped_column(default=False)

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (due_index(cls.__tablename__),)  # type: ignore[attr-defined]

    def rest(self, due_at: datetime | None) -> None:
        """Let the row go until ``due_at``; None: it waits for nothing."""
        self.due_at = due_at
        self.taken = False


def due_index(table: str) -> Index:
    """The partial index by which due rows are found, and nothing that is at rest is looked at."""
    return Index(f"ix_{table}_due", "shop_id", "due_at", postgresql_where="due_at IS NOT NULL")


def take(session: Session, model: type[Any], shop_id: str, *, limit: int = BATCH) -> list[str]:
    """Ids of up to ``limit`` due rows of the shop, oldest first, leased to the caller; rows that another holds are
    passed over. The lease is counted in the shop's time."""
    now = clock.now()
    due = (
        select(model.id)
        .where(model.shop_id == shop_id, model.due_at <= now)
        .order_by(model.due_at, model.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .subquery()
    )
    statement = (
        update(model)
        .where(model.shop_id == shop_id, model.id.in_(select(due.c.id)))
        .values(due_at=now + delays.DELAYS.lease, taken=True)
        .returning(model.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(session.scalars(statement))


def peek(session: Session, model: type[Any], shop_id: str, *, limit: int = BATCH) -> list[Any]:
    """Up to ``limit`` due rows, as they stand and held by nobody, oldest first: for a look at them before their work."""
    found = select(model).where(model.shop_id == shop_id, model.due_at <= clock.now())
    return list(session.scalars(found.order_by(model.due_at, model.id).limit(limit)))


def lock_due(
    session: Session,
    model: type[Any],
    shop_id: str,
    *,
    limit: int = BATCH,
    only: Collection[str] | None = None,
) -> list[Any]:
    """Up to ``limit`` due rows, of ``only`` these ids where they are given, locked for this transaction: for work that
    asks nobody outside."""
    meant = true() if only is None else model.id.in_(only)
    statement = (
        select(model)
        .where(model.shop_id == shop_id, model.due_at <= clock.now(), meant)
        .order_by(model.due_at, model.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(statement))


def alone(session: Session, shop_id: str, work: str) -> None:
    """Wait for whoever does the same work for the shop, until the transaction ends: two who lock the same carts in
    different orders would stop each other."""
    session.execute(_ALONE, {"work": f"{work} {shop_id}"})


def any_due(session: Session, model: type[Any], shop_id: str) -> bool:
    """Is anything of this kind due for the shop?"""
    found = select(model.id).where(model.shop_id == shop_id, model.due_at <= clock.now()).limit(1)
    return session.scalar(found) is not None
