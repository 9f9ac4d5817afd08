"""The life of one plan as its worker lives it: prepare, ask and record as three steps, between which anything may happen.

Time is the shop's own. What a worker holds in its hand, the deadline of a request, ages with it; and the judge of what
was charged is the gateway's ledger, which another process writes.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from plugin_backend.domain import billing, merchants, plans, vault
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs
from tests import plan_story
from tests.contract.gateway_process import SandboxProcess
from tests.contract.sandbox_story import stored
from tests.house import TestHouse

TOTAL = Money(9000, "EUR")
PART = Money(3000, "EUR")


@dataclass
class Held:
    """What a worker has in its hand: a request that is written down, and the answer once it was asked."""

    prepared: billing.Prepared
    since: datetime
    outcome: sdk.Outcome | None = None


@dataclass
class Life:
    """A shop with one plan in three parts, the first of which is paid."""

    house: TestHouse
    shop: Shop
    gateway: SandboxProcess
    plan_id: str

    # Time

    @property
    def now(self) -> datetime:
        return self.house.now(self.shop)

    def passes(self, **span: float) -> None:
        """Time passes, and the house works off what falls due."""
        self.house.travel(self.shop, **span)

    def rests(self) -> None:
        self.house.rest(self.shop)

    def is_away(self, span: timedelta) -> None:
        """Time passes while nobody works; back where it is negative, as when a clock is set."""
        with self.house.of(self.shop) as session:
            own = {"span": span, "id": self.shop.id}
            session.execute(text("UPDATE shops SET clock_offset = clock_offset + :span WHERE id = :id"), own)

    def is_away_until(self, moment: datetime) -> None:
        self.is_away(moment - self.now)

    # The worker, step by step

    def prepare(self, number: int = 2) -> Held | None:
        row = self.collection(number)
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            prepared = billing.prepare(session, shop, row.id, initiator="merchant")
            return Held(prepared, clock.now()) if prepared else None

    def begun(self, number: int = 2) -> Held:
        """An attempt at the payment, made on its day, is written down."""
        self.is_away_until(max(self.collection(number).scheduled_at, self.now))
        held = self.prepare(number)
        assert held is not None
        return held

    def ask(self, held: Held) -> sdk.Outcome:
        """Ask as late as it is: the deadline was set when the request was written down."""
        deadline = held.prepared.request.deadline
        assert deadline is not None
        late = replace(held.prepared.request, deadline=deadline - (self.now - held.since).total_seconds())
        with self.house.worker.app_context(), self.house.in_time(self.shop):
            held.outcome = billing.ask(replace(held.prepared, request=late))
        return held.outcome

    def record(self, held: Held) -> None:
        assert held.outcome is not None
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            billing.record_all(session, shop, {held.prepared.attempt_id: held.outcome}, of_sends=True)

    def looks(self) -> None:
        """A worker asks about what is due to be asked about, and does nothing else."""
        with self.house.worker.app_context():
            jobs.drain("reconcile", self.shop.id)

    def lease_over(self) -> None:
        """The worker that held the attempt counts for dead, and another has looked."""
        self.is_away(timedelta(minutes=2, seconds=1))
        self.looks()

    def replay(self) -> Held | None:
        """Another worker finds that the gateway does not know the attempt, and writes down that it sends it again."""
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            attempt = self.last_attempt(session)
            if billing.note_question(session, shop, attempt.id) is None:
                return None
            account = session.get_one(merchants.GatewayAccount, (shop.id, attempt.account_id))
            port, attempt_id = merchants.gateway_of(shop, account), attempt.id
            reference = attempt.reference
        with self.house.worker.app_context(), self.house.in_time(self.shop):
            found = port.find(reference)
        if not isinstance(found, sdk.Absent | sdk.InDoubt):
            return None
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            again = billing.prepare_replay(session, shop, attempt_id, port)
            return Held(again, clock.now()) if again else None

    # People

    def ends(self, state: Any = "cancelled") -> None:
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            billing.stop(session, shop, self.plan_id, state, "by the customer")

    def changes_card(self, token: str) -> None:
        with self.house.of(self.shop) as session:
            plan = plans.locked(session, self.shop.id, self.plan_id)
            card = sdk.CardStored(token, "Visa", "1881", 12, 2034)
            method = vault.keep(session, self.shop.id, plan.customer_id, plan.account_id, card)
            billing.change_card(session, plan, method)

    # What is there

    def plan(self) -> Plan:
        with self.house.of(self.shop) as session:
            return session.get_one(Plan, (self.shop.id, self.plan_id))

    def collection(self, number: int = 2) -> Collection:
        with self.house.of(self.shop) as session:
            return plans.collection(session, self.shop.id, self.plan_id, number)

    def last_attempt(self, session: Any) -> Attempt:
        found = select(Attempt).where(Attempt.shop_id == self.shop.id)
        return session.scalars(found.order_by(Attempt.first_sent_at.desc(), Attempt.number.desc())).first()

    def attempts(self, number: int = 2) -> list[Attempt]:
        with self.house.of(self.shop) as session:
            return billing.attempts_of(session, self.shop.id, self.collection(number).id)

    def states(self) -> list[str]:
        """Of the payments, and of the attempts at the second."""
        with self.house.of(self.shop) as session:
            return [row.state for row in plans.collections_of(session, self.shop.id, self.plan_id)]

    def tries(self, number: int = 2) -> list[str]:
        return [attempt.state for attempt in self.attempts(number)]

    def captured(self, number: int = 2) -> list[int]:
        """What the gateway's own ledger says was captured of a payment, by whatever attempt."""
        found = [self.gateway.captured(attempt.reference) for attempt in self.attempts(number)]
        return [amount.minor for amounts in found for amount in amounts]

    def cases(self) -> list[str]:
        with self.house.of(self.shop) as session:
            found = select(Case.kind).where(Case.state == "open", Case.kind != "order_by_hand")
            return sorted(session.scalars(found))


def live(
    house: TestHouse, gateway: SandboxProcess, mode: str = "default", *, paid: bool = True, **facts: Any
) -> Life:
    """A plan begins: its card is stored at the gateway, and the first of its payments made."""
    gateway.another_account(mode)
    shop = house.add_shop(sandbox=gateway.settings(), contact="luna@shop.test", **facts)
    token = stored(gateway)
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, TOTAL, token=token)
        plan.rest(clock.now())
        life = Life(house, shop, gateway, plan.id)
    if paid:
        life.rests()
        assert life.states() == ["paid", "scheduled", "scheduled"], life.states()
    return life
