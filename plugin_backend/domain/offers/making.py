"""An offer is made for a basket, or kept back with a reason."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import i18n
from plugin_backend.domain import carts, consent, merchants, moves
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.ending import withdraw
from plugin_backend.domain.offers.rows import OPEN_STATES, Offer
from plugin_backend.domain.offers.templates import INSTALMENTS, Template, active_template
from plugin_backend.domain.offers.terms import judge
from plugin_backend.sdk import clock


def make(session: Session, shop: Shop, cart: Cart) -> Offer | None:
    """The offer for a cart whose moment has come, kept back with a reason where it may not be sent. None where there is
    nothing to offer: no total, or the basket is spoken for. The caller holds the cart's lock."""
    cause = "declined" if cart.state == "declined" else "abandoned"
    if cart.state == "active":
        moves.move(session, cart, "abandoned", "idle")
    cart.rest(None)
    template = active_template(session, shop.id)
    if cart.total is None or template is None or cart.offer_id is not None:
        return None
    standing = _standing_offer(session, cart)
    if standing is not None:
        _renew(session, cart, standing)
        return None
    customer = session.get(Customer, (shop.id, cart.customer_id)) if cart.customer_id else None
    offer = _draft(shop, cart, customer, template, cause)
    why = _why_not(session, shop, cart, customer, offer)
    moves.begin(session, offer, "not_sent" if why else "open", why)
    if not why:
        offer.rest(offer.expires_at)
        moves.move(session, cart, "offered", cause)
    return offer


def _draft(shop: Shop, cart: Cart, customer: Customer | None, template: Template, cause: str) -> Offer:
    country = cart.country or (customer.country if customer else "") or shop.country
    verdict = judge(shop, country, template.kind, template.days)
    return Offer(
        shop_id=shop.id,
        cart_id=cart.id,
        customer_id=customer.id if customer else None,
        template_id=template.id,
        cause=cause,
        kind=template.kind,
        amount=cart.amount,
        currency=cart.currency,
        days=template.days if template.kind == INSTALMENTS else [0],
        unit=template.unit,
        every=template.every,
        ship=template.ship,
        country=country,
        locale=i18n.negotiate(cart.locale, customer.locale if customer else "", shop.locale),
        verdict={"allowed": verdict.allowed, "reason": verdict.reason, "source": verdict.source},
        expires_at=clock.now() + timedelta(days=template.open_days),
    )


def _why_not(session: Session, shop: Shop, cart: Cart, customer: Customer | None, offer: Offer) -> str:
    """Why the offer is kept back, "" where it may go."""
    if shop.state != "active":
        return "watch_only"
    if carts.bought(session, cart) or carts.bought_since(session, cart):
        return "bought_meanwhile"
    if customer is None:
        return "no_email"
    if offer.amount < (shop.smallest_offer if offer.currency == shop.currency else len(offer.days)):
        return "below_minimum"
    if not offer.verdict["allowed"]:
        return f"not_lawful: {offer.verdict['reason']}"
    if _another_open(session, customer):
        return "another_offer_open"
    if customer.frozen_at is not None:
        return "being_forgotten"
    if offer.cause == "declined":
        # A service mail about the customer's own failed payment, not advertising: only the stop list holds it back.
        word = "unsubscribed" if consent.suppressed(session, shop.id, customer.email) else ""
    else:
        bought_before = carts.bought_before(session, cart)
        word = consent.why_not(session, shop.id, customer.id, customer.email, bought_before=bought_before)
    if not word and _mailed_lately(session, shop, customer, offer.cause):
        word = "mailed_lately"
    return word or merchants.why_not_able(session, shop)


def _another_open(session: Session, customer: Customer) -> bool:
    # The customer's row is locked, so that two baskets of his that fall due at once wait for one another; the unique
    # index is behind it.
    session.get_one(Customer, (customer.shop_id, customer.id), with_for_update=True, populate_existing=True)
    found = select(Offer.id).where(
        Offer.shop_id == customer.shop_id, Offer.customer_id == customer.id, Offer.state.in_(OPEN_STATES)
    )
    return session.scalar(found.limit(1)) is not None


def _mailed_lately(session: Session, shop: Shop, customer: Customer, cause: str) -> bool:
    since = clock.now() - timedelta(hours=shop.mail_pause_hours)
    found = select(Offer.id).where(
        Offer.shop_id == shop.id,
        Offer.customer_id == customer.id,
        Offer.cause == cause,
        Offer.state != "not_sent",
        Offer.created_at > since,
    )
    return session.scalar(found.limit(1)) is not None


def _standing_offer(session: Session, cart: Cart) -> Offer | None:
    found = select(Offer).where(
        Offer.shop_id == cart.shop_id, Offer.cart_id == cart.id, Offer.state.in_(OPEN_STATES)
    )
    return session.scalar(found.with_for_update())


def _renew(session: Session, cart: Cart, offer: Offer) -> None:
    """The basket changed while its offer stood: the link leads to the new amounts, and no second mail goes out."""
    if offer.state != "open" or cart.amount is None or cart.currency is None:
        return
    if cart.amount < len(offer.days):
        withdraw(session, offer, "nothing left to pay")
    else:
        offer.amount, offer.currency = cart.amount, cart.currency
        moves.move(session, cart, "offered", "its offer stands")
