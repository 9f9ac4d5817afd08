"""What keeps a collection from being charged now: read for a whole batch at once, under the plans' locks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import cases, paying, plans, probing, quarantine
from plugin_backend.domain.billing import breaker, budgets
from plugin_backend.domain.billing.attempts import OPEN, Attempt, Initiator
from plugin_backend.domain.billing.crediting import CreditNote
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import INSTALMENTS
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock

CHARGEABLE = ("scheduled", "due", "retry_wait")
# A charge within this of its day is on its day: what is held apart is what an outage has piled up.
_ON_ITS_DAY = timedelta(hours=1)

Why = Literal[
    "quarantine",
    "plan_ended",
    "plan_not_running",
    "case_open",
    "card_stopped",
    "more_than_agreed",
    "run_held",
    "account_paused",
    "probe_failed",
    "probe_under_way",
    "gateway_unsteady",
    "one_a_day",
    "card_budget",
]


class Charge(NamedTuple):
    """A charge that was made, or possibly so."""

    plan_id: str
    collection_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a collection is not charged now, and when it is looked at again; None: never."""

    why: Why
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards look at, for one batch. ``credited`` is what was taken off a plan,
    ``taken`` what was captured or possibly so, by plan, in minor units; ``last`` the
    number of the last attempt, by collection; ``lately`` the plan's charges of the last day, by plan."""

    shop: Shop
    now: datetime
    accounts: dict[str, GatewayAccount]
    quarantined: frozenset[str]
    broken: dict[str, datetime | None]
    to_decide: frozenset[str]
    credited: dict[str, int]
    taken: dict[str, int]
    last: dict[str, int]
    lately: dict[str, list[Charge]]
    scheduled: dict[str, datetime]
    methods: dict[str, PaymentMethod]
    spent: budgets.Spent

    def hold(self, plan: Plan, row: Collection, initiator: Initiator) -> Hold | None:
        """Why this collection must not be charged now, or None where it may: only a running plan, a collection that
        nobody is to decide about, and never more than was agreed."""
        tomorrow = self.now + delays.DELAYS.looked_at_again
        if plan.state in plans.ENDED:
            return Hold("plan_ended", None)
        if plan.state != "active" and not (initiator == "customer" and plan.state == "pending"):
            return Hold("plan_not_running", tomorrow)
        if plan.account_id in self.quarantined:
            return Hold("quarantine", self.now + delays.DELAYS.held)
        if row.id in self.to_decide:
            return Hold("case_open", tomorrow)
        if self.methods[plan.method_id].stopped_at is not None:
            return Hold("card_stopped", tomorrow)
        if plan.kind == INSTALMENTS and self._too_much(plan, row):
            return Hold("more_than_agreed", tomorrow)
        return self._unattended(plan, row, tomorrow) if initiator == "merchant" else None

    def _too_much(self, plan: Plan, row: Collection) -> bool:
        agreed = plan.amount - self.credited.get(plan.id, 0)
        return self.taken.get(plan.id, 0) + row.amount > agreed

    def _unattended(self, plan: Plan, row: Collection, tomorrow: datetime) -> Hold | None:
        """What only keeps us from charging without the customer."""
        held_until = self.shop.charges_held_until
        if held_until is not None and held_until > self.now:
            return Hold("run_held", held_until)
        account = self.accounts[plan.account_id]
        if account.paused:
            return Hold("account_paused", tomorrow)
        unproven = probing.why_not_unattended(account)
        if unproven:
            return Hold(unproven, tomorrow if account.due_at is None else account.due_at)
        broken_until = self.broken[plan.account_id]
        if broken_until is not None:
            return Hold("gateway_unsteady", broken_until)
        return self._one_a_day(plan, row) or self._over_budget(plan, row)

    def _over_budget(self, plan: Plan, row: Collection) -> Hold | None:
        """One more refusal of this card would be more than its scheme allows."""
        later = self.spent.allowed_at(self.methods[plan.method_id], row.money, self.now)
        return None if later is None else Hold("card_budget", later)

    def _one_a_day(self, plan: Plan, row: Collection) -> Hold | None:
        """After an outage a plan's collections are taken a day apart. Those that are each on their day are no matter of
        an outage, however close together they were agreed."""
        late = self.now - row.scheduled_at > _ON_ITS_DAY
        for charge in self.lately.get(plan.id, []):
            was_late = charge.sent_at - self.scheduled[charge.collection_id] > _ON_ITS_DAY
            if charge.collection_id != row.id and (late or was_late):
                return Hold("one_a_day", charge.sent_at + delays.DELAYS.between_charges)
        return None


