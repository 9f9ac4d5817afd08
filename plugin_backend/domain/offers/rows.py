"""Offers as rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import moves, schedules
from plugin_backend.domain.offers.templates import CHECKOUT, Kind
from plugin_backend.sdk.money import Money

OPEN_STATES = ("open", "accepting")


class Offer(moves.Stateful, Due, Row, Base):
    """One offer for one basket. Its timer is its end. ``cause`` is ``abandoned``, ``declined`` (the shop told
    us) or ``asked`` (its shopper did, in the shop's page); ``light_first`` that the first payment is at most half; ``verdict`` the law's
    answer and its source; ``terms`` what was accepted, and ``terms_hash`` its hash, once it is accepted."""

    __tablename__ = "offers"
    prefix = "off"
    noun = "offer"
    bell = "expire"

    cart_id: Mapped[str] = mapped_column(index=True)
    customer_id: Mapped[str | None]
    template_id: Mapped[str]
    cause: Mapped[str]
    light_first: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[Kind] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    days: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    unit: Mapped[schedules.Unit] = mapped_column(Text)
    every: Mapped[int]
    ship: Mapped[str]
    country: Mapped[str]
    locale: Mapped[str]
    verdict: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    viewed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    terms: Mapped[dict[str, Any] | None]
    terms_hash: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        due_index("offers"),
        ForeignKeyConstraint(["shop_id", "cart_id"], ["carts.shop_id", "carts.id"]),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
        Index(
            "uq_offers_one_open",
            "shop_id",
            "customer_id",
            unique=True,
            postgresql_where="state IN ('open', 'accepting')",
        ),
        Index(
            "uq_offers_one_open_of_cart",
            "shop_id",
            "cart_id",
            unique=True,
            postgresql_where="state IN ('open', 'accepting')",
        ),
    )

    @property
    def payable(self) -> bool:
        """Can a card pay it? What the shop's own checkout takes is not for us to judge."""
        return self.kind == CHECKOUT or self.total.payable

    @property
    def total(self) -> Money:
        return Money(self.amount, self.currency)
