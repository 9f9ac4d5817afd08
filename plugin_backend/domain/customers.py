"""Customers of a shop, known by their e-mail address."""

import re
from datetime import datetime

from sqlalchemy import Index, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk.connector import Person

# What a mail server would take, roughly: the shop has checked it, and a wrong one bounces.
_ADDRESS = re.compile(r"[^@\s<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
# What a customer is known again by: of those who are forgotten there may be many.
_KNOWN_BY, _KNOWN = ["shop_id", "email"], text("email <> ''")


class Customer(Row, Base):
    """A person who shops here. What is "" is not known. ``frozen_at`` is when he was to be forgotten: from then on nothing
    new begins for him, and once he is forgotten nothing of him is known any more."""

    __tablename__ = "customers"
    prefix = "cus"

    email: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    frozen_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_customers_email", "shop_id", "email", unique=True, postgresql_where="email <> ''"),
    )


def address(text: str) -> str:
    """The e-mail address as we know it again: stripped and lower-cased; "" where it cannot be one."""
    plain = text.strip().lower()
    return plain if len(plain) <= 254 and _ADDRESS.fullmatch(plain) else ""


def meet(session: Session, shop_id: str, person: Person) -> Customer | None:
    """The customer behind a basket, made where he is new; None where the basket has no address that mail reaches.
    What the shop says of him now replaces what it said before, but nothing is forgotten for want of a word; of one who is
    being forgotten nothing more is learnt. His row is held, so that he is not forgotten while something of him is
    written."""
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
        statement.on_conflict_do_update(
            index_elements=_KNOWN_BY, index_where=_KNOWN, set_=told, where=Customer.frozen_at.is_(None)
        )
        if told
        else statement.on_conflict_do_nothing(index_elements=_KNOWN_BY, index_where=_KNOWN)
    )
    return session.scalar(
        select(Customer)
        .where(Customer.shop_id == shop_id, Customer.email == email)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    )


def get(session: Session, shop_id: str, customer_id: str) -> Customer:
    return session.get_one(Customer, (shop_id, customer_id))


def find(session: Session, shop_id: str, who: str) -> Customer | None:
    """The customer of this id, or of this address."""
    if not address(who):
        return session.get(Customer, (shop_id, who))
    return session.scalar(select(Customer).where(Customer.shop_id == shop_id, Customer.email == address(who)))


def frozen(session: Session, shop_id: str, customer_id: str) -> bool:
    """May nothing new begin for the customer? Until the caller's transaction ends, that stays as it is."""
    row = session.get_one(
        Customer, (shop_id, customer_id), with_for_update={"read": True}, populate_existing=True
    )
    return row.frozen_at is not None
