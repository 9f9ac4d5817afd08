"""The fake Stripe as a real process for tests, and how the contract tests drive it."""

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import urlencode

from plugin_backend.sdk.gateway import PaidWith
from plugin_backend.sdk.http import HttpClient, Request, Response
from plugin_backend.sdk.money import Money
from tests.contract.stripe_fake.store import account_of, moves

# What the contract tests call a card, and the number that does it.
CARDS = {
    "paid": "4242424242424242",
    "pending": "4000000000000077",
    "requires_action": "4000002760003184",
    "declined_soft": "4000000000009995",
    "declined_hard": "4000000000009979",
    "declined_unknown_code": "4000000000009000",
    "sepa_debit": "FR1420041010050500013M02606",
}
_VERSION = "2026-03-25.dahlia"


class StripeProcess:
    """One process over one file. Each instance uses an account of its own."""

    gateway = "stripe"
    # Of the form that the adapter gives to a token, and nobody's.
    any_token = "pm_1OfNobody"
    every_method: ClassVar[dict[str, Any]] = {"sepa_debit": True}

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.url = ""
        self._child: subprocess.Popen[str] | None = None
        self._http = HttpClient(allow_private=True, timeout=10.0)
        self._new_keys(sepa_debit=False)

    def __enter__(self) -> "StripeProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._end(signal.SIGTERM)

    def start(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.contract.stripe_fake", "--port", str(port)]
        self._child = subprocess.Popen(
            [*command, "--ledger", str(self.ledger)], stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip().rpartition(" ")[2]
        assert self.url.startswith("http://127.0.0.1:"), "the fake did not start"

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        child, self._child = self._child, None
        assert child is not None and child.stdout is not None
        os.kill(child.pid, how)
        child.wait(timeout=10)
        child.stdout.close()

    def another_account(self, *, sepa_debit: bool = False) -> None:
        """Go on with an account that nobody used."""
        self._new_keys(sepa_debit=sepa_debit)
        if sepa_debit:
            self.facts(sepa_debit=True)

    def _new_keys(self, *, sepa_debit: bool) -> None:
        self.api_key = f"sk_test_fake{secrets.token_hex(8)}"
        self.webhook_secret = f"whsec_{secrets.token_hex(16)}"
        self.sepa_debit = sepa_debit

    def settings(self, callback_url: str = "") -> dict[str, str]:
        """The adapter's settings for the account in use, whose endpoint is at ``callback_url``."""
        if callback_url:
            self.facts(endpoint=callback_url, secret=self.webhook_secret)
        own = {"url": self.url, "api_key": self.api_key, "webhook_secret": self.webhook_secret}
        return own | ({"sepa_debit": "True"} if self.sepa_debit else {})

    def flawed(self, reason: str) -> dict[str, str] | None:
        """The settings of an account of which ``reason`` is wrong; None where this fake has none."""
        keys = {"wrong_key": "sk_test_of_nobody_here", "revoked": "sk_test_fake_revoked_1"}
        return self.settings() | {"api_key": keys[reason]} if reason in keys else None

    def takes_only(self, currency: str) -> bool:
        self.facts(takes_only=currency)
        return True

    def earlier_order(self) -> PaidWith:
        """How the shop's own order says that it was paid, with a card that the account in use has."""
        customer = self.api("POST", "customers", {})["id"]
        page = self.api(
            "POST",
            "checkout/sessions",
            {
                "mode": "setup",
                "customer": customer,
                "payment_method_types[0]": "card",
                "success_url": "https://shop.example/",
            },
        )
        self.type_card(page["url"], "paid")
        done = self.api("GET", f"checkout/sessions/{page['id']}?expand[0]=setup_intent.payment_method")
        stored = {
            "_stripe_customer_id": customer,
            "_stripe_source_id": done["setup_intent"]["payment_method"]["id"],
        }
        return PaidWith("stripe", "ch_3OfTheShop", stored)

    def type_card(self, page_url: str, card: str) -> Response:
        """Fill in and send the hosted page as a browser does; ``card`` is one of ``CARDS`` or a number."""
        return self._submit(page_url, {"number": CARDS.get(card, card)})

    def decide(self, page_url: str, decision: str) -> Response:
        """Press ``approve`` or ``refuse`` on the bank's page."""
        return self._submit(page_url, {"decision": decision})

    def lose_the_answer(self) -> None:
        """Let the next request that moves money be acted on and its answer be lost."""
        self.order(lost_answer=1)

    def order(self, **faults: int) -> None:
        """What goes wrong with the next requests that move money."""
        self._control("next", faults)

    def facts(self, **facts: Any) -> None:
        """How the account in use is: ``takes_only`` a currency, ``ahead`` by so many seconds, and so on."""
        self._control("facts", facts)

    def do(self, verb: str, **told: Any) -> dict[str, Any]:
        """Let something happen: ``settle`` a debit, ``end_refund``, ``dispute`` a payment, ``renew`` a card."""
        return self._control(f"do/{verb}", told)

    def api(self, method: str, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        """Ask the API by hand, without the adapter."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Stripe-Version": _VERSION}
        body = urlencode(form or {}).encode()
        answer = self._http.send(Request(method, f"{self.url}/v1/{path}", headers, body))
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def captured(self, reference: str) -> list[Money]:
        """What the file holds as captured under a reference, whether or not the process lives."""
        return self._moved("charge", reference)

    def refunded(self, reference: str) -> list[Money]:
        return self._moved("refund", reference)

    def _moved(self, kind: str, reference: str) -> list[Money]:
        found = moves(self.ledger, account_of(self.api_key))
        return [money(it.units, it.currency) for it in found if (it.kind, it.reference) == (kind, reference)]

    def _submit(self, page_url: str, form: dict[str, str]) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._http.send(Request("POST", page_url, headers, urlencode(form).encode()))

    def _control(self, path: str, told: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        body = json.dumps(told).encode()
        answer = self._http.send(Request("POST", f"{self.url}/_test/account/{path}", headers, body))
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found


def money(units: int, currency: str) -> Money:
    """Stripe's units as money, by the reference's words and not by the adapter's table: those of ISO 4217, but for kronur,
    which it counts in hundredths, and ariary, which it counts whole."""
    code = currency.upper()
    if code == "ISK":
        return Money(units // 100, code)
    return Money(units * 100 if code == "MGA" else units, code)


PROCESS = StripeProcess
