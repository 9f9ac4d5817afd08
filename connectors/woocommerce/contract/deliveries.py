"""The deliveries of an invented WooCommerce shop, as the platform would send them."""

import json
from typing import Any

from tests.contract.connector_golden import signed_base64, signed_standard

HOME = "https://atelier-brume.example"


def deliveries() -> dict[str, tuple[dict[str, str], bytes]]:
    return {
        "order_pending": _core("order.created", _order(71)),
        "order_checkout_draft": _core("order.updated", _order(72, status="checkout-draft")),
        "order_failed": _core("order.updated", _order(73, status="failed")),
        "order_processing": _core("order.updated", _order(71, status="processing", **_PAID)),
        "order_on_hold": _core("order.updated", _order(74, status="on-hold", payment_method="bacs")),
        "order_status_of_its_own": _core("order.updated", _order(75, status="awaiting-shipment", **_PAID)),
        "order_cancelled": _core("order.updated", _order(76, status="cancelled")),
        "order_refunded": _core("order.updated", _order(77, status="refunded", **_PAID)),
        "order_partly_refunded": _core(
            "order.updated", _order(78, status="completed", refunds=_REFUNDS, **_PAID)
        ),
        "order_deleted": _core("order.deleted", {"id": 79}),
        "order_restored": _core("order.restored", _order(79)),
        "order_trashed_before_sent": _core("order.created", _order(80, status="trash")),
        "order_of_ours_on_hold": _core("order.updated", _order(81, status="on-hold", **_OURS)),
        "order_of_ours_reserved": _core("order.updated", _order(81, **_OURS)),
        "order_of_ours_paid_natively": _core(
            "order.updated",
            _order(81, status="processing", **{**_OURS, **_PAID, "payment_method": "cardgate"}),
        ),
        "order_with_plugin_basket": _core("order.updated", _order(82, meta_data=_PLUGIN_META)),
        "order_yen_without_decimals": _core("order.created", _order(83, currency="JPY", **_YEN)),
        "order_dinar_with_three": _core("order.created", _order(84, currency="KWD", **_DINAR)),
        "order_completed": _core("order.updated", _order(91, status="completed", **_PAID, **_DONE)),
        "order_free": _core("order.updated", _order(85, status="completed", **{**_PAID, **_FREE})),
        "order_php_empties": _core("order.updated", _order(86, **_PHP)),
        "order_null_character": _core("order.updated", _order(87, **_NULLS)),
        "order_in_words_of_the_other_type": _core("order.updated", _other_types(_order(88))),
        "renewal_of_the_shops_own": _core("order.created", _order(89, created_via="subscription")),
        "error_body": _core("order.updated", _ERROR),
        "empty_list_body": _core("order.updated", []),
        "unknown_currency": _core("order.updated", _order(90, currency="XTS")),
        "product": _core("product.updated", {"id": 5, "name": "Mist lamp", "price": "81.50"}),
        "action": _core("action.woocommerce_add_to_cart", {"action": "woocommerce_add_to_cart", "arg": "d1"}),
        "customer_deleted": _core("customer.deleted", {"id": 12}),
        "plugin_cart": _plugin("cart.updated", _CART),
        "plugin_cart_that_is_an_order": _plugin("cart.updated", {**_CART, "id": "order:71", "order_id": 71}),
        "plugin_cart_deleted": _plugin("cart.deleted", {"id": "b7f0"}),
        "plugin_payment_failed": _plugin(
            "payment.failed",
            {"order_id": 73, "at": "2026-03-02T10:21:07Z", "decline": "limit", "cart": _CART},
        ),
    }


