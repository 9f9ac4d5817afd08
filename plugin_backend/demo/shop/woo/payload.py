"""The shop's objects as its REST API and its webhooks show them: names, order and types of WooCommerce."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from plugin_backend.demo.shop.products import BY_NUMBER, Product
from plugin_backend.demo.shop.woo.state import (
    CURRENCY,
    PAYABLE,
    VERSION,
    Address,
    Customer,
    Fee,
    Line,
    Meta,
    Note,
    Order,
    Refund,
    Shelf,
    Webhook,
)
from plugin_backend.sdk.money import Money

ZONE = ZoneInfo("Europe/Paris")


def encode(value: Any) -> bytes:
    """JSON as PHP writes it: ASCII only, no blanks, and every slash escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def decimal(minor: int) -> str:
    return Money(minor, CURRENCY).decimal()


def _dates(**moments: int | None) -> dict[str, str | None]:
    """``date_x`` in the shop's time and ``date_x_gmt`` in UTC, both without an offset."""
    dates: dict[str, str | None] = {}
    for name, moment in moments.items():
        dates[f"date_{name}"] = None if moment is None else _text(moment, ZONE)
        dates[f"date_{name}_gmt"] = None if moment is None else _text(moment, UTC)
    return dates


def _text(moment: int, zone: Any) -> str:
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None).isoformat()


def _links(home: str, path: str) -> dict[str, Any]:
    collection = f"{home}/wp-json/wc/v3/{path.rpartition('/')[0]}"
    return {"self": [{"href": f"{home}/wp-json/wc/v3/{path}"}], "collection": [{"href": collection}]}


def order(one: Order, home: str) -> dict[str, Any]:
    """The order with the platform's members in the platform's order; what the shop does not use is there and empty."""
    dates = _dates(created=one.created, modified=one.modified, completed=one.completed, paid=one.paid)
    pay = f"{home}/checkout/order-pay/{one.id}/?pay_for_order=true&key={one.key}"
    return {
        **_order_head(one, dates),
        **_order_parts(one),
        "payment_url": pay,
        "is_editable": one.status in ("pending", "on-hold", "auto-draft"),
        "needs_payment": one.status in PAYABLE and one.total > 0,
        "needs_processing": True,
        **{name: text for name, text in dates.items() if name.endswith("_gmt")},
        "currency_symbol": "€",
        "_links": _links(home, f"orders/{one.id}"),
    }


def _order_head(one: Order, dates: dict[str, str | None]) -> dict[str, Any]:
    own = one.created_via == "rest-api"
    return {
        "id": one.id,
        "parent_id": 0,
        "status": one.status,
        "currency": CURRENCY,
        "version": VERSION,
        "prices_include_tax": False,
        "date_created": dates["date_created"],
        "date_modified": dates["date_modified"],
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": "0.00",
        "shipping_tax": "0.00",
        "cart_tax": "0.00",
        "total": decimal(one.total),
        "total_tax": "0.00",
        "customer_id": one.customer_id,
        "order_key": one.key,
        "billing": _billing(one.billing),
        "shipping": _shipping(one.shipping),
        "payment_method": one.payment_method,
        "payment_method_title": one.payment_method_title,
        "transaction_id": one.transaction_id,
        "customer_ip_address": "" if own else "127.0.0.1",
        "customer_user_agent": "" if own else "Mozilla/5.0",
        "created_via": one.created_via,
        "customer_note": one.customer_note,
        "date_completed": dates["date_completed"],
        "date_paid": dates["date_paid"],
        "cart_hash": one.cart_hash,
        "number": str(one.id),
    }


def _order_parts(one: Order) -> dict[str, Any]:
    return {
        "meta_data": [_meta(meta) for meta in one.meta],
        "line_items": [_line(line, reduced=one.stock_reduced) for line in one.lines],
        "tax_lines": [],
        "shipping_lines": [],
        "fee_lines": [_fee(fee) for fee in one.fees],
        "coupon_lines": [],
        "refunds": [_refund_line(refund) for refund in one.refunds],
    }


def _billing(address: Address) -> dict[str, str]:
    return {name: getattr(address, name) for name in Address.__slots__}


def _shipping(address: Address) -> dict[str, str]:
    return {name: getattr(address, name) for name in Address.__slots__ if name != "email"}


