"""What a shop of its owner's making, or our own part in a shop, says in a Standard Webhooks body.

``{"type": "cart.updated", "timestamp": "...", "data": {...}}``; an amount is ``amount_minor`` (a whole number) or
``amount`` (a decimal in a text), never a float. ``docs/adding-a-connector.md`` and ``connectors/custom/README.md``
show every type.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from plugin_backend.sdk.connector import (
    CartChanged,
    CartRemoved,
    Consent,
    CustomerDataRequested,
    CustomerRedacted,
    Line,
    OrderCancelled,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    PaymentFailed,
    Person,
    ShopDisconnected,
    ShopEvent,
)
from plugin_backend.sdk.declines import told
from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.money import EXPONENTS, Money
from plugin_backend.sdk.payload import (
    Anything,
    Country,
    Email,
    Flag,
    JsonNumber,
    Key,
    Keys,
    Locale,
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
    read_object,
    required,
    text_of,
)


class _Amount(Slim):
    currency = Text()
    currency_exponent = Whole()
    amount_minor = Anything()
    amount = Anything()


class _Line(Slim):
    title = Text()
    sku = Text(limit=100)
    quantity = Text(limit=30)
    total_amount_minor = Anything()
    total_amount = Anything()
    sold_out = Flag()


class _Customer(Slim):
    id = Text(limit=200)
    email = Email()
    name = Text(limit=200)
    phone = Text(limit=50)
    locale = Locale()
    country = Country()


class _Consent(Slim):
    granted = Flag()
    text_version = Text(limit=100)
    at = Moment()
    source = Text(limit=100)


class _Cart(_Amount):
    id = Key(required=True)
    order_id = Key()
    aliases = Keys()
    version = Whole()
    updated_at = Moment()
    lines = Parts(_Line)
    customer = Part(_Customer)
    consent = Part(_Consent)
    checkout_url = WebAddress()
    empty = Flag()


class _CartName(Slim):
    id = Key(required=True)
    deleted_at = Moment()


class _Order(_Amount):
    id = Key(required=True)
    cart_id = Key()
    at = Moment()
    paid = Flag()
    reference = Text(limit=200)
    customer = Part(_Customer)


class _Refund(_Amount):
    id = Key(required=True)
    at = Moment()
    full = Flag()
    reference = Text(limit=200)


class _Failure(Slim):
    id = Key()
    cart_id = Key()
    order_id = Key()
    at = Moment()
    decline = Text(limit=20)
    gateway = Text(limit=100)
    reason = Text(limit=300)
    cart = Anything()


class _Disconnect(Slim):
    redact = Flag()


_CART, _CART_NAME, _ORDER, _REFUND = _Cart(), _CartName(), _Order(), _Refund()
_FAILURE, _CUSTOMER, _DISCONNECT = _Failure(), _Customer(), _Disconnect()
_ENVELOPE_TIME = Moment()


def standard_events(body: bytes) -> list[ShopEvent]:
    """The events of a validly signed body. ``Unreadable`` also for a type that nobody has defined, so that the one
    who builds the sender sees his mistake."""
    envelope = read_object(body)
    kind, data = text_of(envelope.get("type")), envelope.get("data")
    if kind == "ping":
        return []
    if kind not in _READERS:
        raise Unreadable("type: not one of the types of this connector")
    if not isinstance(data, dict):
        raise Unreadable("data: not an object")
    return [_READERS[kind](data, _ENVELOPE_TIME.read(envelope.get("timestamp")))]


def standard_type(body: bytes) -> str:
    """What the body says it is about, ``""`` where it does not; never raises."""
    try:
        return clean(text_of(read_object(body).get("type")), 100)
    except Unreadable:
        return ""


def cart_of(data: Any, at: datetime | None = None, name: str = "") -> CartChanged:
    """The basket that ``data`` describes; ``at`` is the time of its envelope, for a basket that tells none."""
    if not isinstance(data, dict):
        raise Unreadable(f"{name or 'data'}: not an object")
    read = load(_CART, data, name)
    lines = tuple(_line(line, read["currency"]) for line in read["lines"])
    return CartChanged(
        key=_cart_key(read["id"]),
        total=_money(read, name) if _has_amount(read) else None,
        updated_at=required(read["updated_at"] or at, f"{name}updated_at"),
        lines=lines,
        person=_person(read["customer"]),
        consent=_consent(read["consent"]),
        version=read["version"] or 0,
        recovery_url=read["checkout_url"],
        empty=bool(read["empty"]) or not lines,
        aliases=_aliases(read),
        sold_out=tuple(
            line.title for line, told in zip(lines, read["lines"], strict=True) if told["sold_out"]
        ),
    )


def _cart_key(name: str) -> str:
    """A basket that became an order in the shop, paid or not, is named by it: ``order:19``."""
    return name if name.startswith(("order:", "cart:")) else f"cart:{name}"


def _aliases(read: dict[str, Any]) -> tuple[str, ...]:
    """The order that the basket became, and the other ids it had: a guest's when he signs in."""
    order = [f"order:{read['order_id']}"] if read["order_id"] else []
    names = dict.fromkeys([*order, *map(_cart_key, read["aliases"])])
    return tuple(name for name in names if name != _cart_key(read["id"]))


def amount_of(data: Any, name: str = "") -> Money:
    """The money of an object with ``currency`` and ``amount_minor`` or ``amount``."""
    return _money(load(_AMOUNT, data if isinstance(data, dict) else {}, name), name)


_AMOUNT = _Amount()


def _has_amount(read: dict[str, Any]) -> bool:
    return read["amount_minor"] is not None or read["amount"] is not None