_PAID = {
    "date_paid": "2026-03-02T11:05:00",
    "date_paid_gmt": "2026-03-02T10:05:00",
    "transaction_id": "ch_5501",
    "payment_method": "cardgate",
}
_DONE = {"date_completed": "2026-03-05T15:30:00", "date_completed_gmt": "2026-03-05T14:30:00"}
_REFUNDS = [
    {"id": 901, "reason": "one was chipped", "total": "-20.25"},
    {"id": 902, "reason": "", "total": "-1.00"},
]
_OURS = {
    "payment_method": "reprise",
    "meta_data": [{"id": 3, "key": "_reprise_ref", "value": "res_01jq8x"}],
}
_PLUGIN_META = [
    {"id": 1, "key": "_reprise_cart", "value": "b7f0"},
    {
        "id": 2,
        "key": "_reprise_consent",
        "value": {"granted": True, "text_version": "v3", "at": "2026-03-02T09:58:00Z"},
    },
    {"id": 9, "key": "_elsewhere", "value": {"a": [1, None]}},
]
_YEN = {
    "total": "12400",
    "line_items": [{"name": "Noren", "quantity": 1, "total": "12400", "total_tax": "0"}],
}
_DINAR = {
    "total": "42.000",
    "line_items": [{"name": "Dallah", "quantity": 1, "total": "42.000", "total_tax": "0"}],
}
_FREE: dict[str, Any] = {"total": "0.00"}
_PHP: dict[str, Any] = {
    "billing": [],
    "shipping": [],
    "meta_data": {},
    "refunds": {},
    "line_items": [None, "x"],
}
_NULLS: dict[str, Any] = {
    "customer_note": "a\u0000b",
    "billing": {
        "first_name": "Zo\u0000é",
        "last_name": "Brume\ud800",
        "email": "zoe@brume.example",
        "country": "FR",
    },
    "meta_data": [{"id": 1, "key": "_raw", "value": "x\u0000y"}],
}
_ERROR = {"code": "woocommerce_rest_cannot_view", "message": "No.", "data": {"status": 403}}
_CART = {
    "id": "b7f0",
    "version": 4,
    "updated_at": "2026-03-02T10:20:00+01:00",
    "currency": "EUR",
    "amount_minor": 10150,
    "lines": [{"sku": "MIST-2", "title": "Mist lamp", "quantity": "2", "total_amount_minor": 9250}],
    "customer": {"email": "Zoe@Brume.example ", "name": "Zoé Brume", "locale": "fr_FR", "country": "fr"},
    "consent": {
        "granted": True,
        "text_version": "v3",
        "at": "2026-03-02T10:19:00+01:00",
        "source": "checkout",
    },
    "checkout_url": f"{HOME}/checkout/",
}


def _order(number: int, **changes: Any) -> dict[str, Any]:
    lines = [
        {
            "id": 31,
            "name": "Mist lamp &amp; <b>shade</b> \u201cdusk\u201d",
            "quantity": 2,
            "total": "77.08",
            "total_tax": "15.42",
            "sku": "MIST-2",
            "price": 38.541666666666664,
        },
        {
            "id": 32,
            "name": "Linen by the metre",
            "quantity": 1.5,
            "total": "7.50",
            "total_tax": "1.50",
            "sku": 4411,
        },
    ]
    order = {
        "id": number,
        "parent_id": 0,
        "status": "pending",
        "currency": "EUR",
        "date_created": "2026-03-02T10:57:00",
        "date_modified": "2026-03-02T11:01:30",
        "total": "105.75",
        "customer_id": 0,
        "order_key": f"wc_order_{number}",
        "billing": {
            "first_name": "Zo\u00e9",
            "last_name": "Brume",
            "country": "FR",
            "email": "Zoe@Brume.example",
            "phone": "+33 6 00 00 00 00",
        },
        "shipping": {"first_name": "Zo\u00e9", "last_name": "Brume", "country": "BE"},
        "payment_method": "",
        "transaction_id": "",
        "created_via": "checkout",
        "date_completed": None,
        "date_paid": None,
        "cart_hash": "0f0e0d",
        "number": str(number),
        "meta_data": [],
        "line_items": lines,
        "refunds": [],
        "payment_url": f"{HOME}/checkout/order-pay/{number}/?pay_for_order=true&key=wc_order_{number}",
        "needs_processing": True,
        "date_created_gmt": "2026-03-02T09:57:00",
        "date_modified_gmt": "2026-03-02T10:01:30",
        "date_paid_gmt": None,
    }
    return {**order, **changes}


def _other_types(order: dict[str, Any]) -> dict[str, Any]:
    """What plugins make of numbers and texts."""
    lines = [{**line, "quantity": str(line["quantity"]), "total": 84} for line in order["line_items"]]
    return {**order, "id": str(order["id"]), "total": 105.75, "customer_id": "12", "line_items": lines}


def _php(value: Any) -> bytes:
    """JSON as PHP writes it: ASCII, without blanks, with escaped slashes."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def _core(topic: str, value: Any) -> tuple[dict[str, str], bytes]:
    body = _php(value)
    resource, _, event = topic.partition(".")
    return {
        "User-Agent": "WooCommerce/11.0.1 Hookshot (WordPress/7.1)",
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": f"{HOME}/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": signed_base64(body),
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": "5be1c0de5be1c0de5be1c0de5be1c0de",
    }, body


def _plugin(kind: str, data: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    body = _php({"type": kind, "timestamp": "2026-03-02T10:22:00Z", "data": data})
    return signed_standard(f"msg_{kind.replace('.', '_')}", body), body
