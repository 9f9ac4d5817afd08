"""Baskets and sales, put together from deliveries in whatever order they came.

Where a basket stands follows from the *set* of its deliveries, not from their order: of two states the later
``updated_at`` is newer, then the higher version, then the greater hash of the content; a sale wins over everything;
a removal without a time wins over every state of the basket but a restoration.

A basket goes by several names, and a delivery that tells two of them (``aliases``) makes them one basket, whichever came
first: what was told under either is put together by the rules above, and it is called by the name furthest along.
A basket that an offer stands for, or was accepted for, is left as it is until the offer has ended.
"""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import consent, customers
from plugin_backend.domain.carts.knowing import explains, knows, stands_so
from plugin_backend.domain.carts.names import failure, find, hear, later, locked
from plugin_backend.domain.carts.rows import (
    BEFORE_EVERYTHING,
    Cart,
    Sale,
    forget_strangers,
    lines_as_json,
    lines_of,
)
from plugin_backend.domain.carts.sales import (
    bought,
    bought_before,
    bought_since,
    keep_sale,
    last_sale,
    order_cancelled,
    order_refunded,
)
from plugin_backend.domain.carts.standing import settle, settle_others
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import connector as sdk

__all__ = [
    "BEFORE_EVERYTHING",
    "Cart",
    "Sale",
    "bought",
    "bought_before",
    "bought_since",
    "cart_changed",
    "cart_removed",
    "cart_restored",
    "claim",
    "explains",
    "find",
    "forget_strangers",
    "knows",
    "last_sale",
    "lines_of",
    "order_cancelled",
    "order_placed",
    "order_refunded",
    "payment_failed",
    "settle",
    "stands_so",
]


def cart_changed(session: Session, shop: Shop, event: sdk.CartChanged, at: datetime) -> Cart:
    """Take in a state of a basket that reached us at ``at`` (shop time); an older one than we know changes nothing."""
    cart = locked(session, shop, event.key, at, event.aliases)
    order = (event.updated_at, event.version, _content(event))
    newer = order > (cart.updated_at, cart.version, cart.content_hash)
    if newer:
        _take_over(cart, event, at)
        cart.updated_at, cart.version, cart.content_hash = order
    customer, before = customers.meet(session, shop.id, event.person), cart.customer_id
    _note(cart, event, customer)
    if customer is not None and event.consent is not None:
        consent.record(session, shop.id, customer.id, event.consent, event.updated_at)
    settle(session, shop, cart, changed=newer)
    settle_others(session, shop, cart, before, cart.customer_id)
    return cart


def claim(session: Session, shop: Shop, cart: Cart, customer_id: str) -> None:
    """Somebody said of a basket without an owner that it is his. What the shop tells of it later counts for more."""
    cart.customer_id = customer_id
    settle(session, shop, cart, changed=cart.state != "offered")
    settle_others(session, shop, cart, customer_id)


def payment_failed(session: Session, shop: Shop, event: sdk.PaymentFailed, at: datetime) -> Cart:
    """A payment of a basket was declined: an offer is due at once, unless it was bought meanwhile or has changed."""
    cart = cart_changed(session, shop, event.cart, at) if event.cart else locked(session, shop, event.key, at)
    newer = (event.at, event.decline != "unknown", event.decline) > failure(cart)
    if newer:
        cart.failed_at, cart.decline = event.at, event.decline
    cart.barred = cart.barred or event.decline == "fraud"
    settle(session, shop, cart, changed=newer)
    return cart


def cart_removed(session: Session, shop: Shop, event: sdk.CartRemoved, at: datetime) -> Cart:
    """A basket was deleted in the shop."""
    cart = locked(session, shop, event.key, at)
    cart.removed = True
    if event.at is not None:
        cart.removed_at = later(event.at, cart.removed_at)
    settle(session, shop, cart)
    return cart


def cart_restored(session: Session, shop: Shop, event: sdk.CartRestored, at: datetime) -> Cart:
    """A deleted basket came back."""
    cart = locked(session, shop, event.key, at)
    cart.restored_at = later(event.at, cart.restored_at)
    settle(session, shop, cart)
    return cart


def order_placed(session: Session, shop: Shop, event: sdk.OrderPlaced, at: datetime) -> list[Cart]:
    """Somebody bought: keep the sale, once, and give back the baskets it came from, settled."""
    customer = customers.meet(session, shop.id, event.person)
    keep_sale(
        session,
        shop,
        event.order_key,
        event.placed_at,
        known_at=at,
        cart_keys=sorted(event.cart_keys),
        customer_id=customer.id if customer else None,
        amount=None if event.total is None else event.total.minor,
        currency=None if event.total is None else event.total.currency,
        our_reference=event.our_reference,
    )
    of_the_order = select(Cart).where(Cart.shop_id == shop.id, Cart.keys.overlap(list(event.cart_keys)))
    found = list(session.scalars(of_the_order.order_by(Cart.id).with_for_update()))
    for cart in found:
        settle(session, shop, cart)
    return found


def _take_over(cart: Cart, event: sdk.CartChanged, at: datetime) -> None:
    cart.amount = None if event.total is None else event.total.minor
    cart.currency = None if event.total is None else event.total.currency
    cart.lines = lines_as_json(event.lines)
    cart.empty = event.empty
    cart.changed_at = max(at, cart.changed_at)


def _note(cart: Cart, event: sdk.CartChanged, customer: Customer | None) -> None:
    """Take what the delivery tells beside the basket itself. Of two tellings the later one counts, and silence tells
    nothing: a shop's order does not know the language that its plugin knew."""
    person = event.person
    when = event.updated_at.astimezone(UTC).isoformat(timespec="microseconds")
    values = {"locale": person.locale, "country": person.country, "platform_id": person.platform_id}
    told = {name: [when, value] for name, value in values.items() if value}
    if customer is not None:
        # Of two addresses told at one moment the greater counts; ids would say which customer we met first.
        told["customer_id"] = [when, customer.email, customer.id]
    hear(cart, told)


def _content(event: sdk.CartChanged) -> str:
    """What is on the shelf is no part of the basket: it changes while that stays as it is."""
    content = asdict(replace(event, sold_out=()))
    return hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()
