"""The sandbox's modes: each copies a weakness of a real gateway, and declares it, but for the one that lies."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from plugin_backend.demo.gateway.modes import MODES as BEHAVIOURS
from plugin_backend.gateways.sandbox.modes import MODES
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.gateway import (
    Absent,
    CardUpdated,
    ChargeChanged,
    Declined,
    DisputeChanged,
    GatewayEvent,
    InDoubt,
    Pending,
    RefundChanged,
    RefundRequest,
    RequiresAction,
    Succeeded,
)
from plugin_backend.sdk.money import Money
from tests.contract import sandbox_story as story
from tests.contract.gateway_process import Receiver, SandboxProcess

ONE_EURO = Money(100, "EUR")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox") / "ledger.jsonl") as process:
        yield process


@pytest.fixture
def process(running: SandboxProcess) -> SandboxProcess:
    running.another_account()
    return running


def test_the_adapter_and_the_gateway_have_the_same_modes() -> None:
    assert set(MODES) == set(BEHAVIOURS)


@pytest.mark.parametrize(
    ("mode", "later", "captures"),
    [
        ("default", timedelta(hours=23), 1),
        ("default", timedelta(hours=25), 2),
        ("hour_keys", timedelta(minutes=59), 1),
        ("hour_keys", timedelta(minutes=61), 2),
        ("no_keys", timedelta(0), 2),
        ("nothing", timedelta(0), 2),
        ("ignores_keys", timedelta(0), 2),
        ("no_look_up", timedelta(hours=23), 1),
        ("lagging", timedelta(hours=23), 1),
        ("replays_errors", timedelta(hours=23), 1),
        ("unsigned", timedelta(hours=23), 1),
    ],
)
def test_a_key_is_kept_as_long_as_the_mode_keeps_it(
    process: SandboxProcess, mode: str, later: timedelta, captures: int
) -> None:
    process.another_account(mode)
    gateway = story.sandbox(process)
    gateway.charge(story.charge(gateway.test_token(), "col-1"))
    with clock.shifted(later):
        assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-1")), Succeeded)
    assert len(process.captured("col-1")) == captures


@pytest.mark.parametrize("mode", MODES)
def test_what_a_mode_declares_is_what_it_does_but_for_the_one_that_lies(
    process: SandboxProcess, mode: str
) -> None:
    process.another_account(mode)
    declared, behaves = story.sandbox(process).capabilities, BEHAVIOURS[mode]
    assert declared.idempotency_window == behaves.key_window or mode == "ignores_keys"
    assert (declared.look_up != "none") == behaves.looks_up
    assert declared.signed_events == behaves.signs
    assert declared.async_refunds == behaves.slow_refunds
    assert declared.unattended == (
        behaves.key_window is not None or behaves.looks_up or mode == "ignores_keys"
    )
    assert (declared.absent_after > timedelta(minutes=2)) == behaves.lags


@pytest.mark.parametrize("mode", MODES)
def test_what_moved_is_listed_in_every_mode(process: SandboxProcess, mode: str) -> None:
    process.another_account(mode)
    gateway, since = story.sandbox(process), clock.real_now() - timedelta(seconds=1)
    paid = gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert isinstance(paid, Succeeded)
    gateway.refund(RefundRequest("ref-1", "col-1", paid.gateway_id, ONE_EURO))
    with clock.shifted(timedelta(hours=2)):
        listed = [(m.kind, m.reference, m.amount) for m in gateway.list_since(since).movements]
    assert listed == [("charge", "col-1", story.PRICE), ("refund", "ref-1", ONE_EURO)]


def test_without_keys_a_lost_answer_is_found_and_a_repeat_is_a_second_charge(process: SandboxProcess) -> None:
    process.another_account("no_keys")
    gateway = story.sandbox(process)
    process.lose_the_answer()
    assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-1")), InDoubt)
    assert isinstance(gateway.find("col-1"), Succeeded)
    gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert len(process.captured("col-1")) == 2


def test_without_a_look_up_nothing_is_found_or_closed_and_the_callback_says_how_it_stands(
    process: SandboxProcess,
) -> None:
    process.another_account("no_look_up")
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        card = story.store(process, gateway, "challenge_payment")
        asked = dataclasses.replace(story.charge(card, "col-1"), initiator="customer")
        opened = gateway.charge(asked)
        assert isinstance(opened, RequiresAction)
        assert isinstance(gateway.find("col-1"), InDoubt)
        assert isinstance(gateway.close("col-1"), InDoubt)
        assert process.api("GET", "/v1/charges/col-1")[0] == 405
        process.decide(opened.url, "approve")
        last = receiver.wait_for(3)[-1]
    gateway.verify(last)
    assert gateway.parse(last)[0].outcome == Succeeded(  # type: ignore[union-attr]
        opened.gateway_id, story.PRICE, _network_id(process, "col-1")
    )


def test_a_lagging_look_up_knows_a_charge_only_later_and_says_so(process: SandboxProcess) -> None:
    process.another_account("lagging")
    gateway = story.sandbox(process)
    paid = gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert isinstance(paid, Succeeded)
    gateway.refund(RefundRequest("ref-1", "col-1", paid.gateway_id, ONE_EURO))
    assert gateway.find("col-1") == gateway.find_refund("ref-1") == Absent()
    with clock.shifted(timedelta(seconds=55)):
        assert gateway.find("col-1") == Absent()
    with clock.shifted(gateway.capabilities.absent_after):
        assert isinstance(gateway.find("col-1"), Succeeded)
        assert isinstance(gateway.find_refund("ref-1"), Succeeded)


def test_an_account_lags_as_long_as_its_settings_say(process: SandboxProcess) -> None:
    process.another_account("lagging")
    settings = process.settings() | {"lag_seconds": "0", "processing_seconds": "5"}
    gateway = type(story.sandbox(process))(settings, story.client())
    gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert isinstance(gateway.find("col-1"), Succeeded)
    assert gateway.capabilities.absent_after == timedelta(seconds=5)


@pytest.mark.parametrize(("fault", "captures"), [("error_after", 1), ("error_before", 0)])
def test_a_500_that_was_given_is_given_again_whether_or_not_money_moved(
    process: SandboxProcess, fault: str, captures: int
) -> None:
    process.another_account("replays_errors")
    gateway = story.sandbox(process)
    process.switch(**{fault: 1})
    for _ in range(3):
        assert gateway.charge(story.charge(gateway.test_token(), "col-1")) == InDoubt("answered 500")
    assert len(process.captured("col-1")) == captures
    assert isinstance(gateway.find("col-1"), Succeeded if captures else Absent)
    with clock.shifted(timedelta(hours=25)):
        assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-1")), Succeeded)


def test_a_callback_without_a_signature_is_evidence_and_nothing_it_says_is_believed(
    process: SandboxProcess,
) -> None:
    process.another_account("unsigned")
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        gateway.charge(story.charge(gateway.test_token(), "col-1"))
        [came] = receiver.wait_for(1)
    assert "sandbox-signature" not in came.headers
    forged = dataclasses.replace(came, body=came.body.replace(b"3334", b"9999"))
    door = type(gateway)(gateway.door(process.settings()), story.client())
    for callback in (came, forged):
        door.verify(callback)
        assert [(e.reference, e.outcome) for e in _charges(door.parse(callback))] == [("col-1", None)]
    process.mode = "default"
    with pytest.raises(BadSignature):
        story.sandbox(process).verify(came)


def test_accounts_in_different_modes_do_not_mind_each_other_nor_a_restart(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "ledger.jsonl") as process:
        keys = {}
        for mode in ("no_look_up", "no_keys"):
            process.another_account(mode)
            gateway = story.sandbox(process)
            gateway.charge(story.charge(gateway.test_token(), "col-1"))
            keys[mode] = process.api_key
        process.kill()
        process.start()
        for mode, status in (("no_look_up", 405), ("no_keys", 200)):
            process.api_key = keys[mode]
            assert process.api("GET", "/v1/charges/col-1")[0] == status


def test_a_kept_500_and_a_refund_under_way_survive_a_crash(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "ledger.jsonl") as process:
        process.another_account("replays_errors")
        gateway = story.sandbox(process)
        process.switch(error_after=1)
        gateway.charge(story.charge(gateway.test_token(), "col-1"))
        process.kill()
        process.start()
        gateway = story.sandbox(process)
        assert gateway.charge(story.charge(gateway.test_token(), "col-1")) == InDoubt("answered 500")
        assert len(process.captured("col-1")) == 1


def test_a_mode_nobody_knows_is_refused(process: SandboxProcess) -> None:
    assert process.api("GET", "/v1/account", **{"Sandbox-Mode": "friendly", "Sandbox-Lag": "1"})[0] == 400
    assert process.api("GET", "/v1/account", **{"Sandbox-Mode": "lagging", "Sandbox-Lag": "x"})[0] == 400


@pytest.mark.parametrize(("fails", "kind", "given"), [(0, Succeeded, [ONE_EURO]), (1, Declined, [])])
def test_a_slow_refund_is_pending_and_then_given_back_or_failed(
    process: SandboxProcess, fails: int, kind: type, given: list[Money]
) -> None:
    process.another_account("hour_keys")
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        paid = gateway.charge(story.charge(gateway.test_token(), "col-1"))
        assert isinstance(paid, Succeeded)
        process.switch(refund_fails=fails)
        asked = RefundRequest("ref-1", "col-1", paid.gateway_id, ONE_EURO)
        assert isinstance(gateway.refund(asked), Pending)
        assert isinstance(gateway.find_refund("ref-1"), Pending)
        assert process.refunded("ref-1") == []
        with clock.shifted(timedelta(minutes=61)):
            assert isinstance(gateway.find_refund("ref-1"), kind)
        said = [e for d in receiver.wait_for(3) for e in gateway.parse(d) if isinstance(e, RefundChanged)]
    assert process.refunded("ref-1") == given
    assert {type(event.outcome) for event in said} == {Pending, kind}


def test_a_refund_that_was_given_back_can_fail_later_and_then_moved_nothing(process: SandboxProcess) -> None:
    since = clock.real_now() - timedelta(seconds=1)
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        paid = gateway.charge(story.charge(gateway.test_token(), "col-1"))
        assert isinstance(paid, Succeeded)
        process.switch(refund_fails=1)
        assert isinstance(
            gateway.refund(RefundRequest("ref-1", "col-1", paid.gateway_id, ONE_EURO)), Succeeded
        )
        assert process.refunded("ref-1") == [ONE_EURO]
        with clock.shifted(timedelta(minutes=61)):
            failed = gateway.find_refund("ref-1")
            assert [m.reference for m in gateway.list_since(since).movements] == ["col-1"]
        last = gateway.parse(receiver.wait_for(3)[-1])
    assert isinstance(failed, Declined) and failed.code == "refund_failed"
    assert last == [RefundChanged("ref-1", failed)]
    assert process.refunded("ref-1") == []


def test_a_refund_that_failed_can_be_asked_for_anew_and_one_under_way_counts(process: SandboxProcess) -> None:
    process.another_account("hour_keys")
    gateway = story.sandbox(process)
    paid = gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert isinstance(paid, Succeeded)
    process.switch(refund_fails=1)
    whole = RefundRequest("ref-1", "col-1", paid.gateway_id, story.PRICE)
    assert isinstance(gateway.refund(whole), Pending)
    more = dataclasses.replace(whole, reference="ref-2")
    assert not isinstance(gateway.refund(more), Pending)
    with clock.shifted(timedelta(minutes=61)):
        assert isinstance(gateway.find_refund("ref-1"), Declined)
        assert isinstance(gateway.refund(dataclasses.replace(whole, reference="ref-3")), Pending)


def test_a_dispute_is_told_when_it_opens_and_when_it_ends(process: SandboxProcess) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        gateway.charge(story.charge(gateway.test_token(), "col-1"))
        status, dispute = process.api("POST", "/_test/disputes", {"reference": "col-1"})
        assert status == 201
        ending = f"/_test/disputes/{dispute['id']}"
        assert process.api("POST", ending, {"state": "won"})[0] == 200
        assert process.api("POST", ending, {"state": "lost"})[0] == 409
        said = [e for d in receiver.wait_for(3) for e in gateway.parse(d) if isinstance(e, DisputeChanged)]
    # In any order, as every gateway's: several threads send them.
    assert sorted((e.state, e.dispute_id, e.reference, e.amount) for e in said) == [
        ("open", dispute["id"], "col-1", story.PRICE),
        ("won", dispute["id"], "col-1", story.PRICE),
    ]
    assert process.api("POST", "/_test/disputes", {"reference": "col-9"})[0] == 404


def test_news_of_a_card_are_told_and_a_closed_card_pays_nothing(process: SandboxProcess) -> None:
    with Receiver() as receiver:
        gateway = story.sandbox(process, receiver.url)
        token = story.store(process, gateway, "ok")
        gateway.charge(story.charge(token, "col-1"))
        news = {"reference": "col-1", "last4": "0005", "month": 3, "year": 2031}
        process.api("POST", "/_test/card_news", news)
        process.api("POST", "/_test/card_news", {**news, "closed": True})
        said = [e for d in receiver.wait_for(4) for e in gateway.parse(d) if isinstance(e, CardUpdated)]
    assert said == [CardUpdated(token, "0005", 3, 2031), CardUpdated(token, "0005", 3, 2031, closed=True)]
    assert not isinstance(gateway.charge(story.charge(token, "col-2")), Succeeded)


@pytest.mark.parametrize(
    ("advice", "wait"),
    [
        ("01", None),
        ("02", None),
        ("03", None),
        ("21", None),
        ("24", timedelta(hours=1)),
        ("25", timedelta(hours=24)),
        ("26", timedelta(days=2)),
        ("27", timedelta(days=4)),
        ("28", timedelta(days=6)),
        ("29", timedelta(days=8)),
        ("30", timedelta(days=10)),
    ],
)
def test_a_decline_carries_the_networks_advice_as_it_came(
    process: SandboxProcess, advice: str, wait: timedelta | None
) -> None:
    before, gateway = clock.real_now(), story.sandbox(process)
    declined = gateway.charge(story.charge(story.stored(process, f"advice_{advice}"), "col-1"))
    assert isinstance(declined, Declined) and declined == gateway.find("col-1")
    assert (declined.code, declined.advice) == ("do_not_honor", advice)
    if wait is None:
        assert declined.retry_not_before is None
    else:
        assert declined.retry_not_before is not None
        assert abs(declined.retry_not_before - wait - before) < timedelta(seconds=30)


def test_any_card_can_be_made_to_decline_with_an_advice(process: SandboxProcess) -> None:
    gateway = story.sandbox(process)
    process.switch(next_decline="insufficient_funds", next_advice="03")
    declined = gateway.charge(story.charge(gateway.test_token(), "col-1"))
    assert isinstance(declined, Declined) and (declined.code, declined.advice) == ("insufficient_funds", "03")
    assert isinstance(gateway.charge(story.charge(gateway.test_token(), "col-2")), Succeeded)


def _charges(events: list[GatewayEvent]) -> list[ChargeChanged]:
    return [event for event in events if isinstance(event, ChargeChanged)]


def _network_id(process: SandboxProcess, reference: str) -> str:
    entries = process.api("GET", "/_test/ledger")[1]["entries"]
    [made] = [e for e in entries if e["kind"] == "charge.made" and e["reference"] == reference]
    return str(made["network_transaction_id"])
