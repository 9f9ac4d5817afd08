"""The bodies of Shopify's webhooks as we read them, and what they mean."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connectors.shopify.schemas import Basket, Checkout, Named, Order, Privacy, Refund, Transaction
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
from plugin_backend.sdk.declines import decline_of
from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import load, money, money_or_none, required, text_of

TAG = "reprise"
"""The tag of every order that we wrote. Shoppers can write note attributes, but no tags."""
INVOICE_TAG = "reprise-invoice"
"""The tag of every draft order that we made, and of the order that becomes of it: it is the shop's own."""
BASKET = "_reprise_cart"
"""The attribute of such an order that names the basket it was made of; the platform itself names none."""

# The one id that all of Shopify's test notifications carry, exact and as JavaScript rounds it.
TEST_IDS = ("820982911946154508", "820982911946154500")


_BASKET_KEY = re.compile(r"(cart|checkout|checkout-id):[A-Za-z0-9_-]{1,200}")
_CART, _CHECKOUT, _ORDER, _REFUND = Basket(), Checkout(), Order(), Refund()
_TRANSACTION, _NAMED, _PRIVACY = Transaction(), Named(), Privacy()


def cart(body: dict[str, Any]) -> list[ShopEvent]:
    """A basket of the online store: nobody is known yet."""
    read = load(_CART, body)
    lines = _lines(read, "")
    return [
        CartChanged(
            key=f"cart:{_token(read, 'token', 'id')}",
            total=_sum_of_lines(read["line_items"]),
            updated_at=required(read["updated_at"], "updated_at"),
            lines=lines,
            empty=not lines,
        )
    ]


def checkout(body: dict[str, Any]) -> list[ShopEvent]:
    """A basket whose shopper said who he is; a completed one is a sale where the order is named, else its order's own
    webhook tells."""
    read = load(_CHECKOUT, body)
    key, *aliases = _basket_keys(read)
    at = required(read["updated_at"], "updated_at")
    if read["completed_at"] is not None:
        return [_sale(read, at)] if read["order_id"] else []
    lines = _lines(read, _one_currency(read))
    return [
        CartChanged(
            key=key,
            total=_total(read),
            updated_at=at,
            lines=lines,
            person=_person(read),
            consent=_consent(read),
            recovery_url=read["abandoned_checkout_url"],
            empty=not lines,
            aliases=tuple(aliases),
        )
    ]


def _sale(read: dict[str, Any], at: datetime) -> OrderPlaced:
    return OrderPlaced(
        order_key=f"order:{read['order_id']}",
        placed_at=read["completed_at"] or at,
        cart_keys=tuple(_basket_keys(read)),
        total=_total(read),
        person=_person(read),
    )


def checkout_removed(body: dict[str, Any]) -> list[ShopEvent]:
    """The body has no time, and often nothing but the id and the cart's token."""
    key, *_ = _basket_keys(load(_CHECKOUT, body))
    return [CartRemoved(key=key)]


def order(body: dict[str, Any]) -> list[ShopEvent]:
    """An order is always a sale, a cancelled or refunded one too: only its body names the basket."""
    read = load(_ORDER, body)
    if read["id"] in TEST_IDS:
        return []
    key, reference = f"order:{read['id']}", _our_reference(read)
    changed = read["updated_at"] or read["processed_at"] or read["created_at"]
    at = required(changed, "updated_at")
    tokens = (("cart", read["cart_token"]), ("checkout", read["checkout_token"]))
    found: list[ShopEvent] = [
        OrderPlaced(
            order_key=key,
            placed_at=read["processed_at"] or read["created_at"] or at,
            cart_keys=(*(f"{kind}:{token}" for kind, token in tokens if token), *_invoiced(read)),
            total=_total(read),
            person=_person(read),
            our_reference=reference,
            paid=read["financial_status"] in ("paid", "partially_refunded", "refunded"),
        )
    ]
    if read["cancelled_at"] is not None:
        found.append(OrderCancelled(key, read["cancelled_at"], reference))
    sent = [one["created_at"] for one in read["fulfillments"] if one["status"] in ("success", "")]
    if read["fulfillment_status"] == "fulfilled" and any(sent):
        found.append(OrderFulfilled(key, max(filter(None, sent)), reference))
    if read["financial_status"] in ("refunded", "partially_refunded"):
        full = read["financial_status"] == "refunded"
        transactions = [one for refund in read["refunds"] for one in refund["transactions"]]
        found.append(OrderRefunded(key, at, _refunded(transactions), full, reference))
    return found