def facts(session: Session, shop: Shop, found: Sequence[Plan], rows: Sequence[Collection]) -> Facts:
    """Read what the guards look at. The caller holds the plans' locks, so that it stays true until he commits."""
    now = clock.now()
    plan_ids, row_ids = [plan.id for plan in found], [row.id for row in rows]
    accounts = _accounts(session, shop.id, {plan.account_id for plan in found})
    lately = _lately(session, shop.id, plan_ids, now - delays.DELAYS.between_charges)
    methods = _methods(session, shop.id, {plan.method_id for plan in found})
    by_plan: dict[str, list[Charge]] = {}
    for charge in lately:
        by_plan.setdefault(charge.plan_id, []).append(charge)
    return Facts(
        shop=shop,
        now=now,
        accounts=accounts,
        quarantined=frozenset(id for id in accounts if quarantine.holds(session, shop.id, id)),
        broken={id: breaker.broken_until(session, account, now) for id, account in accounts.items()},
        to_decide=_to_decide(session, shop.id, row_ids),
        credited=_credited(session, shop.id, plan_ids),
        taken=_taken(session, shop.id, plan_ids),
        last=_last(session, shop.id, row_ids),
        lately=by_plan,
        scheduled=_scheduled(session, shop.id, {charge.collection_id for charge in lately}),
        methods=methods,
        spent=budgets.spent(session, shop, methods.values()),
    )


def hold_replay(session: Session, shop: Shop, plan: Plan, attempt: Attempt, now: datetime) -> bool:
    """Must an attempt not be sent again now? It may never have arrived, and would then be the first charge; and where the
    account is known not to do what it declares, its keys are no keys."""
    account = session.get_one(GatewayAccount, (shop.id, attempt.account_id))
    if probing.why_not_unattended(account):
        return True
    if plan.state != "active" and not (attempt.initiator == "customer" and plan.state == "pending"):
        return True
    if quarantine.holds(session, shop.id, attempt.account_id):
        return True
    if attempt.initiator == "customer":
        return False
    return account.paused or (shop.charges_held_until is not None and shop.charges_held_until > now)


def enter(session: Session, plan: Plan, row: Collection, hold: Hold) -> None:
    """Let a collection rest that is not charged now, and tell a person where he must know."""
    if hold.why == "more_than_agreed":
        cases.open_case(session, plan.shop_id, "more_than_agreed", row.id, plan=plan.id)
    if hold.why == "card_stopped":
        method = session.get_one(PaymentMethod, (plan.shop_id, plan.method_id))
        paying.card_is_stopped(session, plan, method)
    if hold.why == "gateway_unsteady" and hold.until is not None:
        account = session.get_one(GatewayAccount, (plan.shop_id, plan.account_id))
        breaker.opened(session, account, hold.until)
    if hold.why == "quarantine" and plan.state == "pending":
        # Its customer has paid nothing yet, and nobody but the plan's own timer asks for him again.
        plan.rest(hold.until)
    row.held = hold.why
    row.rest(hold.until)


def _accounts(session: Session, shop_id: str, ids: Iterable[str]) -> dict[str, GatewayAccount]:
    found = select(GatewayAccount).where(GatewayAccount.shop_id == shop_id, GatewayAccount.id.in_(ids))
    return {account.id: account for account in session.scalars(found)}


def _methods(session: Session, shop_id: str, ids: Iterable[str]) -> dict[str, PaymentMethod]:
    found = select(PaymentMethod).where(PaymentMethod.shop_id == shop_id, PaymentMethod.id.in_(ids))
    return {method.id: method for method in session.scalars(found)}


def _to_decide(session: Session, shop_id: str, ids: Iterable[str]) -> frozenset[str]:
    found = select(Case.subject).where(Case.shop_id == shop_id, Case.subject.in_(ids), Case.state == "open")
    return frozenset(session.scalars(found))


def _credited(session: Session, shop_id: str, plan_ids: Iterable[str]) -> dict[str, int]:
    found = (
        select(CreditNote.plan_id, func.sum(CreditNote.taken_off))
        .where(CreditNote.shop_id == shop_id, CreditNote.plan_id.in_(plan_ids))
        .group_by(CreditNote.plan_id)
    )
    return {plan_id: int(total) for plan_id, total in session.execute(found)}


def _taken(session: Session, shop_id: str, plan_ids: Iterable[str]) -> dict[str, int]:
    found = (
        select(Attempt.plan_id, func.sum(Attempt.amount))
        .where(
            Attempt.shop_id == shop_id,
            Attempt.plan_id.in_(plan_ids),
            Attempt.state.in_((*OPEN, "succeeded")),
        )
        .group_by(Attempt.plan_id)
    )
    return {plan_id: int(total) for plan_id, total in session.execute(found)}


def _last(session: Session, shop_id: str, ids: Iterable[str]) -> dict[str, int]:
    found = (
        select(Attempt.collection_id, func.max(Attempt.number).label("number"))
        .where(Attempt.shop_id == shop_id, Attempt.collection_id.in_(ids))
        .group_by(Attempt.collection_id)
    )
    return {row.collection_id: row.number for row in session.execute(found)}


def _lately(session: Session, shop_id: str, plan_ids: Iterable[str], since: datetime) -> list[Charge]:
    found = select(Attempt.plan_id, Attempt.collection_id, Attempt.first_sent_at).where(
        Attempt.shop_id == shop_id,
        Attempt.plan_id.in_(plan_ids),
        Attempt.first_sent_at > since,
        Attempt.state.in_((*OPEN, "succeeded")),
    )
    return [Charge(*row) for row in session.execute(found.order_by(Attempt.first_sent_at))]


def _scheduled(session: Session, shop_id: str, ids: Iterable[str]) -> dict[str, datetime]:
    found = select(Collection.id, Collection.scheduled_at).where(
        Collection.shop_id == shop_id, Collection.id.in_(ids)
    )
    return {row.id: row.scheduled_at for row in session.execute(found)}
