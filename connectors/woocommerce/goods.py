"""What an order is made of: its lines, their prices with the shop's tax inside, and what of them is left on the shelf."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, TypeVar

from connectors.woocommerce.api import Api
from connectors.woocommerce.payload import ON_THE_SHELF, Order
from plugin_backend.sdk.connector import Line
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import load

T = TypeVar("T")

TITLE = "Reprise"
# The line that carries what the basket's lines do not: shipping, tax, discounts.
REST = "Shipping, taxes and discounts"
# WooCommerce keeps more digits of a price than its currency has.
_FINE = Decimal("0.000001")
# Of a basket's lines so many are looked up on the shelf, one request each.
_MOST_LINES = 20


def read_order(value: Any) -> Order:
    """An order in an answer. ``NoAnswer`` where it cannot be read: what was written, if anything, is not known."""
    try:
        return Order(value if isinstance(value, dict) else {})
    except Unreadable as error:
        raise NoAnswer(f"the shop's order cannot be read: {error}") from None


def readable(of: Callable[[Order], T], order: Order) -> T:
    """What ``of`` reads of an order in an answer; ``NoAnswer`` where it cannot."""
    try:
        return of(order)
    except Unreadable as error:
        raise NoAnswer(f"the shop's order cannot be read: {error}") from None


def content(lines: tuple[Line, ...], total: Money) -> dict[str, Any]:
    """The lines at the prices that were shown. A line needs a product or its SKU; one without becomes a fee, and so
    does what the lines do not add up to (shipping is no line)."""
    products = [_product(line) for line in lines if line.sku]
    fees = [_fee(line.title, line.total) for line in lines if not line.sku and line.total]
    rest = total.minor - sum(
        line.total.minor for line in lines if line.total and line.total.currency == total.currency
    )
    if rest:
        fees.append(_fee(REST if lines else TITLE, Money(rest, total.currency)))
    return {"line_items": products, "fee_lines": fees}


def with_tax_inside(api: Api, order: Order, lines: tuple[Line, ...], total: Money) -> Order:
    """The order, whose lines the shop may have taxed once more: what was shown has the tax in it, and the API takes prices
    without. At what rate the shop taxes a line only the answer tells."""
    if readable(lambda one: one.total, order) == total:
        return order
    shown = [line.total for line in lines if line.sku]
    made = order.read["line_items"]
    if len(made) != len(shown) or not any(_tax(one) for one in made):
        return order
    priced = [
        {"id": one["id"], **_net(one, whole)}
        for one, whole in zip(made, shown, strict=True)
        if whole is not None and _tax(one)
    ]
    return read_order(api.put(f"orders/{order.id}", {"line_items": priced}))


def _tax(line: dict[str, Any]) -> Decimal:
    return _decimal(line["total_tax"])


def _net(line: dict[str, Any], whole: Money) -> dict[str, str]:
    """The price without tax that comes to ``whole`` with it; finer than a coin, as the shop itself keeps it."""
    before = _decimal(line["total"])
    net = Decimal(whole.decimal()) * before / (before + _tax(line)) if before else Decimal(0)
    price = str(net.quantize(_FINE, ROUND_HALF_UP))
    return {"subtotal": price, "total": price}


def _decimal(text: str | None) -> Decimal:
    """What a line says of money; 0 where it is none."""
    try:
        found = Decimal(text or "0")
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() and found.adjusted() < 15 else Decimal(0)


def _product(line: Line) -> dict[str, Any]:
    """The API takes whole pieces: a length of cloth is one piece that names it."""
    price = line.total.decimal() if line.total is not None else "0"
    whole = line.quantity.isascii() and line.quantity.isdecimal() and 0 < int(line.quantity[:9]) < 10**6
    return {
        "sku": line.sku,
        "name": line.title if whole else f"{line.quantity} × {line.title}",
        "quantity": int(line.quantity[:9]) if whole else 1,
        "subtotal": price,
        "total": price,
    }


def _fee(name: str, total: Money | None) -> dict[str, str]:
    return {"name": name or TITLE, "total": total.decimal() if total else "0", "tax_status": "none"}


def sold_out(api: Api, order: Order) -> tuple[str, ...]:
    """What of a basket the shop could not sell now. WooCommerce looks at its stock at the checkout only, where ours does not
    lead."""
    lines = [line for line in order.read["line_items"] if line["variation_id"] or line["product_id"]]
    return tuple(line["name"] for line in lines[:_MOST_LINES] if not _on_the_shelf(api, line))


def _on_the_shelf(api: Api, line: dict[str, Any]) -> bool:
    number = line["variation_id"] or line["product_id"]
    try:
        found = api.get_or_none(f"products/{number}")
    except Refused as refused:
        if not refused.permanent:
            raise
        # The key may look at orders and not at products: then there is no telling.
        return True
    if not isinstance(found, dict):
        return found is not None
    stock = load(ON_THE_SHELF, found)
    if stock["status"] == "trash" or stock["stock_status"] == "outofstock":
        return False
    left = stock["stock_quantity"]
    kept = stock["manage_stock"] in (True, "parent") and stock["backorders"] in ("", "no")
    return not kept or left is None or _pieces(line["quantity"]) <= left


def _pieces(quantity: str) -> int:
    """Whole pieces, rounded up; 1 where it cannot be read."""
    whole, _, rest = quantity.partition(".")
    return (
        int(whole) + bool(rest.strip("0")) if whole.isascii() and whole.isdecimal() and len(whole) < 10 else 1
    )