def order_removed(body: dict[str, Any]) -> list[ShopEvent]:
    name = load(_NAMED, body)["id"]
    return [] if name in TEST_IDS else [CartRemoved(key=f"order:{name}")]


def refund(body: dict[str, Any]) -> list[ShopEvent]:
    """A refund of goods; the money is in its transactions. Whether all was given back only the order tells."""
    read = load(_REFUND, body)
    if read["order_id"] in TEST_IDS:
        return []
    at = required(read["processed_at"] or read["created_at"], "processed_at")
    return [OrderRefunded(f"order:{read['order_id']}", at, _refunded(read["transactions"]), full=False)]


def transaction(body: dict[str, Any]) -> list[ShopEvent]:
    """A card that was declined at the checkout; other transactions are told by their order."""
    read = load(_TRANSACTION, body)
    declined = read["status"] in ("failure", "error") and read["kind"] in ("sale", "authorization")
    if not declined or read["order_id"] in TEST_IDS:
        return []
    if not read["order_id"]:
        raise Unreadable("order_id: missing")
    at = required(read["processed_at"] or read["created_at"], "processed_at")
    return [PaymentFailed(f"order:{read['order_id']}", at, decline_of(read["error_code"]))]


def customer_redacted(body: dict[str, Any]) -> list[ShopEvent]:
    return [CustomerRedacted(*_who(body))]


def customer_data_requested(body: dict[str, Any]) -> list[ShopEvent]:
    return [CustomerDataRequested(*_who(body))]


def uninstalled(_: dict[str, Any]) -> list[ShopEvent]:
    return [ShopDisconnected()]


def shop_redacted(_: dict[str, Any]) -> list[ShopEvent]:
    return [ShopDisconnected(redact=True)]


READERS: dict[str, Callable[[dict[str, Any]], list[ShopEvent]]] = {
    "carts/create": cart,
    "carts/update": cart,
    "checkouts/create": checkout,
    "checkouts/update": checkout,
    "checkouts/delete": checkout_removed,
    "orders/create": order,
    "orders/updated": order,
    "orders/paid": order,
    "orders/partially_paid": order,
    "orders/cancelled": order,
    "orders/fulfilled": order,
    "orders/partially_fulfilled": order,
    "orders/delete": order_removed,
    "order_transactions/create": transaction,
    "refunds/create": refund,
    "customers/redact": customer_redacted,
    "customers/data_request": customer_data_requested,
    "shop/redact": shop_redacted,
    "app/uninstalled": uninstalled,
}


def _token(read: dict[str, Any], *names: str) -> str:
    for name in names:
        if read[name]:
            return str(read[name])
    raise Unreadable(f"{names[0]}: missing")


def _basket_keys(read: dict[str, Any]) -> list[str]:
    """The names of a checkout, the best first: the cart's token, which ``carts/*`` and the order have too, the
    checkout's own, and its number, which is all that the Admin API has."""
    named = (("cart", read["cart_token"]), ("checkout", read["token"]), ("checkout-id", read["id"]))
    keys = [f"{kind}:{name}" for kind, name in named if name]
    if not keys:
        raise Unreadable("cart_token: missing")
    return keys


def _of_set(read: dict[str, Any]) -> Money | None:
    """What the shopper pays, of a ``*_set``; one topic calls ``currency_code`` by another name."""
    said = read["presentment_money"]
    return money_or_none(said["amount"], said["currency_code"] or said["currency"])


def _sum_of_lines(lines: list[dict[str, Any]]) -> Money | None:
    """The total of a cart, whose body has none: the sum of its lines after their discounts, without shipping and tax.
    None for an empty cart. This is the one total that is built from lines; a checkout brings its own."""
    if not lines:
        return None
    prices = [_of_set(line["line_price_set"]) for line in lines]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        raise Unreadable("line_items.line_price_set: missing or not readable")
    if len({price.currency for price in known}) > 1:
        raise Unreadable("line_items: in more than one currency")
    return _added(known)


