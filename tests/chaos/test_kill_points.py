"""A worker dies at every point of its work with money, once each: each payment is collected exactly once all the same.

Every point is crossed with three gateways: one that answers, one whose answer is lost after it captured, and one that
keeps no keys and says 500 after it captured. ``KILL_POINTS=all`` (``make kill-points``) takes every point; without it
every few points are taken, and all of those around the ask.
"""

import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from plugin_backend.core.config import Config
from plugin_backend.demo.gateway.ledger import read_entries
from plugin_backend.domain import billing
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.chaos.stage import ROOT
from tests.contract.gateway_process import SandboxProcess
from tests.contract.sandbox_story import stored
from tests.house import TestHouse

ALL = os.environ.get("KILL_POINTS") == "all"
EVERY = 1 if ALL else 20
MOST_POINTS = 90 if ALL else 13
# How many there are at the least. More is well; fewer means that something is no longer seen, or no longer done.
POINTS = {"present": 40, "charge": 32, "refund": 20}
AROUND_THE_ASK = {
    *(
        "before the bytes leave",
        "after the bytes have left",
        "before the answer is read",
        "after the answer was read",
    )
}
LIVED = "it had no more to do"
COMMITS = {"before COMMIT", "after COMMIT"}
TOTAL = Money(9000, "EUR")
PART = Money(3000, "EUR")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the gateway answers the worker that dies: the account's settings, and the switches while it lives."""

    name: str
    account: dict[str, str]
    switches: dict[str, int]


ANSWERS = Behaviour("answers", {}, {})
LOST = Behaviour("loses the answer", {}, {"lost_answer": 1})
NO_KEYS = Behaviour("keeps no keys and breaks", {"mode": "no_keys"}, {"error_after": 1})
BEHAVIOURS = [pytest.param(it, id=it.name.replace(" ", "_")) for it in (ANSWERS, LOST, NO_KEYS)]


@dataclass(frozen=True, slots=True)
class Death:
    """Where a worker died, and how the gateway behaved."""

    behaviour: str
    bell: str
    at: int
    label: str


