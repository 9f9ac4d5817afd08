"""The fake shop as a real process, a receiver for what it sends, and a client that signs as WooCommerce wants."""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from plugin_backend.demo.shop.switches import Switches

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


WOO_SECRET = "bench-&amp;-secret-&lt;é&gt;"  # what is typed; what signs has its entities decoded
WOO_KEY = "bench-&-secret-<é>".encode()
PLUGIN_SECRET = "whsec_" + base64.b64encode(b"plugin-secret-of-thirty-two-byte").decode()
CLIENT_SECRET = "hush-of-the-app"
TOKEN = "shpat_0123456789abcdef"
CALM = dataclasses.asdict(Switches())


@dataclass(frozen=True)
class ShopProcess:
    """A running fake shop. ``base`` has no slash at its end."""

    base: str
    pid: int
    http: httpx2.Client

    def control(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(f"{self.base}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Any:
        return self.http.get(f"{self.base}/_control/state").json()

    def settle(self) -> Any:
        """The state once nothing is being delivered and nothing waits."""
        deadline = time.monotonic() + 15
        while not self.http.get(f"{self.base}/_control/idle").json()["idle"]:
            assert time.monotonic() < deadline, "deliveries are still under way"
            time.sleep(0.02)
        return self.state()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "plugin_backend.demo.shop", *arguments]


def launch(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """The process on a free port, once it says that it is ready, and its address."""
    process = subprocess.Popen(
        command("--port", "0", *arguments), stdout=subprocess.PIPE, text=True, env=_environment(), cwd=ROOT
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("fake shop: http://127.0.0.1:"), line
    return process, line.split()[-1].rstrip("/")


def stop(process: subprocess.Popen[str]) -> int:
    """End exactly this process, and its exit status."""
    os.kill(process.pid, signal.SIGTERM)
    status = process.wait(timeout=10)
    assert process.stdout is not None
    process.stdout.close()
    return status


@contextmanager
def running_shop(*arguments: str) -> Iterator[ShopProcess]:
    process, base = launch(*arguments)
    try:
        with httpx2.Client(trust_env=False, timeout=20.0) as http:
            yield ShopProcess(base, process.pid, http)
    finally:
        stop(process)


@dataclass(frozen=True)
class Received:
    """A request as it came in: header names in their case and order."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    @property
    def topic(self) -> str:
        """What it is about, whichever of the three schemes it speaks."""
        if self.header("webhook-id"):
            return str(self.json()["type"])
        return self.header("X-WC-Webhook-Topic") or self.header("X-Shopify-Topic") or "ping"

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A plain web server that keeps what is posted to it and answers as ``answer`` says."""

    url: str
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], int] = lambda _: 200

    def topics(self) -> list[str]:
        return [one.topic for one in self.received]

    def of(self, topic: str) -> list[Received]:
        return [one for one in self.received if one.topic == topic]

    def clear(self) -> None:
        self.received.clear()


@contextmanager
def receiver() -> Iterator[Receiver]:
    kept = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = Received(self.path, list(self.headers.items()), body)
            kept.received.append(one)
            self.send_response(kept.answer(one))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/hooks/woo/opaque?x=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class WooClient:
    """Signs every request with OAuth 1.0a from RFC 5849, written apart from the shop's own reading of it."""

    shop: ShopProcess
    key: str
    secret: str
    method: str = "HMAC-SHA256"

    def signed(self, verb: str, path: str, **query: str) -> str:
        url = f"{self.shop.base}/woo/wp-json/wc/v3/{path}"
        pairs = query | {
            "oauth_consumer_key": self.key,
            "oauth_nonce": secrets.token_hex(8),
            "oauth_signature_method": self.method,
            "oauth_timestamp": str(int(time.time())),
        }
        joined = "&".join(f"{enc(name)}={enc(pairs[name])}" for name in sorted(pairs, key=enc))
        base = f"{verb}&{enc(url)}&{enc(joined)}"
        digest = hashlib.sha1 if self.method == "HMAC-SHA1" else hashlib.sha256
        raw = hmac.new(f"{enc(self.secret)}&".encode(), base.encode(), digest).digest()
        return f"{url}?{joined}&oauth_signature={enc(base64.b64encode(raw).decode())}"

    def ask(self, verb: str, path: str, body: Any = None, **query: str) -> httpx2.Response:
        return self.shop.http.request(verb, self.signed(verb, path, **query), json=body)


def enc(text: str) -> str:
    return quote(text, safe="-._~")


@contextmanager
def connected(shop: ShopProcess) -> Iterator[Receiver]:
    """Both storefronts connected to one receiver, which has seen the pings and forgotten them; all switches off."""
    with receiver() as kept:
        shop.control("switches", CALM)
        woo = {
            "dialect": "woo",
            "webhook_url": kept.url,
            "secret": WOO_SECRET,
            "plugin_secret": PLUGIN_SECRET,
        }
        shop.control("connect", woo | {"consumer_key": "ck_test", "consumer_secret": "cs_test"})
        shopify = {"dialect": "shopify", "webhook_url": kept.url, "secret": CLIENT_SECRET}
        shop.control("connect", shopify | {"access_token": TOKEN})
        kept.clear()
        yield kept
        shop.control("switches", CALM)


# WooCommerce merges what waits: a draft that opens and closes in an instant may be told of once instead of twice, so
# tests look at how a visit's deliveries end.
def visit(shop: ShopProcess, outcome: str, dialect: str = "woo", **more: Any) -> Any:
    person = {"email": "ana@example.test", "name": "Ana Müller 李", "country": "FR", "consent": True}
    seen = shop.control("shopper", {"dialect": dialect, "outcome": outcome} | person | more)
    shop.settle()
    return seen


def graphql(shop: ShopProcess, operation: str, /, token: str = TOKEN, **variables: Any) -> httpx2.Response:
    return shop.http.post(
        f"{shop.base}/shopify/admin/api/2026-10/graphql.json",
        json={"query": operation, "variables": variables},
        headers={"X-Shopify-Access-Token": token},
    )


def signature(key: bytes, body: bytes) -> str:
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()
