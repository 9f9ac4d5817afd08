"""The life of one plan as its worker lives it: prepare, ask and record as three steps, between which anything may happen.

Time is the shop's own. What a worker holds in its hand, the deadline of a request, ages with it; and the judge of what
was charged is the gateway's ledger, which another process writes.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from plugin_backend.core import delays
from plugin_backend.demo.gateway.judge import account_of
from plugin_backend.demo.gateway.ledger import read_entries
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
    plan_id: str = ""

    # Time

    @property
    def now(self) -> datetime:
        return self.house.now(self.shop)

    def passes(self, **span: float) -> None:
        """Time passes, and the house works off what falls due. The clock waits for a worker that holds something; here
        none does that lives."""
        left = timedelta(**span)
        if self.is_taken():
            dead = min(left, delays.DELAYS.lease + timedelta(seconds=1))
            self.is_away(dead)
            left -= dead
        if self.is_taken() and not left:
            return
        try:
            self.house.travel(self.shop, seconds=left.total_seconds())
        finally:
            with self.house.of(self.shop) as session:
                merchants.get_shop(session, self.shop.id).travel_to = None

    def is_taken(self) -> bool:
        """Does anybody hold something?"""
        with self.house.of(self.shop) as session:
            models = [model for model, _ in jobs.timers()]
            return any(
                session.scalars(select(it.id).where(it.taken, it.due_at > clock.now())).first()
                for it in models
            )

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
            attempt = session.scalars(select(Attempt).where(Attempt.state.in_(billing.OPEN))).first()
            if attempt is None or not billing.note_questions(session, shop, [attempt.id]):
                return None
            fence = attempt.asked
            account = session.get_one(merchants.GatewayAccount, (shop.id, attempt.account_id))
            port, attempt_id = (
                merchants.gateway_of(session, shop, account, vault.Use("gateway_call", account.id)),
                attempt.id,
            )
            reference = attempt.reference
        with self.house.worker.app_context(), self.house.in_time(self.shop):
            found = port.find(reference)
        if not isinstance(found, sdk.Absent | sdk.InDoubt):
            return None
        with self.house.of(self.shop) as session:
            shop = merchants.get_shop(session, self.shop.id)
            again = billing.prepare_replays(session, shop, {attempt_id: billing.Look(port, fence)})
            return Held(again[0], clock.now()) if again else None

    def looked(self) -> int:
        """A worker begins to ask about the attempt: the number of its look."""
        with self.house.of(self.shop) as session:
            attempt = session.scalars(select(Attempt).where(Attempt.state.in_(billing.OPEN))).one()
            shop = merchants.get_shop(session, self.shop.id)
            [noted] = billing.note_questions(session, shop, [attempt.id])
            return noted.asked

    def heard_nothing(self, look: int) -> None:
        """The gateway knew nothing of the attempt when that look was made."""
        with self.house.of(self.shop) as session:
            attempt = session.scalars(select(Attempt).where(Attempt.state.in_(billing.OPEN))).one()
            shop = merchants.get_shop(session, self.shop.id)
            account = session.get_one(merchants.GatewayAccount, (shop.id, attempt.account_id))
            port = merchants.gateway_of(session, shop, account, vault.Use("gateway_call", account.id))
            billing.absent(session, shop, {attempt.id: billing.Look(port, look)})

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

    # The gateway, by itself

    def calls_back(self, about: Attempt, state: str, amount: Money = PART, **changes: Any) -> None:
        """The gateway says, signed, that a charge stands so; it is kept, and read."""
        charge = {"id": "ch_told", "reference": about.reference, "state": state, "amount": amount.as_json()}
        told = {"id": secrets.token_hex(8), "type": f"charge.{state}", "data": charge | changes}
        answered = self.house.callback(self.shop, about.account_id, self.gateway.api_key, told)
        assert answered == 200
        with self.house.worker.app_context():
            jobs.drain("read", self.shop.id)

    # What is there

    def plan(self) -> Plan:
        with self.house.of(self.shop) as session:
            return session.get_one(Plan, (self.shop.id, self.plan_id))

    def collection(self, number: int = 2) -> Collection:
        with self.house.of(self.shop) as session:
            return plans.collection(session, self.shop.id, self.plan_id, number)

    def attempts(self, number: int = 2) -> list[Attempt]:
        with self.house.of(self.shop) as session:
            return billing.attempts_of(session, self.shop.id, self.collection(number).id)

    def states(self) -> list[str]:
        with self.house.of(self.shop) as session:
            return [row.state for row in plans.collections_of(session, self.shop.id, self.plan_id)]

    def tries(self, number: int = 2) -> list[str]:
        return [attempt.state for attempt in self.attempts(number)]

    def captured(self, number: int = 2) -> list[int]:
        """What the gateway's own ledger says was captured of a payment, by whatever attempt, under whatever key."""
        return [amount.minor for amount in captures(self.gateway).get(self.collection(number).id, [])]

    def given_back(self, number: int = 2) -> list[int]:
        """What the gateway's own ledger says was given back of a payment."""
        with self.house.of(self.shop) as session:
            of_payment = {attempt.id for attempt in self.attempts(number)}
            found = select(billing.Refund).where(billing.Refund.attempt_id.in_(of_payment))
            references = [refund.reference for refund in session.scalars(found)]
        return [money.minor for reference in references for money in self.gateway.refunded(reference)]

    def cases(self) -> list[str]:
        """What waits for a person, but for what is no matter of the plan's payments."""
        beside = ("order_by_hand", "not_reconciled")
        with self.house.of(self.shop) as session:
            found = select(Case.kind).where(Case.state == "open", Case.kind.not_in(beside))
            return sorted(session.scalars(found))


def captures(gateway: SandboxProcess) -> dict[str, list[Money]]:
    """What the account's own ledger says was captured, by the collection that was named."""
    account, entries = account_of(gateway.api_key), read_entries(gateway.ledger)
    own = [entry for entry in entries if entry["account"] == account]
    named = {entry["id"]: entry["collection"] for entry in own if entry["kind"] == "charge.made"}
    found: dict[str, list[Money]] = {}
    for entry in own:
        if "moved" in entry and entry["kind"].startswith("charge."):
            money = Money(entry["moved"]["amount"], entry["moved"]["currency"])
            found.setdefault(named[entry["id"]], []).append(money)
    return found


def live(
    house: TestHouse,
    gateway: SandboxProcess,
    mode: str = "default",
    *,
    at: datetime | None = None,
    lag: timedelta = timedelta(minutes=1),
    **facts: Any,
) -> Life:
    """A plan begins (``at`` some moment to come): its card is stored at the gateway, the first of its payments is made."""
    gateway.another_account(mode)
    account = gateway.settings() | {"lag_seconds": str(round(lag.total_seconds()))}
    life = Life(house, house.add_shop(sandbox=account, contact="luna@shop.test", **facts), gateway)
    if at is not None:
        life.is_away_until(at)
    token = stored(gateway)
    with house.of(life.shop) as session:
        plan = plan_story.accepted_plan(session, life.shop, TOTAL, token=token)
        plan.rest(clock.now())
        life.plan_id = plan.id
    life.rests()
    assert life.states()[0] == "paid", life.states()
    return life
