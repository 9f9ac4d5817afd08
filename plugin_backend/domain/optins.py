"""Double opt-in: an address that was typed into a public page is asked once, by mail, whether it wants to be reminded.

What a page says is no consent. The answer of whoever reads the address's mail is.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.domain import carts, consent, customers, letters, moves, offers
from plugin_backend.domain.carts import Cart, Sale
from plugin_backend.domain.consent import ConsentRecord
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Consent, Person

SOURCE = "double_opt_in"
TEXT_VERSION = "1"
"""Changes with every change of what the mail and the page behind it ask, in any language."""
LIFE = timedelta(days=7)
MOST_A_DAY, MOST_A_MONTH = 1, 3
MOST_OF_A_VISITOR = 5
KEEP_VISITORS = timedelta(days=30)


class OptIn(moves.Stateful, Due, Row, Base):
    """One asking of an address. ``names`` are those of the basket it is about; ``visitor`` and ``addressee`` keyed hashes of
    where it was typed and of the address, kept for 30 days to count by. Its timer is its end: an address that did not
    answer, and is known for nothing else, is forgotten."""

    __tablename__ = "opt_ins"
    prefix = "opt"
    noun = "opt_in"
    bell = "optin"

    customer_id: Mapped[str]
    names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    locale: Mapped[str]
    visitor: Mapped[str]
    addressee: Mapped[str]

    __table_args__ = (
        due_index("opt_ins"),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
        Index("ix_opt_ins_visitor", "shop_id", "visitor"),
        Index("ix_opt_ins_addressee", "shop_id", "addressee"),
    )


def ask(
    session: Session, shop: Shop, names: tuple[str, ...], email: str, *, locale: str, visitor: str
) -> OptIn | None:
    """Write to the address; None where it is not to be written to, for whatever reason: who typed it is not told."""
    known = customers.address(email)
    addressee = house().keys.link("addressee", shop.id, known)
    if shop.state != "active" or _asked_enough(session, shop, visitor, addressee):
        return None
    # Of one who is known already nothing is learnt here: anybody may have typed his address.
    customer = customers.meet(session, shop.id, Person(email=known))
    if customer is None or _has_spoken(session, shop, customer):
        return None
    row = OptIn(
        shop_id=shop.id,
        customer_id=customer.id,
        names=list(names),
        locale=locale,
        visitor=visitor,
        addressee=addressee,
    )
    row.rest(clock.now() + LIFE)
    moves.begin(session, row, "asked")
    letters.opt_in(session, shop, customer, row.id, locale=locale, not_after=clock.now() + LIFE)
    return row


def _has_spoken(session: Session, shop: Shop, customer: Customer) -> bool:
    """One who said yes or no already, or is being forgotten, is not asked."""
    return (
        customer.frozen_at is not None
        or consent.suppressed(session, shop.id, customer.email)
        or consent.latest(session, shop.id, customer.id) is not None
    )


def _asked_enough(session: Session, shop: Shop, visitor: str, addressee: str) -> bool:
    to_him, by_him = OptIn.addressee == addressee, OptIn.visitor == visitor
    return (
        _asked(session, shop, to_him, timedelta(days=1)) >= MOST_A_DAY
        or _asked(session, shop, to_him, timedelta(days=30)) >= MOST_A_MONTH
        or _asked(session, shop, by_him, timedelta(days=1)) >= MOST_OF_A_VISITOR
    )


def _asked(session: Session, shop: Shop, whose: ColumnElement[bool], within: timedelta) -> int:
    counted = select(func.count()).where(
        OptIn.shop_id == shop.id, whose, OptIn.created_at > clock.now() - within
    )
    return session.scalars(counted).one()


def confirm(session: Session, shop: Shop, row: OptIn) -> bool:
    """The address says yes: that is its consent, and the basket it was asked about has an owner, if it has none yet. False
    where its time is over, or its customer is being forgotten. Saying it twice is saying it once."""
    if row.state == "asked" and not customers.frozen(session, shop.id, row.customer_id):
        moves.move(session, row, "confirmed")
        row.rest(None)
        said = Consent(granted=True, source=SOURCE, text_version=TEXT_VERSION, at=clock.now())
        consent.record(session, shop.id, row.customer_id, said, clock.now())
        _own_basket(session, shop, row)
    return row.state == "confirmed"


def _own_basket(session: Session, shop: Shop, row: OptIn) -> None:
    cart = carts.find(session, shop.id, row.names)
    if cart is None or cart.customer_id is not None:
        return
    carts.claim(session, shop, cart, row.customer_id)
    offer = offers.standing(session, cart)
    if offer is not None and offers.claim(session, offer, customers.get(session, shop.id, row.customer_id)):
        letters.if_page_is_left(session, shop, cart, offer)


def expire(session: Session, row: OptIn) -> bool:
    """Nobody answered. True where the address is known for nothing else, so that it is to be forgotten."""
    moves.move(session, row, "expired")
    row.rest(None)
    return not any(
        session.scalar(
            select(model.id)
            .where(model.shop_id == row.shop_id, model.customer_id == row.customer_id, model.id != row.id)
            .limit(1)
        )
        for model in (Cart, Sale, Offer, Plan, ConsentRecord, OptIn)
    )


def forget_visitors(session: Session, shop_id: str) -> None:
    """Where an address was typed, and which one it was, serves to count, and is of no use any more."""
    old = (OptIn.shop_id == shop_id, OptIn.created_at < clock.now() - KEEP_VISITORS, OptIn.visitor != "")
    session.execute(update(OptIn).where(*old).values(visitor="", addressee=""))
