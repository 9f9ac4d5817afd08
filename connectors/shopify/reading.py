"""What the Admin API shows of baskets and orders."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from connectors.shopify.graphql import (
    ABANDONED_CHECKOUTS,
    ORDER_STATE,
    ORDERS,
    ORDERS_BY_SOURCE_IDENTIFIER,
    RECENT_ORDERS,
    text_query,
)
from connectors.shopify.payload import TAG, baskets
from connectors.shopify.shelf import sold_out
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import (
    CartChanged,
    Consent,
    Line,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    Page,
    Person,
    ShopEvent,
)
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.graphql import GraphQL, nodes
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import (
    Anything,
    Country,
    Decimals,
    Email,
    Locale,
    Moment,
    Part,
    Parts,
    Slim,
    Text,
    WebAddress,
    load,
    money,
    money_or_none,
    required,
    text_of,
)

_NUMBER = re.compile(r"gid://shopify/[A-Za-z]+/([0-9]{1,20})")
_TOKEN = re.compile(r"/checkouts/(?:[a-z]{2}/)?([A-Za-z0-9_-]{8,100})(?:/|\?|$)")
_LOOK_BACK = timedelta(days=30)
# How many baskets are asked for at once, and looked through for one of them.
_AT_ONCE = 100
_MOST = 500


class _Money(Slim):
    amount = Decimals()
    currencyCode = Text(limit=10)


class _Bag(Slim):
    shopMoney = Part(_Money)
    presentmentMoney = Part(_Money)


class _Attribute(Slim):
    key = Text(limit=100)
    value = Text(limit=250)


class OrderSchema(Slim):
    id = Text()
    createdAt = Moment()
    cancelledAt = Moment()
    displayFinancialStatus = Text(limit=30)
    sourceIdentifier = Text(limit=200)
    tags = Anything()
    customAttributes = Parts(_Attribute)
    totalPriceSet = Part(_Bag)
    totalReceivedSet = Part(_Bag)


class _Email(Slim):
    emailAddress = Email()
    marketingState = Text(limit=30)


class _Phone(Slim):
    phoneNumber = Text(limit=50)


class _Customer(Slim):
    id = Text()
    firstName = Text(limit=100)
    lastName = Text(limit=100)
    locale = Locale()
    defaultEmailAddress = Part(_Email)
    defaultPhoneNumber = Part(_Phone)


class _Address(Slim):
    firstName = Text(limit=100)
    lastName = Text(limit=100)
    countryCodeV2 = Country()
    phone = Text(limit=50)


class _Line(Slim):
    title = Text()
    sku = Text(limit=100)
    quantity = Text(limit=30)
    discountedTotalPriceSet = Part(_Bag)


class _Lines(Slim):
    nodes = Parts(_Line)


class _Checkout(Slim):
    id = Text()
    updatedAt = Moment()
    completedAt = Moment()
    abandonedCheckoutUrl = WebAddress()
    customer = Part(_Customer)
    billingAddress = Part(_Address)
    shippingAddress = Part(_Address)
    totalPriceSet = Part(_Bag)
    lineItems = Part(_Lines)


_ORDER, _CHECKOUT = OrderSchema(), _Checkout()


def number(gid: str) -> str:
    """The number of ``gid://shopify/Order/450789469``; ``NoAnswer`` where it is none."""
    found = _NUMBER.fullmatch(gid)
    if found is None:
        raise NoAnswer("the answer names an object in a way that we do not know")
    return found.group(1)


