"""Writing attempts down before they are asked: a batch in one transaction, under the plans' and collections' locks."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.core.seal import SealError
from plugin_backend.domain import cases, merchants, moves, plans, vault
from plugin_backend.domain.billing import guards
from plugin_backend.domain.billing.attempts import (
    Attempt,
    Initiator,
    Prepared,
    hash_of,
    reference_of,
    request_of,
)
from plugin_backend.domain.billing.guards import Facts
from plugin_backend.domain.billing.recording import record
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk


def prepare(
    session: Session, shop: Shop, collection_id: str, *, initiator: Initiator, back: str = ""
) -> Prepared | None:
    """Write one attempt down, or None where there is nothing to be charged (any more)."""
    return next(iter(prepare_all(session, shop, [collection_id], initiator=initiator, back=back)), None)


def prepare_all(
    session: Session, shop: Shop, ids: Sequence[str], *, initiator: Initiator, back: str = ""
) -> list[Prepared]:
    """Write down an attempt at each collection that may be charged now; the others come to rest until they may be. The
    transaction must be committed before anything is asked. ``back`` is the page and row that a customer who is there
    comes back to, such as ``o/off_...``. Locks are taken in the order plan, collection, by id."""
    found, rows = _locked(session, shop.id, ids)
    known = guards.facts(session, shop, list(found.values()), rows)
    # Before anything is added: a look at the database in between would have each attempt written twice.
    vault.warm(session, shop.id, (method.sealed for method in known.methods.values()))
    gateways: dict[str, sdk.Gateway] = {}
    begun = []
    for row in rows:
        plan = found[row.plan_id]
        hold = known.hold(plan, row, initiator)
        if hold is not None:
            guards.enter(session, plan, row, hold)
            continue
        known.spent.note(known.methods[plan.method_id], row.money, known.now)
        begun.append((plan, _begin(session, shop, plan, row, known, initiator, back)))
    prepared = [_prepared(session, shop, plan, attempt, known, gateways) for plan, attempt in begun]
    return [one for one in prepared if one is not None]


def _locked(session: Session, shop_id: str, ids: Sequence[str]) -> tuple[dict[str, Plan], list[Collection]]:
    """Plans, and those of the collections that wait to be charged, locked in this order; each plan only once, since a second collection
    of it would be judged by what the first has not yet written."""
    of_plan = select(Collection.plan_id).where(Collection.shop_id == shop_id, Collection.id.in_(ids))
    found = {plan.id: plan for plan in plans.lock_all(session, shop_id, set(session.scalars(of_plan)))}
    locked = session.scalars(
        select(Collection)
        .where(Collection.shop_id == shop_id, Collection.id.in_(ids))
        .order_by(Collection.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    waiting = [row for row in locked if row.state in guards.CHARGEABLE]
    for row in locked:
        if row.state not in guards.CHARGEABLE:
            row.rest(None)
    first = {row.plan_id: row for row in sorted(waiting, key=lambda row: row.number, reverse=True)}
    for row in waiting:
        if first[row.plan_id] is not row:
            row.rest(clock.now())
    return found, list(first.values())


def _begin(
    session: Session,
    shop: Shop,
    plan: Plan,
    row: Collection,
    known: Facts,
    initiator: Initiator,
    back: str,
) -> Attempt:
    number = known.last.get(row.id, 0) + 1
    attempt = Attempt(
        shop_id=row.shop_id,
        plan_id=plan.id,
        collection_id=row.id,
        account_id=plan.account_id,
        method_id=plan.method_id,
        number=number,
        reference=reference_of(row.id, number),
        amount=row.amount,
        currency=row.currency,
        initiator=initiator,
        description=f"{shop.name} {row.number}" + (f"/{plan.count}" if plan.count else ""),
        back=back,
        first_sent_at=known.now,
        last_sent_at=known.now,
        asked=0,
    )
    moves.enter(session, attempt, "sent")
    attempt.due_at, attempt.taken = known.now + delays.DELAYS.lease, True
    moves.move(session, row, "in_flight")
    row.held = ""
    row.rest(None)
    return attempt


def _prepared(
    session: Session,
    shop: Shop,
    plan: Plan,
    attempt: Attempt,
    known: Facts,
    gateways: dict[str, sdk.Gateway],
) -> Prepared | None:
    """What to ask, or None where the card does not open: that is shown to a person, and costs no other its charge."""
    if plan.account_id not in gateways:
        gateways[plan.account_id] = merchants.gateway_of(
            session, shop, known.accounts[plan.account_id], vault.Use("gateway_call", attempt.id)
        )
    try:
        card = vault.open_method(session, known.methods[plan.method_id], vault.to_charge(attempt))
    except SealError:
        record(session, shop, attempt.id, sdk.NotExecuted("the card does not open"))
        cases.open_case(session, shop.id, "work_failed", attempt.collection_id, error=SealError.__name__)
        return None
    request = request_of(plan, attempt, card)
    attempt.request_hash = hash_of(request)
    return Prepared(shop.id, attempt.id, request, gateways[plan.account_id])
