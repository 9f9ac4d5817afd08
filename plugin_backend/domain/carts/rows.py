"""Baskets and sales as rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import moves
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money

BEFORE_EVERYTHING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Cart(moves.Stateful, Due, Row, Base):
    """A basket. ``key`` is its name in the shop and ``keys`` every name it was ever given; ``told`` keeps what only some
    deliveries tell, each with the time of the one that told it; ``changed_at`` (shop time) is when its newest state reached us, from
    which the idle delay runs; ``failed_at`` when a payment of it was last declined; ``barred``
    that one of its payments was refused as lost, stolen or fraud, whenever, after which nothing is offered; ``sold_out`` what of
    it the shop could not sell when it was last looked at there; ``offer_id`` the offer that is being accepted, or was: it locks
    the basket."""

    __tablename__ = "carts"
    prefix = "cart"
    noun = "cart"
    bell = "offer"

    key: Mapped[str]
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    customer_id: Mapped[str | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    lines: Mapped[list[Any]] = mapped_column(default=list)
    platform_id: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    empty: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    content_hash: Mapped[str] = mapped_column(default="")
    told: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed_at: Mapped[datetime]
    failed_at: Mapped[datetime | None]
    decline: Mapped[str] = mapped_column(default="")
    barred: Mapped[bool] = mapped_column(default=False)
    removed: Mapped[bool] = mapped_column(default=False)
    removed_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    sold_out: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    offer_id: Mapped[str | None]

    __table_args__ = (
        due_index("carts"),
        UniqueConstraint("shop_id", "key"),
        Index("ix_carts_customer", "shop_id", "customer_id"),
        Index("ix_carts_keys", "keys", postgresql_using="gin"),
    )

    @property
    def total(self) -> Money | None:
        return None if self.amount is None or self.currency is None else Money(self.amount, self.currency)


class Sale(Row, Base):
    """An order somebody placed in the shop, by whatever path. ``cart_keys`` are the names its basket may have had;
    ``our_reference`` is the plan's where the order is our own. An order of which only the cancellation or the refund was
    told has neither basket nor customer, so that it counts for nobody as bought."""

    __tablename__ = "sales"
    prefix = "sale"

    order_key: Mapped[str]
    cart_keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    customer_id: Mapped[str | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    placed_at: Mapped[datetime]
    known_at: Mapped[datetime]
    our_reference: Mapped[str] = mapped_column(default="")
    cancelled_at: Mapped[datetime | None]
    refunded_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("shop_id", "order_key"),
        Index("ix_sales_cart_keys", "cart_keys", postgresql_using="gin"),
        Index("ix_sales_customer", "shop_id", "customer_id"),
    )


def forget_strangers(session: Session, shop_id: str) -> None:
    """Forget what is told by baskets of which nobody knows whose they are."""
    nothing = {"lines": [], "sold_out": [], "told": {}, "content_hash": ""}
    nothing |= {"platform_id": "", "locale": "", "country": ""}
    session.execute(update(Cart).where(Cart.shop_id == shop_id, Cart.customer_id.is_(None)).values(**nothing))


def lines_as_json(lines: tuple[sdk.Line, ...]) -> list[dict[str, Any]]:
    return [
        {
            "title": line.title,
            "quantity": line.quantity,
            "sku": line.sku,
            "total": None if line.total is None else line.total.as_json(),
        }
        for line in lines
    ]


def lines_of(rows: list[Any]) -> tuple[sdk.Line, ...]:
    """Stored lines as the connectors know them."""
    return tuple(
        sdk.Line(
            title=row["title"],
            quantity=row["quantity"],
            sku=row["sku"],
            total=Money(row["total"]["amount"], row["total"]["currency"]) if row["total"] else None,
        )
        for row in rows
    )