def _added(known: list[Money]) -> Money:
    return Money(sum(price.minor for price in known), known[0].currency)


def _total(read: dict[str, Any]) -> Money | None:
    """What the shopper pays, in the currency he pays in. A checkout says one plain ``total_price``; where the shop's
    currency is another than the shopper's nothing tells which it is in, and the Admin API must be asked: None."""
    said = read["total_price_set"]["presentment_money"]
    if said["amount"]:
        return money(said["amount"], said["currency_code"] or said["currency"], "total_price_set")
    currency = _one_currency(read)
    if not currency and read["currency"]:
        return None
    return money(read["total_price"], currency, "total_price and currency")


def _one_currency(read: dict[str, Any]) -> str:
    """The currency of the body's plain amounts, ``""`` where it names two."""
    shop, shopper = read["currency"], read["presentment_currency"]
    return "" if shop and shopper and shop != shopper else str(shopper or shop)


def _lines(read: dict[str, Any], currency: str) -> tuple[Line, ...]:
    return tuple(
        Line(
            title=line["title"] or line["presentment_title"],
            quantity=line["quantity"] or "1",
            total=_of_set(line["line_price_set"]) or money_or_none(line["line_price"], currency),
            sku=line["sku"],
        )
        for line in read["line_items"]
    )


def _person(read: dict[str, Any]) -> Person:
    customer, billing, shipping = read["customer"], read["billing_address"], read["shipping_address"]
    name = f"{customer['first_name']} {customer['last_name']}".strip() or billing["name"] or shipping["name"]
    home = customer["default_address"]
    return Person(
        email=read["email"] or customer["email"],
        name=name,
        phone=read["phone"] or customer["phone"] or billing["phone"],
        locale=read["customer_locale"],
        country=billing["country_code"] or shipping["country_code"] or home["country_code"],
        platform_id=customer["id"],
    )


def _consent(read: dict[str, Any]) -> Consent | None:
    """The customer's standing consent, else the box he ticked at this checkout: that is written into his record only
    later, and never against a withdrawal."""
    state = read["customer"]["email_marketing_consent"]["state"]
    at = read["customer"]["email_marketing_consent"]["consent_updated_at"]
    ticked = read["buyer_accepts_marketing"]
    if state == "subscribed" or (state not in ("", "not_subscribed")):
        return Consent(state == "subscribed", "customer.email_marketing_consent", at=at)
    if ticked is not None:
        return Consent(ticked, "buyer_accepts_marketing")
    return Consent(False, "customer.email_marketing_consent", at=at) if state else None


def _refunded(transactions: list[dict[str, Any]]) -> Money | None:
    """The money that went back, None where the transactions do not tell, or in two currencies."""
    back = [one for one in transactions if one["kind"] == "refund" and one["status"] in ("success", "")]
    amounts = [money_or_none(one["amount"], one["currency"]) for one in back]
    known = [amount for amount in amounts if amount is not None]
    if not known or len(known) < len(amounts) or len({amount.currency for amount in known}) > 1:
        return None
    return _added(known)


def _invoiced(read: dict[str, Any]) -> tuple[str, ...]:
    """The basket that an order of ours was an invoice for."""
    tags = {tag.strip().lower() for tag in read["tags"].split(",")}
    return baskets(tags, ((one["name"], one["value"]) for one in read["note_attributes"]))


def baskets(tags: set[str], attributes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The names of baskets among an order's attributes, which count where we tagged the order."""
    named = (value for name, value in attributes if name == BASKET and _BASKET_KEY.fullmatch(value))
    return tuple(named) if INVOICE_TAG in tags else ()


def _our_reference(read: dict[str, Any]) -> str:
    """Our key in an order that we wrote. Ordinary orders have a ``source_identifier`` too, and shoppers can write note
    attributes: the tag tells."""
    tags = {tag.strip().lower() for tag in read["tags"].split(",")}
    return str(read["source_identifier"]) if TAG in tags else ""


def _who(body: dict[str, Any]) -> tuple[str, str]:
    read = load(_PRIVACY, body)
    email, number = read["customer"]["email"] or read["email"], text_of(read["customer"]["id"])
    if not email and not number:
        raise Unreadable("customer: missing")
    return email, number
