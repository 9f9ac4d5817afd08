"""Offers: made from a template for a basket that was left or refused, shown, and accepted once."""

from typing import Any

from sqlalchemy.orm import Session

from plugin_backend.domain import carts, customers, moves
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.ending import expire, not_interested, reopen, withdraw, withdraw_for_cart
from plugin_backend.domain.offers.making import (
    ABANDONED,
    ASKED,
    DECLINED,
    claim,
    make,
    on_page,
    standing,
    why_not_mailed,
)
from plugin_backend.domain.offers.previewing import preview
from plugin_backend.domain.offers.rows import OPEN_STATES, Offer
from plugin_backend.domain.offers.templates import (
    CHECKOUT,
    DEFAULT_DAYS,
    INSTALMENTS,
    LARGE_COMPANY_DAYS,
    SUBSCRIPTION,
    Kind,
    Template,
    active_template,
    default_template,
)
from plugin_backend.domain.offers.terms import Terms, basket_lines, parts_of, shop_view, terms_of, view_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Person
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money

__all__ = [
    "ABANDONED",
    "ASKED",
    "CHECKOUT",
    "DECLINED",
    "DEFAULT_DAYS",
    "INSTALMENTS",
    "LARGE_COMPANY_DAYS",
    "OPEN_STATES",
    "SUBSCRIPTION",
    "Changed",
    "Kind",
    "Offer",
    "Over",
    "Template",
    "Terms",
    "accept",
    "active_template",
    "basket_lines",
    "claim",
    "default_template",
    "expire",
    "first_amount",
    "lead_back",
    "make",
    "not_interested",
    "of_customer",
    "on_page",
    "parts_of",
    "preview",
    "reopen",
    "shop_view",
    "standing",
    "terms_of",
    "view_of",
    "why_not_mailed",
    "withdraw",
    "withdraw_for_cart",
]


class Changed(RepriseError):
    """The terms that were shown are no longer those that would be accepted: show them again."""


class Over(RepriseError):
    """The offer cannot be accepted any more."""

    permanent = True


def accept(
    session: Session,
    shop: Shop,
    offer: Offer,
    *,
    shown: str,
    country: str,
    locale: str,
    email: str = "",
) -> Terms:
    """Accept exactly the terms that were shown. The caller holds the offer's lock and it is ``open``; one that was made to
    nobody in particular is that of ``email`` from now on.

    ``Changed`` where the terms are others by now, ``Over`` where it may not be accepted at all. The basket is locked to
    this offer; the customer's country decides the law once more.
    """
    cart = _still_to_be_had(session, offer)
    terms = terms_of(shop, cart, offer, country=country, locale=locale)
    if not terms.verdict.allowed:
        raise Over("not_lawful")
    if terms.digest != shown:
        raise Changed("the terms have changed")
    if offer.customer_id is None:
        # Of one who is known already nothing is learnt here: anybody may type his address.
        customer = customers.meet(session, shop.id, Person(email=email))
        if customer is None or not claim(session, offer, customer):
            raise Over("not_yours")
    offer.country, offer.locale = country, locale
    offer.accepted_at, offer.terms_hash = clock.now(), terms.digest
    offer.terms = _terms_json(terms)
    offer.verdict = {"allowed": True, "reason": terms.verdict.reason, "source": terms.verdict.source}
    _take(session, offer, cart)
    return terms


def lead_back(session: Session, offer: Offer) -> None:
    """Its shopper wants to go to the shop's own checkout: nothing is agreed, but the basket is locked to this offer until he
    has bought or left. The caller holds the offer's lock and it is ``open``. ``Over`` where the basket cannot be had any more."""
    _take(session, offer, _still_to_be_had(session, offer))


def _still_to_be_had(session: Session, offer: Offer) -> Cart:
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    if cart.state == "ordered" or carts.bought(session, cart):
        raise Over("bought")
    if clock.now() >= offer.expires_at:
        raise Over("expired")
    if offer.amount < len(offer.days):
        raise Over("nothing_to_pay")
    return cart


def _take(session: Session, offer: Offer, cart: Cart) -> None:
    moves.move(session, offer, "accepting")
    offer.rest(None)
    cart.offer_id = offer.id
    cart.rest(None)


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {
        "mandate": terms.mandate,
        "country": terms.country,
        "parts": [
            {"number": part.number, "amount": part.amount.minor, "due": part.due.isoformat()}
            for part in terms.view.parts
        ],
    }


def of_customer(session: Session, shop_id: str, offer: Offer) -> Customer:
    """The customer an offer was made to."""
    if offer.customer_id is None:
        raise Over("nobody to offer it to")
    return customers.get(session, shop_id, offer.customer_id)


def first_amount(shop: Shop, offer: Offer) -> Money:
    """What is paid on acceptance."""
    return parts_of(shop, offer, clock.now())[0].amount
