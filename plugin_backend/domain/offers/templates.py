"""What a shop offers: the templates that its offers are made from."""

from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import schedules
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.connector import Ship

INSTALMENTS: Final = "instalments"
SUBSCRIPTION: Final = "subscription"
# No plan: the shopper is led back to the shop's own checkout, where he pays at once.
CHECKOUT: Final = "checkout"
Kind = Literal["instalments", "subscription", "checkout"]
# Three payments within the 50 days that European law leaves to a seller's own deferral.
DEFAULT_DAYS = (0, 25, 50)
# A large company that sells at a distance has 14 days.
LARGE_COMPANY_DAYS = (0, 7, 14)


class Template(Row, Base):
    """What a shop offers. Instalments fall due ``days`` after acceptance; a subscription every ``every`` ``unit``.
    ``ship`` says when the shop's order counts as paid: at the first payment, or when all are there."""

    __tablename__ = "templates"
    prefix = "tpl"

    name: Mapped[str]
    kind: Mapped[Kind] = mapped_column(Text, default=INSTALMENTS)
    days: Mapped[list[int]] = mapped_column(ARRAY(Integer), default=lambda: list(DEFAULT_DAYS))
    unit: Mapped[schedules.Unit] = mapped_column(Text, default="month")
    every: Mapped[int] = mapped_column(default=1)
    ship: Mapped[str] = mapped_column(default="first_payment")
    open_days: Mapped[int] = mapped_column(default=7)
    active: Mapped[bool] = mapped_column(default=True)


def default_template(
    session: Session, shop: Shop, *, kind: Kind = INSTALMENTS, ship: Ship = "first_payment"
) -> Template:
    """The template a new shop begins with: three payments without fees, or a monthly subscription."""
    days = LARGE_COMPANY_DAYS if shop.company == "large" else DEFAULT_DAYS
    row = Template(
        shop_id=shop.id, id=new_id(Template.prefix), name="3 x", kind=kind, ship=ship, days=list(days)
    )
    session.add(row)
    return row


def active_template(session: Session, shop_id: str) -> Template | None:
    return session.scalar(
        select(Template)
        .where(Template.shop_id == shop_id, Template.active.is_(True))
        .order_by(Template.id.desc())
        .limit(1)
    )
