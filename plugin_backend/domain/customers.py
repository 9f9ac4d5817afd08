"""Customers of a shop, known by their e-mail address."""

import re

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk.connector import Person

# What a mail server would take, roughly: the shop has checked it, and a wrong one bounces.
_ADDRESS = re.compile(r"[^@\s<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Customer(Row, Base):
    """A person who shops here. What is "" is not known."""

    __tablename__ = "customers"
    prefix = "cus"

    email: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")

    __table_args__ = (UniqueConstraint("shop_id", "email"),)


def address(text: str) -> str:
    """The e-mail address as we know it again: stripped and lower-cased; "" where it cannot be one."""
    plain = text.strip().lower()
    return plain if len(plain) <= 254 and _ADDRESS.fullmatch(plain) else ""


def meet(session: Session, shop_id: str, person: Person) -> Customer | None:
    """The customer behind a basket, made where he is new; None where the basket has no address that mail reaches.
    What the shop says of him now replaces what it said before, but nothing is forgotten for want of a word."""
    email = address(person.email)
    if not email:
        return None
    told = {
        name: value
        for name, value in (("name", person.name), ("locale", person.locale), ("country", person.country))
        if value
    }
    statement = insert(Customer).values(
        {
            "shop_id": shop_id,
            "id": new_id(Customer.prefix),
            "email": email,
            "name": "",
            "locale": "",
            "country": "",
        }
        | told
    )
    session.execute(
        statement.on_conflict_do_update(index_elements=["shop_id", "email"], set_=told)
        if told
        else statement.on_conflict_do_nothing(index_elements=["shop_id", "email"])
    )
    return session.scalar(
        select(Customer)
        .where(Customer.shop_id == shop_id, Customer.email == email)
        .execution_options(populate_existing=True)
    )


def get(session: Session, shop_id: str, customer_id: str) -> Customer:
    return session.get_one(Customer, (shop_id, customer_id))
