"""The sandbox gateway itself: its test cards, its switches, its clock and its ledger."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin_backend.demo.gateway import judge
from plugin_backend.demo.gateway.cards import BY_NAME, CARDS
from plugin_backend.gateways.sandbox import GATEWAY as Sandbox
from plugin_backend.gateways.sandbox.codes import DECLINES
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import (
    Decline,
    Declined,
    InDoubt,
    NotExecuted,
    Pending,
    Succeeded,
)
from plugin_backend.sdk.http import HttpClient
from tests.contract import sandbox_story as story
from tests.contract.gateway_process import Receiver, SandboxProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "ledger.jsonl") as process:
        yield process


@pytest.fixture
def process(running: SandboxProcess) -> SandboxProcess:
    running.another_account()
    return running


def test_the_demo_card_declines_its_second_charge_once(process: SandboxProcess) -> None:
    token = story.stored(process, "limit_once")
    outcomes = [story.sandbox(process).charge(story.charge(token, f"col-{n}")) for n in (1, 2, 3, 4)]
    assert [type(outcome) for outcome in outcomes] == [Succeeded, Declined, Succeeded, Succeeded]
    assert isinstance(outcomes[1], Declined)
    assert (outcomes[1].decline, outcomes[1].code) == (Decline.FUNDS, "card_limit")


@pytest.mark.parametrize(
    ("card", "decline"),
    [
        ("limit", Decline.FUNDS),
        ("funds", Decline.FUNDS),
        ("lost", Decline.NEVER),
        ("expired", Decline.NEW_DATA),
        ("needs_customer", Decline.AUTHENTICATION),
        ("processing", Decline.SYSTEM),
        ("fraud", Decline.FRAUD),
        ("unknown", Decline.UNKNOWN),
    ],
)
def test_each_declining_card_declines_in_its_way(
    process: SandboxProcess, card: str, decline: Decline
) -> None:
    outcome = story.sandbox(process).charge(story.charge(story.stored(process, card), "col-1"))
    assert isinstance(outcome, Declined) and outcome.decline is decline
    assert process.captured("col-1") == []


def test_every_code_of_a_card_but_the_unknown_one_is_in_the_table() -> None:
    codes = {code for card in CARDS for code in (card.present, card.absent, *(card.once or ("", ""))[1:])}
    assert codes - {"captured", "requires_action", "pending", "", *DECLINES} == {BY_NAME["unknown"].present}


def test_a_pending_charge_is_paid_when_the_accounts_day_is_over(process: SandboxProcess) -> None:
    gateway, token = story.sandbox(process), story.stored(process, "pending")
    assert isinstance(gateway.charge(story.charge(token, "col-1")), Pending)
    with clock.shifted(timedelta(hours=23)):
        assert isinstance(gateway.find("col-1"), Pending)
    with clock.shifted(timedelta(hours=25)):
        assert isinstance(gateway.find("col-1"), Succeeded)
    assert process.captured("col-1") == [story.PRICE]


def test_the_accounts_clock_goes_forward_with_the_shops_and_never_back(process: SandboxProcess) -> None:
    token, gateway = story.stored(process), story.sandbox(process)
    with clock.shifted(timedelta(days=30)):
        gateway.charge(story.charge(token, "col-1"))
    gateway.charge(story.charge(token, "col-2"))
    times = [m.at for m in judge.movements(process.ledger, process.api_key)]
    assert times == sorted(times)
    assert times[0] > clock.real_now() + timedelta(days=29)


def test_a_key_is_forgotten_after_its_window_as_the_capabilities_say(process: SandboxProcess) -> None:
    """Honest and nasty: who sends the same key again after a day charges twice."""
    token, gateway = story.stored(process), story.sandbox(process)
    gateway.charge(story.charge(token, "col-1"))
    assert gateway.capabilities.idempotency_window == timedelta(hours=24)
    with clock.shifted(timedelta(hours=23)):
        gateway.charge(story.charge(token, "col-1"))
    assert len(process.captured("col-1")) == 1
    with clock.shifted(timedelta(hours=25)):
        gateway.charge(story.charge(token, "col-1"))
    assert len(process.captured("col-1")) == 2


def test_ten_at_once_under_one_key_are_one_charge(process: SandboxProcess) -> None:
    token, outcomes = story.stored(process), []
    process.switch(slow=0.3)
    threads = [
        threading.Thread(
            target=lambda: outcomes.append(story.sandbox(process).charge(story.charge(token, "col-1")))
        )
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.captured("col-1") == [story.PRICE]
    assert {type(outcome) for outcome in outcomes} <= {Succeeded, InDoubt}


@pytest.mark.parametrize(
    ("switches", "kind", "captures"),
    [
        ({"lost_before": 1}, InDoubt, 0),
        ({"lost_answer": 1}, InDoubt, 1),
        ({"error_after": 1}, InDoubt, 1),
        ({"garbage": 1}, InDoubt, 1),
        ({"down": "503"}, InDoubt, 0),
        ({"down": "drop"}, InDoubt, 0),
        ({"next_decline": "lost_card"}, Declined, 0),
    ],
)
def test_a_switch_acts_on_the_next_charge_and_on_no_other_account(
    process: SandboxProcess, switches: dict[str, Any], kind: type, captures: int
) -> None:
    token = story.stored(process)
    process.switch(**switches)
    assert isinstance(story.sandbox(process).charge(story.charge(token, "col-1")), kind)
    assert len(process.captured("col-1")) == captures
    process.another_account()
    assert isinstance(story.sandbox(process).charge(story.charge(story.stored(process), "col-1")), Succeeded)


def test_a_slow_gateway_acts_after_the_caller_gave_up(process: SandboxProcess) -> None:
    """A look-up in between says "absent", which is why absence is no proof for a while."""
    token = story.stored(process)
    process.switch(slow=1.0)
    hasty = Sandbox(process.settings(), HttpClient(allow_private=True, timeout=0.2))
    assert isinstance(hasty.charge(story.charge(token, "col-1")), InDoubt)
    assert process.captured("col-1") == []
    _until(lambda: process.captured("col-1") == [story.PRICE])


def test_a_switch_that_cannot_be_read_changes_nothing(process: SandboxProcess) -> None:
    status, answer = process.api("POST", "/_test/switches", {"slow": "much", "lost_answer": 1, "loud": 1})
    assert status == 422 and answer["error"]["message"] == "cannot read: loud, slow"
    assert process.api("GET", "/_test/switches")[1]["lost_answer"] == 0


def test_switches_can_be_set_by_hand_and_reset(process: SandboxProcess) -> None:
    process.api("GET", "/v1/account")
    account = judge.account_of(process.api_key)
    answer = process.submit(
        process.url + "/switches", {"account": account, "slow": "0.0", "callback_off": "true"}
    )
    assert answer.status == 303
    assert process.api("GET", "/_test/switches")[1]["callback_off"] is True
    process.submit(process.url + "/switches", {"account": account, "reset": "1"})
    assert process.api("GET", "/_test/switches")[1]["callback_off"] is False


def test_an_unanswered_callback_is_sent_again_with_the_same_body(process: SandboxProcess) -> None:
    with Receiver(500) as receiver:
        gateway = story.sandbox(process, receiver.url)
        story.store(process, gateway, "ok")
        first, again = receiver.wait_for(2)
    assert first.body == again.body
    assert gateway.identify(first) == gateway.identify(again)
    assert gateway.topic(first) == "setup.completed"


def test_callbacks_come_twice_late_or_not_at_all_as_switched(process: SandboxProcess) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        process.switch(callback_twice=True)
        token = story.store(process, gateway, "ok")
        assert len({d.body for d in receiver.wait_for(2)}) == 1
        process.switch(callback_twice=False, callback_late=0.5)
        sent = time.monotonic()
        gateway.charge(story.charge(token, "col-1"))
        receiver.wait_for(3)
        assert time.monotonic() - sent >= 0.5
        process.switch(callback_late=0, callback_off=True)
        gateway.charge(story.charge(token, "col-2"))
        time.sleep(0.3)
        assert len(receiver.deliveries) == 3


def test_callbacks_come_out_of_order_as_switched(process: SandboxProcess) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process)
        token = story.store(process, gateway, "ok")
        process.switch(callback_out_of_order=True)
        told = story.sandbox(process, receiver.url)
        for n in range(4):
            told.charge(story.charge(token, f"col-{n}"))
        came = [json.loads(d.body)["data"]["reference"] for d in receiver.wait_for(4)]
    assert sorted(came) == ["col-0", "col-1", "col-2", "col-3"] != came


@pytest.mark.parametrize("key", ["x", "sk_live_1", "sk_test_other"])
def test_a_key_that_is_not_of_the_sandbox_has_no_account(process: SandboxProcess, key: str) -> None:
    process.api_key = key
    assert process.api("GET", "/v1/account")[0] == 401
    outcome = Sandbox(process.settings() | {"api_key": key}, story.client()).charge(
        story.charge("tok", "col-1")
    )
    assert outcome == NotExecuted("refused with 401", permanent=True)


@pytest.mark.parametrize(
    "change",
    [{"amount": {"amount": 0, "currency": "EUR"}}, {"amount": {"amount": 1.5, "currency": "EUR"}}, {"extra": 1},
     {"amount": {"amount": 1, "currency": "EURO"}}, {"series": "forever"}, {"token": None}, {"return_url": "javascript:1"}],
)  # fmt: skip
def test_a_charge_that_is_not_well_formed_is_refused(process: SandboxProcess, change: dict[str, Any]) -> None:
    body = {
        "reference": "col-1",
        "amount": {"amount": 1, "currency": "EUR"},
        "token": story.stored(process),
        "initiator": "merchant",
        "series": "instalment",
    }
    assert process.api("POST", "/v1/charges", body | change, key="k1")[0] == 422
    assert process.api("POST", "/v1/charges", body)[0] == 400
    assert process.api("POST", "/v1/charges", body, key="k1", **{"Sandbox-Time": "noon"})[0] == 400
    assert process.api("POST", "/v1/charges", body, key="k1")[0] == 201


def test_two_accounts_see_nothing_of_each_other(process: SandboxProcess) -> None:
    token = story.stored(process)
    story.sandbox(process).charge(story.charge(token, "col-1"))
    process.another_account()
    gateway = story.sandbox(process)
    assert isinstance(gateway.charge(story.charge(token, "col-1")), NotExecuted)
    assert gateway.list_since(clock.real_now() - timedelta(days=1)).movements == ()
    assert process.api("GET", "/_test/ledger")[1]["entries"][1:] == []


def test_the_movements_are_listed_page_by_page(process: SandboxProcess) -> None:
    gateway, token, since = (
        story.sandbox(process),
        story.stored(process),
        clock.real_now() - timedelta(seconds=5),
    )
    for n in range(103):
        gateway.charge(story.charge(token, f"col-{n}"))
    first = gateway.list_since(since)
    second = gateway.list_since(since, first.cursor)
    listed = [m.reference for m in first.movements + second.movements]
    assert listed == [f"col-{n}" for n in range(103)]
    assert first.cursor and not second.cursor


def test_no_card_number_and_no_api_key_is_ever_written_down(process: SandboxProcess) -> None:
    for card in CARDS:
        story.store(process, story.sandbox(process), card.name, f"setup-{card.name}")
    kept = process.ledger.read_bytes()
    page = process.get("/").body
    assert not [card.name for card in CARDS if card.number.encode() in kept + page]
    assert process.api_key.encode() not in kept + page


def test_the_page_of_what_was_seen_shows_charges_with_their_keys(process: SandboxProcess) -> None:
    story.sandbox(process).charge(story.charge(story.stored(process), "col-shown-1"))
    html = process.get("/", {"Accept-Language": "fr"}).body.decode()
    assert '<html lang="fr">' in html and "33,34 EUR" in html and html.count("col-shown-1") >= 2


def test_a_name_that_is_not_of_this_machine_is_not_answered(process: SandboxProcess) -> None:
    assert process.get("/healthz").status == 200
    assert process.get("/healthz", {"Host": "evil.example"}).status == 400


def test_a_line_that_a_crash_cut_off_is_cut_off_the_ledger(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "ledger.jsonl") as process:
        gateway, token = story.sandbox(process), story.stored(process)
        gateway.charge(story.charge(token, "col-1"))
        process.kill()
        with process.ledger.open("ab") as ledger:
            ledger.write(b'{"n":99,"kind":"charge.ma')
        process.start()
        assert isinstance(story.sandbox(process).charge(story.charge(token, "col-2")), Succeeded)
        assert [m.reference for m in judge.movements(process.ledger)] == ["col-1", "col-2"]
        assert process.stop() == 0


def test_two_gateways_do_not_write_one_ledger(process: SandboxProcess) -> None:
    second = _command(process.ledger)
    assert second.returncode == 1
    assert second.stderr.strip().endswith("is in use by another gateway")


def test_a_port_that_is_taken_and_a_host_that_others_reach_are_refused_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = _command(tmp_path / "ledger.jsonl", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1 and refused.stderr.startswith("The sandbox gateway cannot start: ")
    refused = _command(tmp_path / "ledger.jsonl", "--host", "0.0.0.0")
    assert refused.returncode == 2 and "loopback" in refused.stderr


def _command(ledger: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plugin_backend.demo.gateway", "--port", "0", "--ledger", str(ledger)]
    return subprocess.run([*command, *more], capture_output=True, text=True, timeout=20)


def _until(holds: Any, seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
