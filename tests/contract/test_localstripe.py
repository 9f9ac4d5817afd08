"""Stripe's adapter against ``localstripe``, a server that none of us wrote: a smoke test, never the judge of exactly-once. It
keeps no keys, refuses parameters that Stripe has (a description, ``return_url``, ``error_on_requires_action``, filters of
lists) and knows no Checkout. What it takes of what production sends is sent as production sends it; what it refuses is named
here, so that a version that learns it is noticed.

It is licensed under the GPL: it runs as a process of its own, and nothing of ours imports it.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from stripe import StripeClient

from plugin_backend.gateways.stripe import asks, payload
from plugin_backend.gateways.stripe.api import Answer, Api
from plugin_backend.gateways.stripe.gateway import Stripe
from plugin_backend.sdk.gateway import (
    CardStored,
    ChargeChanged,
    ChargeRequest,
    InDoubt,
    NotExecuted,
    RefundRequest,
    SetupRequest,
    Succeeded,
)
from plugin_backend.sdk.http import HttpClient, Request
from plugin_backend.sdk.money import Money
from tests.contract.gateway_process import Receiver

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("localstripe") is None,
    reason="LOCALSTRIPE IS NOT INSTALLED: pip install .[test]",
)
# Its own command listens on all interfaces and writes its memory to a file.
_LAUNCHER = """
import socket
import localstripe.resources as resources
resources.Store.dump_to_disk = lambda self: None
from aiohttp import web
from localstripe.server import app
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
web.run_app(app, sock=listening, print=None, access_log=None)
"""
SECRET = "whsec_of_localstripe"
PRICE = Money(3334, "EUR")
HTTP = HttpClient(allow_private=True, timeout=10.0)


@dataclass(frozen=True)
class Server:
    url: str

    @property
    def api(self) -> Api:
        return Api("sk_test_localstripe", self.url, HTTP)

    @property
    def gateway(self) -> Stripe:
        settings = {"api_key": "sk_test_localstripe", "url": self.url, "webhook_secret": SECRET}
        return Stripe(settings, HTTP)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _LAUNCHER], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    yield Server(f"http://127.0.0.1:{child.stdout.readline().strip()}")
    HTTP.close()
    child.terminate()
    child.wait(timeout=10)
    child.stdout.close()


def good(answer: Answer) -> Answer:
    assert answer.good, answer.error
    return answer


@pytest.fixture
def card(server: Server) -> tuple[str, str]:
    """A customer, made as production makes him, and a card that is attached to him by hand: production lets Stripe's page do
    that."""
    words = ("https://house.example/back", PRICE, "cus_1", "ana@example.test", "fr", "A chair", "instalment")
    customer = payload.name_of(good(server.api.ask(asks.customer(SetupRequest("set_1", *words)))))

    def new(api: StripeClient) -> object:
        number = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}
        return api.v1.payment_methods.create({"type": "card", "card": number})

    method = payload.name_of(good(server.api.ask(new)))
    good(server.api.ask(lambda api: api.v1.payment_methods.attach(method, {"customer": customer})))
    return method, customer


def paid(server: Server, card: tuple[str, str], reference: str = "rp-1") -> str:
    """A payment without the customer, in one request and without what localstripe refuses: its id."""
    method, customer = card
    answer = server.api.ask(
        lambda api: api.v1.payment_intents.create(
            {
                "amount": PRICE.minor,
                "currency": "eur",
                "customer": customer,
                "payment_method": method,
                "off_session": True,
                "confirm": True,
                "metadata": {payload.REFERENCE: reference},
                "expand": ["latest_charge"],
            }
        )
    )
    return payload.name_of(good(answer))


def test_a_payment_without_the_customer_is_found_by_its_id(server: Server, card: tuple[str, str]) -> None:
    name = paid(server, card)
    found = server.gateway.find("rp-1", name)
    # How much was received it does not say.
    assert isinstance(found, Succeeded) and found.gateway_id == name
    assert isinstance(server.gateway.find("rp-2", name), InDoubt)


def test_a_card_that_was_set_up_is_read_as_production_reads_it(server: Server, card: tuple[str, str]) -> None:
    """Its page is not there: what such a page does is done by hand, and read back as if it had."""
    method, customer = card

    def begin(api: StripeClient) -> object:
        kinds = {"payment_method_types": ["card"]}
        return api.v1.setup_intents.create({"customer": customer, "usage": "off_session", **kinds})  # type: ignore[typeddict-item]

    name = payload.name_of(good(server.api.ask(begin)))
    good(server.api.ask(lambda api: api.v1.setup_intents.confirm(name, {"payment_method": method})))
    shown = good(
        server.api.ask(lambda api: api.v1.setup_intents.retrieve(name, {"expand": ["payment_method"]}))
    )
    session = {
        "id": "cs_1",
        "status": "complete",
        "metadata": {payload.REFERENCE: "set_1"},
        "customer": customer,
        "setup_intent": shown.body,
    }
    stored = payload.setup_state(Answer(200, session), "set_1")

    assert isinstance(stored, CardStored)
    assert (stored.token, stored.gateway_customer, stored.last4) == (method, customer, "4242")


def test_a_paid_payment_cannot_be_closed(server: Server, card: tuple[str, str]) -> None:
    name = paid(server, card)
    assert not isinstance(server.gateway.close("rp-1", name), NotExecuted)
    assert isinstance(server.gateway.find("rp-1", name), Succeeded)


def test_a_part_is_given_back(server: Server, card: tuple[str, str]) -> None:
    part = RefundRequest("rr-1", "rp-1", paid(server, card), Money(1000, "EUR"))
    given = server.gateway.refund(part)
    assert isinstance(given, Succeeded) and given.amount == part.amount
    assert server.gateway.find_refund("rr-1", given.gateway_id) == given


def test_a_card_is_detached(server: Server, card: tuple[str, str]) -> None:
    server.gateway.detach(card[0])
    shown = good(server.api.ask(asks.method(card[0])))
    assert shown.body["customer"] is None


def test_a_signed_callback_leads_to_the_payment(server: Server, card: tuple[str, str]) -> None:
    with Receiver() as receiver:
        endpoint = {"url": receiver.url, "secret": SECRET, "events": ["payment_intent.succeeded"]}
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk_test_localstripe"}
        told = Request("POST", f"{server.url}/_config/webhooks/1", headers, json.dumps(endpoint).encode())
        assert HTTP.send(told).status == 200
        name = paid(server, card, "rp-called")
        told_of: list[tuple[str, str]] = []
        # It is a second late, and may still have to tell of what other tests paid.
        while ("rp-called", name) not in told_of:
            callback = receiver.wait_for(len(told_of) + 1)[len(told_of)]
            server.gateway.verify(callback)
            (event,) = server.gateway.parse(callback)
            assert isinstance(event, ChargeChanged)
            told_of.append((event.reference, event.gateway_id))


def test_what_it_refuses_of_what_production_sends(server: Server, card: tuple[str, str]) -> None:
    method, customer = card
    request = ChargeRequest("rp-9", PRICE, method, "merchant", "instalment", "1/3", "col-1")
    refused = server.api.ask(asks.create(replace(request, gateway_customer=customer)))
    assert (refused.status, refused.says("message")) == (400, "Unexpected description")
    intent = server.api.ask(
        lambda api: api.v1.payment_intents.create(
            {"amount": 100, "currency": "eur", "customer": customer, "payment_method": method}
        )
    )
    confirmed = server.api.ask(asks.confirm(request, payload.name_of(good(intent))))
    assert confirmed.status == 400 and confirmed.says("message").startswith("Unexpected ")
    assert server.api.ask(asks.page_again("cs_test_1")).status == 404
