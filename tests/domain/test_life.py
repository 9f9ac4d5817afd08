"""The life of a plan under a search for the worst: whatever happens, in whatever order, nobody is charged twice.

Hypothesis draws what happens next: time, deaths of workers between prepare, ask and record, answers that come late or
twice, a gateway that loses, breaks and refuses, callbacks, customers and merchants. After each step every invariant
holds for the shop; and what another process, the gateway, wrote into its own ledger is the judge of what was charged.

``HYPOTHESIS_PROFILE=long`` (``make prove-long``) searches for as long as a night has; without it a few lives are lived,
the same ones in every run. A life that fails is printed with what happened in it; ``SEED`` and ``EXAMPLES`` live a
long search again, or a shorter one.
"""

import os
import secrets
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from plugin_backend.core import due
from plugin_backend.domain import billing, invariants, ledger, merchants, plans
from plugin_backend.domain.billing import Attempt, runs
from plugin_backend.domain.cases import Case
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.contract.gateway_process import SandboxProcess
from tests.engine_story import TOTAL, Held, Life, captures, live
from tests.house import TestHouse
from tests.letterbox import Letterbox

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MODES = ("default", "hour_keys", "no_keys", "no_look_up", "lagging", "replays_errors")
# From a breath to past a gateway's window, with the moments around which something changes its meaning.
SPANS = (
    timedelta(seconds=11),
    timedelta(seconds=61),
    timedelta(minutes=2, seconds=1),
    timedelta(minutes=4, seconds=1),
    timedelta(minutes=10, seconds=1),
    timedelta(minutes=54),
    timedelta(hours=1, seconds=1),
    timedelta(hours=21, minutes=36),
    timedelta(days=1, seconds=1),
    timedelta(days=7),
    timedelta(days=30),
)
KINDS = ("instalments", "subscription")
FAULTS = (
    "lost_answer",
    "lost_before",
    "error_before",
    "error_after",
    "in_progress",
    "too_many",
    "garbage",
    "reset",
)
DECLINES = ("insufficient_funds", "card_limit", "processing_error", "lost_card", "requires_action", "pending")
_ENDED = ("paid", "refunded", "void", "lost", "disputed")


