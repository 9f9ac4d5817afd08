"""What tests do with the house: add shops, send deliveries, let it come to rest, and let time pass."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, select, text

from plugin_backend.core.config import Config
from plugin_backend.core.db import CLOCK_ROLE, connect_args, engine_url, transaction
from plugin_backend.demo.gateway.book import CALLBACK_KEY_OF
from plugin_backend.demo.gateway.callbacks import signature
from plugin_backend.domain import merchants, moves, onboarding
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import hmac_sha256, sign_standard
from plugin_backend.worker import clock as clock_process
from plugin_backend.worker import jobs

SECRET = "test-secret"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"a test secret of 24 bytes").decode()


def command(settings: Config, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``reprise`` with these words, in a process of its own, as an operator runs it; ``more`` is added to its
    environment."""
    run = [sys.executable, "-m", "plugin_backend.cli", *words]
    given = {**environment(settings), **more}
    return subprocess.run(run, env=given, capture_output=True, text=True, timeout=60, check=False)


def environment(settings: Config) -> dict[str, str]:
    """What an operator gives a process of his."""
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "REPRISE_URL": settings.base_url,
        "REPRISE_KEYS": str(settings.keys),
        "MAIL_URL": settings.mail_url,
    }


class TestHouse:
    """One test's hold on the house. Work is done by the worker's own jobs, called here instead of rung for, so that an
    error in a job is an error in the test."""

    __test__ = False

    def __init__(self, web: Flask, worker: Flask, settings: Config) -> None:
        self.web, self.worker, self.settings = web, worker, settings
        self.shops: list[str] = []
        self._clock: Engine | None = None

    def close(self) -> None:
        if self._clock is not None:
            self._clock.dispose()

    def client(self) -> FlaskClient:
        return self.web.test_client()

    def add_shop(
        self,
        platform: str = "woocommerce",
        *,
        settings: dict[str, str] | None = None,
        sandbox: dict[str, str] | None = None,
        gateway: str = "sandbox",
        account: dict[str, str] | None = None,
        probed: bool = True,
        kind: Any = "instalments",
        **facts: Any,
    ) -> Shop:
        """A test shop; its clock is its own. Its account at the ``gateway`` (``sandbox`` has the settings of one at the
        sandbox) counts as ``probed``, so that a test's own requests are all that the gateway sees."""
        given = {"url": "http://127.0.0.1:9/shop", "secret": SECRET, **(settings or {})}
        shop_id = onboarding.new_shop_id()
        with self.worker.app_context(), transaction(shop_id) as session:
            shop = onboarding.add_shop(
                session, shop_id, platform=platform, settings=given, mode="test", kind=kind, **facts
            )
            if account or sandbox:
                row = onboarding.add_account(session, shop, gateway, account or sandbox or {})
                if probed:
                    moves.move(session, row, "probing")
                    moves.move(session, row, "passed")
                    row.rest(None)
        self.shops.append(shop_id)
        return shop

    def hook(self, shop: Shop) -> str:
        """The path of the shop's webhooks."""
        with self.worker.app_context(), transaction(shop.id) as session:
            row = session.scalars(select(Connection)).one()
            return merchants.hook_path(row.id, shop.id)

    def woo(self, shop: Shop, topic: str, body: dict[str, Any] | bytes, **headers: str) -> int:
        """Send a delivery as WooCommerce would; the status it was answered with."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = base64.b64encode(hmac.new(SECRET.encode(), raw, hashlib.sha256).digest()).decode()
        sent = {
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-ID": "7",
            "X-WC-Webhook-Delivery-ID": "d1",
            **headers,
        }
        answer = self.client().post(self.hook(shop), data=raw, headers=sent, content_type="application/json")
        return answer.status_code

    def shopify(self, shop: Shop, topic: str, body: dict[str, Any], *, delivery: str) -> int:
        """Send a delivery as Shopify would; the status it was answered with."""
        raw = json.dumps(body).encode()
        sent = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(
                hmac.new(SECRET.encode(), raw, hashlib.sha256).digest()
            ).decode(),
            "X-Shopify-Webhook-Id": delivery,
            "X-Shopify-Shop-Domain": "x.myshopify.com",
        }
        answer = self.client().post(self.hook(shop), data=raw, headers=sent, content_type="application/json")
        return answer.status_code

    def standard(self, shop: Shop, body: dict[str, Any], *, delivery: str = "msg_1") -> int:
        """Send a delivery as a shop of its own kind would, signed as Standard Webhooks; the status it was answered with."""
        raw = json.dumps(body).encode()
        sent = sign_standard(STANDARD_SECRET, delivery, clock.real_now(), raw)
        answer = self.client().post(self.hook(shop), data=raw, headers=sent, content_type="application/json")
        return answer.status_code

    def callback(
        self, shop: Shop, account_id: str, api_key: str, told: Any, *, query: str = "", **headers: str
    ) -> int:
        """Call as the sandbox gateway would, signed; the status it was answered with."""
        raw = json.dumps(told).encode()
        stamp = str(int(clock.real_now().timestamp()))
        signed = signature(hmac_sha256(api_key.encode(), CALLBACK_KEY_OF), stamp, raw)
        with self.worker.app_context():
            path = merchants.hook_path(account_id, shop.id)
        answer = self.client().post(
            path, query_string=query, data=raw, headers={"Sandbox-Signature": signed, **headers}
        )
        return answer.status_code

    @contextmanager
    def of(self, shop: Shop) -> Iterator[Any]:
        """A transaction of the worker's for the shop, in the shop's time."""
        with self.worker.app_context(), self.in_time(shop), transaction(shop.id) as session:
            yield session

    def in_time(self, shop: Shop) -> AbstractContextManager[None]:
        return merchants.shop_time(merchants.load_shop(shop.id))

    def rest(self, shop: Shop) -> None:
        """Work everything off that is due now."""
        with self.worker.app_context():
            for _ in range(50):
                bells = self._due(shop)
                if not bells:
                    return
                for bell in bells:
                    jobs.drain(bell, shop.id)
        raise AssertionError(f"the house does not come to rest: {self._due(shop)}")

    def travel(self, shop: Shop, **span: float) -> None:
        """Let the shop's time pass, from due moment to due moment, the house coming to rest at each."""
        with self.worker.app_context():
            goal = clock.real_now() + merchants.load_shop(shop.id).clock_offset + timedelta(**span)
            with transaction(shop.id) as session:
                session.execute(
                    text("UPDATE shops SET travel_to = :at WHERE id = :id"), {"at": goal, "id": shop.id}
                )
        for _ in range(500):
            self.rest(shop)
            with self._clock_engine().connect() as connection:
                clock_process.travel(connection, self._timers())
                connection.commit()
            if self._has_arrived(shop):
                break
        else:
            raise AssertionError("the shop did not arrive: something is taken, or due again and again")
        self.rest(shop)

    def _has_arrived(self, shop: Shop) -> bool:
        """Another test may have left a shop of its own on its way, for which nobody works any more."""
        with self.worker.app_context():
            return merchants.load_shop(shop.id).travel_to is None

    def leases_run_out(self, shop: Shop) -> None:
        """What a worker held that died is due again, as it would be two minutes later."""
        with self.of(shop) as session:
            for table, _ in self._timers():
                own = {"at": clock.now(), "shop": shop.id}
                session.execute(text(f"UPDATE {table} SET due_at = :at WHERE taken AND shop_id = :shop"), own)
        self.rest(shop)

    def now(self, shop: Shop) -> datetime:
        with self.worker.app_context():
            return clock.real_now() + merchants.load_shop(shop.id).clock_offset

    def _due(self, shop: Shop) -> list[str]:
        with self._clock_engine().connect() as connection:
            return sorted(
                {
                    bell
                    for bell, shop_id in clock_process.due_shops(connection, self._timers())
                    if shop_id == shop.id
                }
            )

    def _clock_engine(self) -> Engine:
        if self._clock is None:
            self._clock = create_engine(
                engine_url(self.settings.database_url), connect_args=connect_args(CLOCK_ROLE)
            )
        return self._clock

    def _timers(self) -> list[tuple[str, str]]:
        return [(model.__tablename__, bell) for model, bell in jobs.timers()]
