"""The deliveries of an invented Shopify shop, as the platform would send them."""

import json
from typing import Any

from tests.contract.connector_golden import signed_base64

SHOP = "fjordlys-studio.myshopify.com"
CART = "c1f0aa07e5d94c1f9a"
CHECKOUT = "7d55e0b1c2"


def deliveries() -> dict[str, tuple[dict[str, str], bytes]]:
    return {
        "cart": _hook("carts/update", _CART),
        "cart_empty": _hook("carts/create", {**_CART, "line_items": []}),
        "checkout_with_consent": _hook("checkouts/update", _checkout()),
        "checkout_ticked_only": _hook(
            "checkouts/update", _checkout(customer=None, buyer_accepts_marketing=True)
        ),
        "checkout_unsubscribed": _hook("checkouts/update", _checkout(customer=_customer("unsubscribed"))),
        "checkout_anonymous": _hook("checkouts/create", _checkout(**_ANONYMOUS)),
        "checkout_without_cart": _hook("checkouts/create", _checkout(cart_token=None)),
        "checkout_in_another_currency": _hook("checkouts/update", _checkout(presentment_currency="EUR")),
        "checkout_completed": _hook("checkouts/update", _checkout(completed_at=_NOON)),
        "checkout_completed_with_order": _hook(
            "checkouts/update", _checkout(completed_at=_NOON, order_id=9007199254740997)
        ),
        "checkout_deleted": _hook("checkouts/delete", {"id": 36028797018963999, "cart_token": CART}),
        "order_created": _hook("orders/create", _order()),
        "order_pending": _hook("orders/create", _order(financial_status="pending")),
        "order_in_two_currencies": _hook("orders/paid", _order(total_price_set=_bag("1249.00", "108.35"))),
        "order_cancelled": _hook("orders/cancelled", _order(cancelled_at="2026-03-03T08:00:00+01:00")),
        "order_fulfilled": _hook(
            "orders/fulfilled", _order(fulfillment_status="fulfilled", fulfillments=_FULFILLMENTS)
        ),
        "order_sent_in_part": _hook(
            "orders/partially_fulfilled", _order(fulfillment_status="partial", fulfillments=_FULFILLMENTS[:1])
        ),
        "order_refunded": _hook("orders/updated", _order(financial_status="refunded", refunds=[_REFUND])),
        "order_of_ours": _hook("orders/create", _order(tags="vip, reprise", source_identifier="res_01jq8x")),
        "order_with_a_foreign_source": _hook("orders/create", _order(source_identifier="web-5531")),
        "order_deleted": _hook("orders/delete", {"id": 9007199254740997}),
        "order_in_yen": _hook("orders/create", _order(total_price="5400.0", **_YEN)),
        "transaction_declined": _hook("order_transactions/create", _transaction("insufficient_funds")),
        "transaction_accepted": _hook(
            "order_transactions/create", {**_transaction(None), "status": "success"}
        ),
        "refund": _hook("refunds/create", _REFUND),
        "customer_redact": _hook("customers/redact", {**_PRIVACY, "orders_to_redact": [1]}),
        "customer_data_request": _hook("customers/data_request", {**_PRIVACY, "data_request": {"id": 2}}),
        "shop_redact": _hook("shop/redact", {"shop_id": 5, "shop_domain": SHOP}),
        "app_uninstalled": _hook("app/uninstalled", {"id": 5, "domain": None, "myshopify_domain": None}),
        "test_notification": _hook("orders/create", _order(), test="true"),
        "test_order": _hook("orders/paid", _order(id=820982911946154508)),
        "newer_header_names": _newer("carts/update", _CART),
        "products": _hook("products/update", {"id": 4, "title": "Aurora lamp"}),
        "order_edited": _hook("orders/edited", {"order_edit": {"id": 1, "order_id": 2}}),
        "order_without_time": _hook(
            "orders/create", _order(updated_at=None, processed_at=None, created_at=None)
        ),
    }


_NOON = "2026-03-02T12:00:00+01:00"


def _bag(shop: str, shopper: str | None = None) -> dict[str, Any]:
    presentment = {"amount": shopper or shop, "currency_code": "EUR" if shopper else "NOK"}
    return {"shop_money": {"amount": shop, "currency_code": "NOK"}, "presentment_money": presentment}


def _line(title: str, quantity: int, total: str) -> dict[str, Any]:
    return {
        "id": 36028797018964001,
        "title": title,
        "quantity": quantity,
        "sku": "AUR-1",
        "properties": {},
        "line_price": total,
        "line_price_set": _bag(total),
    }


