"""An order of WooCommerce as we read it, from a webhook or from the REST API, and what it means."""

import html
import json
import re
from datetime import datetime
from typing import Any

from plugin_backend.sdk.connector import (
    CartChanged,
    CartRemoved,
    CheckoutDecline,
    Consent,
    Line,
    OrderCancelled,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    PaidWith,
    PaymentFailed,
    Person,
    ShopEvent,
)
from plugin_backend.sdk.declines import decline_of
from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import (
    Anything,
    Country,
    Decimals,
    Email,
    Flag,
    Moment,
    Part,
    Parts,
    Slim,
    Text,
    WebAddress,
    Whole,
    clean,
    load,
    money,
    money_or_none,
    required,
    text_of,
)

REFERENCE = "_reprise_ref"
"""The meta of an order that we wrote: the key of the reservation or renewal it belongs to."""
CART = "_reprise_cart"
"""The meta by which our plugin says which of its baskets became the order."""
CONSENT = "_reprise_consent"
"""The meta by which our plugin keeps the consent with the order."""
DECLINE = "_reprise_decline"
"""The meta by which our plugin keeps what the gateway said of a refused card."""
PAYMENT_METHOD = "reprise"

BASKETS = ("checkout-draft", "pending", "failed")
GONE = ("cancelled", "trash", "auto-draft")
# How gateways' plugins name the meta in which they keep why a card was refused.
_SAYS_WHY = re.compile(r"declin|refus|fail|error|response_?code|result_?code|reason", re.IGNORECASE)
# What a payment module may know a payment, a customer or a card by: neither prose, nor a list, nor one of ours.
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{3,200}")
_TAG = re.compile(r"<[^<>]{0,300}>")


class HtmlText(Text):
    """A name as WordPress keeps it: with entities, and sometimes with tags."""

    def read(self, value: Any) -> str:
        return clean(html.unescape(_TAG.sub("", text_of(value))), self.limit)


class _Address(Slim):
    first_name = HtmlText(limit=100)
    last_name = HtmlText(limit=100)
    email = Email()
    phone = Text(limit=50)
    country = Country()


class _Line(Slim):
    id = Whole()
    product_id = Whole()
    variation_id = Whole()
    name = HtmlText()
    quantity = Text(limit=30)
    sku = Text(limit=100)
    total = Decimals()
    total_tax = Decimals()


class _Refund(Slim):
    total = Decimals()


class _Meta(Slim):
    key = Text(limit=100)
    value = Anything()


class _Note(Slim):
    note = HtmlText(limit=1000)
    customer_note = Flag()


class OrderSchema(Slim):
    id = Whole()
    status = Text(limit=50)
    currency = Text(limit=10)
    total = Decimals()
    date_created_gmt = Moment(naive_is_utc=True)
    date_modified_gmt = Moment(naive_is_utc=True)
    date_modified = Moment(naive_is_utc=True)
    date_paid_gmt = Moment(naive_is_utc=True)
    date_completed_gmt = Moment(naive_is_utc=True)
    customer_id = Whole()
    created_via = Text(limit=50)
    payment_method = Text(limit=100)
    transaction_id = Text(limit=200)
    payment_url = WebAddress()
    needs_processing = Flag()
    billing = Part(_Address)
    shipping = Part(_Address)
    line_items = Parts(_Line)
    refunds = Parts(_Refund)
    meta_data = Parts(_Meta, most=5000)


class _Product(Slim):
    """What WooCommerce says of the stock of a thing, or of one of its variations; whether it is counted may be said of the
    parent (``"parent"``)."""

    status = Text(limit=30)
    stock_status = Text(limit=30)
    stock_quantity = Whole()
    manage_stock = Anything()
    backorders = Text(limit=10)


ON_THE_SHELF = _Product()
_ORDER = OrderSchema()
_NOTE = _Note()


class Order:
    """An order that could be read. ``Unreadable`` where it has no id, no status, or no time of its last change."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.read = load(_ORDER, value)
        self.id = required(self.read["id"], "id")
        self.key = f"order:{self.id}"
        self.status: str = self.read["status"].removeprefix("wc-")
        if not self.status:
            raise Unreadable("status: missing")
        self.modified: datetime = required(
            self.read["date_modified_gmt"] or self.read["date_modified"], "date_modified_gmt"
        )

    @property
    def total(self) -> Money:
        return money(self.read["total"], self.read["currency"], "total and currency")

    @property
    def was_paid(self) -> bool:
        return self.read["date_paid_gmt"] is not None or self.status == "completed"

    @property
    def is_renewal(self) -> bool:
        """A later period of a subscription of the shop's own: nobody stood at a checkout."""
        return self.read["created_via"] == "subscription" and not self.our_reference

    @property
    def our_reference(self) -> str:
        """Our key in the order, ``""`` where somebody else took the payment: an order that we reserved and that was
        then paid at the shop's own checkout was bought natively."""
        method = self.read["payment_method"]
        return clean(text_of(self.meta(REFERENCE)), 200) if method in ("", PAYMENT_METHOD) else ""

    def meta(self, key: str) -> Any:
        return next((meta["value"] for meta in self.read["meta_data"] if meta["key"] == key), None)


def events_of(order: Order) -> list[ShopEvent]:
    """What the order says by being as it is. It may be called for every delivery of an order, whatever its topic:
    the body shows the order at the time of sending."""
    if order.status in ("trash", "auto-draft"):
        return [CartRemoved(key=order.key, at=order.modified)]
    if order.is_renewal:
        return []
    if order.status == "cancelled":
        return [OrderCancelled(order.key, order.modified, order.our_reference)]
    if order.status not in BASKETS:
        return [placed(order), *_fulfilled(order), *_refunds(order)]
    if order.our_reference:
        # Reserved by us and not paid yet: it is no basket that somebody left.
        return []
    if order.status == "failed":
        return [PaymentFailed(order.key, order.modified, _decline(order), cart(order))]
    return [cart(order)]


