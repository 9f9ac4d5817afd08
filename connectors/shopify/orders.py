"""What we write into Shopify. Nothing there is idempotent, so that every write looks first whether it was done."""

import json
from typing import Any

from connectors.shopify.graphql import (
    METAFIELDS_SET,
    ORDER_CREATE,
    ORDER_CREATE_MANUAL_PAYMENT,
    ORDER_MARK_AS_PAID,
    TAGS_ADD,
)
from connectors.shopify.payload import TAG
from connectors.shopify.reading import Order, by_basket, by_key, by_reference
from plugin_backend.sdk.connector import (
    Change,
    Line,
    PaymentBooked,
    Person,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
    Reserved,
    WrittenBack,
)
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.graphql import GraphQL
from plugin_backend.sdk.money import Money

GATEWAY = "Reprise"
NAMESPACE = "reprise"
REST = "Shipping and taxes"
DISCOUNT = "DISCOUNT"
# No receipt: the shopper gets ours. The stock goes down as for any sale, and never stops one that was paid for.
_OPTIONS = {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY", "sendReceipt": False}


def reserve(admin: GraphQL, wanted: Reservation) -> Reserved:
    """A pending order of our own, known again by its source identifier: an abandoned checkout cannot be completed by
    the API."""
    order = by_reference(admin, wanted.key)
    if order is None:
        bought = by_basket(admin, wanted.cart_key)
        if bought is not None and bought.cancelled_at is None:
            raise Refused("already_bought")
        order = _create(admin, _order(wanted, wanted.key, wanted.total) | {"financialStatus": "PENDING"})
    if order.cancelled_at is not None:
        raise Refused("cancelled_in_shop")
    try:
        return Reserved(order.key, order.total)
    except Unreadable as error:
        raise NoAnswer(f"the order was made and cannot be read: {error}") from None


def _create(admin: GraphQL, order: dict[str, Any]) -> Order:
    payload = admin.ask(ORDER_CREATE, {"order": order, "options": _OPTIONS}).get("orderCreate")
    made = payload.get("order") if isinstance(payload, dict) else None
    if not isinstance(made, dict):
        raise NoAnswer("OrderCreate: the answer has no order")
    return Order(made)


def _order(content: Reservation | RenewalBooked, key: str, total: Money) -> dict[str, Any]:
    order: dict[str, Any] = {
        "currency": total.currency,
        "sourceIdentifier": key,
        "tags": [TAG],
        "customAttributes": [{"key": "_reprise_ref", "value": key}],
        "taxesIncluded": True,
        **_content(content.lines, total),
        **_who(content.person),
    }
    return order


def _content(lines: tuple[Line, ...], total: Money) -> dict[str, Any]:
    """The lines as they were shown, and what they do not add up to as shipping, or, where they are more, as a
    discount: the order's total must be what was agreed."""
    priced = [line for line in lines if line.total is not None and line.total.currency == total.currency]
    rest = total.minor - sum(line.total.minor for line in priced if line.total is not None)
    if not priced:
        return {"lineItems": [_line(Line(title=GATEWAY, total=total), total)]}
    content: dict[str, Any] = {"lineItems": [_line(line, total) for line in lines]}
    difference = Money(abs(rest), total.currency)
    if rest > 0:
        content["shippingLines"] = [{"title": REST, "priceSet": _bag(difference)}]
    if rest < 0:
        content["discountCode"] = {"itemFixedDiscountCode": {"code": DISCOUNT, "amountSet": _bag(difference)}}
    return content


def _line(line: Line, total: Money) -> dict[str, Any]:
    title, quantity, price = pieces_of(line, total)
    piece: dict[str, Any] = {"title": title, "quantity": quantity, "priceSet": _bag(price)}
    piece |= {"requiresShipping": True, "taxable": False}
    return piece | ({"sku": line.sku} if line.sku else {})


def pieces_of(line: Line, total: Money) -> tuple[str, int, Money]:
    """Title, pieces and the price of each where the line divides by its pieces; else the line as one piece that names them."""
    price = line.total if line.total is not None and line.total.currency == total.currency else None
    price = price or Money(0, total.currency)
    pieces = int(line.quantity) if line.quantity.isascii() and line.quantity.isdecimal() else 0
    if not 0 < pieces < 10**6 or price.minor % pieces:
        return f"{line.quantity} × {line.title}", 1, price
    return line.title or GATEWAY, pieces, Money(price.minor // pieces, price.currency)


def _bag(amount: Money) -> dict[str, Any]:
    return {"shopMoney": _money(amount), "presentmentMoney": _money(amount)}


def _money(amount: Money) -> dict[str, str]:
    return {"amount": amount.decimal(), "currencyCode": amount.currency}


def _who(person: Person) -> dict[str, Any]:
    who: dict[str, Any] = {"email": person.email} if person.email else {}
    if person.platform_id.isascii() and person.platform_id.isdecimal():
        who["customer"] = {"toAssociate": {"id": f"gid://shopify/Customer/{person.platform_id}"}}
    first, _, last = person.name.partition(" ")
    address = {"firstName": first, "lastName": last, "phone": person.phone, "countryCode": person.country}
    known = {name: value for name, value in address.items() if value}
    return who | ({"billingAddress": known} if known else {})


def write_back(admin: GraphQL, change: Change) -> WrittenBack:
    try:
        match change:
            case PaymentBooked():
                return _payment(admin, change)
            case RenewalBooked():
                return _renewal(admin, change)
            case PlanEnded():
                return _ended(admin, change)
            case PlanCredited():
                return _credited(admin, change)
    except Unreadable as error:
        raise NoAnswer(f"the shop's order cannot be read: {error}") from None


def _order_to_write(admin: GraphQL, order_key: str) -> Order:
    order = by_key(admin, order_key)
    if order is None:
        raise Refused("the shop has no order of that key", status=404)
    return order


def _payment(admin: GraphQL, change: PaymentBooked) -> WrittenBack:
    order = _order_to_write(admin, change.order_key)
    if order.cancelled_at is None:
        _book(admin, order, change)
    facts = {
        "key": change.key,
        "plan": change.plan_key,
        "number": change.number,
        "count": change.count,
        "amount": change.amount.decimal(),
        "currency": change.amount.currency,
        "transaction_id": change.transaction_id,
        "paid_at": change.paid_at.isoformat(),
        "words": change.words,
    }
    _keep(admin, order, f"payment_{change.number}", facts)
    return WrittenBack(order.key)


def _book(admin: GraphQL, order: Order, change: PaymentBooked) -> None:
    """Whether a payment is booked already the order's own sum of payments tells: it only grows with each."""
    if order.status in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED"):
        return
    if change.ship == "first_payment" or change.count is None:
        admin.ask(ORDER_MARK_AS_PAID, {"input": {"id": order.gid}})
    elif order.received.currency != change.paid_so_far.currency:
        raise Refused("the order is in another currency than the plan")
    elif order.received < change.paid_so_far:
        variables = {
            "id": order.gid,
            "amount": _money(change.paid_so_far - order.received),
            "paymentMethodName": GATEWAY,
            "processedAt": change.paid_at.isoformat(),
        }
        admin.ask(ORDER_CREATE_MANUAL_PAYMENT, variables)


def _keep(admin: GraphQL, order: Order, name: str, facts: dict[str, Any]) -> None:
    """A metafield of the order: setting it twice leaves one."""
    metafield = {
        "ownerId": order.gid,
        "namespace": NAMESPACE,
        "key": name,
        "type": "json",
        "value": json.dumps(facts, ensure_ascii=False),
    }
    admin.ask(METAFIELDS_SET, {"metafields": [metafield]})


def _renewal(admin: GraphQL, change: RenewalBooked) -> WrittenBack:
    order = by_reference(admin, change.key)
    if order is None:
        sale = {
            "kind": "SALE",
            "status": "SUCCESS",
            "gateway": GATEWAY,
            "amountSet": _bag(change.amount),
            "processedAt": change.paid_at.isoformat(),
        }
        made = _order(change, change.key, change.amount) | {"financialStatus": "PAID", "transactions": [sale]}
        order = _create(admin, made)
    facts = {
        "key": change.key,
        "plan": change.plan_key,
        "first_order": change.first_order_key,
        "number": change.number,
        "transaction_id": change.transaction_id,
        "words": change.words,
    }
    _keep(admin, order, "renewal", facts)
    return WrittenBack(order.key)


def _ended(admin: GraphQL, change: PlanEnded) -> WrittenBack:
    order = _order_to_write(admin, change.order_key)
    facts = {"key": change.key, "plan": change.plan_key, "reason": change.reason, "words": change.words}
    _keep(admin, order, "plan_ended", facts)
    admin.ask(TAGS_ADD, {"id": order.gid, "tags": [f"{TAG}-ended"]})
    return WrittenBack(order.key)


def _credited(admin: GraphQL, change: PlanCredited) -> WrittenBack:
    """A metafield and no payment: Shopify's own sums tell what was received, and a credit is none of that."""
    order = _order_to_write(admin, change.order_key)
    facts = {
        "key": change.key,
        "plan": change.plan_key,
        "given_back": change.given_back.decimal(),
        "taken_off": change.taken_off.decimal(),
        "currency": change.given_back.currency,
        "settled": change.settled,
        "words": change.words,
    }
    _keep(admin, order, f"credit_{change.key}", facts)
    return WrittenBack(order.key)
