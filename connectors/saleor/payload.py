"""What Saleor says of checkouts and orders, from a webhook or from the API, and what it means."""

import json
from datetime import datetime
from typing import Any

from plugin_backend.sdk.connector import (
    CartChanged,
    Consent,
    Line,
    OrderCancelled,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    Person,
    ShopEvent,
)
from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import (
    Country,
    Decimals,
    Email,
    Flag,
    Key,
    Locale,
    Moment,
    Part,
    Parts,
    Slim,
    Text,
    clean,
    load,
    money,
    money_or_none,
    read_json,
    required,
    text_of,
)

GONE = ("CANCELED", "EXPIRED")


class _Money(Slim):
    amount = Decimals()
    currency = Text(limit=10)


class _Taxed(Slim):
    gross = Part(_Money)


class _CountryOf(Slim):
    code = Country()


class _Address(Slim):
    firstName = Text(limit=100)
    lastName = Text(limit=100)
    phone = Text(limit=50)
    country = Part(_CountryOf)


class _User(Slim):
    id = Text(limit=200)
    email = Email()


class _Product(Slim):
    name = Text()


class _Variant(Slim):
    sku = Text(limit=100)
    name = Text()
    product = Part(_Product)


class _Problem(Slim):
    """Too few of it, or not for sale any more; a checkout with one cannot become an order."""


class _Line(Slim):
    problems = Parts(_Problem)
    quantity = Text(limit=30)
    variant = Part(_Variant)
    totalPrice = Part(_Taxed)


class _Checkout(Slim):
    id = Key(required=True)
    updatedAt = Moment()
    email = Email()
    languageCode = Locale()
    user = Part(_User)
    consent = Text(limit=1000)
    billingAddress = Part(_Address)
    shippingAddress = Part(_Address)
    totalPrice = Part(_Taxed)
    lines = Parts(_Line)


class _Transaction(Slim):
    key = Text(limit=200)
    chargedAmount = Part(_Money)


class _Fulfillment(Slim):
    status = Text(limit=30)
    created = Moment()


class _Event(Slim):
    message = Text(limit=2000)


class _OrderSchema(Slim):
    id = Key(required=True)
    checkoutId = Key()
    status = Text(limit=30)
    created = Moment()
    updatedAt = Moment()
    isPaid = Flag()
    userEmail = Email()
    languageCodeEnum = Locale()
    user = Part(_User)
    reference = Text(limit=200)
    billingAddress = Part(_Address)
    shippingAddress = Part(_Address)
    total = Part(_Taxed)
    totalCharged = Part(_Money)
    totalRefunded = Part(_Money)
    fulfillments = Parts(_Fulfillment)
    transactions = Parts(_Transaction)
    events = Parts(_Event)


class _ConsentSchema(Slim):
    granted = Flag()
    text_version = Text(limit=100)
    at = Moment()
    source = Text(limit=100)


_CHECKOUT, _ORDER, _CONSENT = _Checkout(), _OrderSchema(), _ConsentSchema()


class Order:
    """An order that could be read. ``Unreadable`` where it has no id, no status or no time of its last change."""

    def __init__(self, value: Any) -> None:
        self.read = load(_ORDER, value if isinstance(value, dict) else {}, "order.")
        self.gid: str = self.read["id"]
        self.key = f"order:{self.gid}"
        self.status: str = self.read["status"]
        if not self.status:
            raise Unreadable("order.status: missing")
        self.updated: datetime = required(self.read["updatedAt"], "order.updatedAt")

    @property
    def total(self) -> Money:
        return _gross(self.read["total"], "order.total")

    @property
    def charged(self) -> Money:
        charged = _money(self.read["totalCharged"], "order.totalCharged")
        if charged.currency != self.total.currency:
            raise Unreadable("order.totalCharged: in another currency than the order")
        return charged

    @property
    def our_reference(self) -> str:
        """Our key in the order, ``""`` where it has none or where more was charged than our own transactions say: an
        order that we hold and that was then paid at the shop's own checkout was bought natively."""
        reference: str = self.read["reference"]
        if not reference:
            return ""
        ours = [one["chargedAmount"] for one in self.read["transactions"] if one["key"]]
        known = sum(_money(one, "order.transactions.chargedAmount").minor for one in ours)
        return reference if self.charged.minor <= known else ""

    def has_payment(self, key: str) -> bool:
        return any(one["key"] == key for one in self.read["transactions"])

    def has_note(self, mark: str) -> bool:
        return any(mark in event["message"] for event in self.read["events"])


def _money(told: dict[str, Any], name: str) -> Money:
    return money(told["amount"], told["currency"], name)


def _gross(taxed: dict[str, Any], name: str) -> Money:
    return _money(taxed["gross"], name)