class Order:
    """An order of the Admin API."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.read = load(_ORDER, value)
        self.gid: str = self.read["id"]
        self.key = f"order:{number(self.gid)}"
        self.status: str = self.read["displayFinancialStatus"]
        self.cancelled_at: datetime | None = self.read["cancelledAt"]
        listed = self.read["tags"] if isinstance(self.read["tags"], list) else []
        tags = {text_of(tag).lower() for tag in listed}
        self.our_reference: str = self.read["sourceIdentifier"] if TAG in tags else ""
        self.cart_keys = baskets(tags, ((one["key"], one["value"]) for one in self.read["customAttributes"]))

    @property
    def total(self) -> Money:
        return _paid_in(self.read["totalPriceSet"], "totalPriceSet")

    @property
    def received(self) -> Money:
        return _paid_in(self.read["totalReceivedSet"], "totalReceivedSet")

    def state(self) -> OrderPlaced | OrderCancelled:
        if self.cancelled_at is not None:
            return OrderCancelled(self.key, self.cancelled_at, self.our_reference)
        return self.sale()

    def sale(self) -> OrderPlaced:
        return OrderPlaced(
            order_key=self.key,
            placed_at=required(self.read["createdAt"], "createdAt"),
            cart_keys=self.cart_keys,
            total=self.total,
            our_reference=self.our_reference,
            paid=self.status in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED"),
        )


def _paid_in(bag: dict[str, Any], name: str) -> Money:
    said = bag["presentmentMoney"]
    return money(said["amount"], said["currencyCode"], name)


def by_reference(admin: GraphQL, key: str) -> Order | None:
    """The order that we made under ``key``. The search lags behind by some seconds, so that after it the newest
    orders are looked through, which one whose answer was lost is among."""
    query = {"query": text_query("source_identifier", key)}
    for document, variables in ((ORDERS_BY_SOURCE_IDENTIFIER, query), (RECENT_ORDERS, {"first": 50})):
        for node in nodes(admin.ask(document, variables), "orders")[0]:
            order = Order(node)
            if order.our_reference == key:
                return order
    return None


def by_basket(admin: GraphQL, cart_key: str) -> Order | None:
    """The order that a basket became at Shopify's own checkout, not one of ours."""
    kind, _, token = cart_key.partition(":")
    if kind not in ("cart", "checkout") or not token:
        return None
    data = admin.ask(ORDERS_BY_SOURCE_IDENTIFIER, {"query": text_query(f"{kind}_token", token)})
    return next(
        (order for node in nodes(data, "orders")[0] if not (order := Order(node)).our_reference), None
    )


def by_key(admin: GraphQL, order_key: str) -> Order | None:
    kind, _, name = order_key.partition(":")
    if kind != "order" or not (name.isascii() and name.isdecimal()):
        return None
    found = admin.ask(ORDER_STATE, {"id": f"gid://shopify/Order/{name}"}).get("order")
    return Order(found) if isinstance(found, dict) else None


def state(admin: GraphQL, key: str) -> CartChanged | OrderPlaced | OrderCancelled | None:
    """An order by its number; a basket by the order that it became, else among the abandoned checkouts. None where
    nothing is found: a basket that never reached the checkout is in no API."""
    try:
        if key.startswith("order:"):
            order = by_key(admin, key)
            return order.state() if order is not None else None
        bought = by_basket(admin, key)
        return bought.state() if bought is not None else _basket(admin, key)
    except Unreadable as error:
        raise NoAnswer(f"the shop's answer cannot be read: {error}") from None


def recovery(admin: GraphQL, key: str) -> str:
    """The address at which a basket's shopper goes on at Shopify's checkout. ``Refused`` where Shopify has no such checkout, or
    it was bought."""
    seen = state(admin, key)
    if not isinstance(seen, CartChanged) or not seen.recovery_url:
        raise Refused("no_checkout")
    return seen.recovery_url


def _basket(admin: GraphQL, key: str) -> CartChanged | None:
    """The checkout whose number is in the key, or whose recovery address names the token of the key."""
    kind, _, name = key.partition(":")
    since, cursor, seen = clock.now() - _LOOK_BACK, "", 0
    while seen < _MOST:
        found, cursor = _checkouts(admin, since, cursor)
        # A page without a basket counts as a full one: nobody leads us on for ever.
        seen += len(found) or _AT_ONCE
        for node in found:
            read = load(_CHECKOUT, node)
            named = (
                number(read["id"]) == name if kind == "checkout-id" else name in read["abandonedCheckoutUrl"]
            )
            if named and read["completedAt"] is None:
                basket, gone = _cart(read), sold_out(admin, number(read["id"]))
                return replace(basket, key=key, aliases=_others(basket, key), sold_out=gone)
        if not cursor:
            break
    return None


