"""The connector of Shopify. The platform's words end here and in the modules beside."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Literal

from marshmallow import Schema, fields, validate

from connectors.shopify import drafts, orders, reading, setup
from connectors.shopify.graphql import admin_api
from connectors.shopify.payload import READERS
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import (
    Capabilities,
    CartChanged,
    Change,
    Check,
    Connector,
    Guide,
    Install,
    OrderCancelled,
    OrderPlaced,
    Page,
    Reservation,
    Reserved,
    ShopEvent,
    ShopFacts,
    ShopSettings,
    WebhookState,
    WrittenBack,
)
from plugin_backend.sdk.errors import BadSignature, NotSent, Refused
from plugin_backend.sdk.graphql import GraphQL
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.payload import read_object
from plugin_backend.sdk.signing import check_base64_hmac

# Tokens are hashes of 32 digits, or longer and of letters: shorter ones, and numbers, could be tried out.
_TOKEN = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{24,200}")


class Settings(ShopSettings):
    """``secret`` is the client secret of the owner's custom app, which signs the webhooks; Shopify may go on signing
    with the one before, ``old_secret``, for an hour. The token is needed to look into the shop and to write; one that
    expires comes with a refresh token and its time. ``write_mode`` is how payments reach the shop: at its own checkout, to
    which a basket's link leads, which it is unless the owner says otherwise, or an invoice; or as orders that were paid
    elsewhere."""

    access_token = fields.String(validate=validate.Length(max=200), metadata={"secret": True})
    refresh_token = fields.String(validate=validate.Length(max=200), metadata={"secret": True})
    token_expires_at = fields.String(validate=validate.Length(max=40))
    client_id = fields.String(validate=validate.Length(max=100))
    write_mode = fields.String(validate=validate.OneOf(list(setup.WRITE_MODES)))


class Shopify(Connector):
    name: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify"
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

    @property
    def can_write(self) -> bool:
        return bool(self._setting("access_token"))

    @property
    def own_checkout_only(self) -> bool:
        return self._setting("write_mode") != setup.EXTERNAL

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        return {name: settings[name] for name in ("url", "secret", "old_secret") if settings.get(name)}

    @staticmethod
    def basket_keys(token: str) -> tuple[str, ...]:
        """A cart's token, as themes have it (with a key behind a question mark), or a checkout's, as the pixel has it."""
        name = token.partition("?")[0]
        return (f"cart:{name}", f"checkout:{name}") if _TOKEN.fullmatch(name) else ()

    @staticmethod
    def recognise(address: str, http: Client) -> str:
        return setup.recognise(address, http)

    def verify(self, delivery: Delivery) -> None:
        """Only the body is signed, and every shop of one app has one secret: the shop that the headers name must be
        ours, so that nobody's genuine delivery passes for another shop's."""
        if not delivery.body:
            raise BadSignature("an empty body says nothing, signed or not")
        keys = [self._setting(name).encode("utf-8", "replace") for name in ("secret", "old_secret")]
        check_base64_hmac(keys, delivery.body, _header(delivery, "hmac-sha256"))
        ours, named = setup.host_of(self._setting("url")), _header(delivery, "shop-domain").lower()
        if setup.is_shopify_host(ours) and named and named != ours:
            raise BadSignature("the delivery is about another shop")

    def identify(self, delivery: Delivery) -> str:
        """The webhook id stays over retries, and the body with it."""
        names = ("webhook-id", "topic")
        parts = [*(_header(delivery, name) for name in names), hashlib.sha256(delivery.body).hexdigest()]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        return _header(delivery, "topic").lower()[:100]

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        read = READERS.get(self.topic(delivery))
        if read is None or _header(delivery, "test").lower() == "true":
            return []
        return read(read_object(delivery.body))

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        return reading.state(self._admin(), key)

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        return reading.fetch(self._admin(), kind, since, cursor)

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        """The secret is the app's own, which Shopify knows."""
        return setup.ensure_webhooks(self._admin(), callback_url)

    def reserve(self, reservation: Reservation) -> Reserved:
        admin = self._admin()
        if self.own_checkout_only:
            raise Refused("own_checkout")
        return orders.reserve(admin, reservation)

    def checkout(self, reservation: Reservation) -> str:
        if self._setting("write_mode") == setup.DRAFT:
            return drafts.invoice(self._admin(), reservation)
        return reading.recovery(self._admin(), reservation.cart_key)

    def write_back(self, change: Change) -> WrittenBack:
        return orders.write_back(self._admin(), change)

    def install_url(self, install: Install) -> str:
        return setup.install_url(install, self._setting("client_id"), self._setting("write_mode"))

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        return setup.complete_install(install, delivery, self._settings, self._http)

    @property
    def renew_at(self) -> datetime | None:
        return setup.renew_at(self._settings)

    def refresh(self) -> dict[str, str]:
        return setup.refresh(self._base(), self._settings, self._http)

    def checks(self) -> Sequence[Check]:
        return setup.checks(self._asked(), self._setting("write_mode"))

    def facts(self) -> ShopFacts:
        return setup.facts(self._admin())

    def _base(self) -> str:
        return self._setting("url").rstrip("/")

    def _asked(self) -> GraphQL:
        ends = setup.expires_at(self._settings)
        if ends is not None and ends <= clock.real_now():
            raise NotSent("the access token has ended and is being renewed")
        return admin_api(self._http, self._base(), self._setting("access_token"))

    def _admin(self) -> GraphQL:
        if not self.can_write:
            raise Refused("no_api_key")
        return self._asked()


def _header(delivery: Delivery, name: str) -> str:
    """Newer deliveries drop the ``x-``; where both are there the newer one is meant."""
    return delivery.header(f"shopify-{name}") or delivery.header(f"x-shopify-{name}")
