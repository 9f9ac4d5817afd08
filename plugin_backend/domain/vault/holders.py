"""Which process holds which root keys: a root key is not made active while a living process could not use it."""

import os
import platform
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.house import house

# A process that has not reported for so long is no more.
ALIVE = timedelta(minutes=3)
EVERY_SECONDS = 60.0
_KEPT = timedelta(days=1)


class Holder(Base):
    """A process that holds root keys, as it last reported. ``process`` is its machine's name and number, for people;
    ``seen_at`` is by the database's clock, since machines need not agree on the time."""

    __tablename__ = "vault_holders"

    id: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str]
    roots: Mapped[list[str]] = mapped_column(ARRAY(Text))
    seen_at: Mapped[datetime]


def report(session: Session, holder_id: str) -> None:
    """This process lives and holds what its provider holds now."""
    values = {
        "process": f"{platform.node()}:{os.getpid()}",
        "roots": list(house().keys.root().held()),
        "seen_at": func.now(),
    }
    session.execute(
        insert(Holder)
        .values(id=holder_id, **values)
        .on_conflict_do_update(index_elements=[Holder.id], set_=values)
    )
    session.execute(delete(Holder).where(Holder.seen_at < func.now() - _KEPT))


def leave(session: Session, holder_id: str) -> None:
    """This process ends."""
    session.execute(delete(Holder).where(Holder.id == holder_id))


def living(session: Session) -> list[Holder]:
    """The processes that reported lately."""
    found = select(Holder).where(Holder.seen_at > func.now() - ALIVE)
    return list(session.scalars(found.order_by(Holder.process)))


def hold_still(session: Session) -> None:
    """Until the transaction ends nobody reports: who starts meanwhile sees how it ended."""
    session.execute(text("LOCK TABLE vault_holders IN SHARE ROW EXCLUSIVE MODE"))
