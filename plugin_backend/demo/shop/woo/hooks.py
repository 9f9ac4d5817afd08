"""WooCommerce's webhooks as they were seen on the wire.

The body is built when the delivery leaves, not when the thing happened; deliveries of one webhook about one object
are merged while they wait; nothing is ever sent twice, and the seventh failure in a row disables the webhook.
"""

import base64
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin_backend.demo.shop.basket import now
from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.wire import Answer, host_header
from plugin_backend.demo.shop.woo import payload
from plugin_backend.demo.shop.woo.state import VERSION, WORDPRESS, State, Webhook
from plugin_backend.sdk.signing import hmac_sha256

USER_AGENT = f"WooCommerce/{VERSION} Hookshot (WordPress/{WORDPRESS})"
ENCODINGS = "deflate, gzip, br, zstd"
# Redirects are not followed, and yet these two count as delivered.
_DELIVERED = (*range(200, 300), 301, 302)
_FAILURES_KEPT = 6
_ENTITIES = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#039;": "'",
    "&#39;": "'",
    "&#x27;": "'",
    "&#034;": '"',
    "&#038;": "&",
}
_ENTITY = re.compile("|".join(re.escape(entity) for entity in _ENTITIES))


class Keeper(Protocol):
    """What the webhooks need of their shop."""

    home: str
    state: State
    lock: Any
    courier: Courier


def signing_key(secret: str) -> bytes:
    """WordPress decodes HTML entities in a secret before it signs with it."""
    return _ENTITY.sub(lambda found: _ENTITIES[found.group()], secret).encode()


def announce(keeper: Keeper, pending: set[tuple[int, int]], events: Iterable[tuple[str, int]]) -> None:
    """Queue each event (topic, object id) for every active webhook of its topic; one that waits is not queued again."""
    letters = []
    for topic, about in events:
        for hook in keeper.state.webhooks.values():
            if hook.status == "active" and hook.topic == topic and (hook.id, about) not in pending:
                pending.add((hook.id, about))
                letters.append(HookLetter(keeper, pending, hook.id, about))
    keeper.courier.enqueue(*letters)


@dataclass(frozen=True, slots=True)
class HookLetter:
    """One webhook about one object."""

    keeper: Keeper
    pending: set[tuple[int, int]]
    hook_id: int
    about: int

    def deliver(self) -> None:
        with self.keeper.lock:
            self.pending.discard((self.hook_id, self.about))
            hook = self.keeper.state.webhooks.get(self.hook_id)
            if hook is None or hook.status != "active":
                return
            url, topic = hook.delivery_url, hook.topic
            body = payload.encode(_built(self.keeper, topic, self.about))
            headers = _headers(self.keeper, hook, body)
        answer = self.keeper.courier.post("hook", topic, str(self.about), url, headers, body, timeout=60.0)
        self._count(answer)

    def _count(self, answer: Answer) -> None:
        with self.keeper.lock:
            hook = self.keeper.state.webhooks.get(self.hook_id)
            if hook is None:
                return
            if answer.status in _DELIVERED:
                hook.failures = 0
            elif hook.failures >= _FAILURES_KEPT:
                hook.status = "disabled"
            else:
                hook.failures += 1
            wants_ping = hook.pending_delivery
        if wants_ping:
            ping(self.keeper, self.hook_id)


def _built(keeper: Keeper, topic: str, about: int) -> dict[str, Any]:
    """The object as the REST API shows it now to the webhook's owner; a signed error where it is gone, or where he may
    not see it any more."""
    state, resource = keeper.state, topic.partition(".")[0]
    if keeper.courier.switches.error_bodies:
        return {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 403}}
    if resource == "order" and about in state.orders:
        return payload.order(state.orders[about], keeper.home)
    if resource == "customer" and about in state.customers:
        return payload.customer(state.customers[about], keeper.home)
    if resource == "product" and about in state.shelves:
        return payload.product(about, state.shelves[about], keeper.home)
    return {
        "code": f"woocommerce_rest_shop_{resource}_invalid_id",
        "message": "Invalid ID.",
        "data": {"status": 404},
    }


def _headers(keeper: Keeper, hook: Webhook, body: bytes) -> list[tuple[str, str]]:
    resource, _, event = hook.topic.partition(".")
    signature = base64.b64encode(hmac_sha256(signing_key(hook.secret), body)).decode()
    return [
        ("Host", host_header(hook.delivery_url)),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", ENCODINGS),
        ("Content-Type", "application/json"),
        ("X-WC-Webhook-Source", f"{keeper.home}/"),
        ("X-WC-Webhook-Topic", hook.topic),
        ("X-WC-Webhook-Resource", resource),
        ("X-WC-Webhook-Event", event),
        ("X-WC-Webhook-Signature", signature),
        ("X-WC-Webhook-ID", str(hook.id)),
        ("X-WC-Webhook-Delivery-ID", delivery_id(keeper.state.salt, hook.id, now())),
        ("Connection", "close"),
        ("Content-Length", str(len(body))),
    ]


def delivery_id(salt: str, hook_id: int, second: int) -> str:
    """The same for every delivery of one webhook within one second, whatever it is about."""
    return hmac.new(salt.encode(), f"{hook_id}{second}".encode(), "md5").hexdigest()


def ping(keeper: Keeper, hook_id: int) -> None:
    """The unsigned hello, sent while the caller waits. Only a 200 settles it; until then every delivery repeats it."""
    with keeper.lock:
        hook = keeper.state.webhooks.get(hook_id)
    if hook is None:
        return
    url = hook.delivery_url
    body = f"webhook_id={hook_id}".encode()
    headers = [
        ("Host", host_header(url)),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", ENCODINGS),
        ("Connection", "close"),
        ("Content-Length", str(len(body))),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    answer = keeper.courier.post("ping", "ping", str(hook_id), url, headers, body, timeout=5.0)
    with keeper.lock:
        hook.pending_delivery = answer.status != 200
