"""Faults by chance: seeded, counted, of every kind, and none of them moves money twice under one key."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plugin_backend.demo.gateway.faults import KINDS, ON_MOVES, Faults
from plugin_backend.gateways.sandbox import GATEWAY as Sandbox
from plugin_backend.sdk.errors import NoAnswer
from plugin_backend.sdk.gateway import InDoubt, RefundRequest, Succeeded
from plugin_backend.sdk.http import HttpClient
from plugin_backend.sdk.money import Money
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


@pytest.mark.parametrize(
    ("kind", "captures"),
    [
        ("lost_before", 0),
        ("lost_answer", 1),
        ("error_before", 0),
        ("error_after", 1),
        ("too_many", 0),
        ("garbage", 1),
        ("reset", 1),
    ],
)
def test_a_fault_leaves_a_charge_and_a_refund_in_doubt_and_nothing_twice(
    process: SandboxProcess, kind: str, captures: int
) -> None:
    gateway = story.sandbox(process)
    before = gateway.charge(story.charge(gateway.test_token(), "col-0"))
    assert isinstance(before, Succeeded)
    process.faults(seed=1, rates={kind: 1.0})
    refund = RefundRequest("ref-1", "col-0", before.gateway_id, Money(100, "EUR"))
    for _ in range(2):
        assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-1")), InDoubt)
        assert isinstance(gateway.refund(refund), InDoubt)
    assert len(process.captured("col-1")) == len(process.refunded("ref-1")) == captures
    process.api("DELETE", "/_test/faults")
    assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-1")), Succeeded)
    assert isinstance(gateway.refund(refund), Succeeded)
    assert len(process.captured("col-1")) == len(process.refunded("ref-1")) == 1


def test_in_progress_says_nothing_about_whether_money_moved(process: SandboxProcess) -> None:
    gateway = story.sandbox(process)
    process.faults(seed=4, rates={"in_progress": 1.0})
    for number in range(12):
        outcome = gateway.charge(story.charge(gateway.test_token(), f"col-{number}"))
        assert outcome == InDoubt("answered 409")
    assert {len(process.captured(f"col-{number}")) for number in range(12)} == {0, 1}


def test_a_slow_charge_is_captured_after_the_caller_gave_up(process: SandboxProcess) -> None:
    process.faults(seed=1, rates={"slow": 1.0}, late=1.0)
    hasty = Sandbox(process.settings(), HttpClient(allow_private=True, timeout=0.2))
    assert isinstance(hasty.charge(story.charge(hasty.test_token(), "col-1")), InDoubt)
    assert process.captured("col-1") == []
    end = time.monotonic() + 8
    while not process.captured("col-1"):
        assert time.monotonic() < end, "it was never captured"
        time.sleep(0.05)


def test_a_connection_is_closed_before_anything_is_read(process: SandboxProcess) -> None:
    """Connections know no account yet: the plan is for all, and stopped by somebody who asks until he gets through."""
    gateway = story.sandbox(process)
    process.get("/healthz")
    key, process.api_key = process.api_key, ""
    process.faults(seed=2, rates={"refused": 0.5})
    outcomes = [gateway.charge(story.charge(gateway.test_token(), f"col-{n}")) for n in range(20)]
    _stop(process)
    process.api_key = key
    kept = [bool(process.captured(f"col-{n}")) for n in range(20)]
    assert kept == [isinstance(outcome, Succeeded) for outcome in outcomes]
    assert {True, False} == set(kept)
    assert process.injected()["refused"] >= kept.count(False)


@pytest.mark.parametrize(("kind", "deliveries"), [("callback_twice", 2), ("callback_late", 1)])
def test_callbacks_come_twice_or_late_by_chance(process: SandboxProcess, kind: str, deliveries: int) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        process.faults(seed=1, rates={kind: 1.0}, late=0.5)
        sent = time.monotonic()
        gateway.charge(story.charge(gateway.test_token(), "col-1"))
        assert len({d.body for d in receiver.wait_for(deliveries)}) == 1
        assert kind != "callback_late" or time.monotonic() - sent >= 0.5


def test_callbacks_are_lost_or_come_out_of_order_by_chance(process: SandboxProcess) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        process.faults(seed=3, rates={"callback_lost": 0.4, "callback_out_of_order": 0.4})
        before = process.injected()
        for number in range(12):
            gateway.charge(story.charge(gateway.test_token(), f"col-{number}"))
        time.sleep(0.3)
        lost = process.injected()["callback_lost"] - before.get("callback_lost", 0)
        came = [e.reference for d in receiver.wait_for(12 - lost) for e in gateway.parse(d)]  # type: ignore[union-attr]
    assert 0 < lost < 12
    assert came != sorted(came, key=lambda reference: int(reference[4:]))


@pytest.mark.parametrize("kind", ["look_up_error", "look_up_lost"])
def test_a_look_up_that_fails_leaves_it_in_doubt(process: SandboxProcess, kind: str) -> None:
    gateway = story.sandbox(process)
    process.faults(seed=1, rates={kind: 1.0})
    assert isinstance(gateway.find("col-1"), InDoubt)
    assert isinstance(gateway.find_refund("ref-1"), InDoubt)


def test_every_fault_that_is_injected_is_counted_by_its_kind(process: SandboxProcess) -> None:
    gateway, before = story.sandbox(process), process.injected()
    process.faults(seed=5, rates={"garbage": 0.3, "too_many": 0.3})
    outcomes = [gateway.charge(story.charge(gateway.test_token(), f"col-{n}")) for n in range(30)]
    new = {kind: count - before.get(kind, 0) for kind, count in process.injected().items()}
    failed = [outcome for outcome in outcomes if isinstance(outcome, InDoubt)]
    assert new["garbage"] > 0 and new["too_many"] > 0
    assert new["garbage"] + new["too_many"] == len(failed) < 30


def test_the_same_request_meets_the_same_faults_in_every_run_whatever_came_between() -> None:
    keys = [f"charge col-{n}" for n in range(200)]

    def run(order: list[str], seed: int) -> dict[str, list[str]]:
        faults = Faults()
        faults.plan("acct", {"seed": seed, "rates": dict.fromkeys(ON_MOVES, 0.05)})
        met: dict[str, list[str]] = {key: [] for key in keys}
        for key in order * 2:
            met[key].append(faults.draw("acct", ON_MOVES, key))
        return met

    shuffled = random.Random(1).sample(keys, len(keys))
    first = run(keys, 7)
    assert run(shuffled, 7) == first != run(keys, 8)
    assert {fault for met in first.values() for fault in met} == {"", *ON_MOVES}
    assert any(met[0] != met[1] for met in first.values())


@pytest.mark.parametrize(
    "plan",
    [
        {"rates": {"loud": 0.1}},
        {"rates": {"garbage": 1.5}},
        {"rates": {"garbage": 0.6, "reset": 0.6}},
        {"seed": "x"},
        {"more": 1},
    ],
)
def test_a_plan_of_faults_that_cannot_be_read_changes_nothing(
    process: SandboxProcess, plan: dict[str, Any]
) -> None:
    process.faults(seed=9, rates={"too_many": 0.0})
    status, answer = process.api("POST", "/_test/faults", plan)
    assert status == 422 and answer["error"]["message"].startswith("cannot read")
    assert process.api("GET", "/_test/faults")[1]["seed"] == 9


def test_every_kind_is_shown_with_its_count(process: SandboxProcess) -> None:
    assert set(process.api("GET", "/_test/faults")[1]["injected"]) == set(KINDS)


def test_latency_is_waited_for_in_milliseconds(process: SandboxProcess) -> None:
    gateway = story.sandbox(process)
    gateway.charge(story.charge(gateway.test_token(), "col-1"))
    process.switch(latency=150)
    began = time.monotonic()
    assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-2")), Succeeded)
    assert 0.15 <= time.monotonic() - began < 5


def _stop(process: SandboxProcess) -> None:
    for _ in range(50):
        try:
            process.api("DELETE", "/_test/faults")
            return
        except NoAnswer:
            continue