def events_of(body: Any) -> list[ShopEvent]:
    """What a webhook's body says by the state it shows. A body of the platform's own choosing, a list, has neither our
    fields nor our reference: the webhook was made by hand, without our query."""
    if not isinstance(body, dict):
        raise Unreadable("the body is not an object: the webhook has no subscription query")
    kind = text_of(body.get("__typename"))
    if kind.startswith("Checkout"):
        return [cart(body.get("checkout"))]
    if kind.startswith("Order"):
        return order_events(Order(body.get("order")))
    if not kind:
        raise Unreadable("__typename: missing, the webhook has another subscription query than ours")
    return []


def cart(value: Any) -> CartChanged:
    """``Unreadable`` where the checkout is missing: it was bought or deleted before the body was built."""
    read = load(_CHECKOUT, value if isinstance(value, dict) else {}, "checkout.")
    lines = tuple(_line(line) for line in read["lines"])
    return CartChanged(
        key=f"checkout:{read['id']}",
        total=_gross(read["totalPrice"], "checkout.totalPrice"),
        updated_at=required(read["updatedAt"], "checkout.updatedAt"),
        lines=lines,
        person=_person(read, read["email"] or read["user"]["email"], read["languageCode"]),
        consent=_consent(read["consent"]),
        empty=not lines,
        sold_out=tuple(
            line.title for line, told in zip(lines, read["lines"], strict=True) if told["problems"]
        ),
    )


def _line(read: dict[str, Any]) -> Line:
    variant, price = read["variant"], read["totalPrice"]["gross"]
    names = dict.fromkeys(name for name in (variant["product"]["name"], variant["name"]) if name)
    total = money_or_none(price["amount"], price["currency"])
    return Line(
        title=" ".join(names)[:300], quantity=read["quantity"] or "1", total=total, sku=variant["sku"]
    )


def _person(read: dict[str, Any], email: str, locale: str) -> Person:
    billing, shipping = read["billingAddress"], read["shippingAddress"]
    named = billing if billing["firstName"] or billing["lastName"] else shipping
    language, _, region = locale.partition("-")
    return Person(
        email=email,
        name=f"{named['firstName']} {named['lastName']}".strip(),
        phone=billing["phone"] or shipping["phone"],
        locale=f"{language.lower()}-{region}" if region else language.lower(),
        country=billing["country"]["code"] or shipping["country"]["code"],
        platform_id=read["user"]["id"],
    )


def _consent(text: str) -> Consent | None:
    """The consent in the checkout's metadata, which are texts: JSON as for any shop's own storefront."""
    try:
        value = read_json(text.encode("utf-8", "replace"))
    except Unreadable:
        return None
    read = load(_CONSENT, value if isinstance(value, dict) else {})
    if read["granted"] is None:
        return None
    return Consent(read["granted"], read["source"] or "checkout.metadata", read["text_version"], read["at"])


def order_events(order: Order) -> list[ShopEvent]:
    """It may be called for every event of an order: the body shows how the order stands. A draft is nobody's purchase
    yet; an order that we hold and that has no money yet is none either."""
    if order.status == "DRAFT":
        return []
    if order.status in GONE:
        return [OrderCancelled(order.key, order.updated, order.our_reference)]
    if order.our_reference and not order.charged.minor:
        return _fulfilled(order)
    return [placed(order), *_fulfilled(order), *_refunds(order)]


def placed(order: Order) -> OrderPlaced:
    read = order.read
    return OrderPlaced(
        order_key=order.key,
        placed_at=read["created"] or order.updated,
        cart_keys=(f"checkout:{read['checkoutId']}",) if read["checkoutId"] else (),
        total=order.total,
        person=_person(read, read["userEmail"], read["languageCodeEnum"]),
        our_reference=order.our_reference,
        paid=bool(read["isPaid"]),
    )


def _fulfilled(order: Order) -> list[ShopEvent]:
    """All of it was sent when the last of its parcels was."""
    sent = [one["created"] for one in order.read["fulfillments"] if one["status"] == "FULFILLED"]
    at = max(filter(None, sent), default=None)
    if order.status != "FULFILLED" or at is None:
        return []
    return [OrderFulfilled(order.key, at, order.our_reference)]


def _refunds(order: Order) -> list[ShopEvent]:
    told = order.read["totalRefunded"]
    refunded = money_or_none(told["amount"], told["currency"])
    if refunded is None or not refunded.minor:
        return []
    full = refunded.currency == order.total.currency and order.total <= refunded
    return [OrderRefunded(order.key, order.updated, refunded, full=full, our_reference=order.our_reference)]


def state_of(order: Order) -> OrderPlaced | OrderCancelled | None:
    """The order as it stands, for a look at the shop."""
    if order.status == "DRAFT":
        return None
    if order.status in GONE:
        return OrderCancelled(order.key, order.updated, order.our_reference)
    return placed(order)


def kind_of(body: bytes) -> str:
    """What a body says it is about, ``""`` where it does not; never raises."""
    try:
        value = read_json(body)
    except Unreadable:
        return ""
    return clean(text_of(value.get("__typename")), 100) if isinstance(value, dict) else ""


def as_json(value: Any) -> str:
    """A value of metadata, which are texts."""
    return json.dumps(value, ensure_ascii=False)
