"""Inquiries: a shopper stands in the shop's page and asks for a plan, for his basket, now.

The page says which basket by a message that the shop signed, or by a name that nobody could guess, and is believed in
nothing else. What a shopper gets is an offer like any other; what is written here is that he asked, and what came of it.
"""

from datetime import timedelta

from sqlalchemy import Index, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.domain import carts, letters, merchants, messages, moves, offers
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk import clock

DOOR = "inquiry"
MOST_AN_HOUR = 30
# How long a basket is waited for that a page named and that has not reached us yet, and how often it is looked for.
PATIENCE, LOOK_AGAIN = timedelta(minutes=1), timedelta(seconds=1)
KEEP_VISITORS = timedelta(days=30)


class Inquiry(moves.Stateful, Due, Row, Base):
    """One asking. ``names`` are those of the basket; ``delivery_id`` the signed message that came with it. ``declined``:
    the page saw a decline. ``visitor`` is a keyed hash of where it came from, kept for 30 days."""

    __tablename__ = "inquiries"
    prefix = "inq"
    noun = "inquiry"
    bell = "answer"

    names: Mapped[list[str]] = mapped_column(ARRAY(Text))
    delivery_id: Mapped[str | None]
    declined: Mapped[bool]
    locale: Mapped[str]
    visitor: Mapped[str]
    offer_id: Mapped[str | None]

    __table_args__ = (due_index("inquiries"), Index("ix_inquiries_visitor", "shop_id", "visitor"))


def ask(
    session: Session,
    shop: Shop,
    names: tuple[str, ...],
    *,
    delivery_id: str | None,
    declined: bool,
    locale: str,
    visitor: str,
) -> Inquiry:
    """Keep that somebody asks; it is answered at once."""
    row = Inquiry(
        shop_id=shop.id,
        names=list(names),
        delivery_id=delivery_id,
        declined=declined,
        locale=locale,
        visitor=visitor,
    )
    row.rest(clock.now())
    moves.begin(session, row, "asked")
    merchants.open_door(session, DOOR, secret(row), shop.id, row.id)
    return row


def secret(row: Inquiry) -> str:
    """The end of the address at which the page asks what came of it."""
    return house().keys.link(DOOR, row.shop_id, row.id)


def too_many(session: Session, shop: Shop, visitor: str) -> bool:
    """Has this visitor asked too often within the hour?"""
    asked = select(func.count()).where(
        Inquiry.shop_id == shop.id,
        Inquiry.visitor == visitor,
        Inquiry.created_at > clock.now() - timedelta(hours=1),
    )
    return session.scalars(asked).one() >= MOST_AN_HOUR


def answer(session: Session, shop: Shop, row: Inquiry) -> None:
    """Make the offer, or say why there is none; wait a little for a basket that has not reached us. The same offer goes by
    mail where the page is left."""
    cart = carts.find(session, shop.id, row.names)
    if cart is None and clock.now() < row.created_at + PATIENCE:
        row.rest(clock.now() + LOOK_AGAIN)
        return
    offer = None if cart is None else _offer(session, shop, cart, row)
    if cart is None or offer is None or offer.state == "not_sent":
        _refuse(session, row, "no_basket" if cart is None else "no_plan" if offer is None else offer.reason)
        return
    row.offer_id = offer.id
    messages.link(session, "o", shop.id, offer.id)
    moves.move(session, row, "offered")
    row.rest(None)
    letters.if_page_is_left(session, shop, cart, offer)


def _offer(session: Session, shop: Shop, cart: Cart, row: Inquiry) -> Offer | None:
    offer = offers.on_page(session, shop, cart, declined=row.declined, locale=row.locale)
    return offer if offer is None or offer.state in ("not_sent", "accepted", *offers.OPEN_STATES) else None


def _refuse(session: Session, row: Inquiry, reason: str) -> None:
    moves.move(session, row, "refused", reason)
    row.rest(None)


def offer_of(session: Session, row: Inquiry) -> Offer | None:
    """The offer that the page may show now: it is open, or on its way."""
    offer = session.get(Offer, (row.shop_id, row.offer_id)) if row.offer_id else None
    return offer if offer is not None and offer.state in offers.OPEN_STATES else None


def forget_visitors(session: Session, shop_id: str) -> None:
    """Where an inquiry came from serves to count, and is of no use any more."""
    old = (
        Inquiry.shop_id == shop_id,
        Inquiry.created_at < clock.now() - KEEP_VISITORS,
        Inquiry.visitor != "",
    )
    session.execute(update(Inquiry).where(*old).values(visitor=""))
