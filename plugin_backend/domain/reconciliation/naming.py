"""Movements that a gateway does not file under a reference of ours get the one they belong to, before they are compared: a
set-up's own payment that of the plan's first charge, a refund that of the refund that asked for it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from plugin_backend.core.ids import nth_of
from plugin_backend.domain import billing, plans
from plugin_backend.domain.billing import Attempt, Dispute, Refund, Stray
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.domain.reconciliation.runs import Run
from plugin_backend.domain.setups import Setup
from plugin_backend.sdk.gateway import Captured, DisputeChanged

_SETUP = f"{Setup.prefix}_"


def named(session: Session, run: Run, listed: Iterable[Captured]) -> list[Captured]:
    """The same movements, each under our reference where one can be told."""
    given: set[str] = set()
    return [_named(session, run, moved, given) for moved in listed]


def _named(session: Session, run: Run, moved: Captured, given: set[str]) -> Captured:
    if moved.kind == "charge" and moved.reference.startswith(_SETUP):
        return replace(moved, reference=_of_setup(session, run, moved) or moved.reference)
    if moved.kind == "refund" and moved.of:
        found = _refund_of(session, run, moved, given)
        if found is not None:
            given.add(found.id)
            return replace(moved, reference=found.reference)
    return moved


def _of_setup(session: Session, run: Run, moved: Captured) -> str:
    """The reference of the charge that captured what a set-up authorised: the one that knows it, else the last, else the
    one that would come next; "" where no plan came of the set-up."""
    setup = session.get(Setup, (run.shop_id, moved.reference))
    plan = plans.of_offer(session, run.shop_id, setup.offer_id) if setup is not None else None
    if plan is None or plan.account_id != run.account_id:
        return ""
    first = nth_of(plan.id, Collection.prefix, 1)
    tries = billing.attempts_of(session, run.shop_id, first)
    knows = next((one for one in tries if one.gateway_id == moved.gateway_id), None)
    found = knows or next(reversed(tries), None)
    return found.reference if found is not None else billing.reference_of(first, 1)


def _refund_of(session: Session, run: Run, moved: Captured, given: set[str]) -> Refund | None:
    """The refund that knows this movement, else one of the same charge and amount that knows none yet."""
    of_charge = Attempt.account_id == run.account_id, Attempt.gateway_id == moved.of
    of_stray = Stray.account_id == run.account_id, Stray.gateway_id == moved.of
    found = (
        select(Refund)
        .outerjoin(Attempt, (Attempt.shop_id == Refund.shop_id) & (Attempt.id == Refund.attempt_id))
        .outerjoin(Stray, (Stray.shop_id == Refund.shop_id) & (Stray.id == Refund.stray_id))
        .where(Refund.shop_id == run.shop_id, or_(and_(*of_charge), and_(*of_stray)))
        .order_by(Refund.created_at, Refund.id)
    )
    rows: Sequence[Refund] = session.scalars(found).all()
    knows = next((row for row in rows if row.gateway_id == moved.gateway_id), None)
    if knows is not None:
        return knows
    sent = (row for row in rows if row.first_sent_at is not None and not row.gateway_id)
    return next((row for row in sent if row.money == moved.amount and row.id not in given), None)


def take_in_disputes(session: Session, shop: Shop, run: Run, told: Iterable[DisputeChanged]) -> None:
    """What a gateway lists of disputes is read with our own key: it is believed. Read again, it says nothing new."""
    account = session.get_one(GatewayAccount, (run.shop_id, run.account_id))
    for event in told:
        known = session.scalar(
            select(Dispute).where(
                Dispute.shop_id == run.shop_id,
                Dispute.account_id == run.account_id,
                Dispute.gateway_id == event.dispute_id,
            )
        )
        if known is not None and event.state in (known.state, "open"):
            continue
        attempt = _disputed(session, run, event, known)
        if attempt is not None:
            named = replace(event, reference=attempt.reference, gateway_id=attempt.gateway_id)
            billing.dispute_changed(session, shop, account, named, signed=True)


def _disputed(session: Session, run: Run, event: DisputeChanged, known: Dispute | None) -> Attempt | None:
    """The payment that is disputed. Of one that is not ours, the merchant hears from his gateway."""
    if known is not None:
        return session.get_one(Attempt, (run.shop_id, known.attempt_id))
    found = select(Attempt).where(
        Attempt.shop_id == run.shop_id,
        Attempt.account_id == run.account_id,
        Attempt.gateway_id == event.gateway_id,
        Attempt.gateway_id != "",
    )
    return session.scalars(found).first()
