"""Unclear attempts: what evidence, silence and the end of a plan mean for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.core.seal import SealError
from plugin_backend.domain import (
    cases,
    letters,
    merchants,
    plans,
    showing,
    vault,
)
from plugin_backend.domain.billing import guards
from plugin_backend.domain.billing.attempts import (
    OPEN,
    Attempt,
    Prepared,
    by_reference,
    hash_of,
    request_of,
)
from plugin_backend.domain.billing.recording import record, record_all
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk

# How often what can be looked up is sent again: a gateway may have kept an error under its key for ever.
REPLAYS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an attempt: at which gateway, when it had been asked about ``fence`` times."""

    gateway: sdk.Gateway
    fence: int


def absent(session: Session, shop: Shop, looks: Mapping[str, Look]) -> None:
    """The gateway knew nothing of these attempts, by their ids. That proves something only when the last send is long
    enough ago, and only when it is said twice, ten minutes apart; then the attempt was not executed. Where somebody has
    asked since, what was true before proves nothing."""
    outcomes: dict[str, sdk.Outcome] = {}
    first, now = [], clock.now()
    for _, attempt in _locked(session, shop, looks):
        look = looks[attempt.id]
        if attempt.state not in OPEN or attempt.asked != look.fence:
            continue
        capabilities = look.gateway.capabilities
        old = now - attempt.last_sent_at >= delays.DELAYS.lease + capabilities.absent_after
        believable = old and capabilities.look_up != "none"
        if believable and attempt.absent_at and now - attempt.absent_at >= delays.DELAYS.absent_twice:
            outcomes[attempt.id] = sdk.NotExecuted("absent at the gateway, twice")
            continue
        outcomes[attempt.id] = sdk.InDoubt("absent for now")
        first.append((attempt, believable))
    record_all(session, shop, outcomes)
    for attempt, believable in first:
        if believable and attempt.absent_at is None:
            attempt.absent_at = now
        if attempt.absent_at is not None:
            attempt.rest(min(attempt.due_at or now, attempt.absent_at + delays.DELAYS.absent_twice))


def _locked(session: Session, shop: Shop, ids: Iterable[str]) -> list[tuple[Plan, Attempt]]:
    """Attempts under their plans' locks and their own, in the order of their ids."""
    mine = Attempt.shop_id == shop.id, Attempt.id.in_(list(ids))
    found = plans.lock_all(session, shop.id, set(session.scalars(select(Attempt.plan_id).where(*mine))))
    plan_of = {plan.id: plan for plan in found}
    return [(plan_of[attempt.plan_id], attempt) for attempt in _lock(session, mine)]


def _lock(session: Session, which: tuple[ColumnElement[bool], ...]) -> list[Attempt]:
    found = select(Attempt).where(*which).order_by(Attempt.id).with_for_update()
    return list(session.scalars(found.execution_options(populate_existing=True)))


def note_questions(session: Session, shop: Shop, ids: Iterable[str]) -> list[Attempt]:
    """Count one look at each unclear attempt; those that are settled are left out. On the seventh day a person must look
    too."""
    found = []
    for attempt in _lock(session, (Attempt.shop_id == shop.id, Attempt.id.in_(list(ids)))):
        if attempt.state not in OPEN:
            attempt.rest(None)
            continue
        attempt.asked += 1
        if attempt.state in ("sent", "in_doubt"):
            _tell_somebody(session, attempt, clock.now() - attempt.first_sent_at)
        found.append(attempt)
    return found


def _tell_somebody(session: Session, attempt: Attempt, age: timedelta) -> None:
    for kind, after in (("in_doubt", delays.DELAYS.alarm), ("in_doubt_for_a_week", delays.DELAYS.give_up)):
        if age >= after:
            cases.open_case(session, attempt.shop_id, kind, attempt.id, collection=attempt.collection_id)


