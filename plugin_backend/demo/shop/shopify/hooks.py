"""Shopify's webhooks: the body is what was true when it happened, a retry repeats it, and only the body is signed."""

import base64
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.shopify import payload
from plugin_backend.demo.shop.shopify.state import API_VERSION, DOMAIN, State
from plugin_backend.demo.shop.wire import Answer, host_header
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import hmac_sha256

# Eight retries as the platform has them; it spreads them over four hours, the demo over minutes.
_RETRY_AFTER = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)
_FAILURES_KEPT = 8

Event = tuple[str, str, dict[str, Any]]


class Keeper(Protocol):
    """What the webhooks need of their shop."""

    state: State
    lock: Any
    courier: Courier


def topic_name(enum: str) -> str:
    """``ORDER_TRANSACTIONS_CREATE`` of the API is ``order_transactions/create`` on the wire."""
    resource, _, event = enum.lower().rpartition("_")
    return f"{resource}/{event}"


def announce(keeper: Keeper, events: Iterable[Event]) -> None:
    """Queue each event (enum topic, what it is about, body) for every subscription of its topic. What happened at
    once shares one event id; each subscription's delivery has a webhook id of its own."""
    event_id, triggered = str(uuid.uuid4()), _nanoseconds()
    letters = []
    for topic, about, body in events:
        raw = payload.encode(body)
        for one in keeper.state.subscriptions.values():
            if one.topic == topic:
                letters.append(HookLetter(keeper, one.id, about, raw, event_id, str(uuid.uuid4()), triggered))
    keeper.courier.enqueue(*letters)


def _nanoseconds() -> str:
    """Now, with nine digits behind the second; the last three are always zero here."""
    return f"{clock.real_now():%Y-%m-%dT%H:%M:%S.%f}000Z"


@dataclass(slots=True)
class HookLetter:
    """One delivery with all its retries."""

    keeper: Keeper
    subscription_id: int
    about: str
    body: bytes
    event_id: str
    webhook_id: str
    triggered: str
    tries: int = 0

    def deliver(self) -> float | None:
        with self.keeper.lock:
            one = self.keeper.state.subscriptions.get(self.subscription_id)
            if one is None:
                return None
            url, topic = one.uri, topic_name(one.topic)
            headers = self._headers(url, topic, one.name, self.keeper.state.client_secret)
        answer = self.keeper.courier.post("hook", topic, self.about, url, headers, self.body, timeout=5.0)
        return self._next_try(answer)

    def _next_try(self, answer: Answer) -> float | None:
        """Any 2xx settles it; a redirect is a failure. Eight failures in a row delete the subscription."""
        with self.keeper.lock:
            one = self.keeper.state.subscriptions.get(self.subscription_id)
            if one is None:
                return None
            if 200 <= answer.status < 300:
                one.failures = 0
                return None
            one.failures += 1
            if one.failures >= _FAILURES_KEPT:
                del self.keeper.state.subscriptions[one.id]
                return None
        self.tries += 1
        return _RETRY_AFTER[self.tries - 1] if self.tries <= len(_RETRY_AFTER) else None

    def _headers(self, url: str, topic: str, name: str, secret: str) -> list[tuple[str, str]]:
        signature = base64.b64encode(hmac_sha256(secret.encode(), self.body)).decode()
        named = [("X-Shopify-Name", name)] if name else []
        return [
            ("Host", host_header(url)),
            ("User-Agent", "Shopify-Captain-Hook"),
            ("Content-Length", str(len(self.body))),
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
            ("Content-Type", "application/json"),
            ("X-Shopify-API-Version", API_VERSION),
            ("X-Shopify-Event-Id", self.event_id),
            ("X-Shopify-Hmac-Sha256", signature),
            *named,
            ("X-Shopify-Shop-Domain", DOMAIN),
            ("X-Shopify-Topic", topic),
            ("X-Shopify-Triggered-At", self.triggered),
            ("X-Shopify-Webhook-Id", self.webhook_id),
        ]
