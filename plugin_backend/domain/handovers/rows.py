"""The row of a hand-over, and what is dropped in it: the web process cannot open what it was given."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row
from plugin_backend.core.seal import Place
from plugin_backend.domain import moves, vault
from plugin_backend.domain.vault.uses import DELIVERY


class Handover(vault.Dropped, moves.Stateful, Due, Row, Base):
    """One try at connecting a shop. ``home`` is the address by which its platform's API knows it; ``leads_to`` where the
    typed address sends its visitors instead, "" for nowhere else. ``typed`` is what was typed and is no secret, ``kept``
    and ``brought`` are dropped: the secrets that were typed, and the keys as they came. ``number`` counts the approvals that
    were begun, each with a nonce of its own; ``begun_by`` is the hash of the session in which the last one was. ``spare``
    counts keys that came although they were no longer needed: they are good in the shop, and nobody uses them."""

    __tablename__ = "handovers"
    prefix = "hnd"
    noun = "handover"
    dropped_columns = ("kept", "brought")
    bell = "connect"

    platform: Mapped[str] = mapped_column(default="")
    home: Mapped[str] = mapped_column(default="")
    leads_to: Mapped[str] = mapped_column(default="")
    typed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kept: Mapped[bytes | None] = mapped_column(LargeBinary)
    brought: Mapped[bytes | None] = mapped_column(LargeBinary)
    number: Mapped[int] = mapped_column(default=0)
    begun_by: Mapped[str] = mapped_column(default="")
    spare: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("ix_handovers_due", "shop_id", "due_at", postgresql_where="due_at IS NOT NULL"),
        Index("uq_handovers_open", "shop_id", unique=True, postgresql_where="state <> 'connected'"),
    )


def newest(session: Session, shop_id: str, *, lock: bool = False) -> Handover | None:
    """The shop's last hand-over; None for a shop that was connected by command."""
    found = select(Handover).where(Handover.shop_id == shop_id).order_by(Handover.id.desc()).limit(1)
    return session.scalar(found.with_for_update() if lock else found)


def drop(session: Session, row: Handover, what: str, value: Mapping[str, Any]) -> bytes:
    """For a worker of this shop only. ``what`` is the column it goes into."""
    return vault.slot(session, row.shop_id).drop(_place(row, what), json.dumps(dict(value)).encode())


def taken(session: Session, row: Handover, what: str) -> dict[str, Any]:
    """What was dropped into the column, {} where nothing was. ``SealError`` in a process without the root key."""
    dropped = getattr(row, what)
    if dropped is None:
        return {}
    opened: dict[str, Any] = json.loads(vault.take(session, _place(row, what), dropped, vault.to_read(row)))
    return opened


def _place(row: Handover, what: str) -> Place:
    return Place(row.shop_id, "", row.id, DELIVERY, what)
