"""Erasures as rows, and the tombstones they leave."""

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import moves

# Why something is forgotten: a person of the shop has it done, the platform passes the customer's wish on, the use of a
# card is over, or an address that somebody typed never answered.
BY_HAND, PLATFORM, RETENTION, UNANSWERED = "by_hand", "platform", "retention", "unanswered"


class Erasure(moves.Stateful, Due, Row, Base):
    """A customer who is to be forgotten, or one card of his (``method_id``) whose use is over. ``asked_by`` is who or what
    had it done; ``tries`` counts how often the gateways were asked."""

    __tablename__ = "erasures"
    prefix = "era"
    noun = "erasure"
    bell = "erase"

    customer_id: Mapped[str]
    method_id: Mapped[str] = mapped_column(default="")
    cause: Mapped[str]
    asked_by: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        due_index("erasures"),
        UniqueConstraint("shop_id", "customer_id", "method_id"),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
    )


class Tombstone(Row, Base):
    """What was forgotten, as ids that say nothing any more: of which customer (``whole``: all of him), which cards and which
    keys, why, and who had it done. Append-only. It goes along with the keys' backups, so that what an older backup brings
    back is forgotten again. Its id is its erasure's."""

    __tablename__ = "tombstones"
    prefix = "tmb"

    customer_id: Mapped[str]
    whole: Mapped[bool]
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    cause: Mapped[str]
    asked_by: Mapped[str]
