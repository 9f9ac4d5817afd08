"""What a refusal leads to: another try within the card's budget, or a customer who is asked for what only he can give."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import cases, dunning, letters, moves, notices, paying, plans, vault
from plugin_backend.domain.billing import budgets
from plugin_backend.domain.billing.attempts import Attempt
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk


def heed(session: Session, attempt: Attempt, said: sdk.Declined) -> None:
    """Keep the advice as it came. A card that is refused for good, or under suspicion, is stopped for every plan it pays;
    its other plans are told each in its own turn, since two plans' locks at once could wait for each other."""
    attempt.advice = said.advice
    verdict = dunning.judge(said, clock.now())
    if verdict.final:
        method = _method(session, attempt)
        notices.stop_card(session, method, verdict.decline.value, told=attempt.plan_id)


def dun(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, said: sdk.Declined
) -> None:
    """The next step of a running plan's collection that was refused. The caller holds the locks."""
    now = clock.now()
    if attempt.method_id != plan.method_id:
        # Another card was given while this one was asked: what the old one said is not the new one's fault.
        _out_of(session, row, "due", "another card was given", now)
        row.declines = 0
        return
    verdict = dunning.judge(said, now)
    why = verdict.decline.value
    step = dunning.next_step(verdict, row.declines, now, shop.zone, ladder=tuple(shop.retry_days))
    match step:
        case dunning.Retry(at=at):
            method = _method(session, attempt)
            later = budgets.allowed_at(session, shop, method, row.money, at)
            _out_of(session, row, "retry_wait", why, later or at)
            session.flush()
            letters.payment_failed(session, shop, plan, row, why)
        case dunning.Stop(need=need):
            _stop(session, shop, plan, row, why, need)


def _stop(session: Session, shop: Shop, plan: Plan, row: Collection, why: str, need: dunning.Need) -> None:
    _out_of(session, row, "exhausted", why, None)
    plans.pause(session, plan, f"declined: {why}")
    cases.open_case(session, shop.id, "collection_exhausted", row.id, plan=plan.id)
    session.flush()
    if need != "merchant":
        letters.action_needed(session, shop, plan, row, authentication=need == "authentication")


def confirmed(session: Session, attempt: Attempt, outcome: sdk.Succeeded) -> None:
    """A payment that its customer made himself renews the card's consent: later ones refer to it."""
    if attempt.initiator == "customer" and outcome.network_transaction_id:
        vault.renew(session, _method(session, attempt), outcome.network_transaction_id, attempt)


def change_card(session: Session, plan: Plan, method: PaymentMethod) -> None:
    """From now on the plan is paid with another card. A payment with the old one that still waits for the customer is
    looked at at once, to be closed before the new card is tried. The caller holds the plan's lock."""
    paying.change_card(session, plan, method)
    waiting = select(Attempt).where(
        Attempt.shop_id == plan.shop_id, Attempt.plan_id == plan.id, Attempt.state == "requires_action"
    )
    for attempt in session.scalars(waiting.with_for_update()):
        attempt.due_at = clock.now()


def _method(session: Session, attempt: Attempt) -> PaymentMethod:
    return session.get_one(PaymentMethod, (attempt.shop_id, attempt.method_id))


def _out_of(session: Session, row: Collection, state: str, reason: str, due_at: datetime | None) -> None:
    moves.move(session, row, state, reason)
    row.rest(due_at)
