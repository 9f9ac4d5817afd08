"""The shop's helper plugin: what WooCommerce itself never says (the consent, a declined card), as Standard Webhooks.

A message keeps its id over its retries; a redirect is a failure.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plugin_backend.demo.shop.basket import Basket, Shopper
from plugin_backend.demo.shop.products import BY_NUMBER
from plugin_backend.demo.shop.wire import host_header
from plugin_backend.demo.shop.woo import payload
from plugin_backend.demo.shop.woo.hooks import ENCODINGS, Keeper
from plugin_backend.demo.shop.woo.state import CURRENCY, WORDPRESS, Line, Order
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import sign_standard, standard_key

_RETRY_AFTER = (1.0, 2.0, 4.0, 8.0, 16.0)


def usable(secret: str) -> bool:
    """True for a secret that Standard Webhooks can sign with."""
    try:
        standard_key(secret)
    except ValueError:
        return False
    return True


def cart_updated(keeper: Keeper, order: Order, basket: Basket, shopper: Shopper) -> "PluginLetter":
    return _letter(keeper, "cart.updated", _cart(keeper, order, basket) | _said(order, shopper))


def message(keeper: Keeper, order: Order, basket: Basket, *, declined: bool) -> dict[str, str]:
    """What the shopper's page may hand on, signed now: his basket as it stands, or that its payment was declined."""
    cart = _cart(keeper, order, basket)
    kind, data = ("payment.failed", _failure(order, cart)) if declined else ("cart.updated", cart)
    name, body = f"msg_{secrets.token_hex(12)}", _body(kind, data)
    signed = sign_standard(keeper.state.plugin_secret, name, clock.real_now(), body)
    return {part.removeprefix("webhook-"): value for part, value in signed.items()} | {"body": body.decode()}


def payment_failed(keeper: Keeper, order: Order, basket: Basket, shopper: Shopper) -> "PluginLetter":
    """A card over its limit: the plugin reads the reason from the payment plugin, the core keeps none."""
    cart = _cart(keeper, order, basket) | _said(order, shopper)
    return _letter(keeper, "payment.failed", _failure(order, cart))


def _failure(order: Order, cart: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"order:{order.id}",
        "order_id": order.id,
        "at": clock.real_now().isoformat(),
        "decline": "limit",
        "cart": cart,
    }


def _letter(keeper: Keeper, kind: str, data: dict[str, Any]) -> "PluginLetter":
    return PluginLetter(keeper, f"msg_{secrets.token_hex(12)}", kind, str(data["id"]), _body(kind, data))


def _body(kind: str, data: dict[str, Any]) -> bytes:
    stamp = clock.real_now().isoformat().replace("+00:00", "Z")
    return payload.encode({"type": kind, "timestamp": stamp, "data": data})


def _changed(order: Order) -> str:
    return datetime.fromtimestamp(order.modified, UTC).isoformat()


def _cart(keeper: Keeper, order: Order, basket: Basket) -> dict[str, Any]:
    """The basket, with what its order knows of the shopper."""
    billing = order.billing
    return {
        "id": f"order:{order.id}",
        "order_id": order.id,
        "version": basket.version,
        "updated_at": _changed(order),
        "currency": CURRENCY,
        "amount_minor": order.total,
        "lines": [_line(line) for line in order.lines],
        "customer": {
            "id": str(order.customer_id) if order.customer_id else None,
            "email": billing.email,
            "name": f"{billing.first_name} {billing.last_name}".strip(),
            "phone": None,
            "locale": order.locale,
            "country": billing.country,
        },
        "checkout_url": f"{keeper.home}/checkout/order-pay/{order.id}/?pay_for_order=true&key={order.key}",
        "metadata": {},
    }


def _said(order: Order, shopper: Shopper) -> dict[str, Any]:
    """What the shopper answered at the box about reminders."""
    return {
        "consent": {
            "granted": shopper.consent,
            "text_version": shopper.consent_version,
            "at": _changed(order),
            "source": "checkout",
        }
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "sku": line.sku,
        "title": BY_NUMBER[line.product_id].fr if line.product_id in BY_NUMBER else line.name,
        "quantity": str(line.quantity),
        "unit_amount_minor": line.total // line.quantity,
        "total_amount_minor": line.total,
        "tax_minor": 0,
    }


@dataclass(slots=True)
class PluginLetter:
    """One message; nothing is sent while the plugin has no address or secret."""

    keeper: Keeper
    message_id: str
    kind: str
    about: str
    body: bytes
    tries: int = 0

    def deliver(self) -> float | None:
        with self.keeper.lock:
            url, secret = self.keeper.state.plugin_url, self.keeper.state.plugin_secret
        if not url or not secret:
            return None
        headers = self._headers(url, secret)
        answer = self.keeper.courier.post(
            "plugin", self.kind, self.about, url, headers, self.body, timeout=15.0
        )
        if 200 <= answer.status < 300 or self.tries >= len(_RETRY_AFTER):
            return None
        self.tries += 1
        return _RETRY_AFTER[self.tries - 1]

    def _headers(self, url: str, secret: str) -> list[tuple[str, str]]:
        signed = sign_standard(secret, self.message_id, clock.real_now(), self.body)
        return [
            ("Host", host_header(url)),
            ("User-Agent", f"WordPress/{WORDPRESS}; {self.keeper.home}"),
            ("Accept", "*/*"),
            ("Accept-Encoding", ENCODINGS),
            ("Content-Type", "application/json"),
            *signed.items(),
            ("Connection", "close"),
            ("Content-Length", str(len(self.body))),
        ]
