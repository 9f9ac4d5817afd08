"""How an offer ends, and how one that nothing came of stands again."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import moves
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.offers.rows import OPEN_STATES, Offer


def reopen(session: Session, offer: Offer, reason: str) -> None:
    """Nothing came of an acceptance: the offer stands as before, and the basket is free again. Where the basket came to an
    amount meanwhile that no card can pay, it stands no longer."""
    if offer.state != "accepting":
        return
    moves.move(session, offer, "open", reason)
    offer.terms, offer.terms_hash = None, ""
    offer.rest(offer.expires_at)
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    cart.offer_id = None
    if cart.barred:
        withdraw(session, offer, "declined_for_fraud")
    elif not offer.payable:
        withdraw(session, offer, "not_payable")


def withdraw(session: Session, offer: Offer, reason: str) -> None:
    """The offer no longer stands."""
    if offer.state in OPEN_STATES:
        moves.move(session, offer, "withdrawn", reason)
        offer.rest(None)


def replace(session: Session, offer: Offer) -> None:
    """Its customer is made another offer, for another basket: this one no longer stands."""
    withdraw(session, offer, "replaced")
    _leave(session, offer, "replaced")


def not_interested(session: Session, offer: Offer) -> None:
    """The customer wants to hear no more of this basket."""
    if offer.state != "open":
        return
    withdraw(session, offer, "not interested")
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    if cart.state in ("offered", "active", "abandoned", "declined"):
        moves.move(session, cart, "lost", "not interested")
        cart.rest(None)


def withdraw_for_cart(session: Session, cart: Cart, reason: str) -> None:
    """The basket was bought or lost: whatever was offered for it no longer stands."""
    for offer in session.scalars(
        select(Offer)
        .where(Offer.shop_id == cart.shop_id, Offer.cart_id == cart.id, Offer.state.in_(OPEN_STATES))
        .with_for_update()
    ):
        withdraw(session, offer, reason)


def expire(session: Session, offer: Offer) -> None:
    """Its time is over. The basket stays abandoned, and nobody is written to again."""
    moves.move(session, offer, "expired")
    offer.rest(None)
    _leave(session, offer, "its offer expired")


def _leave(session: Session, offer: Offer, reason: str) -> None:
    """The basket stays, abandoned."""
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    if cart.state == "offered":
        moves.move(session, cart, "abandoned", reason)
