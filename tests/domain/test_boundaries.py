"""One scripted story for each boundary of the engine at which money could be taken twice, or lost."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, ledger, merchants, plans
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.contract.gateway_process import SandboxProcess
from tests.engine_story import PART, TOTAL, Held, Life, live
from tests.house import TestHouse
from tests.letterbox import Letterbox

Begin = Callable[..., Life]
ONCE = [PART.minor]


@pytest.fixture
def begin(house: TestHouse, gateway: SandboxProcess, mails: Letterbox) -> Begin:
    def begun(mode: str = "default", **facts: object) -> Life:
        return live(house, gateway, mode, **facts)  # type: ignore[arg-type]

    return begun


def lost(life: Life) -> Held:
    """The second payment was captured, and nobody heard of it."""
    held = life.begun()
    life.gateway.lose_the_answer()
    assert isinstance(life.ask(held), sdk.InDoubt)
    life.record(held)
    return held


def test_an_answer_that_is_lost_just_before_the_window_ends_is_looked_up_and_nothing_is_sent_anew(
    begin: Begin,
) -> None:
    life = begin()
    life.begun()  # The worker dies before it asks.
    life.is_away(timedelta(hours=21, minutes=30))
    life.gateway.lose_the_answer()
    life.looks()
    assert (life.tries(), life.captured()) == (["in_doubt"], ONCE)
    life.is_away(timedelta(hours=3))
    life.passes(days=2)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_silence_after_a_second_send_is_counted_from_that_send(begin: Begin) -> None:
    life = begin("lagging", lag=timedelta(minutes=30))
    life.begun()
    life.is_away(timedelta(hours=21, minutes=30))
    life.gateway.lose_the_answer()
    life.looks()
    # Past the share of the window in which it may be sent again, the look-up does not know it yet.
    for _ in range(3):
        life.is_away(timedelta(minutes=8))
        life.looks()
        assert life.tries() == ["in_doubt"]
    life.passes(days=2)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_a_second_send_that_did_not_happen_says_nothing_of_the_first(begin: Begin) -> None:
    life = begin("lagging")
    lost(life)
    again = life.replay()
    assert again is not None
    again.outcome = sdk.NotExecuted("no connection could be had")
    life.record(again)
    assert life.tries() == ["in_doubt"]
    life.passes(days=1)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_a_worker_that_wakes_when_another_has_sent_its_request_proves_nothing(begin: Begin) -> None:
    life = begin("lagging")
    asleep = life.begun()
    life.gateway.lose_the_answer()
    life.lease_over()
    assert life.tries() == ["in_doubt"]
    assert isinstance(life.ask(asleep), sdk.NotExecuted)
    life.record(asleep)
    life.passes(days=1)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_a_worker_that_was_paused_past_its_lease_sends_nothing_any_more(begin: Begin) -> None:
    life = begin("no_keys")
    asleep = life.begun()
    life.passes(hours=1)
    assert (life.tries(), life.captured()) == (["not_executed", "succeeded"], ONCE)
    assert isinstance(life.ask(asleep), sdk.NotExecuted)
    life.record(asleep)
    assert life.captured() == ONCE


@pytest.mark.parametrize("late", [sdk.Succeeded("ch_told", PART), sdk.Declined(sdk.Decline.FUNDS), None])
def test_an_answer_that_comes_after_another_worker_has_settled_it_changes_nothing(
    begin: Begin, late: sdk.Outcome | None
) -> None:
    life = begin()
    asleep = life.begun()
    answer = life.ask(asleep)
    life.lease_over()
    assert life.states()[1] == "paid"
    asleep.outcome = late or answer
    life.record(asleep)
    with life.house.of(life.shop) as session:
        assert ledger.received(session, life.shop.id, life.plan_id) == 2 * PART.minor
    assert (life.states()[1], life.captured(), life.cases()) == ("paid", ONCE, [])


def test_a_plan_that_was_cancelled_before_its_payment_left_is_shown_to_a_person(begin: Begin) -> None:
    life = begin()
    held = life.begun()
    life.ends("cancelled")
    life.ask(held)
    life.record(held)
    assert (life.states(), life.captured()) == (["paid", "paid", "void"], ONCE)
    assert life.cases() == ["charged_after_end"]
    assert life.prepare(3) is None


def test_a_callback_that_comes_before_the_answer_settles_the_payment_and_the_answer_adds_nothing(
    begin: Begin,
) -> None:
    life = begin()
    held = life.begun()
    life.ask(held)
    life.calls_back(life.attempts()[0], "captured")
    life.looks()
    assert life.states()[1] == "paid"
    life.record(held)
    with life.house.of(life.shop) as session:
        assert ledger.received(session, life.shop.id, life.plan_id) == 2 * PART.minor
    assert life.captured() == ONCE


@pytest.mark.parametrize(
    ("state", "amount"),
    [("declined", PART), ("closed", PART), ("captured", Money(1, "EUR")), ("requires_action", PART)],
)
def test_what_a_callback_says_is_looked_up_and_not_believed(begin: Begin, state: str, amount: Money) -> None:
    life = begin()
    lost(life)
    life.calls_back(life.attempts()[0], state, amount, code="insufficient_funds")
    life.passes(days=5)
    assert (life.tries(), life.captured(), life.states()[1]) == (["succeeded"], ONCE, "paid")


def test_nothing_is_given_back_of_a_payment_in_doubt(begin: Begin) -> None:
    life = begin()
    held = lost(life)
    with life.house.of(life.shop) as session:
        shop = merchants.get_shop(session, life.shop.id)
        assert billing.give_back(session, shop, life.plan_id, attempt_id=held.prepared.attempt_id) == []
    life.rests()
    assert life.given_back() == []


def test_a_clock_that_is_set_back_an_hour_charges_nobody_twice(begin: Begin) -> None:
    life = begin("lagging")
    lost(life)
    life.is_away(-timedelta(hours=1))
    again = life.replay()
    assert again is not None
    again.outcome = sdk.NotExecuted("no connection could be had")
    life.record(again)
    assert life.tries() == ["in_doubt"]
    life.passes(hours=30)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


# Each second payment falls due at nine in Paris, whichever side of a change of clocks that is.
@pytest.mark.parametrize(
    ("begun", "due"),
    [
        pytest.param("2027-01-31T12:00", ["2027-02-28T08:00", "2027-03-31T07:00"], id="31_january"),
        pytest.param("2027-02-28T12:00", ["2027-03-28T07:00", "2027-04-28T07:00"], id="spring_night"),
        pytest.param("2027-08-31T12:00", ["2027-09-30T07:00", "2027-10-31T08:00"], id="autumn_night"),
        pytest.param("2028-01-29T12:00", ["2028-02-29T08:00", "2028-03-29T07:00"], id="leap_day"),
    ],
)
def test_each_month_is_collected_once_on_its_day(begin: Begin, begun: str, due: list[str]) -> None:
    life = begin(at=datetime.fromisoformat(begun).replace(tzinfo=UTC), kind="subscription")
    life.passes(days=64)
    for number, moment in enumerate(due, 2):
        [attempt] = life.attempts(number)
        late = attempt.first_sent_at - datetime.fromisoformat(moment).replace(tzinfo=UTC)
        assert timedelta(0) <= late < timedelta(minutes=1)
        assert life.captured(number) == [TOTAL.minor]


@pytest.mark.parametrize(
    ("mode", "after", "again"),
    [
        ("default", timedelta(hours=21, minutes=30), True),
        ("default", timedelta(hours=21, minutes=37), False),
        ("hour_keys", timedelta(minutes=53), True),
        ("hour_keys", timedelta(minutes=55), False),
        ("no_look_up", timedelta(hours=21), True),
        ("no_look_up", timedelta(hours=22), False),
        ("no_keys", timedelta(seconds=10), False),
    ],
)
def test_a_key_is_sent_again_only_inside_nine_tenths_of_its_window(
    begin: Begin, mode: str, after: timedelta, *, again: bool
) -> None:
    life = begin(mode)
    life.begun()
    life.is_away(after)
    assert (life.replay() is not None) == again


def test_absent_is_believed_only_when_it_is_said_twice_ten_minutes_apart(begin: Begin) -> None:
    life = begin("no_keys")
    life.begun()
    life.is_away(timedelta(minutes=3))
    life.looks()
    assert life.attempts()[0].absent_at is None
    life.is_away(timedelta(minutes=2))
    life.looks()
    assert life.attempts()[0].absent_at is not None
    life.is_away(timedelta(minutes=9))
    life.looks()
    assert life.tries() == ["in_doubt"]
    life.is_away(timedelta(minutes=2))
    life.looks()
    assert life.tries() == ["not_executed"]


def test_silence_that_was_heard_before_another_looked_proves_nothing(begin: Begin) -> None:
    life = begin("no_keys")
    held = life.begun()
    asleep, later = life.looked(), life.looked()
    life.gateway.lose_the_answer()
    life.ask(held)
    life.is_away(timedelta(minutes=5))
    life.heard_nothing(asleep)
    life.is_away(timedelta(minutes=11))
    life.heard_nothing(later)
    assert life.tries() == ["in_doubt"]
    life.passes(hours=1)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_an_account_that_cannot_be_asked_is_never_resolved_by_silence(begin: Begin) -> None:
    life = begin("no_look_up")
    life.begun()
    life.is_away(timedelta(hours=22))
    life.passes(days=30)
    assert (life.tries(), life.captured()) == (["in_doubt"], [])
    assert life.cases() == ["in_doubt", "in_doubt_for_a_week"]


def test_doubt_of_an_hour_is_told_and_of_a_week_is_a_persons_and_both_end_with_it(begin: Begin) -> None:
    life = begin()
    lost(life)
    life.gateway.switch(down="503")
    life.passes(minutes=59)
    assert life.cases() == []
    life.passes(minutes=2)
    assert life.cases() == ["in_doubt"]
    life.passes(days=6, hours=20)
    assert life.cases() == ["in_doubt"]
    life.passes(hours=28)
    assert life.cases() == ["in_doubt", "in_doubt_for_a_week"]
    assert life.states()[1] == "in_doubt"
    life.gateway.switch(down="")
    life.passes(days=1)
    assert (life.cases(), life.tries(), life.captured()) == ([], ["succeeded"], ONCE)


def test_a_request_that_may_be_lost_is_never_sent_again_once_its_plan_was_cancelled(begin: Begin) -> None:
    life = begin()
    life.begun()
    life.ends("cancelled")
    assert life.replay() is None
    life.passes(days=2)
    assert (life.tries(), life.captured(), life.states()) == (["not_executed"], [], ["paid", "void", "void"])


def test_what_arrives_after_a_withdrawal_is_given_back_within_five_minutes(begin: Begin) -> None:
    life = begin()
    lost(life)
    life.ends("withdrawn")
    life.passes(minutes=5)
    assert (life.captured(), life.given_back()) == (ONCE, ONCE)


def test_a_moment_before_which_nothing_may_be_tried_is_obeyed(begin: Begin) -> None:
    life = begin()
    life.gateway.switch(next_decline="insufficient_funds", next_advice="30")
    life.is_away_until(life.collection().scheduled_at)
    life.rests()
    refused = life.attempts()[0].first_sent_at
    life.passes(days=9, hours=20)
    assert life.tries() == ["declined"]
    life.passes(days=2)
    assert life.tries() == ["declined", "succeeded"]
    assert life.attempts()[1].first_sent_at - refused >= timedelta(days=10)


def test_after_an_outage_a_plan_pays_once_a_day(begin: Begin) -> None:
    life = begin()
    life.is_away(timedelta(days=90))
    life.rests()
    assert life.states() == ["paid", "paid", "scheduled"]
    life.passes(hours=23)
    assert life.states() == ["paid", "paid", "scheduled"]
    life.passes(hours=2)
    assert life.states() == ["paid", "paid", "paid"]


def test_ten_doubts_in_a_row_open_the_circuit_and_it_closes_again(begin: Begin) -> None:
    life = begin()
    token = "tok_test"
    with life.house.of(life.shop) as session:
        for number in range(10):
            plan = plan_story.accepted_plan(session, life.shop, TOTAL, f"c{number}@example.test", token=token)
            plan_story.charged(session, life.shop, plan.id, 1)
    life.is_away_until(life.collection().scheduled_at - timedelta(days=1))
    life.gateway.switch(down="503")
    with life.house.of(life.shop) as session:
        others = select(Collection).where(Collection.number == 2, Collection.plan_id != life.plan_id)
        for row in session.scalars(others):
            row.rest(clock.now())
    life.rests()
    with life.house.of(life.shop) as session:
        plans.collection(session, life.shop.id, life.plan_id, 2).rest(clock.now())
    life.rests()
    assert (life.tries(), life.collection().held) == ([], "gateway_unsteady")
    assert "gateway_unsteady" in life.cases()
    life.gateway.switch(down="")
    life.passes(minutes=1, seconds=5)
    assert (life.tries(), life.captured()) == (["succeeded"], ONCE)


def test_a_request_whose_card_has_changed_is_not_sent_again_and_the_new_card_pays_once(begin: Begin) -> None:
    life = begin()
    life.begun()
    life.changes_card("tok_test")
    life.passes(days=2)
    assert sum(life.captured()) == PART.minor
    assert life.states()[1] == "paid"


def test_what_was_given_back_is_not_given_back_again(begin: Begin) -> None:
    life = begin()
    with life.house.of(life.shop) as session:
        shop = merchants.get_shop(session, life.shop.id)
        assert len(billing.give_back(session, shop, life.plan_id)) == 1
        session.flush()
        assert billing.give_back(session, shop, life.plan_id) == []
    life.rests()
    assert life.given_back(1) == ONCE


def test_what_is_told_twice_is_booked_once(begin: Begin) -> None:
    life = begin()
    with life.house.of(life.shop) as session:
        taken = life.attempts(1)[0]
        assert not ledger.book(
            session,
            life.shop.id,
            "capture",
            taken.id,
            life.plan_id,
            taken.money,
            debit=ledger.GATEWAY,
            credit=ledger.CUSTOMER,
        )
        assert ledger.received(session, life.shop.id, life.plan_id) == PART.minor


def test_two_who_record_at_once_take_turns(begin: Begin) -> None:
    life = begin()
    captured = life.begun()
    refused = Held(captured.prepared, captured.since)
    captured.outcome, refused.outcome = life.ask(captured), sdk.Declined(sdk.Decline.FUNDS, "limit")
    late = threading.Thread(target=life.record, args=(refused,))
    with life.house.of(life.shop) as session:
        shop = merchants.get_shop(session, life.shop.id)
        billing.record_all(session, shop, {captured.prepared.attempt_id: captured.outcome}, of_sends=True)
        session.flush()
        late.start()
        late.join(1.0)
        assert late.is_alive(), "it did not wait for its turn"
    late.join()
    assert (life.tries(), life.states()[1], life.captured()) == (["succeeded"], "paid", ONCE)
