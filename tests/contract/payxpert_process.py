"""PayXpert's stand-in as a real process for tests, and how the contract tests drive it."""

import base64
import html
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from plugin_backend.sdk.http import HttpClient, Request, Response
from plugin_backend.sdk.money import Money
from tests.payxpert.book import captured, merchant_tokens, moved
from tests.payxpert.cards import CARDS as TEST_CARDS

# What the contract tests call a card, and the test card that does it.
CARDS = {
    "paid": "ok",
    "pending": "pending",
    "requires_action": "challenge_payment",
    "declined_soft": "limit",
    "declined_hard": "lost",
    "declined_unknown_code": "unknown",
}
_FORM = re.compile(r'<form id="(next|back)" method="post" action="([^"]*)">')
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class PayXpertProcess:
    """One process over one SQLite file. Each instance uses an originator of its own."""

    gateway = "payxpert"
    any_token = "no-such.payment"
    every_method: Mapping[str, str] = {}

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.originator = self.password = self.url = ""
        self._facts: dict[str, Any] = {}
        self._child: subprocess.Popen[str] | None = None
        self._http = HttpClient(allow_private=True, timeout=10.0)

    def __enter__(self) -> "PayXpertProcess":
        self.start()
        self.another_account()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        if self._child is not None:
            self._end(signal.SIGTERM)

    def start(self, port: int = 0) -> None:
        """Start on a free port (or the one given) and wait until it says where it listens."""
        command = [sys.executable, "-m", "tests.payxpert", "--port", str(port), "--ledger", str(self.ledger)]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip().rpartition(" ")[2]
        assert self.url.startswith("http://127.0.0.1:"), "the gateway did not start"

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        assert child is not None and child.stdout is not None
        os.kill(child.pid, how)
        child.wait(timeout=10)
        child.stdout.close()

    def another_account(self, **facts: Any) -> None:
        """Go on with an originator that nobody used. ``facts``: ``lag`` of its export in seconds, ``currencies``, ``test``,
        ``revoked``."""
        self.originator, self.password = secrets.token_hex(4), secrets.token_urlsafe(12)
        self._facts = facts
        self.test("accounts", originator=self.originator, password=self.password, facts=facts)

    def settings(self, callback_url: str = "") -> dict[str, str]:
        return {
            "url": self.url,
            "originator": self.originator,
            "password": self.password,
            "mode": "test",
            "callback_url": callback_url,
            "lag_seconds": str(self._facts.get("lag") or 0),
        }

    def flawed(self, reason: str) -> dict[str, str] | None:
        """The settings of an account with which this is wrong; None where PayXpert has no such account."""
        if reason == "wrong_key":
            return self.settings() | {"password": "not the password"}
        if reason == "revoked":
            self.another_account(revoked=True)
            return self.settings()
        return None

    def takes_only(self, currency: str) -> bool:
        self.another_account(currencies=[currency])
        return True

    def type_card(self, page_url: str, card: str) -> Response:
        """Fill in and send the hosted card page as a browser does; ``card`` is one of ``CARDS`` or a test card."""
        number = TEST_CARDS[CARDS.get(card, card)].number
        came = self._submit(page_url, {"number": number, "expiry": "12/34", "code": "123"})
        if "/challenge" in came.headers.get("location", "") and not card.startswith("challenge"):
            return self.decide(came.headers["location"], "approve")
        return came

    def decide(self, page_url: str, decision: str) -> Response:
        """Answer the bank, ``approve`` or ``refuse``; on a page that asks for a card first, type one that it asks about."""
        if not page_url.endswith("/challenge"):
            came = self.type_card(page_url, "challenge")
            page_url = came.headers["location"]
            if not page_url.endswith("/challenge"):
                return came
        return self._submit(page_url, {"decision": decision})

    def _submit(self, page_url: str, form: Mapping[str, str]) -> Response:
        """What a browser does next stands as a redirect in ``location``: the bank's page, or the way back, to which the
        redirect's data was posted: that is the body."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._http.send(Request("POST", page_url, headers, urlencode(form).encode()))
        text = answer.body.decode()
        found = _FORM.search(text)
        if found is None:
            return answer
        data = ""
        if found[1] == "back":
            hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(text)}
            assert set(hidden) == {"data", "customer"}
            data = hidden["data"]
        return Response(303, {"location": urljoin(page_url, html.unescape(found[2]))}, data.encode())

    def test(self, what: str, **body: Any) -> dict[str, Any]:
        """Ask the test side."""
        sent = Request(
            "POST",
            f"{self.url}/_test/{what}",
            {"Content-Type": "application/json"},
            json.dumps(body).encode(),
        )
        answer: dict[str, Any] = json.loads(self._http.send(sent).body)
        return answer

    def lose_the_answer(self) -> None:
        self.test("lose", count=1)

    def expire(self, page_url: str) -> None:
        self.test("expire", customer=urlsplit(page_url).path.rpartition("/")[2])

    def captured(self, reference: str) -> list[Money]:
        """What the file holds as taken under a reference. A capture has none of its own, but the set-up's: those of the
        account's set-ups are the tests' first charge, ``rp-1-1``."""
        rows = captured(self.ledger, self.originator)
        return [
            Money(row["amount"], row["currency"])
            for row in rows
            if row["orderid"] == reference or (reference == "rp-1-1" and row["operation"] == "capture")
        ]

    def refunded(self, reference: str) -> list[Money]:
        """All that was given back, told once: PayXpert keeps no reference of a refund."""
        return self.given_back() if reference == "ref-1" else []

    def taken(self) -> list[Money]:
        """All that the account took."""
        rows = captured(self.ledger, self.originator)
        return [Money(row["amount"], row["currency"]) for row in rows]

    def given_back(self) -> list[Money]:
        rows = moved(self.ledger, self.originator, "refund")
        return [Money(row["amount"], row["currency"]) for row in rows]

    def let_go(self) -> int:
        """How many authorisations were cancelled."""
        return len(moved(self.ledger, self.originator, "cancel"))

    def by_hand(self, verb: str, transaction: str, amount: int) -> None:
        """What the merchant does himself in PayXpert's back office."""
        basic = base64.b64encode(f"{self.originator}:{self.password}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
        url = f"{self.url}/transaction/{transaction}/{verb}"
        answer = self._http.send(Request("POST", url, headers, json.dumps({"amount": amount}).encode()))
        assert json.loads(answer.body)["code"] == "000"

    def merchant_tokens(self) -> list[str]:
        """Of every payment that was prepared for the account."""
        return merchant_tokens(self.ledger, self.originator)


def opened(data: str, merchant: str) -> dict[str, Any]:
    """The redirect's data, opened as PayXpert's clients do."""
    key = base64.urlsafe_b64decode(merchant + "=" * (-len(merchant) % 4))
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    padded = decryptor.update(base64.urlsafe_b64decode(data)) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    told: dict[str, Any] = json.loads(unpadder.update(padded) + unpadder.finalize())
    return told


PROCESS = PayXpertProcess
