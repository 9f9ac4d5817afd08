"""The deliveries of an invented shop of its owner's making."""

import json
from typing import Any

from tests.contract.connector_golden import signed_standard


def deliveries() -> dict[str, tuple[dict[str, str], bytes]]:
    return {
        "cart": _hook("cart.updated", _CART),
        "cart_by_decimal": _hook("cart.updated", {**_without(_CART, "amount_minor"), "amount": "45.5"}),
        "cart_by_float": _hook("cart.updated", {**_without(_CART, "amount_minor"), "amount": 45.5}),
        "cart_with_another_exponent": _hook("cart.updated", {**_CART, "currency_exponent": 3}),
        "cart_without_total": _hook("cart.updated", _without(_CART, "amount_minor")),
        "cart_of_nulls": _hook("cart.updated", {**dict.fromkeys(_CART), "id": "k-8"}),
        "cart_empty": _hook("cart.updated", {**_CART, "lines": []}),
        "cart_without_consent": _hook("cart.updated", {**_CART, "consent": {"granted": False}}),
        "cart_deleted": _hook("cart.deleted", {"id": "k-7", "deleted_at": "2026-03-02T10:30:00Z"}),
        "order_created": _hook("order.created", _ORDER),
        "order_paid": _hook("order.paid", {**_ORDER, "reference": "res_01jq8x"}),
        "order_cancelled": _hook("order.cancelled", {"id": "A-19"}),
        "order_fulfilled": _hook("order.fulfilled", {"id": "A-19", "at": "2026-03-05T14:30:00Z"}),
        "order_refunded": _hook(
            "order.refunded", {"id": "A-19", "currency": "CHF", "amount": "10.00", "full": False}
        ),
        "payment_failed": _hook("payment.failed", {"cart": _CART, "decline": "funds"}),
        "payment_failed_of_an_order": _hook("payment.failed", {"order_id": "A-19"}),
        "customer_redacted": _hook("customer.redacted", {"email": "Uli@Kiosk.example"}),
        "customer_data_requested": _hook("customer.data_requested", {"id": "u5"}),
        "shop_disconnected": _hook("shop.disconnected", {"redact": True}),
        "ping": _hook("ping", {}),
        "unknown_type": _hook("cart_updated", _CART),
        "time_without_zone": _hook(
            "cart.updated", {**_CART, "updated_at": "2026-03-02T10:00:00"}, stamp=None
        ),
    }


_CART: dict[str, Any] = {
    "id": "k-7",
    "version": 12,
    "updated_at": "2026-03-02T10:25:00.344522Z",
    "currency": "CHF",
    "amount_minor": 4550,
    "lines": [
        {"id": 1, "sku": "TEA", "title": "Tea", "quantity": "0.25", "total_amount_minor": 3550},
        {"id": 2, "title": "Pot", "quantity": 1, "total_amount": "10.00"},
    ],
    "customer": {"id": "u5", "email": "uli@kiosk.example", "phone": None, "locale": "de-CH", "country": "CH"},
    "consent": {
        "granted": True,
        "text_version": "2026-01",
        "at": "2026-03-02T10:24:00Z",
        "source": "checkout",
    },
    "checkout_url": "https://kiosk.example/basket/k-7",
    "metadata": {"anything": [1, 2]},
}
_ORDER = {
    "id": "A-19",
    "cart_id": "k-7",
    "at": "2026-03-02T10:28:00Z",
    "currency": "CHF",
    "amount_minor": 4550,
    "customer": {"email": "uli@kiosk.example"},
}


def _without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def _hook(
    kind: str, data: dict[str, Any], stamp: str | None = "2026-03-02T10:29:00+00:00"
) -> tuple[dict[str, str], bytes]:
    body = json.dumps({"type": kind, "timestamp": stamp, "data": data}, indent=1).encode()
    return signed_standard(f"msg_{kind.replace('.', '_')}_1", body), body
