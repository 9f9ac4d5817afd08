"""Shops that are being connected, as the other side of the one door out: each answers as its platform does."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from sqlalchemy import select

from plugin_backend.core.seal import records
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.vault import keys
from plugin_backend.sdk.http import HttpClient, Request, Response, hear
from plugin_backend.sdk.signing import hmac_sha256
from tests.contract.connector_shops import ShopifyShop, WooShop
from tests.house import TestHouse

KEYS = {"consumer_key": "ck_" + "a1" * 20, "consumer_secret": "cs_" + "b2" * 20}
APP = {"client_id": "c" * 32, "secret": "shpss_" + "d3" * 16}
MYSHOPIFY = "fjordlys-studio.myshopify.com"


class Woo(WooShop):
    """A WooCommerce at ``https://shop.example``. ``keys`` are those it knows; ``spoken`` is called before each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [KEYS]
        self.spoken: Callable[[Request], tuple[int, Any] | None] = lambda request: None

    def answer(self, request: Request) -> tuple[int, Any]:
        said = self.spoken(request)
        if said is not None:
            return said
        parts = urlsplit(request.url)
        if parts.hostname != "shop.example":
            return 404, b"<html>nobody here</html>"
        if parts.path == "/wp-json/":
            return 200, {"name": "Atelier Brume", "timezone_string": "Europe/Lisbon", "namespaces": ["wc/v3"]}
        if not parts.path.startswith("/wp-json/wc/v3/"):
            return 200, b"<html>a shop</html>"
        if not self._knows(request):
            return 401, {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 401}}
        if parts.path.endswith("/settings/general"):
            values = {"woocommerce_currency": "NOK", "woocommerce_default_country": "NO:03"}
            return 200, [{"id": name, "value": value} for name, value in values.items()]
        return super().answer(request)

    def _knows(self, request: Request) -> bool:
        given = request.headers.get("Authorization", "")
        return any(given == _basic(pair) for pair in self.keys)


def _basic(pair: dict[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(pair.values()).encode()).decode()


class Shopify(ShopifyShop):
    """A Shopify shop with an app of its owner's: codes are good once, tokens end after an hour, and a refresh gives new
    ones. A storefront under another name tells the permanent one."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = {"code-1"}
        self.tokens: list[str] = []
        self.refreshed: list[str] = []
        self.expires_in = 3600

    def answer(self, request: Request) -> tuple[int, Any]:
        parts = urlsplit(request.url)
        if parts.path == "/meta.json":
            return 200, {"name": "Fjordlys", "myshopify_domain": MYSHOPIFY}
        if parts.path == "/wp-json/":
            return 404, b"<html>no such page</html>"
        if parts.hostname != MYSHOPIFY:
            return 404, {}
        if parts.path == "/admin/oauth/access_token":
            return self._granted(json.loads(request.body))
        if request.headers.get("X-Shopify-Access-Token") not in self.tokens:
            return 401, {"errors": "[API] Invalid API key or access token"}
        if json.loads(request.body)["operationName"] == "ShopInfo":
            scopes = [{"handle": name} for name in ("write_orders", "read_customers", "read_products")]
            shop = {"name": "Fjordlys", "currencyCode": "NOK", "ianaTimezone": "Europe/Oslo"}
            return 200, {"data": {"shop": shop, "currentAppInstallation": {"accessScopes": scopes}}}
        return super().answer(request)

    def _granted(self, asked: dict[str, str]) -> tuple[int, Any]:
        if (asked["client_id"], asked["client_secret"]) != (APP["client_id"], APP["secret"]):
            return 401, {"error": "invalid_client"}
        if asked.get("grant_type") == "refresh_token":
            if asked["refresh_token"] != f"refresh-{len(self.tokens)}":
                return 400, {"error": "invalid_grant"}
            self.refreshed.append(asked["refresh_token"])
        elif asked["code"] not in self.codes:
            return 400, {"error": "invalid_request"}
        self.codes.discard(asked.get("code", ""))
        self.tokens.append(f"shpat_{len(self.tokens) + 1:032x}")
        granted = {"access_token": self.tokens[-1], "refresh_token": f"refresh-{len(self.tokens)}"}
        return 200, granted | {"expires_in": self.expires_in, "scope": "write_orders"}


class Wire:
    """The client that a house speaks through: it is heard like the real one, which still leads to this machine."""

    def __init__(self, shop: Any, real: HttpClient) -> None:
        self.shop, self.real = shop, real

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        if urlsplit(request.url).hostname == "127.0.0.1":
            return self.real.send(request, timeout=timeout)
        answer: Response = self.shop.send(request)
        hear(request, answer)
        return answer


@contextmanager
def on_the_wire(app: Flask, shop: Any) -> Iterator[Any]:
    """Inside, whatever leaves this application by HTTP is answered by ``shop``."""
    house = app.extensions["reprise"]
    before = {"_public": house.http(private=False), "_private": house.http(private=True)}
    vars(house).update({name: Wire(shop, door) for name, door in before.items()})
    try:
        yield shop
    finally:
        vars(house).update(before)


def settings_of(house: TestHouse, shop: Shop) -> dict[str, str]:
    """A connection's settings, opened by whoever has its key: a test is no purpose that the vault knows."""
    with house.of(shop) as session:
        row = session.scalars(select(Connection).where(Connection.shop_id == shop.id)).one()
        key = keys.by_id(session, shop.id, records.head_of(row.settings).key_id)
        opened: dict[str, str] = json.loads(records.open_with(key, row.place, row.settings))
        return opened


def approved_query(secret: str, **named: str) -> str:
    """What the owner's browser brings back from Shopify, signed with the app's secret."""
    message = "&".join(f"{name}={value}" for name, value in sorted(named.items()))
    return f"{message}&hmac={hmac_sha256(secret.encode(), message.encode()).hex()}"


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