def prepare_replays(session: Session, shop: Shop, looks: Mapping[str, Look]) -> list[Prepared]:
    """Write down that attempts which their gateways do not know, by their ids, are sent once more, in the same words under
    the same key; without those where that could charge twice, or charge what is no longer wanted: past the safe part of
    the gateway's window, when somebody has asked since, when the card or anything else in the request has changed or
    the card does not open, or when the plan must not be charged now. The transaction must be committed before they are asked."""
    found = _locked(session, shop, looks)
    methods = select(PaymentMethod).where(
        PaymentMethod.shop_id == shop.id, PaymentMethod.id.in_({attempt.method_id for _, attempt in found})
    )
    vault.warm(session, shop.id, (method.sealed for method in session.scalars(methods)))
    replays = (_prepare_replay(session, shop, plan, attempt, looks[attempt.id]) for plan, attempt in found)
    return [prepared for prepared in replays if prepared is not None]


def _prepare_replay(
    session: Session, shop: Shop, plan: Plan, attempt: Attempt, look: Look
) -> Prepared | None:
    now = clock.now()
    gateway = look.gateway
    window = gateway.capabilities.idempotency_window
    often = attempt.asked > REPLAYS and gateway.capabilities.look_up != "none"
    if attempt.state not in ("sent", "in_doubt") or attempt.asked != look.fence or window is None or often:
        return None
    if now - attempt.first_sent_at >= delays.REPLAY_SHARE * window:
        return None
    if guards.hold_replay(session, shop, plan, attempt, now):
        return None
    method = session.get_one(PaymentMethod, (shop.id, attempt.method_id))
    # A callback may have made the row due in our hands: what is charged must be held.
    attempt.due_at, attempt.taken = now + delays.DELAYS.lease, True
    try:
        card = vault.open_method(session, method, vault.to_charge(attempt, fence=look.fence))
    except SealError:
        return None
    request = request_of(plan, attempt, card)
    if hash_of(request) != attempt.request_hash:
        return None
    attempt.last_sent_at, attempt.absent_at = now, None
    return Prepared(shop.id, attempt.id, request, gateway)


def must_close(session: Session, plan: Plan, attempt: Attempt) -> bool:
    """Is an attempt that waits for its customer to be closed: its plan has ended or is paid with another card by now, or
    nobody came for a day?"""
    if attempt.state != "requires_action":
        return False
    given_up = plan.state in plans.ENDED or attempt.method_id != plan.method_id
    return given_up or clock.now() - attempt.first_sent_at >= delays.DELAYS.confirm


def evidence(session: Session, attempt: Attempt) -> None:
    """Somebody says that something happened to an attempt: look now, even where a worker holds it. That worker may be
    dead; where it lives, what it records is the same, or finds it recorded."""
    if attempt.state in OPEN:
        attempt.due_at = clock.now()


def charge_changed(session: Session, shop: Shop, account: GatewayAccount, event: sdk.ChargeChanged) -> None:
    """The gateway says that something happened to a charge: look now. Where nothing can be looked up, what a signed
    callback says is all there will ever be, and is entered. Of another account's charge it says nothing."""
    attempt = by_reference(session, shop.id, event.reference)
    if attempt is None or attempt.account_id != account.id:
        return
    capabilities = merchants.gateway_of(
        session, shop, account, vault.Use("gateway_call", attempt.id)
    ).capabilities
    if event.outcome is None or capabilities.finds(attempt.gateway_id):
        evidence(session, attempt)
    else:
        record(session, shop, attempt.id, event.outcome)


def stop(
    session: Session, shop: Shop, plan_id: str, state: Literal["cancelled", "withdrawn"], reason: str
) -> Plan:
    """Cancel or withdraw a plan, with its proof to the customer and the news to the shop. Doing it again changes
    nothing. A payment that had already left and arrives later opens a case."""
    plan = plans.locked(session, shop.id, plan_id)
    if plan.state in plans.ENDED:
        return plan
    ending = showing.ending(session, plan, "withdraw" if state == "withdrawn" else "cancel", clock.now())
    plans.end(session, plan, state, reason)
    _look_now(session, plan)
    session.flush()
    letters.plan_ended(session, shop, plan, ending)
    if ending.refund is not None:
        cases.open_case(session, shop.id, "refund_due", plan.id, amount=ending.refund.as_json())
    return plan


def _look_now(session: Session, plan: Plan) -> None:
    """What is under way when a plan ends is looked at at once, so that what arrives all the same is soon known."""
    found = select(Attempt).where(
        Attempt.shop_id == plan.shop_id, Attempt.plan_id == plan.id, Attempt.state.in_(OPEN)
    )
    for attempt in session.scalars(found):
        evidence(session, attempt)