def state_of(order: Order) -> CartChanged | OrderPlaced | OrderCancelled | None:
    """The order as it stands, for a look at the shop; None where it lies in the trash."""
    if order.status in ("trash", "auto-draft"):
        return None
    if order.status == "cancelled":
        return OrderCancelled(order.key, order.modified, order.our_reference)
    return cart(order) if order.status in BASKETS else placed(order)


def cart(order: Order) -> CartChanged:
    read = order.read
    lines = tuple(_line(line, read["currency"]) for line in read["line_items"])
    return CartChanged(
        key=order.key,
        total=order.total,
        updated_at=order.modified,
        lines=lines,
        person=_person(order),
        consent=_consent(order.meta(CONSENT)),
        # A draft cannot be paid by its link yet.
        recovery_url=read["payment_url"] if order.status != "checkout-draft" else "",
        empty=not lines,
        aliases=_baskets(order),
    )


def placed(order: Order) -> OrderPlaced:
    """Whatever is neither basket nor gone was sold, a status of the shop's own making too."""
    read = order.read
    return OrderPlaced(
        order_key=order.key,
        placed_at=read["date_paid_gmt"] or read["date_created_gmt"] or order.modified,
        cart_keys=(order.key, *_baskets(order)),
        total=order.total,
        person=_person(order),
        our_reference=order.our_reference,
        paid=order.was_paid,
    )


def payment_of(order: Order) -> PaidWith | None:
    """How an order was paid that is no longer a basket, is not cancelled and is not ours."""
    if order.status in (*BASKETS, *GONE) or not order.was_paid or order.our_reference:
        return None
    metas = {meta["key"]: text_of(meta["value"]) for meta in order.read["meta_data"]}
    left = {key: value for key, value in metas.items() if _REFERENCE.fullmatch(value)}
    return PaidWith(order.read["payment_method"], order.read["transaction_id"], left)


def _decline(order: Order) -> CheckoutDecline:
    """By what our plugin kept, else by whatever the gateway's own plugin wrote into the order."""
    kept = clean(text_of(order.meta(DECLINE)), 300)
    if kept:
        return decline_of(kept, order.read["payment_method"])
    said = [text_of(meta["value"]) for meta in order.read["meta_data"] if _SAYS_WHY.search(meta["key"])]
    return decline_of(clean(" | ".join(filter(None, said)), 1000), order.read["payment_method"])


def decline_noted(notes: Any, order: Order) -> CheckoutDecline:
    """By the notes of a failed order. Among them are the shop's own about its status, so that a note without a word that is
    known says nothing."""
    read = [_NOTE.load(note) for note in (notes if isinstance(notes, list) else []) if isinstance(note, dict)]
    said = " | ".join(note["note"] for note in read if not note["customer_note"])
    decline = decline_of(clean(said, 5000), order.read["payment_method"])
    return "unknown" if decline == "other" else decline


def _fulfilled(order: Order) -> list[ShopEvent]:
    """WooCommerce knows no delivery but this: an order is completed when nothing more is to be done for it."""
    at = order.read["date_completed_gmt"]
    if order.status != "completed" or at is None:
        return []
    return [OrderFulfilled(order.key, at, order.our_reference)]


def _refunds(order: Order) -> list[ShopEvent]:
    """One event for all refunds of the order, with their sum."""
    full = order.status == "refunded"
    amounts = [money_or_none(refund["total"], order.read["currency"]) for refund in order.read["refunds"]]
    if not amounts and not full:
        return []
    whole = sum(abs(amount.minor) for amount in amounts if amount is not None)
    refunded = order.total if full else Money(whole, order.read["currency"])
    if not full and None in amounts:
        return [OrderRefunded(order.key, order.modified, None, full=False, our_reference=order.our_reference)]
    return [OrderRefunded(order.key, order.modified, refunded, full=full, our_reference=order.our_reference)]


def _baskets(order: Order) -> tuple[str, ...]:
    """The plugin's basket behind the order. ``cart_hash`` is none: two shoppers with equal baskets share it."""
    basket = clean(text_of(order.meta(CART)), 200)
    if not basket:
        return ()
    return (basket if basket.startswith("cart:") else f"cart:{basket}",)


def _line(read: dict[str, Any], currency: str) -> Line:
    net, tax = money_or_none(read["total"], currency), money_or_none(read["total_tax"] or "0", currency)
    total = net + tax if net is not None and tax is not None else None
    return Line(title=read["name"], quantity=read["quantity"] or "1", total=total, sku=read["sku"])


def _person(order: Order) -> Person:
    billing, shipping = order.read["billing"], order.read["shipping"]
    return Person(
        email=billing["email"],
        name=f"{billing['first_name']} {billing['last_name']}".strip(),
        phone=billing["phone"],
        country=billing["country"] or shipping["country"],
        platform_id=str(order.read["customer_id"] or ""),
    )


class _Consent(Slim):
    granted = Flag()
    text_version = Text(limit=100)
    at = Moment()
    source = Text(limit=100)


_CONSENT = _Consent()


def _consent(value: Any) -> Consent | None:
    """The consent in the order's meta: an object, or one as JSON in a text, which some stores make of it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    read = load(_CONSENT, value)
    if read["granted"] is None:
        return None
    return Consent(read["granted"], read["source"] or CONSENT, read["text_version"], read["at"])
