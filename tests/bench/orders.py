"""Signed WooCommerce order deliveries of 5 KB, each a delivery of its own."""

import base64
import hmac
import json
from typing import Any

BODY_BYTES = 5 * 1024
_NUMBER = "7000000000"
_ADDRESS = {
    "first_name": "Camille",
    "last_name": "Durand",
    "company": "",
    "address_1": "14 rue des Lilas",
    "address_2": "",
    "city": "Nantes",
    "state": "",
    "postcode": "44000",
    "country": "FR",
}
_DATES = ("date_created", "date_created_gmt", "date_modified", "date_modified_gmt")


class Orders:
    """Makes the requests for one address. Only the order's number tells two bodies apart, and the signature follows."""

    def __init__(self, port: int, path: str, secret: str) -> None:
        self._key = secret.encode()
        self._before, self._after = _order().split(_NUMBER.encode())
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: WooCommerce/10.2.1 Hookshot (WordPress/6.9)\r\n"
            f"Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n"
            "X-WC-Webhook-Source: https://shop.example/\r\nX-WC-Webhook-Topic: order.updated\r\n"
            "X-WC-Webhook-Resource: order\r\nX-WC-Webhook-Event: updated\r\nX-WC-Webhook-ID: 7\r\n"
        ).encode()

    def request(self, number: int) -> bytes:
        """The bytes of the delivery with this number, which has at most ten digits."""
        body = b"%s%010d%s" % (self._before, number, self._after)
        signature = base64.b64encode(hmac.digest(self._key, body, "sha256"))
        return b"%sX-WC-Webhook-Signature: %s\r\nX-WC-Webhook-Delivery-ID: %032d\r\n\r\n%s" % (
            self._head,
            signature,
            number,
            body,
        )


def _order() -> bytes:
    """An order with as many lines as fit, filled up to ``BODY_BYTES`` by its note."""
    lines: list[dict[str, Any]] = []
    while len(_encoded([*lines, _line(len(lines))], "")) < BODY_BYTES:
        lines.append(_line(len(lines)))
    note = "Please ring twice. " * 50
    return _encoded(lines, note[: BODY_BYTES - len(_encoded(lines, ""))])


def _encoded(lines: list[dict[str, Any]], note: str) -> bytes:
    order = {
        "id": int(_NUMBER),
        "parent_id": 0,
        "status": "pending",
        "currency": "EUR",
        "version": "10.2.1",
        "prices_include_tax": True,
        **dict.fromkeys(_DATES, "2026-11-03T10:15:42"),
        "discount_total": "0.00",
        "shipping_total": "4.90",
        "total": "129.99",
        "total_tax": "21.67",
        "customer_id": 4711,
        "order_key": "wc_order_n2Xy8LkPq41Zs",
        "billing": {**_ADDRESS, "email": "camille@shopper.example", "phone": "+33 2 40 00 00 00"},
        "shipping": {**_ADDRESS, "phone": ""},
        "payment_method": "card",
        "payment_method_title": "Carte bancaire",
        "customer_ip_address": "192.0.2.17",
        "customer_user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "created_via": "checkout",
        "customer_note": note,
        "cart_hash": "5b1f0f0d3c1e4a7f9d2b6c8e0a1f3d57",
        "meta_data": [{"id": 91, "key": "_wc_order_attribution_source_type", "value": "organic"}],
        "line_items": lines,
    }
    return json.dumps(order, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def _line(index: int) -> dict[str, Any]:
    return {
        "id": 300 + index,
        "name": f"Chemise en lin, taille {38 + index}",
        "product_id": 1200 + index,
        "variation_id": 0,
        "quantity": 1 + index % 3,
        "tax_class": "",
        "subtotal": "41.66",
        "subtotal_tax": "8.33",
        "total": "41.66",
        "total_tax": "8.33",
        "taxes": [{"id": 1, "total": "8.33", "subtotal": "8.33"}],
        "meta_data": [],
        "sku": f"CH-LIN-{38 + index}",
        "price": 41.66,
        "image": {"id": str(800 + index), "src": f"https://shop.example/wp-content/uploads/lin-{index}.jpg"},
        "parent_name": None,
    }
