"""What every gateway must hold against its own fake: a real process, found by the ``*_process.py`` files beside this
one. The fake's ledger is the judge of what was captured."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from plugin_backend.core.registry import gateways
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import (
    Absent,
    Captured,
    CardStored,
    ChargeChanged,
    ChargeRequest,
    Closed,
    Declined,
    Gateway,
    InDoubt,
    NotExecuted,
    Pending,
    RefundRequest,
    RequiresAction,
    SetupRequest,
    Succeeded,
    Trace,
)
from plugin_backend.sdk.http import HttpClient
from plugin_backend.sdk.money import Money
from tests.contract.gateway_process import Receiver

PRICE = Money(3334, "EUR")
_OWNERS: dict[str, str] = {}

_PROCESSES = {
    module.PROCESS.gateway: module.PROCESS
    for path in sorted(Path(__file__).parent.glob("*_process.py"))
    for module in [importlib.import_module(f"tests.contract.{path.stem}")]
}


@pytest.fixture(scope="module", params=list(_PROCESSES))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with _PROCESSES[request.param](tmp_path_factory.mktemp("gateway") / "ledger.jsonl") as process:
        yield process


@pytest.fixture
def process(running: Any) -> Any:
    running.another_account()
    return running


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ("paid", Succeeded),
        ("pending", Pending),
        ("requires_action", RequiresAction),
        ("declined_soft", Declined),
        ("declined_hard", Declined),
        ("declined_unknown_code", Declined),
    ],
)
def test_a_charge_and_its_look_up_agree(process: Any, card: str, kind: type) -> None:
    gateway = _live(process)
    outcome = gateway.charge(_charge(_token(process, gateway, card), "rp-1-1"))
    assert isinstance(outcome, kind)
    assert _find(process, gateway, "rp-1-1", outcome) == outcome
    assert process.captured("rp-1-1") == ([Money(3334, "EUR")] if kind is Succeeded else [])


@pytest.mark.parametrize("amount", [Money(1000, "JPY"), Money(1000, "EUR"), Money(1000, "KWD")])
def test_an_amount_arrives_in_the_minor_units_it_left_in(process: Any, amount: Money) -> None:
    gateway = _live(process)
    outcome = gateway.charge(_charge(_token(process, gateway, amount=amount), "rp-1-1", amount))
    assert isinstance(outcome, Succeeded)
    assert outcome.amount == amount
    assert process.captured("rp-1-1") == [amount]


def test_the_same_reference_twice_is_one_charge(process: Any) -> None:
    gateway = _live(process)
    request = _charge(_token(process, gateway), "rp-1-1")
    assert gateway.charge(request) == gateway.charge(request)
    assert process.captured("rp-1-1") == [request.amount]


def test_a_reference_with_another_amount_is_in_doubt_and_not_a_second_charge(process: Any) -> None:
    gateway = _live(process)
    token = _token(process, gateway)
    gateway.charge(_charge(token, "rp-1-1"))
    assert isinstance(gateway.charge(_charge(token, "rp-1-1", Money(1, "EUR"))), InDoubt)
    assert process.captured("rp-1-1") == [Money(3334, "EUR")]


def test_a_lost_answer_is_found_again(process: Any) -> None:
    gateway = _live(process)
    request = _charge(_token(process, gateway), "rp-1-1")
    process.lose_the_answer()
    assert isinstance(gateway.charge(request), InDoubt)
    assert isinstance(_find(process, gateway, "rp-1-1"), Succeeded)
    assert isinstance(gateway.charge(request), Succeeded)
    assert process.captured("rp-1-1") == [request.amount]


def test_a_reference_never_sent_is_absent(process: Any) -> None:
    gateway = _live(process)
    assert gateway.find("rp-never-sent") == Absent()
    if not gateway.capabilities.traces:
        assert gateway.find_refund("rr-never-sent") == Absent()


def test_a_closed_challenge_cannot_be_paid_later(process: Any) -> None:
    gateway = _able(process, "close")
    token = _token(process, gateway, "requires_action")
    outcome = gateway.charge(_charge(token, "rp-1-1", initiator="customer"))
    assert isinstance(outcome, RequiresAction)
    assert gateway.close("rp-1-1", outcome.gateway_id) == Closed()
    process.decide(outcome.url, "approve")
    assert not isinstance(gateway.find("rp-1-1"), Succeeded)
    assert process.captured("rp-1-1") == []


def test_closing_too_late_tells_of_the_capture(process: Any) -> None:
    gateway = _able(process, "close")
    gateway.charge(_charge(_token(process, gateway), "rp-1-1"))
    assert isinstance(gateway.close("rp-1-1"), Succeeded)
    assert isinstance(gateway.close("rp-never-sent"), InDoubt)


@pytest.mark.parametrize(("decision", "kind"), [("approve", Succeeded), ("refuse", Declined)])
def test_a_challenge_ends_as_the_customer_decides(process: Any, decision: str, kind: type) -> None:
    gateway = _live(process)
    token = _token(process, gateway, "requires_action")
    outcome = gateway.charge(_charge(token, "rp-1-1", initiator="customer"))
    assert isinstance(outcome, RequiresAction)
    for _ in range(2):
        back = process.decide(outcome.url, decision)
        # What a gateway adds to the address is its own affair.
        assert (back.status, back.headers["location"].partition("?")[0]) == (
            303,
            "https://house.example/back",
        )
    assert isinstance(_find(process, gateway, "rp-1-1", outcome), kind)
    assert len(process.captured("rp-1-1")) == (kind is Succeeded)


def test_a_refund_gives_back_once_and_never_more_than_was_captured(process: Any) -> None:
    gateway = _live(process)
    paid = gateway.charge(_charge(_token(process, gateway), "rp-1-1"))
    assert isinstance(paid, Succeeded)
    part = RefundRequest("ref-1", "rp-1-1", paid.gateway_id, Money(3000, "EUR"))
    first = gateway.refund(part)
    assert isinstance(first, Succeeded) and first.amount == part.amount
    if gateway.capabilities.traces:
        trace = Trace(charge=paid.gateway_id, amount=part.amount)
        assert gateway.find_refund("ref-1", "", clock.real_now(), trace) == first
    else:
        assert gateway.refund(part) == first == gateway.find_refund("ref-1")
    more = gateway.refund(RefundRequest("ref-2", "rp-1-1", paid.gateway_id, Money(335, "EUR")))
    assert isinstance(more, NotExecuted) and more.permanent
    rest = gateway.refund(RefundRequest("ref-3", "rp-1-1", paid.gateway_id, Money(334, "EUR")))
    assert isinstance(rest, Succeeded)
    assert process.refunded("ref-1") + process.refunded("ref-2") + process.refunded("ref-3") == [
        Money(3000, "EUR"),
        Money(334, "EUR"),
    ]


def test_what_was_captured_and_given_back_is_listed(process: Any) -> None:
    gateway, since = _live(process), clock.real_now() - timedelta(seconds=1)
    paid = gateway.charge(_charge(_token(process, gateway), "rp-1-1"))
    assert isinstance(paid, Succeeded)
    gateway.refund(RefundRequest("ref-1", "rp-1-1", paid.gateway_id, Money(10, "EUR")))
    charge, refund = _listed(gateway, since)
    assert (charge.kind, charge.gateway_id, charge.amount) == ("charge", paid.gateway_id, Money(3334, "EUR"))
    assert (refund.kind, refund.amount) == ("refund", Money(10, "EUR"))
    if gateway.capabilities.traces:
        assert (charge.reference, refund.reference, refund.of) == ("set_1", "set_1", paid.gateway_id)
    else:
        assert (charge.reference, refund.reference) == ("rp-1-1", "ref-1")
    assert gateway.list_since(clock.real_now() + timedelta(hours=1)).movements == ()


def test_a_detached_token_pays_nothing_any_more(process: Any) -> None:
    gateway = _able(process, "detach")
    token = _token(process, gateway)
    gateway.detach(token)
    gateway.detach(token)
    assert isinstance(gateway.charge(_charge(token, "rp-1-1")), NotExecuted | Declined)
    assert process.captured("rp-1-1") == []


def test_a_setup_begun_twice_is_one_page(process: Any) -> None:
    gateway = _able(process, "idempotency_window")
    assert gateway.begin_setup(_setup()) == gateway.begin_setup(_setup())


def test_a_gateway_that_is_not_there_executed_nothing(process: Any) -> None:
    nobody = type(_live(process))(process.settings() | {"url": "http://127.0.0.1:9"}, _client())
    outcome = nobody.charge(_charge(process.any_token, "rp-1-1"))
    assert isinstance(outcome, NotExecuted) and not outcome.permanent
    assert isinstance(nobody.find("rp-1-1"), InDoubt)
    assert [flaw.reason for flaw in nobody.checks().flaws] == ["unreachable"]


def test_an_account_that_is_in_order_is_told_by_name_and_mode(process: Any) -> None:
    checked = _live(process).checks()
    assert checked.flaws == ()
    assert checked.mode == "test"
    assert type(_live(process)).mode_of(process.settings()) in ("test", "")


@pytest.mark.parametrize("reason", ["wrong_key", "revoked"])
def test_what_is_wrong_with_an_account_is_told_without_its_key(process: Any, reason: str) -> None:
    settings = process.flawed(reason)
    if settings is None:
        pytest.skip(f"the fake knows no account that is {reason}")
    gateway = type(_live(process))(settings, _client())
    checked = gateway.checks()
    assert [flaw.reason for flaw in checked.flaws] == [reason]
    secrets = _secrets(process, settings)
    assert not any(secret in repr(checked) for secret in secrets)
    outcome = gateway.charge(_charge(process.any_token, "rp-1-1"))
    assert isinstance(outcome, NotExecuted) and outcome.permanent
    assert process.captured("rp-1-1") == []


def test_a_currency_that_the_account_does_not_take_is_no_charge(process: Any) -> None:
    if not process.takes_only("EUR"):
        pytest.skip("the fake takes every currency")
    gateway = _live(process)
    assert gateway.checks().currencies in (frozenset({"EUR"}), None)
    outcome = gateway.charge(_charge(_token(process, gateway), "rp-1-1", Money(1000, "USD")))
    assert isinstance(outcome, NotExecuted | Declined)
    assert process.captured("rp-1-1") == []


def test_every_kind_that_is_offered_can_be_stored_and_charged_without_the_customer(process: Any) -> None:
    process.another_account(**process.every_method)
    gateway = _live(process)
    for number, method in enumerate(gateway.capabilities.methods):
        token = _token(process, gateway, kind=method.kind, reference=f"set_{number}")
        outcome = gateway.charge(_charge(token, f"rp-{number}-1", initiator="merchant"))
        assert isinstance(outcome, Succeeded | Pending)
        assert _find(process, gateway, f"rp-{number}-1", outcome) == outcome


def test_the_card_of_an_earlier_order_is_known_again_and_its_first_payment_authenticated(
    process: Any,
) -> None:
    gateway = _live(process)
    if not gateway.capabilities.recognises:
        pytest.skip(f"{gateway.name} takes no earlier card over")
    paid = process.earlier_order()
    known = gateway.recognise(paid)
    assert known is not None and len(known.last4) == 4
    assert gateway.recognise(replace(paid, transaction_id="", references={})) is None
    outcome = gateway.charge(replace(_charge(_owned(known), "rp-1-1"), authenticate=True))
    assert isinstance(outcome, RequiresAction)
    process.decide(outcome.url, "approve")
    assert process.captured("rp-1-1") == [PRICE]
    later = gateway.charge(_charge(known.token, "rp-2-1", initiator="merchant"))
    assert isinstance(later, Succeeded)


def test_the_card_of_another_merchants_order_is_not_known(process: Any) -> None:
    if not _live(process).capabilities.recognises:
        pytest.skip("no earlier card is taken over")
    paid = process.earlier_order()
    process.another_account()
    assert _live(process).recognise(paid) is None


def test_a_live_callback_is_signed_and_leads_to_the_charge(process: Any) -> None:
    _able(process, "signed_events")
    with Receiver() as receiver:
        gateway = type(_live(process))(process.settings(receiver.url), _client())
        gateway.charge(_charge(_token(process, gateway), "rp-1-1"))
        callbacks = receiver.wait_for(2)
    events = []
    for callback in callbacks:
        gateway.verify(callback)
        events += gateway.parse(callback)
    assert [e.reference for e in events if isinstance(e, ChargeChanged)] == ["rp-1-1"]


def test_killing_the_gateway_loses_no_captured_charge(process: Any) -> None:
    gateway = _live(process)
    token = _token(process, gateway)
    first = gateway.charge(_charge(token, "rp-1-1"))
    process.lose_the_answer()
    gateway.charge(_charge(token, "rp-2-1", initiator="merchant"))
    process.kill()
    assert isinstance(gateway.charge(_charge(token, "rp-3-1", initiator="merchant")), NotExecuted)
    process.start()
    gateway = _live(process)
    assert _find(process, gateway, "rp-1-1", first) == first
    assert isinstance(_find(process, gateway, "rp-2-1"), Succeeded)
    assert _find(process, gateway, "rp-3-1") == Absent()
    assert isinstance(gateway.charge(_charge(token, "rp-2-1", initiator="merchant")), Succeeded)
    assert process.captured("rp-2-1") == [Money(3334, "EUR")]


@cache
def _client() -> HttpClient:
    """One for all: to make one reads the certificates of the machine."""
    return HttpClient(allow_private=True, timeout=5.0)


def _live(process: Any) -> Gateway:
    return gateways()[process.gateway](process.settings(), _client())


def _able(process: Any, capability: str) -> Gateway:
    """The gateway, where it promises this; else there is nothing to hold it to."""
    gateway = _live(process)
    if not getattr(gateway.capabilities, capability):
        pytest.skip(f"{gateway.name} declares no {capability}")
    return gateway


def _find(process: Any, gateway: Gateway, reference: str, told: object = None) -> object:
    """Asked as the engine asks: with the id that it was told, and with all it knows."""
    gateway_id = getattr(told, "gateway_id", "")
    trace = Trace(setup=process.stored_by, opening=reference == "rp-1-1")
    return gateway.find(reference, gateway_id, clock.real_now(), trace)


def _listed(gateway: Gateway, since: datetime) -> list[Captured]:
    found, cursor = [], ""
    while True:
        page = gateway.list_since(since, cursor)
        found += page.movements
        cursor = page.cursor
        if not cursor:
            return found


def _setup(reference: str = "set_1", amount: Money = PRICE) -> SetupRequest:
    back = "https://house.example/back"
    return SetupRequest(reference, back, amount, "cus_1", "", "fr", "A chair in 3 payments", "instalment")


def _token(
    process: Any,
    gateway: Gateway,
    card: str = "paid",
    *,
    kind: str = "card",
    reference: str = "set_1",
    amount: Money = PRICE,
) -> str:
    page = gateway.begin_setup(replace(_setup(reference, amount), kind=kind))
    process.stored_by = page.gateway_id
    process.type_card(page.url, card if kind == "card" else kind)
    stored = gateway.complete_setup(reference, page.gateway_id)
    assert isinstance(stored, CardStored) and stored.kind == kind
    return _owned(stored)


def _owned(stored: CardStored) -> str:
    """The token, and whose it is: a charge is asked for with both."""
    _OWNERS[stored.token] = stored.gateway_customer
    return stored.token


def _secrets(process: Any, settings: dict[str, str]) -> list[str]:
    declared = gateways()[process.gateway].settings().fields
    return [value for name, value in settings.items() if value and declared[name].metadata.get("secret")]


def _charge(token: str, reference: str, amount: Money = PRICE, initiator: Any = "customer") -> ChargeRequest:
    back = "https://house.example/back"
    opening = initiator == "customer" and reference == "rp-1-1"
    words = ("instalment", "A chair, 1/3", "col-1", back, _OWNERS.get(token, ""))
    return ChargeRequest(reference, amount, token, initiator, *words, opening=opening)
