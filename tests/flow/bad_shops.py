"""Each platform's fake shop as a process, in one shape: what a shopper does in it, and what is made to go wrong."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from plugin_backend.core.registry import connectors
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.sdk.connector import Connector
from plugin_backend.sdk.http import HttpClient
from tests.contract.connector_golden import SETTINGS
from tests.flow.shop_process import CLIENT_SECRET, ROOT, TOKEN, launch, stop

_DIALECTS = {"woocommerce": "woo", "shopify": "shopify"}
_SHOPPER = {"email": "ana@shopper.example", "name": "Ana Lind Ek", "country": "FR", "consent": True}
_WOO = {
    "secret": "test-secret",
    "consumer_key": "ck_0123456789abcdef",
    "consumer_secret": "cs_0123456789abcdef",
}
_SHOPIFY = {"secret": CLIENT_SECRET, "access_token": TOKEN, "write_mode": "external_paid_order"}


@dataclass(frozen=True)
class BadShop:
    """A running fake shop of one platform. ``settings`` are those that an owner would type."""

    platform: str
    base: str
    settings: dict[str, str]
    http: httpx2.Client

    def connector(self, *, timeout: float = 30.0) -> Connector:
        return connectors()[self.platform](self.settings, HttpClient(allow_private=True, timeout=timeout))

    def hear(self, url: str) -> None:
        """From here on the shop's webhooks lead to ``url``."""
        dialect = _DIALECTS.get(self.platform)
        if dialect:
            plugin = {"plugin_secret": self.settings["plugin_secret"]} if dialect == "woo" else {}
            keys = {name: value for name, value in self.settings.items() if name != "url"}
            self.control("connect", {"dialect": dialect, "webhook_url": url, **keys, **plugin})
        elif self.connector().capabilities.webhooks_api:
            self.connector().ensure_webhooks(url)
        else:
            self.control("hook", {"webhook_url": url})

    def leave(self) -> str:
        """A shopper with consent fills a basket and leaves; the key under which it can be reserved."""
        dialect = _DIALECTS.get(self.platform)
        if not dialect:
            return str(self.control("leave", {})["cart_key"])
        return str(self.control("shopper", {"dialect": dialect, "outcome": "leave", **_SHOPPER})["key"])

    def buy(self) -> None:
        """A shopper fills a basket and buys it at the shop's own checkout."""
        dialect = _DIALECTS.get(self.platform)
        if dialect:
            self.control("shopper", {"dialect": dialect, "outcome": "buy", **_SHOPPER})
        else:
            self.control("buy", {"cart_key": self.leave()})

    def wrong(self, **switches: Any) -> None:
        """Exactly this goes wrong from now on."""
        self.control("switches", {**dataclasses.asdict(Switches()), **switches})

    @property
    def currency(self) -> str:
        return "NOK" if self.platform == "shopify" else "EUR"

    def hooks_standing(self) -> int:
        """How many of the shop's webhooks still send, at a platform that ends them after failures."""
        state = self.http.get(f"{self.base}/_control/state").json()
        if self.platform == "woocommerce":
            return sum(hook["status"] == "active" for hook in state["woo"]["webhooks"])
        return len(state["shopify"]["subscriptions"])

    def orders_with(self, key: str) -> int:
        """How many of the shop's orders carry our key."""
        state = self.http.get(f"{self.base}/_control/state").json()
        orders = state[_DIALECTS[self.platform]]["orders"] if self.platform in _DIALECTS else state["orders"]
        return sum(key in json.dumps(order) for order in orders)

    def deliveries(self) -> list[dict[str, Any]]:
        """What left the shop, hellos apart."""
        state = self.http.get(f"{self.base}/_control/state").json()
        part = state[_DIALECTS[self.platform]] if self.platform in _DIALECTS else state
        return [sent for sent in part["deliveries"] if sent["kind"] != "ping"]

    def settle(self) -> None:
        """Wait until nothing is being delivered and nothing waits."""
        deadline = time.monotonic() + 30
        while not self.http.get(f"{self.base}/_control/idle").json()["idle"]:
            assert time.monotonic() < deadline, "deliveries are still under way"
            time.sleep(0.02)

    def control(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(f"{self.base}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def bad_shop(platform: str) -> Iterator[BadShop]:
    process, base = launch() if platform in _DIALECTS else _serve(platform)
    try:
        with httpx2.Client(trust_env=False, timeout=20.0) as http:
            yield BadShop(platform, base, _settings(platform, base), http)
    finally:
        stop(process)


def _serve(platform: str) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "tests.contract.shop_server", platform]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("fake shop: http://127.0.0.1:"), line
    return process, line.split()[-1].rstrip("/")


def _settings(platform: str, base: str) -> dict[str, str]:
    """The golden settings, with addresses that lead to the process."""
    if platform == "woocommerce":
        return {"url": f"{base}/woo", "plugin_secret": SETTINGS[platform]["plugin_secret"], **_WOO}
    if platform == "shopify":
        return {"url": f"{base}/shopify", **_SHOPIFY}
    moved = {name: f"{base}/shop/{name}" for name in ("callback_url",) if name in SETTINGS[platform]}
    return {**SETTINGS[platform], "url": f"{base}/shop", **moved}
