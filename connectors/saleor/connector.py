"""The connector of Saleor. The platform's words end here and in the modules beside."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Literal

from marshmallow import Schema, fields, validate

from connectors.saleor import orders, setup
from connectors.saleor.graphql import CHECKOUTS, ORDERS, Api, api_url, nodes
from connectors.saleor.payload import Order, cart, events_of, kind_of, order_events
from plugin_backend.sdk.connector import (
    Capabilities,
    CartChanged,
    Change,
    Check,
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
    WebhookState,
    WrittenBack,
)
from plugin_backend.sdk.errors import BadSignature, Refused, Unreadable
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.payload import read_json
from plugin_backend.sdk.signing import hmac_sha256


class Settings(Schema):
    """``secret`` is the webhook's ``secretKey``, with which Saleor makes its HMAC; ``old_secret`` is still accepted while it
    is changed. ``app_token`` is the token of the owner's app, needed to look into the shop and to write."""

    url = fields.Url(required=True, require_tld=False, schemes={"http", "https"})
    secret = fields.String(required=True, validate=validate.Length(min=1, max=200), metadata={"secret": True})
    old_secret = fields.String(validate=validate.Length(max=200), metadata={"secret": True})
    app_token = fields.String(validate=validate.Length(max=200), metadata={"secret": True})


class Saleor:
    name: ClassVar[str] = "saleor"
    title: ClassVar[str] = "Saleor"
    settings: ClassVar[type[Schema]] = Settings
    capabilities: ClassVar[Capabilities] = Capabilities(
        carts=True,
        consent=True,
        declines=False,
        reserve=True,
        part_paid=True,
        polling=True,
        webhooks_api=True,
    )
    guide: ClassVar[Guide] = setup.GUIDE

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._settings = settings
        self._http = http

    @property
    def can_write(self) -> bool:
        return bool(self._setting("app_token"))

    @property
    def own_checkout_only(self) -> bool:
        return False

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        return {name: settings[name] for name in ("secret", "old_secret") if settings.get(name)}

    @staticmethod
    def basket_keys(token: str) -> tuple[str, ...]:
        """A checkout's id, as its storefront has it: it is made of a random UUID."""
        return (f"checkout:{token}",) if orders.is_checkout(token) else ()

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """Saleor sends none."""
        return False

    @staticmethod
    def recognise(address: str, http: Client) -> str:
        return setup.recognise(address, http)

    def verify(self, delivery: Delivery) -> None:
        """The hex HMAC-SHA256 of the body. Without a ``secretKey`` Saleor signs with a key of its own instead, which says
        who sent it and not that it was sent to us: that is refused like any other."""
        given = _header(delivery, "signature").encode("utf-8", "replace")
        good = False
        for name in ("secret", "old_secret"):
            key = self._setting(name).encode("utf-8", "replace")
            good |= bool(key) and hmac.compare_digest(given, hmac_sha256(key, delivery.body).hex().encode())
        if not good or not delivery.body:
            raise BadSignature("the signature does not fit the body")

    def identify(self, delivery: Delivery) -> str:
        """A delivery has no id of its own, and a repetition is byte for byte the same: the body, which says when it was
        issued, is what tells two apart."""
        return hashlib.sha256(delivery.body).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        """By the body, which is signed; the header beside it is not."""
        return kind_of(delivery.body)

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        return events_of(read_json(delivery.body))

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        return orders.state(self._api(), key)

    def paid_with(self, order_key: str) -> PaidWith | None:
        """A payment app keeps its own tokens, which Saleor's API does not show."""
        return None

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        """Orders by the moment of their change; checkouts by its day, which is as fine as the platform filters them. What
        cannot be read is passed over: its webhook tells a person."""
        at = since.astimezone(UTC)
        document, name, changed = (
            (CHECKOUTS, "checkouts", at.date().isoformat())
            if kind == "carts"
            else (ORDERS, "orders", at.isoformat())
        )
        asked = {"after": cursor or None, "filter": {"updatedAt": {"gte": changed}}}
        found, further = nodes(self._api().ask(document, asked), name)
        return Page(tuple(event for value in found for event in _seen(kind, value)), further)

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        return setup.ensure_webhooks(self._api(), callback_url, self._setting("secret"), resign=resign)

    def reserve(self, reservation: Reservation) -> Reserved:
        return orders.reserve(self._api(), reservation)

    def write_back(self, change: Change) -> WrittenBack:
        return orders.write_back(self._api(), change)

    def install_url(self, install: Install) -> str:
        raise Refused("a shop of Saleor is connected by the token of an app, pasted here")

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        raise Refused("a shop of Saleor is connected by the token of an app, pasted here")

    @property
    def renew_at(self) -> datetime | None:
        """The token of an app does not expire."""
        return None

    def refresh(self) -> dict[str, str]:
        return {}

    def checks(self) -> Sequence[Check]:
        return setup.checks(self._asked())

    def facts(self) -> ShopFacts:
        return setup.facts(self._asked())

    def _setting(self, name: str) -> str:
        return self._settings.get(name) or ""

    def _asked(self) -> Api:
        return Api(self._http, api_url(self._setting("url")), self._setting("app_token"))

    def _api(self) -> Api:
        if not self.can_write:
            raise Refused("no_api_key")
        return self._asked()


def _header(delivery: Delivery, name: str) -> str:
    """Each header comes twice, as ``saleor-`` and, from older releases alone, as ``x-saleor-``."""
    return delivery.header(f"saleor-{name}") or delivery.header(f"x-saleor-{name}")


def _seen(kind: Literal["carts", "orders"], value: object) -> list[ShopEvent]:
    try:
        return [cart(value)] if kind == "carts" else order_events(Order(value))
    except Unreadable:
        return []
