"""The books: what is recorded twice counts once, and what may not be charged is not."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from plugin_backend.core.db import DatabaseError
from plugin_backend.core.ids import new_id
from plugin_backend.domain import billing, ledger, merchants, moves
from plugin_backend.domain.billing import Attempt, runs
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import (
    Decline,
    Declined,
    InDoubt,
    NotExecuted,
    Pending,
    RequiresAction,
    Succeeded,
)
from plugin_backend.sdk.money import Money
from plugin_backend.worker import charging
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse


def second(house: TestHouse, shop: Shop) -> Collection:
    return story.collections(house, shop)[1]


def prepare(house: TestHouse, shop: Shop, collection_id: str) -> billing.Prepared | None:
    with house.of(shop) as session:
        return billing.prepare(session, shop, collection_id, initiator="merchant")


def record(house: TestHouse, shop: Shop, attempt_id: str, outcome: object) -> None:
    with house.of(shop) as session:
        billing.record(session, shop, attempt_id, outcome)  # type: ignore[arg-type]


def pause(house: TestHouse, shop: Shop, *, paused: bool) -> None:
    with house.of(shop) as session:
        (runs.pause if paused else runs.resume)(session, merchants.active_account(session, shop.id))


def attempt_at(row: Collection, number: int, amount: int) -> Attempt:
    """An attempt as a faulty program would write it."""
    return Attempt(
        shop_id=row.shop_id,
        id=new_id(Attempt.prefix),
        state="sent",
        plan_id=row.plan_id,
        collection_id=row.id,
        account_id="gwa_1",
        method_id="pm_1",
        number=number,
        reference=f"by hand {number}",
        amount=amount,
        currency=row.currency,
        initiator="merchant",
        first_sent_at=clock.now(),
        last_sent_at=clock.now(),
    )


def open_cases(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(
            session.scalars(select(Case.kind).where(Case.state == "open", Case.kind != "order_by_hand"))
        )


def test_a_result_that_is_recorded_twice_is_booked_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    [attempt] = story.attempts(house, paying_shop)

    for _ in range(2):
        record(house, paying_shop, attempt.id, Succeeded(attempt.gateway_id, attempt.money))

    with house.of(paying_shop) as session:
        assert ledger.received(session, paying_shop.id, plan.id) == 3334
    assert open_cases(house, paying_shop) == []


def test_a_capture_that_contradicts_a_settled_attempt_is_shown_to_a_person(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    record(house, paying_shop, prepared.attempt_id, Declined(Decline.FUNDS, "limit"))

    record(house, paying_shop, prepared.attempt_id, Succeeded("ch_1", Money(3333, "EUR")))

    assert open_cases(house, paying_shop) == ["captured_after_all"]
    assert prepare(house, paying_shop, second(house, paying_shop).id) is None


def test_another_amount_than_was_asked_for_is_never_called_paid(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None

    record(house, paying_shop, prepared.attempt_id, Succeeded("ch_1", Money(1, "EUR")))

    assert second(house, paying_shop).state == "in_doubt"
    assert open_cases(house, paying_shop) == ["amount_differs"]


def test_while_an_attempt_is_open_no_other_begins(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    collection = second(house, paying_shop)
    prepared = prepare(house, paying_shop, collection.id)
    assert prepared is not None

    for outcome in (None, InDoubt("no answer"), Pending("ch_1"), RequiresAction("https://bank.test", "ch_1")):
        if outcome is not None:
            record(house, paying_shop, prepared.attempt_id, outcome)
        assert prepare(house, paying_shop, collection.id) is None


def test_a_plan_that_was_cancelled_between_claim_and_charge_is_not_charged(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    collection = second(house, paying_shop)
    with house.of(paying_shop) as session:
        session.execute(text("UPDATE plans SET state = 'cancelled' WHERE id = :id"), {"id": plan.id})

    charged = prepare(house, paying_shop, collection.id)

    with house.of(paying_shop) as session:
        session.execute(text("UPDATE plans SET state = 'active' WHERE id = :id"), {"id": plan.id})
        session.get_one(Collection, (paying_shop.id, collection.id)).rest(collection.scheduled_at)
    assert charged is None


def test_a_payment_that_had_left_when_the_plan_was_cancelled_is_shown_to_a_person(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    with house.of(paying_shop) as session:
        billing.stop(session, paying_shop, plan.id, "cancelled", "by the customer")

    record(house, paying_shop, prepared.attempt_id, Succeeded("ch_1", Money(3333, "EUR")))

    assert story.states(house, paying_shop) == ["paid", "paid", "void"]
    assert open_cases(house, paying_shop) == ["charged_after_end"]


def test_what_was_not_executed_is_tried_again_under_a_new_reference(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    collection = second(house, paying_shop)
    first = prepare(house, paying_shop, collection.id)
    assert first is not None
    record(house, paying_shop, first.attempt_id, NotExecuted("refused before a byte was sent"))
    house.travel(paying_shop, minutes=6)

    assert second(house, paying_shop).state == "paid"
    references = {attempt.reference for attempt in story.attempts(house, paying_shop)}
    assert len(references) == 3
    assert all(len(reference) <= 40 for reference in references)


def test_silence_of_the_gateway_proves_nothing_until_it_is_old_and_said_twice(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    # Paused, so that the same request is not sent again, which would be safe with this gateway's keys.
    pause(house, paying_shop, paused=True)
    house.leases_run_out(paying_shop)
    assert second(house, paying_shop).state == "in_doubt"
    house.travel(paying_shop, minutes=9)
    assert [a.state for a in story.attempts(house, paying_shop)] == ["succeeded", "in_doubt"]
    house.travel(paying_shop, hours=2)
    assert [a.state for a in story.attempts(house, paying_shop)] == ["succeeded", "not_executed"]
    assert second(house, paying_shop).held == "account_paused"

    pause(house, paying_shop, paused=False)
    house.rest(paying_shop)
    assert [a.state for a in story.attempts(house, paying_shop)] == ["succeeded", "not_executed", "succeeded"]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_what_the_gateway_does_not_know_is_sent_again_under_the_same_key(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    before = story.attempts(house, paying_shop)[-1]
    house.leases_run_out(paying_shop)
    after = story.attempts(house, paying_shop)[-1]
    assert (after.id, after.state, after.number) == (before.id, "succeeded", 1)
    assert after.last_sent_at > before.last_sent_at
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_a_request_whose_words_have_changed_is_not_sent_again(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    assert prepare(house, paying_shop, second(house, paying_shop).id) is not None
    with house.of(paying_shop) as session:
        session.scalars(select(Attempt).where(Attempt.state == "sent")).one().description = "Another shop 2/3"
    house.leases_run_out(paying_shop)
    assert story.states(house, paying_shop)[1] == "in_doubt"
    assert story.captured(house, paying_shop, gateway) == [3334]


def test_what_may_never_have_arrived_is_not_sent_again_once_the_plan_was_cancelled(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    assert prepare(house, paying_shop, second(house, paying_shop).id) is not None
    with house.of(paying_shop) as session:
        billing.stop(session, paying_shop, plan.id, "cancelled", "by the customer")
    house.leases_run_out(paying_shop)
    house.travel(paying_shop, days=1)
    assert story.states(house, paying_shop) == ["paid", "void", "void"]
    assert story.captured(house, paying_shop, gateway) == [3334]


def test_after_an_outage_a_plan_is_charged_at_most_once_a_day(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    pause(house, paying_shop, paused=True)
    house.travel(paying_shop, days=60)
    assert story.states(house, paying_shop) == ["paid", "scheduled", "scheduled"]

    pause(house, paying_shop, paused=False)
    house.rest(paying_shop)
    assert story.states(house, paying_shop) == ["paid", "paid", "scheduled"]
    assert story.collections(house, paying_shop)[2].held == "one_a_day"
    house.travel(paying_shop, hours=23)
    assert story.states(house, paying_shop) == ["paid", "paid", "scheduled"]
    house.travel(paying_shop, hours=2)
    assert story.states(house, paying_shop) == ["paid", "paid", "paid"]


def test_the_run_is_held_until_its_moment_and_goes_on_when_it_is_let_go(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        runs.hold(
            session, merchants.get_shop(session, paying_shop.id), house.now(paying_shop) + timedelta(days=27)
        )
    house.travel(paying_shop, days=26)
    assert story.states(house, paying_shop)[1] == "scheduled"
    assert second(house, paying_shop).held == "run_held"
    with house.of(paying_shop) as session:
        runs.let_go(session, merchants.get_shop(session, paying_shop.id))
    house.rest(paying_shop)
    assert story.states(house, paying_shop)[1] == "paid"


def test_the_database_itself_refuses_an_attempt_beyond_what_was_agreed(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    taken, waiting, _ = story.collections(house, paying_shop)
    with pytest.raises(DatabaseError, match="taken more than once"), house.of(paying_shop) as session:
        session.add(attempt_at(taken, 2, taken.amount))
    with pytest.raises(DatabaseError, match="more than was agreed"), house.of(paying_shop) as session:
        session.get_one(Collection, (paying_shop.id, waiting.id)).amount = 6667
        session.flush()
        session.add(attempt_at(waiting, 1, 6667))


def test_a_worker_that_died_before_asking_leaves_an_attempt_that_is_asked_about(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    with house.worker.app_context():
        billing.ask(prepared)  # The answer is never recorded: the worker is dead.

    house.leases_run_out(paying_shop)

    assert second(house, paying_shop).state == "paid"
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_never_more_than_was_agreed(house: TestHouse, paying_shop: Shop, gateway: SandboxProcess) -> None:
    story.begin_plan(house, paying_shop, gateway)
    collection = second(house, paying_shop)
    with house.of(paying_shop) as session:
        row = session.get_one(Collection, (paying_shop.id, collection.id))
        row.amount = 9000
        session.flush()
        assert billing.prepare(session, paying_shop, row.id, initiator="merchant") is None
        # The database would not let it stand.
        row.amount = 3333
    assert open_cases(house, paying_shop) == ["more_than_agreed"]


def test_a_card_lost_for_good_pauses_the_plan_and_another_card_takes_it_up(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    gateway.switch(next_decline="lost_card", next_decline_count=1)
    house.travel(paying_shop, days=26)
    assert story.plan_of(house, paying_shop).state == "paused"
    assert second(house, paying_shop).state == "exhausted"

    portal = story.link(house, paying_shop, "p", plan.id)
    assert house.client().post(f"{portal}/card").status_code == 303
    house.rest(paying_shop)
    answer = house.client().get(f"{portal}/card")
    gateway.type_card(answer.headers["Location"], "ok_mastercard")
    house.client().get(f"{portal}/back")
    house.rest(paying_shop)

    assert second(house, paying_shop).state == "paid"
    assert story.plan_of(house, paying_shop).state == "active"


def test_charging_twice_at_once_is_one_charge(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    collection = second(house, paying_shop)
    with house.worker.app_context(), house.in_time(paying_shop):
        for _ in range(2):
            charging.charge_one(paying_shop, collection.id, initiator="merchant")

    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_who_wakes_too_late_to_send_does_not_undo_what_was_sent_again_meanwhile(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    sleeper = prepare(house, paying_shop, second(house, paying_shop).id)
    assert sleeper is not None
    # The gateway does not know it; it is sent again, captured, and that answer is lost, as is its callback.
    gateway.switch(callback_off=True)
    gateway.lose_the_answer()
    house.leases_run_out(paying_shop)
    assert second(house, paying_shop).state == "in_doubt"

    late = replace(sleeper, request=replace(sleeper.request, deadline=time.monotonic() - 1))
    with house.worker.app_context(), house.in_time(paying_shop):
        charging._ask_all(paying_shop, [[late]])
    house.travel(paying_shop, hours=1)

    assert story.states(house, paying_shop)[1] == "paid"
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_an_old_silence_proves_nothing_once_somebody_else_has_asked(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    prepared = prepare(house, paying_shop, second(house, paying_shop).id)
    assert prepared is not None
    pause(house, paying_shop, paused=True)
    house.leases_run_out(paying_shop)
    house.travel(paying_shop, minutes=20)
    before = story.attempts(house, paying_shop)[-1]
    assert (before.state, before.absent_at is not None) == ("in_doubt", True)
    with house.of(paying_shop) as session:
        session.get_one(Attempt, (paying_shop.id, before.id)).absent_at -= timedelta(minutes=15)
        billing.absent(session, paying_shop, {before.id: billing.Look(prepared.gateway, before.asked - 1)})
    assert story.attempts(house, paying_shop)[-1].state == "in_doubt"


def test_nothing_is_sent_again_to_an_account_whose_keys_are_known_to_be_none(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    assert prepare(house, paying_shop, second(house, paying_shop).id) is not None
    with house.of(paying_shop) as session:
        account = merchants.active_account(session, paying_shop.id)
        moves.move(session, account, "not_probed", "asked for again")
        moves.move(session, account, "probing")
        moves.move(session, account, "failed", "charged_twice")
    house.leases_run_out(paying_shop)
    assert second(house, paying_shop).state == "in_doubt"
    assert story.captured(house, paying_shop, gateway) == [3334]


def test_many_callbacks_in_the_first_minute_do_not_put_the_next_look_off_for_hours(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    gateway.faults(rates={"look_up_error": 1.0})
    assert prepare(house, paying_shop, second(house, paying_shop).id) is not None
    house.leases_run_out(paying_shop)
    for _ in range(8):
        with house.of(paying_shop) as session:
            last = story.attempts(house, paying_shop)[-1].id
            billing.evidence(session, session.get_one(Attempt, (paying_shop.id, last)))
        house.rest(paying_shop)
    attempt = story.attempts(house, paying_shop)[-1]
    assert (attempt.state, attempt.asked >= 8) == ("in_doubt", True)
    assert attempt.due_at is not None
    assert attempt.due_at - house.now(paying_shop) <= timedelta(minutes=2)
