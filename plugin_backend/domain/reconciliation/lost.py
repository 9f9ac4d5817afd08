"""Attempts that a restored database has lost: their references are known again, since they are derived.

A reference comes from the collection's id and the number of the try, and a collection's id from its plan's and its own
number. What was captured after the backup can therefore be told from what is none of ours, also for a payment of a
subscription whose row is not there yet.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from plugin_backend.domain import billing, moves, plans
from plugin_backend.domain.billing import OPEN, Attempt
from plugin_backend.domain.billing.guards import CHARGEABLE
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection as Payment
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.reconciliation.comparing import Finding
from plugin_backend.domain.reconciliation.runs import Run
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk

# How many tries of one payment may have been lost. More than a card scheme allows within the life of a backup.
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which collection, and of which try, a reference is."""

    collection_id: str
    number: int


def origins(session: Session, run: Run, findings: Sequence[Finding]) -> dict[str, Origin]:
    """Of the captures that nothing of ours explains, those whose reference a further try of an unpaid collection would
    have had: by reference, whose they are."""
    unknown = {f.moved.reference for f in findings if f.moved and f.moved.kind == "charge" and not f.ours}
    if not unknown:
        return {}
    found = {}
    for collection_id, last in session.execute(_unpaid(run.shop_id, run.account_id)):
        for number in range(last + 1, last + _TRIES + 1):
            reference = billing.reference_of(collection_id, number)
            if reference in unknown:
                found[reference] = Origin(collection_id, number)
    return found


def _unpaid(shop_id: str, account_id: str) -> Select[str, int]:
    """The account's payments that may still be paid, each with the number of its last try."""
    tried = (
        select(Attempt.collection_id, func.max(Attempt.number).label("last"))
        .where(Attempt.shop_id == shop_id)
        .group_by(Attempt.collection_id)
        .subquery()
    )
    return (
        select(Payment.id, func.coalesce(tried.c.last, 0))
        .join(Plan, (Plan.shop_id == Payment.shop_id) & (Plan.id == Payment.plan_id))
        .outerjoin(tried, tried.c.collection_id == Payment.id)
        .where(Payment.shop_id == shop_id, Plan.account_id == account_id)
        .where(Payment.state.not_in(("paid", "refunded", "void")))
    )


def untold(session: Session, run: Run, of: Collection[str] | None = None) -> dict[str, Origin]:
    """The next try of each payment whose day has come, by its reference: a list names captures only, and a try that still
    waits for its bank or its customer may be lost, too. ``of``: of these payments only."""
    unpaid = _unpaid(run.shop_id, run.account_id).where(
        Payment.state.in_(CHARGEABLE), Payment.scheduled_at <= clock.now()
    )
    if of is not None:
        unpaid = unpaid.where(Payment.id.in_(of))
    found = [Origin(collection_id, last + 1) for collection_id, last in session.execute(unpaid)]
    return {billing.reference_of(it.collection_id, it.number): it for it in found}


def bring_back(
    session: Session,
    shop: Shop,
    account_id: str,
    origin: Origin,
    outcome: sdk.Outcome,
    at: datetime,
) -> str:
    """Write the lost attempt down again, sent ``at`` or before, and record its outcome: its id; "" where its collection can
    no longer be paid, or it is written down by now. An attempt before it had ended, or this one would not have begun."""
    plan = plans.locked(session, shop.id, session.get_one(Payment, (shop.id, origin.collection_id)).plan_id)
    before = billing.attempts_of(session, shop.id, origin.collection_id)
    if any(attempt.number >= origin.number for attempt in before):
        return ""
    for attempt in before:
        if attempt.state in OPEN:
            billing.record(session, shop, attempt.id, sdk.NotExecuted("a later attempt was made"))
    row = session.get_one(
        Payment, (shop.id, origin.collection_id), with_for_update=True, populate_existing=True
    )
    if row.state == "exhausted":
        moves.move(session, row, "due", "a later attempt was made")
    if row.state not in CHARGEABLE:
        return ""
    lost = _written_down(session, plan, row, account_id, origin.number, at)
    billing.record(session, shop, lost.id, outcome)
    return lost.id


def _written_down(
    session: Session, plan: Plan, row: Payment, account_id: str, number: int, at: datetime
) -> Attempt:
    attempt = Attempt(
        shop_id=row.shop_id,
        plan_id=plan.id,
        collection_id=row.id,
        account_id=account_id,
        method_id=plan.method_id,
        number=number,
        reference=billing.reference_of(row.id, number),
        amount=row.amount,
        currency=row.currency,
        initiator="customer" if plan.state == "pending" else "merchant",
        # When it was first sent nobody knows. No key may be thought younger than it is, no silence older.
        first_sent_at=min(at, row.scheduled_at),
        last_sent_at=at,
        asked=0,
    )
    moves.begin(session, attempt, "sent", "known again from the gateway")
    moves.move(session, row, "in_flight", "known again from the gateway")
    row.rest(None)
    session.flush()
    return attempt
