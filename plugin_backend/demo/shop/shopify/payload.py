"""Orders and customers as webhooks show them: snake case, money as strings, ids as numbers past 2^53."""

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from plugin_backend.demo.shop.shopify.state import (
    CURRENCY,
    DOMAIN,
    Address,
    Customer,
    Line,
    Order,
    Transaction,
)
from plugin_backend.sdk.money import Money

ZONE = ZoneInfo("Europe/Oslo")
COUNTRIES = {
    "NO": "Norway",
    "FR": "France",
    "DE": "Germany",
    "SE": "Sweden",
    "DK": "Denmark",
    "BE": "Belgium",
}


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8; neither slashes nor other letters are escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def decimal(minor: int) -> str:
    return Money(minor, CURRENCY).decimal()


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def shop_time(moment: int | None) -> str | None:
    """Orders and checkouts carry the shop's own offset."""
    return None if moment is None else datetime.fromtimestamp(moment, ZONE).isoformat()


def money_set(minor: int) -> dict[str, Any]:
    one = {"amount": decimal(minor), "currency_code": CURRENCY}
    return {"shop_money": one, "presentment_money": dict(one)}


def variant_id(number: int) -> int:
    return 9_100_000_000_000_001 + number * 10


def product_id(number: int) -> int:
    return 9_050_000_000_000_001 + number * 10


def address(one: Address) -> dict[str, Any]:
    return {
        "first_name": one.first_name,
        "address1": None,
        "phone": None,
        "city": None,
        "zip": None,
        "province": None,
        "country": COUNTRIES.get(one.country, one.country),
        "last_name": one.last_name,
        "address2": None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": f"{one.first_name} {one.last_name}".strip(),
        "country_code": one.country,
        "province_code": None,
    }


def customer_of(one: Customer) -> dict[str, Any]:
    consent = {
        "state": "subscribed" if one.subscribed else "not_subscribed",
        "opt_in_level": "single_opt_in" if one.subscribed else None,
        "consent_updated_at": shop_time(one.consented),
    }
    return {
        "id": one.id,
        "email": one.email,
        "created_at": shop_time(one.created),
        "updated_at": shop_time(one.consented or one.created),
        "first_name": one.first_name,
        "last_name": one.last_name,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "phone": None,
        "email_marketing_consent": consent,
        "sms_marketing_consent": None,
        "tags": "",
        "currency": CURRENCY,
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", one.id),
    }


def order(one: Order, customer: Customer | None, home: str) -> dict[str, Any]:
    """Names and types of the platform; the order of the members is what they are about."""
    place = address(one.address)
    return {
        **_identity(one),
        **_course(one),
        **_amounts(one),
        "billing_address": place,
        "customer": customer_of(customer) if customer else None,
        "line_items": [_order_line(line) for line in one.lines],
        "payment_terms": None,
        "refunds": [],
        "shipping_address": place,
        "shipping_lines": [],
    }


def _identity(one: Order) -> dict[str, Any]:
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("Order", one.id),
        "app_id": 580111 if one.source_name == "web" else 1354745,
        "browser_ip": None,
        "cart_token": one.cart_token or None,
        "checkout_id": one.checkout_id or None,
        "checkout_token": one.checkout_token or None,
        "client_details": None,
        "contact_email": one.email or None,
        "customer_locale": one.locale,
        "email": one.email,
        "name": f"#{one.number}",
        "number": one.number - 1000,
        "order_number": one.number,
        "order_status_url": f"https://{DOMAIN}/orders/{one.id:x}/authenticate?key={one.created:x}",
        "phone": None,
        "reference": None,
        "referring_site": None,
        "source_identifier": one.source_identifier or None,
        "source_name": one.source_name,
        "source_url": None,
        "token": f"{one.id:032x}",
        "user_id": None,
    }


def _course(one: Order) -> dict[str, Any]:
    return {
        "buyer_accepts_marketing": one.accepts_marketing,
        "cancel_reason": one.cancel_reason or None,
        "cancelled_at": shop_time(one.cancelled),
        "closed_at": None,
        "confirmed": True,
        "created_at": shop_time(one.created),
        "financial_status": one.financial_status,
        "fulfillment_status": None,
        "note": one.note or None,
        "note_attributes": [{"name": pair.key, "value": pair.value} for pair in one.attributes],
        "payment_gateway_names": sorted({paid.gateway for paid in one.transactions}),
        "processed_at": shop_time(one.processed),
        "tags": ", ".join(one.tags),
        "test": one.test,
        "updated_at": shop_time(one.updated),
    }


def _amounts(one: Order) -> dict[str, Any]:
    left, goods = one.total - one.refunded, sum(line.total for line in one.lines)
    return {
        "currency": CURRENCY,
        "presentment_currency": CURRENCY,
        "current_total_price": decimal(left),
        "current_total_price_set": money_set(left),
        "discount_codes": [],
        "subtotal_price": decimal(one.total - one.shipping),
        "subtotal_price_set": money_set(one.total - one.shipping),
        "tax_lines": [],
        "taxes_included": True,
        "total_discounts": "0.00",
        "total_line_items_price": decimal(goods),
        "total_outstanding": decimal(one.outstanding),
        "total_price": decimal(one.total),
        "total_price_set": money_set(one.total),
        "total_shipping_price_set": money_set(one.shipping),
        "total_tax": "0.00",
        "total_weight": 0,
    }


def _order_line(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "current_quantity": line.quantity,
        "fulfillable_quantity": line.quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": 500,
        "name": line.title,
        "price": decimal(line.price),
        "price_set": money_set(line.price),
        "product_exists": bool(line.product_id),
        "product_id": line.product_id or None,
        "properties": [],
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.sku,
        "taxable": True,
        "title": line.title,
        "total_discount": "0.00",
        "variant_id": line.variant_id or None,
        "variant_title": None,
        "vendor": "Nordlys",
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }


def transaction(one: Transaction, order_id: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "order_id": order_id,
        "kind": one.kind,
        "gateway": one.gateway,
        "status": one.status,
        "message": None,
        "created_at": shop_time(one.processed),
        "test": False,
        "authorization": None,
        "parent_id": one.parent_id or None,
        "processed_at": shop_time(one.processed),
        "error_code": None,
        "source_name": "web",
        "receipt": {},
        "amount": decimal(one.amount),
        "currency": CURRENCY,
        "payment_id": f"c{order_id}.{one.id}",
        "manual_payment_gateway": one.gateway != "shopify_payments",
        "admin_graphql_api_id": gid("OrderTransaction", one.id),
    }


def refund(one: Transaction, order_id: int) -> dict[str, Any]:
    return {
        "id": one.parent_id or one.id,
        "order_id": order_id,
        "created_at": shop_time(one.processed),
        "note": None,
        "user_id": None,
        "processed_at": shop_time(one.processed),
        "restock": False,
        "refund_line_items": [],
        "transactions": [transaction(one, order_id)],
        "admin_graphql_api_id": gid("Refund", one.parent_id or one.id),
    }