_CART = {
    "id": CART,
    "token": CART,
    "line_items": [_line("Aurora lamp", 1, "1199.00"), _line("Bulb", 2, "50.0")],
    "note": None,
    "updated_at": "2026-03-02T09:40:00.000Z",
    "created_at": "2026-03-02T09:38:00.000Z",
}
_ADDRESS = {"first_name": "Kari", "last_name": "Lys", "name": "Kari Lys", "country_code": "NO", "phone": None}
_ANONYMOUS: dict[str, Any] = {
    "email": None,
    "customer": None,
    "billing_address": None,
    "shipping_address": None,
    "buyer_accepts_marketing": False,
}
_YEN = {
    "total_price_set": {"presentment_money": {"amount": "5400.0", "currency_code": "JPY"}},
    "currency": "JPY",
    "presentment_currency": "JPY",
}
_PRIVACY = {
    "shop_id": 5,
    "shop_domain": SHOP,
    "customer": {"id": 36028797018964777, "email": "kari@lys.example"},
}


def _customer(state: str) -> dict[str, Any]:
    return {
        "id": 36028797018964777,
        "email": "kari.old@lys.example",
        "first_name": "Kari",
        "last_name": "Lys",
        "phone": None,
        "email_marketing_consent": {"state": state, "consent_updated_at": "2026-02-01T08:00:00+01:00"},
    }


def _checkout(**changes: Any) -> dict[str, Any]:
    checkout = {
        "id": 36028797018963999,
        "token": CHECKOUT,
        "cart_token": CART,
        "email": "Kari@Lys.example",
        "buyer_accepts_marketing": True,
        "created_at": "2026-03-02T10:41:00+01:00",
        "updated_at": "2026-03-02T10:44:00+01:00",
        "currency": "NOK",
        "presentment_currency": "NOK",
        "completed_at": None,
        "phone": None,
        "customer_locale": "nb-NO",
        "line_items": [
            {
                "title": "Aurora lamp",
                "quantity": 1,
                "sku": "AUR-1",
                "line_price": "1249.00",
                "properties": None,
            }
        ],
        "abandoned_checkout_url": f"https://{SHOP}/5/checkouts/{CHECKOUT}/recover?key=k9",
        "total_price": "1249.00",
        "billing_address": _ADDRESS,
        "shipping_address": _ADDRESS,
        "customer": _customer("subscribed"),
    }
    return {**checkout, **changes}


def _order(**changes: Any) -> dict[str, Any]:
    order = {
        "id": 9007199254740997,
        "cart_token": CART,
        "checkout_token": CHECKOUT,
        "email": "kari@lys.example",
        "created_at": "2026-03-02T12:00:00+01:00",
        "processed_at": "2026-03-02T12:00:00+01:00",
        "updated_at": "2026-03-02T12:00:01+01:00",
        "cancelled_at": None,
        "currency": "NOK",
        "presentment_currency": "NOK",
        "customer_locale": "nb",
        "financial_status": "paid",
        "source_identifier": None,
        "tags": "",
        "note_attributes": [{"name": "_reprise_ref", "value": "typed by a shopper"}],
        "total_price": "1249.00",
        "total_price_set": _bag("1249.00"),
        "line_items": [],
        "refunds": [],
        "billing_address": _ADDRESS,
        "customer": _customer("subscribed"),
    }
    return {**order, **changes}


_FULFILLMENTS = [
    {"id": 31, "status": "success", "created_at": "2026-03-04T09:00:00+01:00"},
    {"id": 32, "status": "cancelled", "created_at": "2026-03-06T09:00:00+01:00"},
    {"id": 33, "status": "success", "created_at": "2026-03-05T09:00:00+01:00"},
]
_REFUND = {
    "id": 36028797018965000,
    "order_id": 9007199254740997,
    "created_at": "2026-03-04T09:00:00+01:00",
    "processed_at": "2026-03-04T09:00:00+01:00",
    "refund_line_items": [{"quantity": 1, "subtotal": 1249, "total_tax": 0}],
    "transactions": [
        {"id": 1, "kind": "refund", "status": "success", "amount": "1249.00", "currency": "NOK"}
    ],
}


def _transaction(error_code: str | None) -> dict[str, Any]:
    return {
        "id": 36028797018965001,
        "order_id": 9007199254740997,
        "kind": "sale",
        "status": "failure",
        "error_code": error_code,
        "amount": "1249.00",
        "currency": "NOK",
        "created_at": "2026-03-02T12:00:00+01:00",
        "processed_at": None,
        "total_unsettled_set": {"presentment_money": {"amount": "1249.0", "currency": "NOK"}},
    }


def _body(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _hook(topic: str, value: Any, test: str = "") -> tuple[dict[str, str], bytes]:
    body = _body(value)
    headers = {
        "User-Agent": "Shopify-Captain-Hook",
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signed_base64(body),
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-API-Version": "2026-10",
        "X-Shopify-Webhook-Id": "0b7d5c1e-7d55-4e0b-9c2a-1f0aa07e5d94",
    }
    return headers | ({"X-Shopify-Test": test} if test else {}), body


def _newer(topic: str, value: Any) -> tuple[dict[str, str], bytes]:
    headers, body = _hook(topic, value)
    return {name.removeprefix("X-").lower(): text for name, text in headers.items()}, body