def _money(read: dict[str, Any], name: str) -> Money:
    currency = read["currency"]
    if read["amount_minor"] is None:
        return _decimal(read["amount"], currency, f"{name}amount")
    minor = read["amount_minor"]
    if type(minor) is not int:
        raise Unreadable(f"{name}amount_minor: not a whole number")
    exponent = read["currency_exponent"]
    if exponent is not None and exponent != EXPONENTS.get(currency):
        raise Unreadable(f"{name}currency_exponent: not the exponent of the currency in ISO 4217")
    return _minor(minor, currency, f"{name}amount_minor")


def _minor(minor: int, currency: str, name: str) -> Money:
    if abs(minor) > 10**15:
        raise Unreadable(f"{name}: too much to be true")
    try:
        return Money(minor, currency)
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from None


def _decimal(amount: Any, currency: str, name: str) -> Money:
    if not isinstance(amount, str) or isinstance(amount, JsonNumber):
        raise Unreadable(f"{name}: not a decimal in a text")
    return money(amount, currency, name)


def _line(read: dict[str, Any], currency: str) -> Line:
    """A line whose total cannot be read is shown without it: the basket's own total is what counts."""
    minor, amount = read["total_amount_minor"], read["total_amount"]
    total: Money | None = None
    try:
        if type(minor) is int:
            total = _minor(minor, currency, "")
        elif amount is not None:
            total = _decimal(amount, currency, "")
    except Unreadable:
        pass
    return Line(title=read["title"], quantity=read["quantity"] or "1", total=total, sku=read["sku"])


def _person(read: dict[str, Any]) -> Person:
    return Person(
        email=read["email"],
        name=read["name"],
        phone=read["phone"],
        locale=read["locale"],
        country=read["country"],
        platform_id=read["id"],
    )


def _consent(read: dict[str, Any]) -> Consent | None:
    if read["granted"] is None:
        return None
    return Consent(
        granted=read["granted"],
        source=read["source"] or "cart.consent",
        text_version=read["text_version"],
        at=read["at"],
    )


def _cart_changed(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    return cart_of(data, at)


def _cart_removed(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    read = load(_CART_NAME, data)
    return CartRemoved(key=_cart_key(read["id"]), at=read["deleted_at"] or at)


def _order_placed(data: dict[str, Any], at: datetime | None) -> OrderPlaced:
    read = load(_ORDER, data)
    return OrderPlaced(
        order_key=f"order:{read['id']}",
        placed_at=required(read["at"] or at, "at"),
        cart_keys=(_cart_key(read["cart_id"]),) if read["cart_id"] else (),
        total=_money(read, "") if _has_amount(read) else None,
        person=_person(read["customer"]),
        our_reference=read["reference"],
        paid=bool(read["paid"]),
    )


def _order_paid(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    return _order_placed({**data, "paid": True}, at)


def _order_cancelled(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    read = load(_ORDER, data)
    moment = required(read["at"] or at, "at")
    return OrderCancelled(order_key=f"order:{read['id']}", at=moment, our_reference=read["reference"])


def _order_fulfilled(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    read = load(_ORDER, data)
    moment = required(read["at"] or at, "at")
    return OrderFulfilled(order_key=f"order:{read['id']}", at=moment, our_reference=read["reference"])


def _order_refunded(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    read = load(_REFUND, data)
    return OrderRefunded(
        order_key=f"order:{read['id']}",
        at=required(read["at"] or at, "at"),
        refunded=_money(read, "") if _has_amount(read) else None,
        full=bool(read["full"]),
        our_reference=read["reference"],
    )


def _payment_failed(data: dict[str, Any], at: datetime | None) -> ShopEvent:
    read = load(_FAILURE, data)
    moment = required(read["at"] or at, "at")
    cart = None if read["cart"] is None else cart_of(read["cart"], moment, "cart.")
    key = cart.key if cart else _failed_key(read)
    decline = told(read["decline"], read["reason"], read["gateway"])
    return PaymentFailed(key=key, at=moment, decline=decline, cart=cart)


def _failed_key(read: dict[str, Any]) -> str:
    if read["cart_id"] or read["id"]:
        return _cart_key(read["cart_id"] or read["id"])
    if read["order_id"]:
        return f"order:{read['order_id']}"
    raise Unreadable("cart, id or order_id: missing")


def _who(data: dict[str, Any]) -> tuple[str, str]:
    read = load(_CUSTOMER, data)
    if not read["email"] and not read["id"]:
        raise Unreadable("email or id: missing")
    return read["email"], read["id"]


def _redacted(data: dict[str, Any], _: datetime | None) -> ShopEvent:
    return CustomerRedacted(*_who(data))


def _data_requested(data: dict[str, Any], _: datetime | None) -> ShopEvent:
    return CustomerDataRequested(*_who(data))


def _disconnected(data: dict[str, Any], _: datetime | None) -> ShopEvent:
    return ShopDisconnected(redact=bool(load(_DISCONNECT, data)["redact"]))


_READERS: dict[str, Callable[[dict[str, Any], datetime | None], ShopEvent]] = {
    "cart.updated": _cart_changed,
    "cart.deleted": _cart_removed,
    "order.created": _order_placed,
    "order.paid": _order_paid,
    "order.cancelled": _order_cancelled,
    "order.refunded": _order_refunded,
    "order.fulfilled": _order_fulfilled,
    "payment.failed": _payment_failed,
    "customer.redacted": _redacted,
    "customer.data_requested": _data_requested,
    "shop.disconnected": _disconnected,
}
