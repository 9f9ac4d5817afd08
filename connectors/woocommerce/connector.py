"""The connector of WooCommerce. The shop's words end here and in ``payload``."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from marshmallow import Schema, fields, validate

from connectors.woocommerce import orders, polling, setup
from connectors.woocommerce.api import Api
from connectors.woocommerce.payload import Order, events_of
from plugin_backend.sdk.connector import (
    Capabilities,
    CartChanged,
    CartRemoved,
    CartRestored,
    Change,
    Check,
    Connector,
    Guide,
    Install,
    OrderCancelled,
    OrderPlaced,
    Page,
    PaidWith,
    Reservation,
    Reserved,
    ShopEvent,
    ShopFacts,
    ShopSettings,
    WebhookState,
    WrittenBack,
)
from plugin_backend.sdk.errors import Refused, Unreadable
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.payload import Key, load, read_json
from plugin_backend.sdk.payload import Slim as SlimSchema
from plugin_backend.sdk.signing import check_base64_hmac, check_standard, standard_key
from plugin_backend.sdk.standard_payload import standard_events, standard_type

_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
# What ``wp_specialchars_decode`` knows with ENT_QUOTES; the zeros before a number are any.
_ENTITY = re.compile(
    r"&(?:(amp|#0*38|#x0*26)|(lt|#0*60|#x0*3c)|(gt|#0*62|#x0*3e)|(quot|#0*34|#x0*22)|(#0*39|#x0*27));", re.I
)
_CHARACTERS = "&<>\"'"


class Settings(ShopSettings):
    """``secret`` signs the core's webhooks, ``plugin_secret`` (else ``secret``) those of our plugin; ``old_secret`` is
    still accepted while a secret is changed. The consumer key is needed to look into the shop and to write."""

    plugin_secret = fields.String(validate=validate.Length(max=200), metadata={"secret": True})
    consumer_key = fields.String(validate=validate.Length(max=100), metadata={"secret": True})
    consumer_secret = fields.String(validate=validate.Length(max=100), metadata={"secret": True})


class _Deleted(SlimSchema):
    id = Key(required=True)


class WooCommerce(Connector):
    name: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce"
    settings: ClassVar[type[Schema]] = Settings
    capabilities: ClassVar[Capabilities] = Capabilities(
        carts=True,
        consent=True,
        declines=True,
        reserve=True,
        part_paid=True,
        polling=True,
        webhooks_api=True,
    )
    guide: ClassVar[Guide] = setup.GUIDE

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        super().__init__(settings, http)
        base = self._setting("url").rstrip("/")
        self._asked = Api(http, base, self._setting("consumer_key"), self._setting("consumer_secret"))

    @property
    def can_write(self) -> bool:
        return bool(self._setting("consumer_key") and self._setting("consumer_secret"))

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        return {
            name: settings[name] for name in ("secret", "old_secret", "plugin_secret") if settings.get(name)
        }

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """The form ``webhook_id=13`` that WordPress sends while a webhook is created, without any header of its own."""
        return (
            delivery.method == "POST"
            and delivery.header("content-type").startswith("application/x-www-form-urlencoded")
            and _PING.fullmatch(delivery.body) is not None
            and not delivery.header("webhook-signature")
            and not any(name.startswith("x-wc-") for name in delivery.headers)
        )

    @staticmethod
    def recognise(address: str, http: Client) -> str:
        return setup.recognise(address, http)

    def verify(self, delivery: Delivery) -> None:
        if delivery.header("webhook-signature"):
            secret = self._setting("plugin_secret") or self._setting("secret")
            secrets = [one for one in (secret, self._setting("old_secret")) if one]
            keys = [key for one in secrets for key in _plugin_keys(one)]
            check_standard(keys, dict(delivery.headers), delivery.body, delivery.received_at)
            return
        keys = [key for name in ("secret", "old_secret") for key in _core_keys(self._setting(name))]
        check_base64_hmac(keys, delivery.body, delivery.header("x-wc-webhook-signature"))

    def identify(self, delivery: Delivery) -> str:
        """The delivery id repeats within a second for different events, so that the body is part of what tells two
        deliveries apart."""
        if delivery.header("webhook-signature"):
            parts = ["plugin", delivery.header("webhook-id")]
        else:
            names = ("x-wc-webhook-id", "x-wc-webhook-delivery-id", "x-wc-webhook-topic")
            parts = ["core", *(delivery.header(name) for name in names)]
        parts.append(hashlib.sha256(delivery.body).hexdigest())
        return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        if delivery.header("webhook-signature"):
            return standard_type(delivery.body)
        return delivery.header("x-wc-webhook-topic")[:100]

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        if delivery.header("webhook-signature"):
            return standard_events(delivery.body)
        resource, _, event = delivery.header("x-wc-webhook-topic").partition(".")
        if resource != "order":
            return []
        body = read_json(delivery.body)
        if not isinstance(body, dict):
            raise Unreadable("the body is not an order but a list or a plain value")
        if event == "deleted":
            return [CartRemoved(key=f"order:{load(_DELETED, body)['id']}")]
        if "code" in body and "id" not in body:
            raise Unreadable("the shop could not show the order: its body is an error of the shop's own")
        order = Order(body)
        restored = event == "restored" and order.status != "trash"
        found = events_of(order)
        return [CartRestored(order.key, order.modified), *found] if restored else found

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        return orders.state(self._api(), key)

    def paid_with(self, order_key: str) -> PaidWith | None:
        return orders.paid_with(self._api(), order_key)

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        return polling.fetch(self._api(), kind, since, cursor)

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        return setup.ensure_webhooks(self._api(), callback_url, self._setting("secret"), resign=resign)

    def reserve(self, reservation: Reservation) -> Reserved:
        return orders.reserve(self._api(), reservation)

    def write_back(self, change: Change) -> WrittenBack:
        return orders.write_back(self._api(), change)

    def install_url(self, install: Install) -> str:
        return setup.install_url(install)

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        return setup.complete_install(install, delivery, self._http)

    def checks(self) -> Sequence[Check]:
        return setup.checks(self._asked, self._http, can_write=self.can_write)

    def facts(self) -> ShopFacts:
        return setup.facts(self._asked, self._http)

    def _api(self) -> Api:
        if not self.can_write:
            raise Refused("no_api_key")
        return self._asked


_DELETED = _Deleted()


def _core_keys(secret: str) -> list[bytes]:
    """The keys that a secret may stand for: WordPress signs with the secret's entities decoded, and the owner may
    have copied it before or after."""
    decoded = _ENTITY.sub(lambda found: _CHARACTERS[(found.lastindex or 1) - 1], secret)
    return [key.encode("utf-8", "replace") for key in dict.fromkeys((secret, decoded)) if key]


def _plugin_keys(secret: str) -> list[bytes]:
    """The secret's bytes as they are and, where it is base64 with or without ``whsec_``, what that stands for."""
    keys = [secret.encode("utf-8", "replace")]
    try:
        return [standard_key(secret), *keys]
    except ValueError:
        return keys
