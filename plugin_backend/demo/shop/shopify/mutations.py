"""What the GraphQL API does to orders. What it refuses comes as ``userErrors`` beside an HTTP 200."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plugin_backend.demo.shop.basket import now
from plugin_backend.demo.shop.products import PRODUCTS
from plugin_backend.demo.shop.shopify import payload
from plugin_backend.demo.shop.shopify.shop import ShopifyShop
from plugin_backend.demo.shop.shopify.state import (
    CURRENCY,
    Address,
    DraftOrder,
    Line,
    Metafield,
    Order,
    Pair,
    Transaction,
)
from plugin_backend.sdk.money import Money

_BY_VARIANT = {payload.variant_id(product.number): product for product in PRODUCTS}
_BY_SKU = {product.sku: product for product in PRODUCTS}
# What is told of an order that was changed through the API.
CHANGED = "ORDERS_UPDATED"


class UserError(Exception):
    """The mutation is understood and refused."""

    def __init__(self, message: str, field: list[str] | None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.field, self.code = message, field, code

    def as_json(self) -> dict[str, Any]:
        return {"message": self.message, "field": self.field, "code": self.code}


def number_of(gid: str, kind: str) -> int:
    """The number in a global id of that kind; 0 where it is of another."""
    head, _, number = gid.rpartition("/")
    return int(number) if head == f"gid://shopify/{kind}" and number.isdecimal() else 0


def order_of(shop: ShopifyShop, gid: str, field: list[str], code: str | None = None) -> Order:
    found = shop.state.orders.get(number_of(gid, "Order"))
    if found is None:
        raise UserError("Order does not exist", field, code)
    return found


def amount_of(money: Mapping[str, Any], field: list[str]) -> int:
    """Minor units of a ``MoneyInput``; the shop sells in one currency only."""
    if money["currencyCode"] != CURRENCY:
        raise UserError(f"Currency {money['currencyCode']} is not enabled for this shop", field, "INVALID")
    return _minor(str(money["amount"]), field)


def _minor(text: str, field: list[str]) -> int:
    try:
        return Money.parse(text, CURRENCY).minor
    except ValueError:
        raise UserError("Amount is invalid", field, "INVALID") from None


def _moment(text: str | None) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) if text else now()


def create_order(shop: ShopifyShop, given: Mapping[str, Any], drift: int) -> Order:
    """A new order; every field is read before anything is kept. It comes back as orders/create and, where its
    transactions cover it, orders/paid."""
    lines = [_line(shop, item, index) for index, item in enumerate(given.get("lineItems") or [])]
    if not lines:
        raise UserError("Line items can't be blank", ["order", "lineItems"], "INVALID")
    if given.get("customerId") and given.get("customer"):
        raise UserError("Cannot specify both", ["order", "customerId"], "REDUNDANT_CUSTOMER_FIELDS")
    bags = [item["priceSet"] for item in given.get("shippingLines") or []]
    shipping = sum(_bag(bag, ["order", "shippingLines"]) for bag in bags)
    paid = [_transaction(shop, item) for item in given.get("transactions") or []]
    order = shop.new_order()
    order.lines, order.shipping, order.transactions, order.drift = lines, shipping, paid, drift
    order.processed = _moment(given.get("processedAt"))
    _describe(shop, order, given)
    shop.announce([*shop.placed(order), shop.told(CHANGED, order)])
    return order


def _describe(shop: ShopifyShop, order: Order, given: Mapping[str, Any]) -> None:
    order.source_identifier = given.get("sourceIdentifier") or ""
    order.source_name = given.get("sourceName") or "1354745"
    order.note, order.test = given.get("note") or "", bool(given.get("test"))
    order.accepts_marketing = bool(given.get("buyerAcceptsMarketing"))
    order.tags = list(dict.fromkeys(given.get("tags") or []))
    order.attributes = [Pair(item["key"], item["value"]) for item in given.get("customAttributes") or []]
    place = given.get("shippingAddress") or given.get("billingAddress") or {}
    order.address = _address(place)
    for item in given.get("metafields") or []:
        put_metafield(shop, order, item)
    _attach_customer(shop, order, given)


def _attach_customer(shop: ShopifyShop, order: Order, given: Mapping[str, Any]) -> None:
    wanted = given.get("customer") or {}
    person = wanted.get("toUpsert") or wanted.get("toAssociate") or {}
    order.email = given.get("email") or person.get("email") or ""
    known = shop.state.customers.get(number_of(person.get("id") or given.get("customerId") or "", "Customer"))
    if known is None and order.email:
        first = person.get("firstName") or order.address.first_name
        known = shop.customer(order.email, first, person.get("lastName") or order.address.last_name)
    if known is not None:
        order.customer_id, order.email = known.id, order.email or known.email


def _address(given: Mapping[str, Any]) -> Address:
    names = given.get("firstName") or "", given.get("lastName") or ""
    return Address(*names, given.get("countryCode") or given.get("country") or "")


def _bag(bag: Mapping[str, Any], field: list[str]) -> int:
    return amount_of(bag.get("presentmentMoney") or bag["shopMoney"], field)


def _line(shop: ShopifyShop, item: Mapping[str, Any], index: int) -> Line:
    """A variant brings its own title and price; what is given wins over them."""
    field = ["order", "lineItems", str(index)]
    product = _BY_VARIANT.get(number_of(item.get("variantId") or "", "ProductVariant"))
    if item.get("variantId") and product is None:
        raise UserError("Product variant does not exist", [*field, "variantId"], "INVALID")
    if product is None and not item.get("title"):
        raise UserError("Title can't be blank", [*field, "title"], "INVALID")
    if item["quantity"] < 1:
        raise UserError("Quantity must be greater than or equal to 1", [*field, "quantity"], "INVALID")
    price = _price(item, field)
    if product is None:
        sku = item.get("sku") or ""
        return Line(shop.next_id(), item["title"], sku, item["quantity"], price or 0, 0, 0)
    line = shop.line_of(product.sku, item["quantity"])
    line.title, line.price = item.get("title") or line.title, line.price if price is None else price
    return line


def _price(item: Mapping[str, Any], field: list[str]) -> int | None:
    """Orders and drafts name the price of one differently; None where none is given."""
    if item.get("priceSet"):
        return _bag(item["priceSet"], [*field, "priceSet"])
    for name in ("priceOverride", "originalUnitPriceWithCurrency"):
        if item.get(name):
            return amount_of(item[name], [*field, name])
    if item.get("originalUnitPrice") is not None:
        return _minor(str(item["originalUnitPrice"]), [*field, "originalUnitPrice"])
    return None


def _transaction(shop: ShopifyShop, item: Mapping[str, Any]) -> Transaction:
    amount = _bag(item["amountSet"], ["order", "transactions"])
    kind, status = item["kind"].lower(), item["status"].lower()
    gateway = item.get("gateway") or "manual"
    return Transaction(shop.next_id(), kind, status, gateway, amount, _moment(item.get("processedAt")))


def put_metafield(shop: ShopifyShop, order: Order, item: Mapping[str, Any]) -> Metafield:
    """Set by namespace and key; written twice it is one."""
    namespace, key = item.get("namespace") or "app--reprise", item["key"]
    found = next((one for one in order.metafields if (one.namespace, one.key) == (namespace, key)), None)
    if found is None:
        kind = item.get("type") or "single_line_text_field"
        found = Metafield(shop.next_id(), namespace, key, kind, "")
        order.metafields.append(found)
    found.value = str(item["value"])
    return found


def _paid(shop: ShopifyShop, order: Order, one: Transaction) -> Order:
    told = [shop.told_of_payment(order, one), shop.told(CHANGED, order)]
    shop.announce(told + ([shop.told("ORDERS_PAID", order)] if order.financial_status == "paid" else []))
    return order


def mark_as_paid(shop: ShopifyShop, gid: str) -> Order:
    """Settle all that is outstanding; refused where nothing is."""
    order = order_of(shop, gid, ["id"])
    if not order.outstanding or order.cancelled:
        raise UserError("Order cannot be marked as paid.", ["id"])
    return _paid(shop, order, shop.pay(order, order.outstanding, "manual"))


def manual_payment(shop: ShopifyShop, given: Mapping[str, Any]) -> Order:
    """Book a part, or without an amount all that is outstanding. Booking twice books two: there is no key."""
    order = order_of(shop, given["id"], ["id"], "ORDER_NOT_FOUND")
    money = given.get("amount")
    amount = amount_of(money, ["amount"]) if money else order.outstanding
    if amount <= 0:
        raise UserError("Amount must be positive", ["amount"], "AMOUNT_NOT_POSITIVE")
    if amount > order.outstanding:
        raise UserError("Amount exceeds the balance of the order", ["amount"], "AMOUNT_EXCEEDS_BALANCE")
    name = given.get("paymentMethodName") or "manual"
    return _paid(shop, order, shop.pay(order, amount, name, at=_moment(given.get("processedAt"))))


def update_order(shop: ShopifyShop, given: Mapping[str, Any]) -> Order:
    """Overwrite what is named: the tags and attributes that were there are gone."""
    order = order_of(shop, given["id"], ["id"])
    if given.get("tags") is not None:
        order.tags = list(dict.fromkeys(given["tags"]))
    if given.get("customAttributes") is not None:
        order.attributes = [Pair(item["key"], item["value"]) for item in given["customAttributes"]]
    order.note = given["note"] or "" if "note" in given else order.note
    order.email = given.get("email") or order.email
    for item in given.get("metafields") or []:
        put_metafield(shop, order, item)
    return changed(shop, order)


def changed(shop: ShopifyShop, order: Order) -> Order:
    order.updated = now()
    shop.announce([shop.told(CHANGED, order)])
    return order


def cancel_order(shop: ShopifyShop, gid: str, reason: str) -> Order:
    order = order_of(shop, gid, ["orderId"], "NOT_FOUND")
    if order.cancelled:
        raise UserError("Order has already been cancelled", ["orderId"], "INVALID")
    order.cancelled = order.updated = now()
    order.cancel_reason = reason.lower()
    shop.announce([shop.told("ORDERS_CANCELLED", order), shop.told(CHANGED, order)])
    return order


def refund(shop: ShopifyShop, given: Mapping[str, Any], key: str) -> tuple[Order, int, int]:
    """Book a refund: the order, the refund's id and its amount. The same key books once; for a payment that was made
    elsewhere nothing but the book-keeping happens."""
    order = order_of(shop, given["orderId"], ["orderId"])
    wanted = sum(_minor(str(item["amount"]), ["transactions"]) for item in given.get("transactions") or [])
    known = shop.state.refund_keys.get(key)
    if known is not None:
        return order, known, wanted
    if wanted <= 0 or wanted > order.received - order.refunded:
        raise UserError("Refund amount is greater than the amount available to refund", ["transactions"])
    made = shop.pay(order, wanted, "manual", kind="refund")
    made.parent_id = next((one.id for one in order.transactions if one.kind == "sale"), 0)
    shop.state.refund_keys[key] = made.id
    told = ("REFUNDS_CREATE", str(order.id), payload.refund(made, order.id))
    shop.announce([told, shop.told(CHANGED, order)])
    return order, made.id, wanted


def create_draft(shop: ShopifyShop, given: Mapping[str, Any], drift: int) -> DraftOrder:
    lines = [_line(shop, item, index) for index, item in enumerate(given.get("lineItems") or [])]
    if not lines:
        raise UserError("Add at least 1 product", None)
    place = _address(given.get("shippingAddress") or given.get("billingAddress") or {})
    number = len(shop.state.drafts) + 1
    made = DraftOrder(shop.next_id(), number, now(), given.get("email") or "", place)
    made.lines, made.drift, made.note = lines, drift, given.get("note") or ""
    made.tags = list(given.get("tags") or [])
    made.attributes = [Pair(item["key"], item["value"]) for item in given.get("customAttributes") or []]
    shop.state.drafts[made.id] = made
    return made


def complete_draft(shop: ShopifyShop, gid: str, source_name: str | None) -> DraftOrder:
    """The draft becomes a paid order; completing it again is refused."""
    draft = shop.state.drafts.get(number_of(gid, "DraftOrder"))
    if draft is None:
        raise UserError("Draft order does not exist", ["id"])
    if draft.order_id:
        raise UserError("This order has been paid", None)
    order = shop.new_order()
    order.lines, order.drift, order.tags = draft.lines, draft.drift, draft.tags
    order.attributes, order.note, order.address = draft.attributes, draft.note, draft.address
    order.source_name = source_name or "shopify_draft_order"
    order.email = draft.email
    if draft.email:
        names = draft.address.first_name, draft.address.last_name
        order.customer_id = shop.customer(draft.email, *names).id
    shop.pay(order, order.total, "manual")
    draft.order_id = order.id
    shop.announce(shop.placed(order))
    return draft
