"""The sandbox gateway as a real process for tests, and how the contract tests drive it.

``PROCESS`` is what the contract tests look for in every ``*_process.py`` of this folder: an adapter that has a fake
gateway of its own brings a file like this one.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import urlencode

from plugin_backend.demo.gateway import judge
from plugin_backend.demo.gateway.cards import BY_NAME
from plugin_backend.gateways.sandbox.gateway import EARLIER
from plugin_backend.sdk.gateway import PaidWith
from plugin_backend.sdk.http import Delivery, HttpClient, Request, Response
from plugin_backend.sdk.money import Money

# What the contract tests call a card, and the test card that does it.
CARDS = {
    "paid": "ok",
    "pending": "pending",
    "requires_action": "challenge_payment",
    "declined_soft": "limit",
    "declined_hard": "lost",
    "declined_unknown_code": "unknown",
    "sepa_debit": "debit",
}

_EARLIER: Mapping[str, Any] = {
    "reference": "shop-order-7",
    "amount": {"amount": 1000, "currency": "EUR"},
    "return_url": "https://shop.example/",
    "series": "instalment",
}


class SandboxProcess:
    """One gateway process over one ledger file. Each instance uses an account of its own."""

    gateway = "sandbox"
    any_token = "tok"
    # What ``another_account`` needs for an account that offers every kind of payment method.
    every_method: ClassVar[dict[str, Any]] = {"sepa_debit": True}

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.api_key = f"sk_test_sandbox_{secrets.token_hex(8)}"
        self.url = ""
        self.mode = "default"
        self.sepa_debit = False
        self._child: subprocess.Popen[str] | None = None
        self._http = HttpClient(allow_private=True, timeout=10.0)

    def __enter__(self) -> "SandboxProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self.stop()

    def start(self, port: int = 0) -> None:
        """Start on a free port (or the one given) and wait until it says where it listens."""
        command = [sys.executable, "-m", "plugin_backend.demo.gateway", "--port", str(port)]
        self._child = subprocess.Popen(
            [*command, "--ledger", str(self.ledger)], stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip().rpartition(" ")[2]
        assert self.url.startswith("http://127.0.0.1:"), "the gateway did not start"

    def stop(self) -> int:
        """End it as an operator does; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        child, self._child = self._child, None
        assert child is not None and child.stdout is not None
        os.kill(child.pid, how)
        code = child.wait(timeout=10)
        child.stdout.close()
        return code

    def another_account(self, mode: str = "default", *, sepa_debit: bool = False) -> None:
        """Go on with an account that nobody used, in a mode of the sandbox's."""
        self.api_key = f"sk_test_sandbox_{secrets.token_hex(8)}"
        self.mode, self.sepa_debit = mode, sepa_debit

    def settings(self, callback_url: str = "") -> dict[str, str]:
        """The adapter's settings for the account in use."""
        own = {"url": self.url, "api_key": self.api_key, "callback_url": callback_url, "mode": self.mode}
        return own | ({"sepa_debit": "True"} if self.sepa_debit else {})

    def flawed(self, reason: str) -> dict[str, str] | None:
        """The settings of an account of which ``reason`` is wrong; None where this fake has none."""
        keys = {"wrong_key": "sk_test_of_nobody", "revoked": f"{self.api_key}.revoked"}
        return self.settings() | {"api_key": keys[reason]} if reason in keys else None

    def takes_only(self, currency: str) -> bool:
        """Let the account in use take one currency only; False where this fake cannot."""
        self.switch(currencies=currency)
        return True

    def earlier_order(self) -> PaidWith:
        """How the shop's own order says that it was paid, with a card that the account in use has."""
        status, begun = self.api("POST", "/v1/setups", _EARLIER)
        assert status in (200, 201), begun
        self.type_card(begun["url"], "paid")
        card = self.api("GET", f"/v1/setups/{_EARLIER['reference']}")[1]["card"]
        return PaidWith("sandbox", "ch_of_the_shop", {EARLIER: card["token"]})

    def type_card(self, page_url: str, card: str) -> Response:
        """Fill in and send the hosted card page as a browser does; ``card`` is one of ``CARDS`` or a test card."""
        number = BY_NAME[CARDS.get(card, card)].number
        return self.submit(page_url, {"number": number, "iban": number, "expiry": "12/34", "code": "123"})

    def decide(self, page_url: str, decision: str) -> Response:
        """Press ``approve`` or ``refuse`` on a 3-D Secure page."""
        return self.submit(page_url, {"decision": decision})

    def submit(self, page_url: str, form: Mapping[str, str]) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._http.send(Request("POST", page_url, headers, urlencode(form).encode()))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        url = path if path.startswith("http") else self.url + path
        return self._http.send(Request("GET", url, headers or {}))

    def api(
        self, method: str, path: str, body: object = None, key: str = "", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Ask the API by hand, without the adapter."""
        sent = {"Content-Type": "application/json"} | headers
        if self.api_key:
            sent["Authorization"] = f"Bearer {self.api_key}"
        if key:
            sent["Idempotency-Key"] = key
        content = b"" if body is None else json.dumps(body).encode()
        answer = self._http.send(Request(method, self.url + path, sent, content))
        return answer.status, json.loads(answer.body)

    def switch(self, **switches: object) -> None:
        """Set switches of the account in use."""
        status, _ = self.api("POST", "/_test/switches", switches)
        assert status == 200

    def faults(self, **plan: object) -> dict[str, Any]:
        """Inject faults by chance for the account in use: ``seed``, ``rates``, ``late``. What was injected so far."""
        status, answer = self.api("POST", "/_test/faults", plan)
        assert status == 200, answer
        return answer

    def injected(self) -> dict[str, int]:
        """How many faults of each kind the process injected by chance, for whomever."""
        found: dict[str, int] = self.api("GET", "/_test/faults")[1]["injected"]
        return {kind: count for kind, count in found.items() if count}

    def lose_the_answer(self) -> None:
        """Let the next request be acted on and its answer be lost."""
        self.switch(lost_answer=1)

    def captured(self, reference: str) -> list[Money]:
        """What the ledger file holds as captured under a reference, whether or not the process lives."""
        return judge.captured(self.ledger, reference, self.api_key)

    def refunded(self, reference: str) -> list[Money]:
        moved = judge.movements(self.ledger, self.api_key)
        return [m.amount for m in moved if m.kind == "refund" and m.reference == reference]


PROCESS = SandboxProcess


class Receiver:
    """A web server on loopback that keeps the callbacks it gets, and answers them as told."""

    def __init__(self, *answers: int) -> None:
        self.deliveries: list[Delivery] = []
        self._answers = list(answers)
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.keep(Delivery(headers, body, datetime.now(UTC))))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callbacks"

    def keep(self, delivery: Delivery) -> int:
        with self._came:
            self.deliveries.append(delivery)
            self._came.notify_all()
            return self._answers.pop(0) if self._answers else 204

    def wait_for(self, count: int, timeout: float = 8.0) -> list[Delivery]:
        """The deliveries once there are ``count`` of them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.deliveries) >= count, timeout), "no callback came"
            return list(self.deliveries)
