"""Disputes are entered in the books as the gateway tells them: a chargeback when one opens, its return when it is won.

A dispute is told by callbacks alone, which come late, twice, out of order, or for nobody we know. So a dispute only ever
goes forward, each of its bookings is made once, and whatever does not fit the books changes nothing in them: it is kept
as evidence, and a person is shown it.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, ledger, moves, plans
from plugin_backend.domain.billing import refunds
from plugin_backend.domain.billing.attempts import Attempt, by_reference
from plugin_backend.domain.billing.disputes import Dispute, disputed
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk


def dispute_changed(
    session: Session, shop: Shop, account: GatewayAccount, event: sdk.DisputeChanged, *, signed: bool
) -> None:
    """Take in what a gateway says of a dispute. ``signed`` False: anybody may have said it, so nothing is booked."""
    attempt = _disputed_payment(session, shop, account, event)
    if attempt is None or attempt.account_id != account.id:
        _show(session, shop, "dispute_unknown", event.dispute_id, event)
        return
    plan = plans.locked(session, shop.id, attempt.plan_id)
    attempt = session.get_one(Attempt, (shop.id, attempt.id), with_for_update=True, populate_existing=True)
    dispute = _known(session, account, event.dispute_id)
    if dispute is not None:
        said = {"state": event.state, **event.amount.as_json(), "at": clock.now().isoformat()}
        dispute.evidence = [*dispute.evidence, said]
    if not signed or not _fits(session, attempt, dispute, event):
        _show(session, shop, "dispute_differs", attempt.id, event, plan=plan.id)
    elif dispute is None:
        _begin(session, shop, plan, attempt, account, event)
    elif dispute.state == "open" and event.state != "open":
        moves.move(session, dispute, event.state)
        _ended(session, shop, plan, attempt, dispute)
    elif event.state not in (dispute.state, "open"):
        # Won after lost, or lost after won: nothing tells which of the two came last.
        _show(session, shop, "dispute_differs", attempt.id, event, plan=plan.id)


def _disputed_payment(
    session: Session, shop: Shop, account: GatewayAccount, event: sdk.DisputeChanged
) -> Attempt | None:
    """By our reference, or by the gateway's id of the payment where that is all that a dispute names."""
    if event.reference or not event.gateway_id:
        return by_reference(session, shop.id, event.reference)
    found = select(Attempt).where(
        Attempt.shop_id == shop.id,
        Attempt.account_id == account.id,
        Attempt.gateway_id == event.gateway_id,
    )
    return session.scalars(found.limit(2)).one_or_none()


def _known(session: Session, account: GatewayAccount, gateway_id: str) -> Dispute | None:
    found = select(Dispute).where(
        Dispute.shop_id == account.shop_id,
        Dispute.account_id == account.id,
        Dispute.gateway_id == gateway_id,
    )
    return session.scalar(found.with_for_update())


def _fits(session: Session, attempt: Attempt, dispute: Dispute | None, event: sdk.DisputeChanged) -> bool:
    """A dispute is of a captured payment, in its currency, of no more than it; and it keeps its amount."""
    if dispute is not None:
        return dispute.attempt_id == attempt.id and dispute.money == event.amount
    if attempt.state != "succeeded" or event.amount.currency != attempt.currency:
        return False
    others = disputed(session, attempt, "open", "lost")
    return 0 < event.amount.minor <= attempt.amount - others


def _begin(
    session: Session,
    shop: Shop,
    plan: Plan,
    attempt: Attempt,
    account: GatewayAccount,
    event: sdk.DisputeChanged,
) -> None:
    dispute = Dispute(
        shop_id=shop.id,
        id=new_id(Dispute.prefix),
        account_id=account.id,
        gateway_id=event.dispute_id,
        plan_id=plan.id,
        attempt_id=attempt.id,
        amount=event.amount.minor,
        currency=event.amount.currency,
        evidence=[{"state": event.state, **event.amount.as_json(), "at": clock.now().isoformat()}],
    )
    moves.begin(session, dispute, event.state)
    _book(session, dispute, "chargeback", debit=ledger.CUSTOMER, credit=ledger.GATEWAY)
    if event.state != "open":
        _ended(session, shop, plan, attempt, dispute)
        return
    refunds.follow(session, attempt)
    _hold(session, plan)
    cases.open_case(session, shop.id, "dispute_open", dispute.id, plan=plan.id, **_facts(event))


def _ended(session: Session, shop: Shop, plan: Plan, attempt: Attempt, dispute: Dispute) -> None:
    """The bank has decided. What was won is ours again and the plan goes on; of what was lost a person hears, and he
    decides what becomes of the rest."""
    if dispute.state == "won":
        _book(session, dispute, "chargeback_won", debit=ledger.GATEWAY, credit=ledger.CUSTOMER)
    session.flush()
    refunds.follow(session, attempt)
    cases.settle(session, shop.id, "dispute_open", dispute.id, dispute.state)
    if dispute.state == "lost":
        _hold(session, plan)
        amount = dispute.money.as_json()
        cases.open_case(session, shop.id, "dispute_lost", dispute.id, plan=plan.id, amount=amount)
    else:
        _let_go(session, plan)
    plans.end_if_settled(session, plan, plans.collections_of(session, plan.shop_id, plan.id))


def _hold(session: Session, plan: Plan) -> None:
    """Nothing is collected while a bank decides. A plan that waits for another card waits for that no longer: the card
    alone must not take it up again."""
    plans.pause(session, plan, "disputed")
    if plan.state == "paused" and plan.reason.startswith("declined"):
        plan.reason = "disputed"


def _let_go(session: Session, plan: Plan) -> None:
    """The plan goes on, unless something else is disputed, or a payment still waits for another card."""
    if plan.state != "paused" or plan.reason != "disputed" or _any_open(session, plan):
        return
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    if any(row.state == "exhausted" for row in rows):
        plan.reason = "declined"
    else:
        plans.resume(session, plan, "the dispute is won")


def _any_open(session: Session, plan: Plan) -> bool:
    found = select(Dispute.id).where(
        Dispute.shop_id == plan.shop_id, Dispute.plan_id == plan.id, Dispute.state.in_(("open", "lost"))
    )
    return session.scalar(found.limit(1)) is not None


def _show(
    session: Session, shop: Shop, kind: str, subject: str, event: sdk.DisputeChanged, **facts: Any
) -> None:
    cases.open_case(session, shop.id, kind, subject, **facts, **_facts(event))


def _facts(event: sdk.DisputeChanged) -> dict[str, Any]:
    return {
        "dispute": event.dispute_id,
        "reference": event.reference,
        "amount": event.amount.as_json(),
        "said": event.state,
    }


def _book(session: Session, dispute: Dispute, kind: str, *, debit: str, credit: str) -> None:
    ledger.book(
        session, dispute.shop_id, kind, dispute.id, dispute.plan_id, dispute.money, debit=debit, credit=credit
    )
