"""Reading and writing orders as the REST API does: what is merged, what is recomputed, what is refused."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from plugin_backend.demo.shop.basket import now
from plugin_backend.demo.shop.products import BY_NUMBER, BY_SKU
from plugin_backend.demo.shop.woo import payload
from plugin_backend.demo.shop.woo.shop import Event, WooShop
from plugin_backend.demo.shop.woo.state import (
    CURRENCY,
    PAYABLE,
    STATUSES,
    Address,
    Fee,
    Line,
    Meta,
    Order,
    Refund,
)
from plugin_backend.sdk.money import Money

_PLAIN = ("payment_method", "payment_method_title", "transaction_id", "customer_note")
_ORDERBY = ("date", "id", "include", "title", "slug", "modified")


class WooError(Exception):
    """An answer of the REST API that is not 2xx: ``{"code","message","data":{"status"}}``."""

    def __init__(self, code: str, message: str, status: int, **data: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.data = {"status": status, **data}

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "data": self.data}


def invalid(name: str, why: str) -> WooError:
    return WooError("rest_invalid_param", f"Invalid parameter(s): {name}", 400, params={name: why})


def find(shop: WooShop, number: int, *, status: int = 404) -> Order:
    """The order; unknown ones are 404 for a reader and 400 for a writer."""
    order = shop.state.orders.get(number)
    if order is None:
        raise WooError("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", status)
    return order


def create(shop: WooShop, body: Mapping[str, Any], drift: int) -> Order:
    """A new order, pending unless said otherwise; announced as created, then updated. Everything is checked before
    anything is kept."""
    _check(body)
    order = shop.new_order("pending", "rest-api")
    order.customer_id = _whole(body, "customer_id")
    _write(shop, order, body)
    _drift(shop, order, drift)
    events = shop.set_status(order, str(body.get("status") or "pending"))
    if body.get("set_paid") is True:
        events += _pay(shop, order)
    shop.announce([("order.created", order.id), *_once(events)])
    return order


def update(shop: WooShop, order: Order, body: Mapping[str, Any], drift: int) -> Order:
    """Merge what was sent. ``set_paid`` does nothing to an order that needs no payment, one on hold included."""
    _check(body)
    was_draft = order.status == "checkout-draft"
    _write(shop, order, body)
    _drift(shop, order, drift)
    events = shop.set_status(order, str(body.get("status") or order.status), was_draft=was_draft)
    if body.get("set_paid") is True and order.status in PAYABLE and order.total > 0:
        still_draft = order.status == "checkout-draft"
        events += _pay(shop, order, was_draft=still_draft)
    shop.announce(_once(events))
    return order


def refund(shop: WooShop, order: Order, body: Mapping[str, Any]) -> Refund:
    """Book a refund. Asking the gateway, the default, fails: no gateway of this shop can."""
    amount = amount_of(body.get("amount"), "amount")
    if amount <= 0 or amount > order.total - order.refunded:
        raise WooError("woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.", 400)
    if body.get("api_refund", True):
        why = "The payment gateway for this order does not support automatic refunds."
        raise WooError("woocommerce_rest_cannot_create_order_refund", why, 500)
    made = Refund(shop.post_id(), now(), amount, str(body.get("reason") or ""))
    order.refunds.append(made)
    full = order.refunded == order.total
    shop.announce(_once(shop.set_status(order, "refunded" if full else order.status)))
    return made


def amount_of(value: Any, name: str) -> int:
    """Minor units of what the client wrote as a decimal; a number is read as its text."""
    try:
        return Money.parse(str(value), CURRENCY).minor
    except ValueError as error:
        raise invalid(name, f"{name} is not of type string.") from error


def listing(shop: WooShop, asked: Mapping[str, str]) -> list[Order]:
    """The orders that a list request asks for, in its order, all pages."""
    wanted = [order for order in shop.state.orders.values() if _matches(order, asked)]
    by = asked.get("orderby", "date")
    if by not in _ORDERBY:
        raise invalid("orderby", f"orderby is not one of {', '.join(_ORDERBY)}.")
    if by == "modified":
        wanted.sort(key=lambda order: (order.modified, order.id))
    else:
        wanted.sort(key=lambda order: order.id)
    return wanted if asked.get("order", "desc") == "asc" else wanted[::-1]


def _check(body: Mapping[str, Any]) -> None:
    status = body.get("status")
    if status and status not in STATUSES:
        raise invalid("status", f"status is not one of {', '.join(STATUSES)}.")
    if body.get("currency", CURRENCY) != CURRENCY:
        raise WooError("order_invalid_currency", "Invalid currency code", 400)
    for item in body.get("line_items") or []:
        if not any(item.get(name) for name in ("id", "sku", "product_id", "variation_id")):
            raise WooError(
                "woocommerce_rest_required_product_reference", "Product ID or SKU is required.", 400
            )
        _check_line(item)
    for item in body.get("fee_lines") or []:
        amount_of(item.get("total", "0"), "total")
    _whole(body, "customer_id")


def _check_line(item: Mapping[str, Any]) -> None:
    for name in ("quantity", "product_id"):
        _whole(item, name)
    for name in ("subtotal", "total"):
        if item.get(name) is not None:
            amount_of(item[name], name)


def _whole(item: Mapping[str, Any], name: str) -> int:
    """The number under that name, 0 where there is none; numbers may come as text."""
    text = str(item.get(name) or 0)
    if not text.isdecimal():
        raise invalid(name, f"{name} is not of type integer.")
    return int(text)


def _write(shop: WooShop, order: Order, body: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in body:
            setattr(order, name, str(body[name]))
    for name in ("billing", "shipping"):
        _merge_address(getattr(order, name), body.get(name) or {})
    for item in body.get("line_items") or []:
        _merge_line(shop, order, item)
    for item in body.get("fee_lines") or []:
        amount = amount_of(item.get("total", "0"), "total")
        order.fees.append(Fee(shop.item_id(), str(item.get("name") or "Fee"), amount))
    for item in body.get("meta_data") or []:
        _merge_meta(shop, order, item)


def _merge_address(address: Address, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name in Address.__slots__:
            setattr(address, name, str(value))


def _merge_line(shop: WooShop, order: Order, item: Mapping[str, Any]) -> None:
    """A line with an id is changed, any other is added. What the client does not price is priced by the shop."""
    line = next((one for one in order.lines if one.id == item.get("id")), None)
    quantity = _whole(item, "quantity") or (line.quantity if line else 1)
    if line is None:
        line = _new_line(shop, item, quantity)
        order.lines.append(line)
    line.quantity = quantity
    if item.get("name"):
        line.name = str(item["name"])
    if item.get("total") is not None:
        line.total = line.subtotal = amount_of(item["total"], "total")
    if item.get("subtotal") is not None:
        line.subtotal = amount_of(item["subtotal"], "subtotal")


def _new_line(shop: WooShop, item: Mapping[str, Any], quantity: int) -> Line:
    """The SKU wins over the product id; a product the shop does not know makes a line without one, for nothing."""
    sku = str(item.get("sku") or "")
    known = BY_SKU.get(sku) if sku else BY_NUMBER.get(_whole(item, "product_id"))
    if known is not None:
        return shop.line_of(known.sku, quantity)
    return Line(shop.item_id(), str(item.get("name") or ""), 0, quantity, 0, 0, "")


def _merge_meta(shop: WooShop, order: Order, item: Mapping[str, Any]) -> None:
    """By id where one is given, else by key; null deletes."""
    key, value = str(item.get("key") or ""), item.get("value")
    found = next((meta for meta in order.meta if meta.id == item.get("id") or meta.key == key), None)
    if found is None and value is not None:
        order.meta.append(Meta(shop.item_id(), key, value))
    elif found is not None and value is None:
        order.meta.remove(found)
    elif found is not None:
        found.value = value


def _drift(shop: WooShop, order: Order, drift: int) -> None:
    """The switch that plays a plugin which adds a fee of its own; its line is kept at what the switch says."""
    order.fees = [fee for fee in order.fees if fee.name != "Frais de gestion"]
    if drift and order.status in PAYABLE:
        order.fees.append(Fee(shop.item_id(), "Frais de gestion", drift))


def _pay(shop: WooShop, order: Order, *, was_draft: bool = False) -> list[Event]:
    return shop.set_status(order, "processing", was_draft=was_draft)


def _once(events: Iterable[Event]) -> list[Event]:
    return list(dict.fromkeys(events))


def _matches(order: Order, asked: Mapping[str, str]) -> bool:
    statuses = [one for one in asked.get("status", "any").split(",") if one]
    if "any" not in statuses and order.status not in statuses:
        return False
    if "any" in statuses and order.status in ("trash", "auto-draft"):
        return False
    included = [one for one in asked.get("include", "").split(",") if one]
    if included and str(order.id) not in included:
        return False
    if asked.get("customer") and asked["customer"] != str(order.customer_id):
        return False
    return _in_time(order, asked) and _found(order, asked.get("search", ""))


def _in_time(order: Order, asked: Mapping[str, str]) -> bool:
    gmt = asked.get("dates_are_gmt", "false") in ("true", "1")
    bounds = {
        name: _moment(asked[name], name, gmt=gmt)
        for name in ("after", "before", "modified_after", "modified_before")
        if asked.get(name)
    }
    return (
        order.created > bounds.get("after", -1)
        and order.created < bounds.get("before", 2**62)
        and order.modified > bounds.get("modified_after", -1)
        and order.modified < bounds.get("modified_before", 2**62)
    )


def _moment(text: str, name: str, *, gmt: bool) -> int:
    """A time as it was written; without an offset it is the shop's time, or UTC where the client says so."""
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError as error:
        raise invalid(name, "Invalid date.") from error
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC if gmt else payload.ZONE)
    return int(read.timestamp())


def _found(order: Order, text: str) -> bool:
    """The search looks at ids, the customer, what was bought and, here, at the values of meta."""
    if not text:
        return True
    hay = [str(order.id), order.transaction_id, *(line.name for line in order.lines)]
    hay += [str(getattr(order.billing, name)) for name in Address.__slots__]
    hay += [str(meta.value) for meta in order.meta]
    return any(text.lower() in one.lower() for one in hay)
