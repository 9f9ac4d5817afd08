"""What a shop is asked by itself: how far it is known, and how it usually speaks. One row for each connection."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays
from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.domain import rhythms
from plugin_backend.sdk import clock


class Poll(Due, Row, Base):
    """How a connection is polled. Everything that changed in the shop before ``since`` (the shop's own clock, never a
    test shop's) is known. ``until`` is when the round under way began, by that clock, and ``begun_at`` by ours; ``kind``
    and ``cursor`` are where it goes on. ``asked_at`` is when the last round began that came to its end. ``able`` False:
    the shop can be asked nothing; None: nobody has tried.

    ``heard_id`` is the newest delivery we know of and ``heard_at`` when it was noticed; ``hour`` is the hour that is being
    listened to, ``hour_heard`` whether anything came in it. ``missed`` counts what only asking told since then, the
    first of it at ``missed_at``; ``silent_at`` is when a person was told. ``webhooks`` is how they stood in the shop at
    ``webhooks_at``; they are listed when ``webhooks_due`` has come, and never before somebody asked for them."""

    __tablename__ = "polls"
    prefix = "pol"
    bell = "poll"

    connection_id: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    kind: Mapped[str] = mapped_column(default="")
    cursor: Mapped[str] = mapped_column(default="")
    able: Mapped[bool | None]
    failures: Mapped[int] = mapped_column(default=0)
    heard_id: Mapped[str] = mapped_column(default="")
    heard_at: Mapped[datetime | None]
    hour: Mapped[datetime]
    hour_heard: Mapped[bool] = mapped_column(default=False)
    rhythm: Mapped[dict[str, Any]] = mapped_column(default=dict)
    missed: Mapped[int] = mapped_column(default=0)
    missed_at: Mapped[datetime | None]
    silent_at: Mapped[datetime | None]
    webhooks: Mapped[list[Any]] = mapped_column(default=list)
    webhooks_at: Mapped[datetime | None]
    webhooks_due: Mapped[datetime | None]

    __table_args__ = (due_index("polls"), UniqueConstraint("shop_id", "connection_id"))

    @property
    def listens(self) -> bool:
        """Is anything to be heard from the shop by itself? Not before it spoke, or was made to."""
        return bool(self.heard_id) or self.webhooks_at is not None


def begin(session: Session, shop_id: str, connection_id: str) -> Poll:
    """Ask a new connection's shop from now on, or a little before: it dates its changes by whole seconds, and by its own
    clock."""
    now = clock.now()
    row = Poll(
        shop_id=shop_id,
        id=new_id(Poll.prefix),
        connection_id=connection_id,
        since=clock.real_now() - delays.DELAYS.poll_overlap,
        hour=rhythms.hour_of(now),
    )
    row.rest(now + delays.DELAYS.poll)
    session.add(row)
    return row


def of_shop(session: Session, shop_id: str) -> Poll:
    """The poll of the shop's newest connection."""
    found = select(Poll).where(Poll.shop_id == shop_id).order_by(Poll.id.desc()).limit(1)
    return session.scalars(found).one()


def want_webhooks(session: Session, shop_id: str, after: timedelta = timedelta(0)) -> None:
    """Have the webhooks made in the shop, or listed and repaired, by a worker; from then on daily. Whoever gives a
    connection new keys says so by this; they are tried at once."""
    now = clock.now()
    for row in session.scalars(select(Poll).where(Poll.shop_id == shop_id).with_for_update()):
        row.webhooks_due, row.able = now + after, None
        if not row.taken:
            row.due_at = now


def webhooks_made(session: Session, shop_id: str, states: list[dict[str, str]]) -> None:
    """The webhooks were made or listed just now, since a person asked for it; the next look at them is tomorrow's."""
    row = of_shop(session, shop_id)
    row.webhooks, row.webhooks_at = list(states), clock.now()
    row.webhooks_due = clock.now() + delays.DELAYS.webhooks


def take(session: Session, shop_id: str, poll_id: str) -> bool:
    """Lease a poll to the caller before its time; False where another has it."""
    found = select(Poll).where(Poll.shop_id == shop_id, Poll.id == poll_id)
    row = session.scalar(found.with_for_update(skip_locked=True))
    now = clock.now()
    if row is None or (row.taken and row.due_at is not None and row.due_at > now):
        return False
    row.due_at, row.taken = now + delays.DELAYS.lease, True
    return True
