"""Baskets and checkouts as webhooks show them."""

from datetime import UTC, datetime
from typing import Any

from plugin_backend.demo.shop.basket import Basket
from plugin_backend.demo.shop.products import BY_SKU
from plugin_backend.demo.shop.shopify.payload import (
    address,
    customer_of,
    decimal,
    money_set,
    product_id,
    shop_time,
    variant_id,
)
from plugin_backend.demo.shop.shopify.state import CURRENCY, Checkout, Customer, Line


def _utc(moment: int) -> str:
    """Carts carry UTC with three digits."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def cart(one: Basket) -> dict[str, Any]:
    """No currency but inside the sets, no e-mail, no customer, no total: all that an anonymous basket says."""
    return {
        "id": one.token,
        "token": one.token,
        "line_items": [_cart_line(sku, quantity) for sku, quantity in one.quantities.items()],
        "note": None,
        "updated_at": _utc(one.updated),
        "created_at": _utc(one.created),
    }


def _cart_line(sku: str, quantity: int) -> dict[str, Any]:
    one = BY_SKU[sku]
    variant, price, total = variant_id(one.number), decimal(one.nok), decimal(one.nok * quantity)
    return {
        "id": variant,
        "properties": {},
        "quantity": quantity,
        "variant_id": variant,
        "key": f"{variant}:{one.number:032x}",
        "discounted_price": price,
        "discounts": [],
        "gift_card": False,
        "grams": 500,
        "line_price": total,
        "original_line_price": total,
        "original_price": price,
        "price": price,
        "product_id": product_id(one.number),
        "sku": sku,
        "taxable": True,
        "title": one.en,
        "total_discount": "0.00",
        "vendor": "Nordlys",
        "discounted_price_set": money_set(one.nok),
        "line_price_set": money_set(one.nok * quantity),
        "original_line_price_set": money_set(one.nok * quantity),
        "price_set": money_set(one.nok),
        "total_discount_set": money_set(0),
    }


def checkout(one: Checkout, customer: Customer | None, home: str) -> dict[str, Any]:
    """Until something was typed there is neither an address nor a customer, not even an empty one."""
    place = address(one.address) if one.email else None
    return {
        **_course(one, home),
        **_amounts(one),
        **({"billing_address": place, "shipping_address": place} if place else {}),
        **({"customer": customer_of(customer)} if customer else {}),
    }


def _course(one: Checkout, home: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "token": one.token,
        "cart_token": one.cart_token,
        "email": one.email or None,
        "gateway": None,
        "buyer_accepts_marketing": one.accepts_marketing,
        "created_at": shop_time(one.created),
        "updated_at": shop_time(one.updated),
        "landing_site": "/",
        "note": None,
        "note_attributes": [],
        "referring_site": "",
        "completed_at": shop_time(one.completed),
        "closed_at": None,
        "user_id": None,
        "location_id": None,
        "source_identifier": None,
        "source_url": None,
        "device_id": None,
        "phone": None,
        "customer_locale": one.locale,
        "name": f"#{one.id}",
        "source": None,
        "abandoned_checkout_url": recovery_url(one, home),
        "source_name": "web",
        "buyer_accepts_sms_marketing": False,
        "sms_marketing_phone": None,
        "reservation_token": None,
    }


def _amounts(one: Checkout) -> dict[str, Any]:
    return {
        "shipping_lines": [],
        "taxes_included": True,
        "total_weight": sum(500 * line.quantity for line in one.lines),
        "currency": CURRENCY,
        "presentment_currency": CURRENCY,
        "line_items": [_checkout_line(line) for line in one.lines],
        "discount_codes": [],
        "tax_lines": [],
        "total_discounts": "0.00",
        "total_line_items_price": decimal(one.total),
        "total_price": decimal(one.total),
        "total_tax": "0.00",
        "subtotal_price": decimal(one.total),
        "total_duties": None,
    }


def recovery_url(one: Checkout, home: str) -> str:
    return f"{home}/checkouts/{one.token}/recover?key={one.cart_token}"


def _checkout_line(line: Line) -> dict[str, Any]:
    return {
        "key": f"{line.id:032x}",
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": 500,
        "presentment_title": line.title,
        "presentment_variant_title": "",
        "product_id": line.product_id,
        "properties": None,
        "quantity": line.quantity,
        "requires_shipping": True,
        "sku": line.sku,
        "tax_lines": [],
        "taxable": True,
        "title": line.title,
        "variant_id": line.variant_id,
        "variant_title": "",
        "variant_price": decimal(line.price),
        "vendor": "Nordlys",
        "line_price": decimal(line.total),
        "price": decimal(line.price),
    }