def _meta(meta: Meta) -> dict[str, Any]:
    return {"id": meta.id, "key": meta.key, "value": meta.value}


def _line(line: Line, *, reduced: bool) -> dict[str, Any]:
    """``price`` is the one number that is a float, with the noise a division leaves; PHP drops a zero fraction."""
    price = line.total / 100 / line.quantity if line.quantity else 0.0
    stock = {"id": line.id + 7000, "key": "_reduced_stock", "value": str(line.quantity)}
    shown = {"display_key": "_reduced_stock", "display_value": str(line.quantity)}
    return {
        "id": line.id,
        "name": line.name,
        "product_id": line.product_id,
        "variation_id": 0,
        "quantity": line.quantity,
        "tax_class": "",
        "subtotal": decimal(line.subtotal),
        "subtotal_tax": "0.00",
        "total": decimal(line.total),
        "total_tax": "0.00",
        "taxes": [],
        "meta_data": [stock | shown] if reduced and line.product_id else [],
        "sku": line.sku or None,
        "global_unique_id": "",
        "price": int(price) if price.is_integer() else price,
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }


def _fee(fee: Fee) -> dict[str, Any]:
    return {
        "id": fee.id,
        "name": fee.name,
        "tax_class": "",
        "tax_status": "none",
        "amount": decimal(fee.total),
        "total": decimal(fee.total),
        "total_tax": "0.00",
        "taxes": [],
        "meta_data": [],
    }


def _refund_line(refund: Refund) -> dict[str, Any]:
    return {"id": refund.id, "reason": refund.reason, "total": decimal(-refund.amount)}


def refund(one: Refund, order_id: int, home: str) -> dict[str, Any]:
    return {
        "id": one.id,
        **_dates(created=one.at),
        "amount": decimal(one.amount),
        "reason": one.reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [],
        "line_items": [],
        "_links": _links(home, f"orders/{order_id}/refunds/{one.id}"),
    }


def note(one: Note, order_id: int, home: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "author": one.author,
        **_dates(created=one.at),
        "note": one.note,
        "customer_note": one.customer_note,
        "_links": _links(home, f"orders/{order_id}/notes/{one.id}"),
    }


def customer(one: Customer, home: str) -> dict[str, Any]:
    face = hashlib.sha256(one.email.encode()).hexdigest()
    return {
        "id": one.id,
        **_dates(created=one.created, modified=one.modified),
        "email": one.email,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "role": "customer",
        "username": one.username,
        "billing": _billing(one.billing),
        "shipping": _shipping(one.billing),
        "is_paying_customer": one.paying,
        "avatar_url": f"https://secure.gravatar.com/avatar/{face}?s=96&d=mm&r=g",
        "meta_data": [],
        "_links": _links(home, f"customers/{one.id}"),
    }


def product_name(one: Product) -> str:
    """Product names are stored as HTML, so that an ampersand arrives as an entity."""
    return one.fr.replace("&", "&amp;")


def product(number: int, shelf: Shelf, home: str) -> dict[str, Any]:
    one = BY_NUMBER[number]
    return {
        "id": number,
        "name": product_name(one),
        "slug": one.sku.lower(),
        "permalink": f"{home}/product/{one.sku.lower()}/",
        **_dates(created=1_760_000_000, modified=shelf.modified or 1_760_000_000),
        "type": "simple",
        "status": "publish",
        "sku": one.sku,
        "price": decimal(one.eur),
        "regular_price": decimal(one.eur),
        "sale_price": "",
        "total_sales": shelf.sold,
        "manage_stock": True,
        "stock_quantity": shelf.stock,
        "backorders": "no",
        "parent_id": 0,
        "variations": [],
        "meta_data": [],
        "stock_status": "instock" if shelf.stock > 0 else "outofstock",
        "_links": _links(home, f"products/{number}"),
    }


def webhook(one: Webhook, home: str) -> dict[str, Any]:
    """The secret is taken and never shown again."""
    resource, _, event = one.topic.partition(".")
    return {
        "id": one.id,
        "name": one.name,
        "status": one.status,
        "topic": one.topic,
        "resource": resource,
        "event": event,
        "hooks": [f"woocommerce_{resource}_{event}"],
        "delivery_url": one.delivery_url,
        **_dates(created=one.created, modified=one.modified),
        "_links": _links(home, f"webhooks/{one.id}"),
    }
