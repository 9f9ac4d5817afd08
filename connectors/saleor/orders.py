"""What we write into Saleor. A checkout becomes an order once, and every other write looks first whether it was done."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from connectors.saleor.graphql import (
    CHECKOUT,
    DIALECT,
    FIRST_ORDER,
    METADATA_SET,
    NOTE_ADD,
    ORDER,
    ORDER_BY_REFERENCE,
    ORDER_FROM_CHECKOUT,
    ORDER_IMPORT,
    ORDERS_OF_CHECKOUT,
    PAYMENT_KEY,
    REFERENCE,
    TRANSACTION_CREATE,
)
from connectors.saleor.payload import GONE, Order, as_json, cart, state_of
from plugin_backend.sdk.connector import (
    CartChanged,
    Change,
    Line,
    OrderCancelled,
    OrderPlaced,
    PaymentBooked,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
    Reserved,
    WrittenBack,
)
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.graphql import GraphQL, nodes, raise_complaint
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import text_of

TITLE = "Reprise"
REST = "Shipping and taxes"
PLAN = "reprise_plan"
ENDED = "reprise_plan_ended"
_NOTE_MOST = 2000

T = TypeVar("T")


def _readable(ask: Callable[[], T]) -> T:
    """What was written, if anything, is not known where the answer cannot be read."""
    try:
        return ask()
    except Unreadable as error:
        raise NoAnswer(f"the shop's answer cannot be read: {error}") from None


_CHECKOUT = re.compile(rb"Checkout:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_checkout(gid: str) -> bool:
    """Whether this is the platform's id of a checkout, in its one form."""
    try:
        return _CHECKOUT.fullmatch(base64.b64decode(gid, validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


def _gid(key: str, kind: Literal["order", "checkout"]) -> str:
    """The platform's id in ``order:...`` or ``checkout:...``; ``""`` for what can be none: asked for that, the platform
    answers with an error and not with null."""
    found, _, gid = key.partition(":")
    try:
        names = base64.b64decode(gid, validate=True).startswith(f"{kind.title()}:".encode())
    except (binascii.Error, ValueError):
        names = False
    return gid if found == kind and names else ""


def state(api: GraphQL, key: str) -> CartChanged | OrderPlaced | OrderCancelled | None:
    """The order of that key; or the checkout, or the order that it became; None where there is none."""
    checkout = _gid(key, "checkout")
    if not checkout:
        order = _order(api, key)
        return None if order is None else _readable(lambda: state_of(order))
    found = api.ask(CHECKOUT, {"id": checkout}).get("checkout")
    if found is not None:
        return _readable(lambda: cart(found))
    bought = _order_of_checkout(api, checkout)
    return None if bought is None else _readable(lambda: state_of(bought))


def _order(api: GraphQL, key: str) -> Order | None:
    gid = _gid(key, "order")
    value = api.ask(ORDER, {"id": gid}).get("order") if gid else None
    return None if value is None else _readable(lambda: Order(value))


def _order_of_checkout(api: GraphQL, checkout: str) -> Order | None:
    found, _ = nodes(api.ask(ORDERS_OF_CHECKOUT, {"ids": [checkout]}), "orders")
    return _readable(lambda: Order(found[0])) if found else None


def reserve(api: GraphQL, wanted: Reservation) -> Reserved:
    """The checkout made an order without a payment. The platform makes one order of a checkout and then has no such
    checkout, so that a second call finds the first one's order by it.

    ``Refused`` with the reason ``not_a_checkout`` for a basket that is not in Saleor: an order without an address that
    Saleor has checked cannot be made.
    """
    checkout = _gid(wanted.cart_key, "checkout")
    if not checkout:
        raise Refused("not_a_checkout")
    order = _order_of_checkout(api, checkout) or _made(api, checkout, wanted)
    return _readable(lambda: _held(order, wanted))


def _made(api: GraphQL, checkout: str, wanted: Reservation) -> Order:
    metadata = _metadata({REFERENCE: wanted.key, PLAN: wanted.plan_words})
    answer = api.ask(ORDER_FROM_CHECKOUT, {"id": checkout, "metadata": metadata})
    payload = answer.get("orderCreateFromCheckout")
    return _readable(lambda: Order(payload.get("order") if isinstance(payload, dict) else None))


def _held(order: Order, wanted: Reservation) -> Reserved:
    if order.status in GONE:
        raise Refused("cancelled_in_shop")
    if order.our_reference != wanted.key:
        raise Refused("already_bought")
    return Reserved(order.key, order.total)


def _metadata(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def write_back(api: GraphQL, change: Change) -> WrittenBack:
    match change:
        case PaymentBooked():
            return _payment(api, change)
        case RenewalBooked():
            return _renewal(api, change)
        case PlanEnded():
            return _ended(api, change)
        case PlanCredited():
            return _credited(api, change)


def _order_to_write(api: GraphQL, order_key: str) -> Order:
    order = _order(api, order_key)
    if order is None:
        raise Refused("the shop has no order of that key", status=404)
    return order


def _payment(api: GraphQL, change: PaymentBooked) -> WrittenBack:
    order = _order_to_write(api, change.order_key)
    amount = _readable(lambda: _to_book(order, change))
    if amount is not None:
        transaction = {
            "name": TITLE,
            "message": change.words,
            "pspReference": change.transaction_id,
            "amountCharged": _amount(amount),
            "privateMetadata": _metadata({PAYMENT_KEY: change.key, PLAN: change.plan_key}),
        }
        api.ask(TRANSACTION_CREATE, {"id": order.gid, "transaction": transaction})
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _to_book(order: Order, change: PaymentBooked) -> Money | None:
    """What the payment adds to the money that the order has; None where it adds nothing. An order that is shipped at the
    first payment gets all of it then; one that the shop cancelled gets nothing."""
    if order.status in GONE or order.has_payment(change.key):
        return None
    if order.total.currency != change.amount.currency:
        raise Refused("the order is in another currency than the plan")
    if change.ship == "fully_paid" and change.count is not None:
        return change.amount
    open_ = order.total - order.charged
    return open_ if change.number == 1 and open_.minor > 0 else None


def _amount(amount: Money) -> dict[str, str]:
    """The platform's decimals are read from a text digit by digit."""
    return {"amount": amount.decimal(), "currency": amount.currency}


def _note(api: GraphQL, order: Order, key: str, words: str) -> None:
    """One note under our key; its text carries the key, by which it is found again."""
    mark = f"[{key}]"
    if not order.has_note(mark):
        message = f"{words[: _NOTE_MOST - len(mark) - 1]} {mark}"
        api.ask(NOTE_ADD, {"id": order.gid, "message": message})


def _renewal(api: GraphQL, change: RenewalBooked) -> WrittenBack:
    """An import, which takes prices and a payment as they were; the platform refuses a second one of its external
    reference."""
    value = api.ask(ORDER_BY_REFERENCE, {"key": change.key}).get("order")
    if value is None:
        first = _first_order(api, change.first_order_key)
        value = _imported(api.ask(ORDER_IMPORT, {"orders": [_import(change, first)]}))
    return WrittenBack(_readable(lambda: Order(value)).key)


def _imported(answer: dict[str, Any]) -> Any:
    payload = answer.get("orderBulkCreate")
    results = payload.get("results") if isinstance(payload, dict) else None
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    if first.get("order") is None:
        raise_complaint(first, DIALECT.complaints, "OrderImport")
    return first.get("order")


def _first_order(api: GraphQL, order_key: str) -> dict[str, Any]:
    gid = _gid(order_key, "order")
    answer = api.ask(FIRST_ORDER, {"id": gid}) if gid else {}
    if not isinstance(answer.get("order"), dict):
        raise Refused("the shop has no order of that key", status=404)
    return answer


def _import(change: RenewalBooked, answer: dict[str, Any]) -> dict[str, Any]:
    first = answer["order"]
    warehouses, _ = nodes(answer, "warehouses")
    warehouse = text_of(warehouses[0].get("id")) if warehouses else ""
    at = change.paid_at.isoformat()
    metadata = {REFERENCE: change.key, PLAN: change.plan_key}
    payment = {
        "name": TITLE,
        "message": change.words,
        "pspReference": change.transaction_id,
        "amountCharged": _amount(change.amount),
        "privateMetadata": _metadata({PAYMENT_KEY: change.key}),
    }
    channel = first.get("channel")
    return {
        "externalReference": change.key,
        "channel": text_of(channel.get("slug")) if isinstance(channel, dict) else "",
        "createdAt": at,
        "status": "UNFULFILLED",
        "user": _user(first, change.person.email),
        "billingAddress": _address(first.get("billingAddress")),
        "shippingAddress": _address(first.get("shippingAddress")),
        "languageCode": text_of(first.get("languageCodeEnum")) or "EN",
        "currency": change.amount.currency,
        "lines": [
            {
                **_import_line(line, change.amount),
                **_variant(line, first),
                "createdAt": at,
                "warehouse": warehouse,
            }
            for line in _content(change.lines, change.amount)
        ],
        "transactions": [payment],
        "notes": [{"message": f"{change.words[:200]} [{change.key}]"[:255]}],
        "privateMetadata": _metadata(metadata),
    }


def _user(first: dict[str, Any], email: str) -> dict[str, str]:
    """One identifier: the platform takes no two."""
    user = first.get("user")
    gid = text_of(user.get("id")) if isinstance(user, dict) else ""
    return {"id": gid} if gid else {"email": email or text_of(first.get("userEmail"))}


def _address(value: Any) -> dict[str, str] | None:
    """An address as it was read, as one to be written."""
    if not isinstance(value, dict):
        return None
    country = value.get("country")
    written = {name: text_of(part) for name, part in value.items() if text_of(part)}
    return written | ({"country": text_of(country.get("code"))} if isinstance(country, dict) else {})


def _content(lines: tuple[Line, ...], total: Money) -> tuple[Line, ...]:
    """The lines as they were shown, and what they do not add up to as one more; where they are more than the whole, one
    line for all: an import has no discount of its own."""
    priced = [line for line in lines if line.total is not None and line.total.currency == total.currency]
    rest = total.minor - sum(line.total.minor for line in priced if line.total is not None)
    if not priced or rest < 0:
        return (Line(title=", ".join(line.title for line in lines)[:200] or TITLE, total=total),)
    return (*priced, *([Line(title=REST, total=Money(rest, total.currency))] if rest else []))


def _import_line(line: Line, total: Money) -> dict[str, Any]:
    """Whole pieces; a length of cloth is one piece that names it. No delivery method is asked for: it would be priced
    anew."""
    whole = line.quantity.isascii() and line.quantity.isdecimal() and 0 < int(line.quantity[:9]) < 10**6
    price = (line.total or Money(0, total.currency)).decimal()
    taxed = {"gross": price, "net": price}
    return {
        "productName": line.title if whole else f"{line.quantity} × {line.title}",
        "quantity": int(line.quantity[:9]) if whole else 1,
        "isShippingRequired": False,
        "isGiftCard": False,
        "totalPrice": taxed,
        "undiscountedTotalPrice": taxed,
    }


def _variant(line: Line, first: dict[str, Any]) -> dict[str, str]:
    """The variant that the first order had under the line's SKU; without one the line is its name."""
    lines = first.get("lines")
    for one in lines if isinstance(lines, list) else []:
        if isinstance(one, dict) and line.sku and one.get("productSku") == line.sku:
            variant = one.get("variant")
            return {"variantId": text_of(variant.get("id"))} if isinstance(variant, dict) else {}
    return {}


def _ended(api: GraphQL, change: PlanEnded) -> WrittenBack:
    order = _order_to_write(api, change.order_key)
    told = {"key": change.key, "plan": change.plan_key, "reason": change.reason}
    api.ask(METADATA_SET, {"id": order.gid, "input": _metadata({ENDED: as_json(told)})})
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _credited(api: GraphQL, change: PlanCredited) -> WrittenBack:
    """A note and no transaction: a refund of the goods is the shop's own."""
    order = _order_to_write(api, change.order_key)
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)
