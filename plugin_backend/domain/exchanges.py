"""What was said with a shop that could not be understood, kept for the person who decides its case."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Index, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import transcript
from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Exchange

KEPT = timedelta(days=30)


class Overheard(Row, Base):
    """The end of a conversation with the outside, as a person may read it. ``about`` is the id of what it was for."""

    __tablename__ = "exchanges"
    prefix = "exc"

    about: Mapped[str]
    text: Mapped[str]
    heard_at: Mapped[datetime] = mapped_column(default=clock.real_now)

    __table_args__ = (Index("ix_exchanges_about", "shop_id", "about"),)


def keep(session: Session, shop_id: str, about: str, heard: Sequence[Exchange]) -> None:
    """Keep how the conversation ended, in the place of an earlier one about the same."""
    forget(session, shop_id, about)
    if heard:
        text = transcript.told(heard)
        session.add(Overheard(shop_id=shop_id, id=new_id(Overheard.prefix), about=about, text=text))


def about(session: Session, shop_id: str, what: str) -> str:
    """What was kept about it, "" where nothing was, or it was long ago."""
    found = select(Overheard.text).where(Overheard.shop_id == shop_id, Overheard.about == what)
    return session.scalar(found.order_by(Overheard.id.desc()).limit(1)) or ""


def forget(session: Session, shop_id: str, about: str = "") -> None:
    """Forget what was kept about something; without that all of the shop, since nobody can look for a name in it."""
    mine = delete(Overheard).where(Overheard.shop_id == shop_id)
    session.execute(mine.where(Overheard.about == about) if about else mine)


def purge(session: Session, shop_id: str, now: datetime) -> None:
    """Forget what is older than 30 days."""
    session.execute(delete(Overheard).where(Overheard.shop_id == shop_id, Overheard.heard_at < now - KEPT))