def _others(basket: CartChanged, key: str) -> tuple[str, ...]:
    return tuple(name for name in (basket.key, *basket.aliases) if name != key)


def _checkouts(admin: GraphQL, since: datetime, cursor: str) -> tuple[list[dict[str, Any]], str]:
    variables = {"after": cursor or None, "query": _changed_since(since)}
    return admin.listed(ABANDONED_CHECKOUTS, "abandonedCheckouts", variables, _AT_ONCE)


def _changed_since(since: datetime) -> str:
    return f"updated_at:>='{since.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}'"


def fetch(admin: GraphQL, kind: Literal["carts", "orders"], since: datetime, cursor: str) -> Page:
    """A page of what changed. A completed checkout says nothing here: its order does."""
    if kind == "carts":
        found, more = _checkouts(admin, since, cursor)
        return Page(tuple(event for node in found for event in _told(_cart_events, node)), more)
    variables = {"after": cursor or None, "query": _changed_since(since)}
    found, more = admin.listed(ORDERS, "orders", variables, _AT_ONCE)
    return Page(tuple(event for node in found for event in _told(_order_events, node)), more)


def _told(events: Any, node: dict[str, Any]) -> list[ShopEvent]:
    """What cannot be read in a list is passed over: its webhook tells a person."""
    try:
        found: list[ShopEvent] = events(node)
    except (Unreadable, NoAnswer):
        return []
    return found


def _cart_events(node: dict[str, Any]) -> list[ShopEvent]:
    read = load(_CHECKOUT, node)
    return [_cart(read)] if read["completedAt"] is None else []


def _order_events(node: dict[str, Any]) -> list[ShopEvent]:
    order = Order(node)
    found: list[ShopEvent] = [order.sale()]
    if order.cancelled_at is not None:
        found.append(OrderCancelled(order.key, order.cancelled_at, order.our_reference))
    if order.status == "REFUNDED":
        at = required(order.read["createdAt"], "createdAt")
        found.append(OrderRefunded(order.key, at, None, full=True, our_reference=order.our_reference))
    return found


def _cart(read: dict[str, Any]) -> CartChanged:
    """The API knows no token: it is taken from the recovery address."""
    token = _TOKEN.search(read["abandonedCheckoutUrl"])
    keys = [f"checkout:{token.group(1)}"] if token else []
    key, *aliases = [*keys, f"checkout-id:{number(read['id'])}"]
    lines = tuple(_line(line) for line in read["lineItems"]["nodes"])
    return CartChanged(
        key=key,
        total=_paid_in(read["totalPriceSet"], "totalPriceSet"),
        updated_at=required(read["updatedAt"], "updatedAt"),
        lines=lines,
        person=_person(read),
        consent=_consent(read["customer"]["defaultEmailAddress"]["marketingState"]),
        recovery_url=read["abandonedCheckoutUrl"],
        empty=not lines,
        aliases=tuple(aliases),
    )


def _line(read: dict[str, Any]) -> Line:
    said = read["discountedTotalPriceSet"]["presentmentMoney"]
    total = money_or_none(said["amount"], said["currencyCode"])
    return Line(title=read["title"], quantity=read["quantity"] or "1", total=total, sku=read["sku"])


def _person(read: dict[str, Any]) -> Person:
    customer, billing, shipping = read["customer"], read["billingAddress"], read["shippingAddress"]
    names = [f"{one['firstName']} {one['lastName']}".strip() for one in (customer, billing, shipping)]
    return Person(
        email=customer["defaultEmailAddress"]["emailAddress"],
        name=next((name for name in names if name), ""),
        phone=customer["defaultPhoneNumber"]["phoneNumber"] or billing["phone"],
        locale=customer["locale"],
        country=billing["countryCodeV2"] or shipping["countryCodeV2"],
        platform_id=number(customer["id"]) if customer["id"] else "",
    )


def _consent(state: str) -> Consent | None:
    return Consent(state == "SUBSCRIBED", "customer.marketingState") if state else None