class Worker:
    """The process that forks a worker for each question."""

    def __init__(self, settings: Config, gateway: SandboxProcess) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "REPRISE_URL": settings.base_url,
            "REPRISE_KEYS": str(settings.keys),
            "MAIL_URL": settings.mail_url,
            "REPRISE_LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, "-m", "tests.chaos.kill_points"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def answer(self, bell: str, shop: Shop, at: int = 0) -> tuple[list[str], bool]:
        """Let a worker answer a bell: what it did, the last of it where it died, and whether it died."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"bell": bell, "shop": shop.id, "at": at}) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert told["status"] in (0, signal.SIGKILL), f"it ended with {told['status']} after {told['labels']}"
        return list(told["labels"]), told["status"] != 0


@pytest.fixture
def worker(settings: Config, gateway: SandboxProcess) -> Iterator[Worker]:
    made = Worker(settings, gateway)
    yield made
    made.close()


@dataclass
class Sweep:
    """A shop with a plan for each point, all on one stored card."""

    house: TestHouse
    shop: Shop
    gateway: SandboxProcess
    worker: Worker
    behaviour: Behaviour
    token: str

    def plans(self, count: int) -> list[str]:
        """Plans that wait for their first payment."""
        with self.house.of(self.shop) as session:
            made = [
                plan_story.accepted_plan(
                    session, self.shop, TOTAL, f"{secrets.token_hex(4)}@example.test", token=self.token
                )
                for _ in range(count)
            ]
            return [plan.id for plan in made]

    def collection(self, plan_id: str, number: int) -> str:
        with self.house.of(self.shop) as session:
            found = select(Collection.id).where(Collection.plan_id == plan_id, Collection.number == number)
            return session.scalars(found).one()

    def due_now(self, table: str, *ids: str) -> None:
        with self.house.of(self.shop) as session:
            own = {"at": clock.now(), "ids": list(ids)}
            session.execute(text(f"UPDATE {table} SET due_at = :at WHERE id = ANY(:ids)"), own)

    def deaths(self, bell: str, table: str, rows: list[str]) -> dict[str, Death]:
        """A worker for each of the rows, which fall due one after the other, dies one point later than the one before,
        until one has nothing more to do and lives. The row that each had in hand, and where it died."""
        rows = list(rows)
        died: dict[str, Death] = {}
        for at, row_id in zip(self._points(bell, table, rows.pop()), rows, strict=False):
            self.due_now(table, row_id)
            labels, is_dead = self._dies(bell, at)
            died[row_id] = Death(self.behaviour.name, bell, at, labels[-1] if is_dead else LIVED)
            if not is_dead:
                return died
        assert not ALL, f"there are more points than {len(rows)}"
        return died

    def recovers(self, **span: float) -> None:
        """Leases run out, and everybody asks and tries again until nothing is left to do, at most three days."""
        self.house.leases_run_out(self.shop)
        self.house.travel(self.shop, **(span or {"days": 3}))

    def _points(self, bell: str, table: str, row_id: str) -> Iterator[int]:
        """Where to die, by what a worker does that lives: everywhere, or here and there and all around the ask."""
        self.due_now(table, row_id)
        labels, _ = self.worker.answer(bell, self.shop)
        asks = {number for number, label in enumerate(labels, 1) if "bytes" in label or "answer" in label}
        return (at for at in itertools.count(1) if at in asks or (at - 1) % EVERY == 0)

    def _dies(self, bell: str, at: int) -> tuple[list[str], bool]:
        """The gateway behaves as it does, for this one worker."""
        self.gateway.switch(**self.behaviour.switches)
        try:
            return self.worker.answer(bell, self.shop, at)
        finally:
            self.gateway.switch(**dict.fromkeys(self.behaviour.switches, 0))


@pytest.fixture(params=BEHAVIOURS)
def sweep(
    request: pytest.FixtureRequest,
    house: TestHouse,
    gateway: SandboxProcess,
    worker: Worker,
    mails: object,
) -> Sweep:
    behaviour: Behaviour = request.param
    shop = house.add_shop(sandbox={**gateway.settings(), **behaviour.account}, contact="luna@shop.test")
    return Sweep(house, shop, gateway, worker, behaviour, stored(gateway))


def test_a_worker_may_die_anywhere_and_each_payment_is_collected_and_given_back_once(sweep: Sweep) -> None:
    plans = sweep.plans(MOST_POINTS)
    _first_payments(sweep, plans)
    _minutes_before_the_second(sweep)
    _second_payments(sweep, plans)
    _refunds(sweep, plans)


def _first_payments(sweep: Sweep, plans: list[str]) -> None:
    """The customer is there, and asks again where his payment proved not to have been made."""
    firsts = {plan: sweep.collection(plan, 1) for plan in plans}
    died = sweep.deaths("present", "plans", plans)
    assert_every_point_was_met(died)
    sweep.recovers(hours=2)
    with sweep.house.of(sweep.shop) as session:
        waiting = [plan for plan in plans if session.get_one(Plan, (sweep.shop.id, plan)).state == "pending"]
    sweep.due_now("plans", *waiting)
    sweep.recovers()
    assert_collected_once(sweep, {firsts[plan]: death for plan, death in died.items()})


def _second_payments(sweep: Sweep, plans: list[str]) -> None:
    died = sweep.deaths("charge", "collections", [sweep.collection(plan, 2) for plan in plans])
    assert_every_point_was_met(died)
    sweep.recovers()
    assert_collected_once(sweep, died)


def _refunds(sweep: Sweep, plans: list[str]) -> None:
    """Of all that was paid."""
    with sweep.house.of(sweep.shop) as session:
        rows = [row for plan in plans for row in billing.give_back(session, sweep.shop, plan)]
        for row in rows:
            row.rest(clock.now() + timedelta(days=1))
        names = [row.id for row in rows]
    died = sweep.deaths("refund", "refunds", names)
    assert_every_point_was_met(died)
    sweep.recovers()
    with sweep.house.of(sweep.shop) as session:
        for refund_id, death in died.items():
            row = session.get_one(billing.Refund, (sweep.shop.id, refund_id))
            attempt = session.get_one(billing.Attempt, (sweep.shop.id, row.attempt_id))
            done = select(billing.Refund).where(
                billing.Refund.attempt_id == attempt.id, billing.Refund.state == "succeeded"
            )
            ours = [refund.money for refund in session.scalars(done)]
            assert (_given_back(sweep.gateway, attempt.reference), ours) == ([PART], [PART]), death


def assert_every_point_was_met(died: dict[str, Death]) -> None:
    """A change by which points are no longer seen must not go unnoticed."""
    met = {death.label for death in died.values()}
    assert met >= AROUND_THE_ASK, met
    if ALL:
        assert met >= COMMITS, met
        (bell,) = {death.bell for death in died.values()}
        assert len(died) > POINTS[bell], [death.label for death in died.values()]


def assert_collected_once(sweep: Sweep, died: dict[str, Death]) -> None:
    """The gateway captured each collection once, and ours says so."""
    with sweep.house.of(sweep.shop) as session:
        for collection_id, death in died.items():
            row = session.get_one(Collection, (sweep.shop.id, collection_id))
            attempts = billing.attempts_of(session, sweep.shop.id, collection_id)
            captured = [
                (it.state, amount) for it in attempts for amount in sweep.gateway.captured(it.reference)
            ]
            told = f"{death}: {[(it.state, it.reason) for it in attempts]}"
            assert captured == [("succeeded", PART)], told
            assert row.state == "paid", told


def _minutes_before_the_second(sweep: Sweep) -> None:
    with sweep.house.of(sweep.shop) as session:
        due = min(session.scalars(select(Collection.scheduled_at).where(Collection.number == 2)))
    sweep.house.travel(sweep.shop, seconds=(due - sweep.house.now(sweep.shop)).total_seconds() - 600)


def _given_back(gateway: SandboxProcess, charge_reference: str) -> list[Money]:
    """What the gateway's own ledger says was given back of a charge."""
    entries = [entry for entry in read_entries(gateway.ledger) if entry["kind"].startswith("refund.")]
    of_charge = {entry["id"] for entry in entries if entry.get("charge_reference") == charge_reference}
    return [_money(entry) for entry in entries if "moved" in entry and entry["id"] in of_charge]


def _money(entry: dict[str, Any]) -> Money:
    return Money(entry["moved"]["amount"], entry["moved"]["currency"])