class LifeOfAPlan(RuleBasedStateMachine):
    """One plan, its worker, its customer, its merchant and its gateway."""

    house: ClassVar[TestHouse]
    process: ClassVar[SandboxProcess]
    life: Life

    @initialize(mode=st.sampled_from(MODES), kind=st.sampled_from(KINDS), ends=st.booleans())
    def begins(self, mode: str, kind: str, ends: bool) -> None:
        """Some lives know neither cancelling nor disputes: they are the long ones."""
        self.life = live(self.house, self.process, mode, kind=kind)
        self.kind, self.may_end = kind, ends
        self.held: list[Held] = []

    # Time

    @rule(span=st.sampled_from(SPANS))
    def time_passes(self, span: timedelta) -> None:
        self.life.passes(seconds=span.total_seconds())

    @rule(span=st.sampled_from(SPANS))
    def nobody_works_for(self, span: timedelta) -> None:
        self.life.is_away(span)

    @rule()
    def works(self) -> None:
        self.life.rests()

    @rule()
    def leases_run_out(self) -> None:
        self.life.is_away(timedelta(minutes=2, seconds=1))
        self.life.looks()

    # A worker that may die or sleep between any two of its steps

    @rule()
    def prepares(self) -> None:
        """What falls due next is written down, and the worker holds it in its hand."""
        life = self.life
        if not self._falls_due():
            return
        with life.house.of(life.shop) as session:
            ids = due.take(session, Collection, life.shop.id)
        with life.house.of(life.shop) as session:
            shop = merchants.get_shop(session, life.shop.id)
            begun = billing.prepare_all(session, shop, ids, initiator="merchant")
            self.held += [Held(prepared, clock.now()) for prepared in begun]

    def _falls_due(self) -> bool:
        """Nobody works until the next payment falls due; False where none does."""
        with self.life.house.of(self.life.shop) as session:
            moments = select(Collection.due_at).where(
                Collection.due_at.is_not(None), Collection.state.in_(("scheduled", "due", "retry_wait"))
            )
            soonest = min(session.scalars(moments), default=None)
        if soonest is not None:
            self.life.is_away(max(soonest - self.life.now, timedelta(0)))
        return soonest is not None

    @rule()
    def prepares_to_send_again(self) -> None:
        again = self.life.replay()
        self.held += [again] if again else []

    @precondition(lambda self: any(held.outcome is None for held in self.held))
    @rule(data=st.data())
    def asks(self, data: st.DataObject) -> None:
        self.life.ask(data.draw(st.sampled_from([held for held in self.held if held.outcome is None])))

    @precondition(lambda self: any(held.outcome is not None for held in self.held))
    @rule(data=st.data(), again=st.booleans())
    def records(self, data: st.DataObject, again: bool) -> None:
        held = data.draw(st.sampled_from([held for held in self.held if held.outcome is not None]))
        self.life.record(held)
        if not again:
            self.held.remove(held)

    @precondition(lambda self: self.held)
    @rule()
    def dies(self) -> None:
        self.held.clear()

    # The gateway

    @rule(fault=st.sampled_from(FAULTS))
    def gateway_fails_once(self, fault: str) -> None:
        self.process.switch(**{fault: 1})

    @rule(fault=st.sampled_from(FAULTS), span=st.sampled_from(SPANS[:7]))
    def payment_meets_a_fault(self, fault: str, span: timedelta) -> None:
        self.process.switch(**{fault: 1})
        if self._falls_due():
            self.life.rests()
            self.life.passes(seconds=span.total_seconds())

    @rule(code=st.sampled_from(DECLINES))
    def gateway_declines_once(self, code: str) -> None:
        self.process.switch(next_decline=code, next_decline_count=1)

    @rule(how=st.sampled_from(("", "503", "drop")))
    def gateway_is_down_or_up(self, how: str) -> None:
        self.process.switch(down=how)

    @rule(data=st.data(), says=st.sampled_from(("captured", "declined", "pending", "closed")))
    def gateway_calls_back(self, data: st.DataObject, says: str) -> None:
        """Late, twice, out of order, and not always with the truth."""
        with self.life.house.of(self.life.shop) as session:
            found = list(session.scalars(select(Attempt).order_by(Attempt.created_at, Attempt.number)))
        about = found[data.draw(st.integers(0, len(found) - 1))]
        if self.process.mode == "no_look_up":
            # What nobody could look up is believed: there it says what is so, however late and often.
            if not self.process.captured(about.reference):
                return
            says = "captured"
        self.life.calls_back(about, says, about.money)

    @rule(decision=st.sampled_from(("approve", "refuse")))
    def customer_confirms(self, decision: str) -> None:
        with self.life.house.of(self.life.shop) as session:
            pages = select(Attempt.action_url).where(Attempt.state == "requires_action")
            url = next(iter(session.scalars(pages)), "")
        if url:
            self.process.decide(url, decision)

    # People

    @precondition(lambda self: self.may_end)
    @rule(state=st.sampled_from(("cancelled", "withdrawn")))
    def plan_ends(self, state: str) -> None:
        self.life.ends(state)

    @rule()
    def card_changes(self) -> None:
        if self.life.plan().state not in plans.ENDED:
            self.life.changes_card("tok_test")

    @rule(paused=st.booleans())
    def account_is_paused(self, paused: bool) -> None:
        with self.life.house.of(self.life.shop) as session:
            account = merchants.active_account(session, self.life.shop.id)
            (runs.pause if paused else runs.resume)(session, account)

    @rule(held=st.booleans())
    def run_is_held(self, held: bool) -> None:
        with self.life.house.of(self.life.shop) as session:
            shop = merchants.get_shop(session, self.life.shop.id)
            if held:
                runs.hold(session, shop, clock.now() + timedelta(days=2))
            else:
                runs.let_go(session, shop)

    @rule()
    def everything_is_given_back(self) -> None:
        with self.life.house.of(self.life.shop) as session:
            shop = merchants.get_shop(session, self.life.shop.id)
            billing.give_back(session, shop, self.life.plan_id)

    @rule(minor=st.sampled_from((1, 1000, 3000, 4500)), rest=st.sampled_from(("end", "spread")))
    def a_part_is_credited(self, minor: int, rest: str) -> None:
        life = self.life
        with life.house.of(life.shop) as session:
            standing = billing.standing(session, plans.locked(session, life.shop.id, life.plan_id))
            if standing.most < Money(minor, "EUR") or not minor:
                return
            shop = merchants.get_shop(session, life.shop.id)
            plan_story.credited(session, shop, life.plan_id, Money(minor, "EUR"), rest=rest)

    @precondition(lambda self: self.may_end)
    @rule(state=st.sampled_from(("open", "won", "lost")))
    def a_payment_is_disputed(self, state: str) -> None:
        life = self.life
        with life.house.of(life.shop) as session:
            shop = merchants.get_shop(session, life.shop.id)
            plan_story.disputed(session, shop, life.plan_id, state)

    # What holds after each step

    @invariant()
    def the_books_hold(self) -> None:
        with self.life.house.of(self.life.shop) as session:
            assert invariants.broken(session) == []

    @invariant()
    def nobody_was_charged_twice(self) -> None:
        moved = captures(self.process)
        assert all(len(captured) == 1 for captured in moved.values()), moved
        if self.kind == "instalments":
            assert sum(captured[0].minor for captured in moved.values()) <= TOTAL.minor
        for attempt in self._attempts():
            if attempt.state == "succeeded":
                assert moved.get(attempt.collection_id) == [attempt.money], "booked, and not captured"

    def teardown(self) -> None:
        """The faults end, whoever slept is dead, and time passes: everything is settled, or waits for somebody."""
        if not hasattr(self, "life"):
            return
        self._all_is_well_again()
        self.life.passes(days=45)
        self.the_books_hold()
        self.nobody_was_charged_twice()
        self._every_payment_has_come_to_an_end()
        self._the_books_are_the_gateways()

    def _all_is_well_again(self) -> None:
        self.held.clear()
        self.process.api("DELETE", "/_test/switches")
        self.account_is_paused(paused=False)
        self.run_is_held(held=False)

    def _every_payment_has_come_to_an_end(self) -> None:
        with self.life.house.of(self.life.shop) as session:
            plan = session.get_one(Plan, (self.life.shop.id, self.life.plan_id))
            shown = set(session.scalars(select(Case.subject).where(Case.state == "open")))
            unclear = select(Attempt).where(Attempt.state == "in_doubt")
            doubted = {it.collection_id: it.id for it in session.scalars(unclear)}
            for row in plans.collections_of(session, plan.shop_id, plan.id):
                waits = row.due_at is not None or row.id in shown or plan.id in shown
                asked = row.state == "in_doubt" and doubted[row.id] in shown
                assert row.state in _ENDED or waits or asked, (
                    f"{row.number} {row.state} of a {plan.state} plan"
                )

    def _the_books_are_the_gateways(self) -> None:
        """What is in doubt is not in the books; all else agrees, to the cent."""
        with self.life.house.of(self.life.shop) as session:
            unexpected = select(ledger.Journal.id).where(ledger.Journal.kind.like("unexpected%"))
            assert list(session.scalars(unexpected)) == []
            asked = list(session.scalars(select(billing.Refund)))
            doubted = set(session.scalars(select(Attempt.collection_id).where(Attempt.state == "in_doubt")))
        ours = {it.collection_id: [it.money] for it in self._attempts() if it.state == "succeeded"}
        theirs = {id: captured for id, captured in captures(self.process).items() if id not in doubted}
        assert ours == theirs
        for refund in asked:
            given = self.process.refunded(refund.reference)
            booked = [refund.money] if refund.state == "succeeded" else []
            assert refund.state == "in_doubt" or given == booked, f"refund {refund.number}: {refund.state}"

    def _attempts(self) -> list[Attempt]:
        with self.life.house.of(self.life.shop) as session:
            return list(session.scalars(select(Attempt)))


QUICK = settings(max_examples=4, stateful_step_count=18, derandomize=True)
NIGHT = settings(
    max_examples=int(os.environ.get("EXAMPLES", "1500")), stateful_step_count=60, print_blob=True
)


@pytest.mark.slow
def test_whatever_happens_in_the_life_of_a_plan_nobody_is_charged_twice(
    house: TestHouse, gateway_process: SandboxProcess, mails: Letterbox
) -> None:
    class Living(LifeOfAPlan):
        pass

    Living.house, Living.process = house, gateway_process
    if LONG:
        number = int(os.environ.get("SEED", "0")) or secrets.randbelow(2**32)
        print(f"SEED={number}")
        seed(number)(Living)
    every = settings(
        NIGHT if LONG else QUICK, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Living, settings=every)
