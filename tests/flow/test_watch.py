"""Looking at a shop before connecting it: from a laptop with nothing but a key, and in the dashboard."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from plugin_backend.domain.lookbacks import Lookback
from tests.flow.shop_process import ROOT, running_shop, visit
from tests.house import SECRET, TestHouse
from tests.shop_story import KEYS, connected_woo
from tests.web.test_dashboard import signed_in

ORDERS, PAGE = 10_000, 100
SETTINGS = [word for name, value in KEYS.items() for word in ("--set", f"{name}={value}")]


def watch(address: str, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose environment knows of no database, no keys and no address."""
    run = [sys.executable, "-m", "plugin_backend.cli", "watch", address, "--loopback", "--out", str(out)]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run([*run, *more], env=env, capture_output=True, text=True, timeout=200, check=False)


def test_the_command_counts_what_was_lost_and_shows_the_last_basket(tmp_path: Path) -> None:
    with running_shop() as process:
        told = {"dialect": "woo", "webhook_url": "http://127.0.0.1:9/", "secret": SECRET, "webhooks": False}
        process.control("connect", told | KEYS)
        for outcome, email in (("leave", "a"), ("declined", "b"), ("leave", "c"), ("buy", "c"), ("buy", "d")):
            visit(process, outcome, email=f"{email}@example.test")
        before = process.state()["woo"]
        done = watch(f"{process.base}/woo", tmp_path, *SETTINGS, "--json")
        assert done.returncode == 0, done.stderr
        assert process.state()["woo"] == before
    found = json.loads(done.stdout)
    assert (found["unpaid"], found["declined"], found["offerable"], found["by_mail"]) == (3, 1, 2, 1)
    assert "last 90 days: 3 unpaid orders, 1 declined" in found["says"][0]
    page = (tmp_path / "offer.html").read_text()
    assert "<style>" in page
    assert "@example.test" not in page + (tmp_path / "mail.html").read_text()


def test_without_a_key_the_names_that_are_wanted_are_told(tmp_path: Path) -> None:
    with running_shop() as process:
        done = watch(f"{process.base}/woo", tmp_path)
    assert done.returncode == 2
    assert "consumer_key, consumer_secret" in done.stderr
    assert not list(tmp_path.iterdir())


@contextmanager
def great_shop() -> Iterator[str]:
    """A WooCommerce of ten thousand orders, every fiftieth of them not paid."""
    every = [_order(number) for number in range(1, ORDERS + 1)]
    unpaid = [order for order in every if order["status"] == "pending"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if not path.endswith("/orders"):
                self._answer([] if "/wc/v3/" in path else {"namespaces": ["wc/v3"], "name": "Great"}, 0)
                return
            found = unpaid if "pending" in query["status"][0] else every
            begin = int(query["offset"][0])
            self._answer(found[begin : begin + PAGE], len(found))

        def _answer(self, value: Any, total: int) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("X-WP-Total", str(total))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _order(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "status": "processing" if number % 50 else "pending",
        "currency": "EUR",
        "total": "67.10",
        "date_created_gmt": "2026-11-01T10:00:00",
        "date_modified_gmt": "2026-11-01T10:00:00",
        "date_paid_gmt": "2026-11-01T10:00:00" if number % 50 else None,
        "billing": {"first_name": "Ana", "email": f"shopper{number}@example.test", "country": "FR"},
        "line_items": [{"name": "Lamp", "quantity": 1, "total": "67.10", "total_tax": "0"}],
        "meta_data": [{"key": f"_plugin_{field}", "value": "x" * 40} for field in range(20)],
    }


@pytest.mark.slow
def test_ten_thousand_orders_are_read_within_three_minutes(tmp_path: Path) -> None:
    with great_shop() as address:
        begun = time.monotonic()
        done = watch(address, tmp_path, *SETTINGS, "--json")
        took = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["unpaid"], found["offerable"]) == (200, 200)
    assert found["amounts"] == [{"amount": 200 * 6710, "currency": "EUR"}]
    assert took < 180


def test_the_dashboard_looks_back_by_a_worker_and_shows_how_far_it_has_come(
    house: TestHouse, site: str
) -> None:
    with connected_woo(house, name="Boutique Luna") as woo:
        operator = signed_in(house, woo.shop.merchant_id)
        woo.visit("leave", "a@example.test")
        woo.visit("declined", "b@example.test")
        here = f"/shops/{woo.shop.id}/watch"
        assert "Nobody has looked back yet" in operator.client.get(here, query_string={"lang": "en"}).text
        assert operator.post(here).status_code == 303
        waiting = operator.client.get(here)
        assert ("<progress" in waiting.text, waiting.headers["Refresh"]) == (True, "3")
        house.rest(woo.shop)
        shown = operator.client.get(here).text
        assert "2 unpaid orders, 1 of them refused payments" in shown
        page, mail = operator.client.get(f"{here}/page"), operator.client.get(f"{here}/mail")
        assert "Boutique Luna" in page.text
        assert "Boutique Luna" in mail.text
        assert "sandbox" in page.headers["Content-Security-Policy"]
        with woo.house.of(woo.shop) as session:
            row = session.scalars(select(Lookback)).one()
        assert (row.seen, row.secret) == ({}, b"")


def test_a_shop_that_cannot_be_asked_says_so(house: TestHouse) -> None:
    shop = house.add_shop()
    operator = signed_in(house, shop.merchant_id)
    operator.post(f"/shops/{shop.id}/watch")
    house.rest(shop)
    shown = operator.client.get(f"/shops/{shop.id}/watch", query_string={"lang": "en"}).text
    assert "a key that may read them is missing" in shown
