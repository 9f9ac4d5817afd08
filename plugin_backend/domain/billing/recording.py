"""The only way by which any result reaches the books.

The first settlement stands; a later capture that contradicts it is booked to suspense and opens a case.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import (
    cases,
    ledger,
    letters,
    moves,
    outbox,
    plans,
)
from plugin_backend.domain.billing import declining, refunds
from plugin_backend.domain.billing.attempts import OPEN, Attempt, ask_again
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk


def record(session: Session, shop: Shop, attempt_id: str, outcome: sdk.Outcome | sdk.Closed) -> None:
    """Enter what became of one attempt."""
    record_all(session, shop, {attempt_id: outcome})


def record_all(
    session: Session, shop: Shop, outcomes: Mapping[str, sdk.Outcome | sdk.Closed], *, of_sends: bool = False
) -> None:
    """Enter what became of attempts, by their ids, from whatever source: answer, callback or look-up. Entering it again
    changes nothing. ``of_sends`` True where these are the answers to sends: that one of them did not happen proves
    nothing where the same was sent before or since. Locks are taken in the order plan, collection, attempt, each by id."""
    of_plan = select(Attempt.plan_id).where(Attempt.shop_id == shop.id, Attempt.id.in_(outcomes))
    running = {plan.id: plan for plan in plans.lock_all(session, shop.id, set(session.scalars(of_plan)))}
    rows = _lock(session, Collection, shop.id, Collection.plan_id.in_(running))
    schedules: dict[str, list[Collection]] = {}
    for row in sorted(rows, key=lambda row: row.number):
        schedules.setdefault(row.plan_id, []).append(row)
    captures = []
    for attempt in _lock(session, Attempt, shop.id, Attempt.id.in_(outcomes)):
        was_open, outcome = attempt.state in OPEN, outcomes[attempt.id]
        if (
            of_sends
            and isinstance(outcome, sdk.NotExecuted)
            and attempt.last_sent_at != attempt.first_sent_at
        ):
            outcome = sdk.InDoubt(f"sent more than once, one of them in vain: {outcome.reason}")
        plan_id = attempt.plan_id
        _enter(session, shop, running[plan_id], schedules[plan_id], attempt, outcome)
        if was_open and attempt.state == "succeeded":
            captures.append(_capture(attempt))
    ledger.book_all(session, shop.id, captures)


def _capture(attempt: Attempt) -> ledger.Booking:
    return ledger.Booking(
        "capture", attempt.id, attempt.plan_id, attempt.money, debit=ledger.GATEWAY, credit=ledger.CUSTOMER
    )


def _lock(session: Session, model: type[Any], shop_id: str, which: ColumnElement[bool]) -> list[Any]:
    found = (
        select(model)
        .where(model.shop_id == shop_id, which)
        .order_by(model.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(found))


def _enter(
    session: Session,
    shop: Shop,
    plan: Plan,
    schedule: Sequence[Collection],
    attempt: Attempt,
    outcome: sdk.Outcome | sdk.Closed,
) -> None:
    """``schedule`` is all of the plan's collections, by number."""
    if attempt.state not in OPEN:
        _after_the_end(session, plan, attempt, outcome)
        return
    row = next(row for row in schedule if row.id == attempt.collection_id)
    match outcome:
        case sdk.Succeeded():
            _succeeded(session, shop, plan, row, attempt, outcome, schedule)
        case sdk.Declined():
            _declined(session, shop, plan, row, attempt, outcome)
        case sdk.RequiresAction():
            _requires_action(session, shop, plan, row, attempt, outcome)
        case sdk.Pending():
            _pending(session, row, attempt, outcome)
        case sdk.NotExecuted():
            _not_executed(session, plan, row, attempt, outcome.reason, permanent=outcome.permanent)
        case sdk.Closed():
            _closed(session, shop, plan, row, attempt)
        case sdk.InDoubt():
            attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
            _in_doubt(session, plan, row, attempt, outcome.reason)
        case _:
            assert_never(outcome)


def _after_the_end(session: Session, plan: Plan, attempt: Attempt, outcome: sdk.Outcome | sdk.Closed) -> None:
    """The attempt was settled before. Only a capture that contradicts the settlement means anything."""
    if isinstance(outcome, sdk.Succeeded) and attempt.state != "succeeded":
        ledger.book(
            session,
            attempt.shop_id,
            "unexpected_capture",
            attempt.id,
            plan.id,
            outcome.amount,
            debit=ledger.GATEWAY,
            credit=ledger.SUSPENSE,
        )
        cases.open_case(
            session, attempt.shop_id, "captured_after_all", attempt.collection_id, attempt=attempt.id
        )


def _succeeded(
    session: Session,
    shop: Shop,
    plan: Plan,
    row: Collection,
    attempt: Attempt,
    outcome: sdk.Succeeded,
    schedule: Sequence[Collection],
) -> None:
    if outcome.amount != attempt.money:
        # Another amount than we asked for is nothing we may call paid; the money is real, so a person must look.
        cases.open_case(session, shop.id, "amount_differs", attempt.id, captured=outcome.amount.as_json())
        _in_doubt(session, plan, row, attempt, "amount differs")
        attempt.rest(clock.now() + delays.DELAYS.ask_again[-1])
        return
    moves.move(session, attempt, "succeeded")
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    declining.confirmed(session, attempt, outcome)
    _settled(session, attempt)
    moves.move(session, row, "paid")
    row.paid_at = clock.now()
    row.rest(None)
    ended, first = plan.state in plans.ENDED, plan.state == "pending"
    plans.paid(session, shop, plan, row.number, schedule)
    outbox.post(
        session, shop.id, "write_back", subject=plan.order_key or plan.id, what=row.id, change="payment"
    )
    if first:
        letters.later(session, shop.id, "plan_confirmed", plan.id, plan.id)
    letters.later(session, shop.id, "receipt", plan.id, row.id)
    if plan.state == "completed":
        letters.later(session, shop.id, "plan_completed", plan.id, plan.id)
    if plan.state == "withdrawn":
        refunds.give_back(session, shop, plan.id, attempt_id=attempt.id)
    elif ended:
        cases.open_case(session, shop.id, "charged_after_end", row.id, plan=plan.id, attempt=attempt.id)


def _declined(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, outcome: sdk.Declined
) -> None:
    moves.move(session, attempt, "declined", outcome.decline.value)
    attempt.decline, attempt.code = outcome.decline.value, outcome.code
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _settled(session, attempt)
    declining.heed(session, attempt, outcome)
    row.declines += 1
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
    elif plan.state == "pending":
        _out_of(session, row, "retry_wait", outcome.decline.value)
        plans.wait_for_customer(session, plan, f"declined: {outcome.decline.value}")
    else:
        declining.dun(session, shop, plan, row, attempt, outcome)


def _requires_action(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, outcome: sdk.RequiresAction
) -> None:
    first_time = attempt.state != "requires_action"
    if first_time:
        moves.move(session, attempt, "requires_action")
    if row.state != "requires_action":
        moves.move(session, row, "requires_action")
    attempt.action_url = outcome.url
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _ask_later(attempt)
    if first_time and attempt.initiator == "merchant":
        session.flush()
        letters.action_needed(session, shop, plan, row, authentication=True)


def _pending(session: Session, row: Collection, attempt: Attempt, outcome: sdk.Pending) -> None:
    if attempt.state != "pending":
        moves.move(session, attempt, "pending")
    if row.state != "in_flight":
        moves.move(session, row, "in_flight")
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _ask_later(attempt)


def _not_executed(
    session: Session, plan: Plan, row: Collection, attempt: Attempt, reason: str, *, permanent: bool
) -> None:
    moves.move(session, attempt, "not_executed", reason)
    _settled(session, attempt)
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
        return
    _out_of(session, row, "due", "not executed")
    if plan.state == "pending":
        plans.wait_for_customer(session, plan, "gateway_unreachable")
        return
    again = min(
        delays.DELAYS.not_executed * 2 ** min(attempt.number - 1, 8), delays.DELAYS.not_executed_longest
    )
    row.rest(clock.now() + (delays.DELAYS.looked_at_again if permanent else again))
    if permanent:
        cases.open_case(session, plan.shop_id, "gateway_refuses", plan.account_id, reason=reason)


def _closed(session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt) -> None:
    """The customer did not confirm in time, and can no longer."""
    moves.move(session, attempt, "closed", "not confirmed in time")
    _settled(session, attempt)
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
    elif plan.state == "pending":
        _out_of(session, row, "retry_wait", "not confirmed")
        plans.wait_for_customer(session, plan, "not_confirmed")
    else:
        left = sdk.Declined(sdk.Decline.AUTHENTICATION, "not_confirmed")
        declining.dun(session, shop, plan, row, attempt, left)


def _in_doubt(session: Session, plan: Plan, row: Collection, attempt: Attempt, reason: str) -> None:
    if attempt.state != "in_doubt":
        moves.move(session, attempt, "in_doubt", reason)
    if row.state != "in_doubt":
        moves.move(session, row, "in_doubt", reason)
    now = clock.now()
    attempt.doubted_at = attempt.doubted_at or now
    _ask_later(attempt)
    lately = plan.ended_at is not None and now - plan.ended_at < delays.DELAYS.alarm
    if lately:
        attempt.due_at = min(attempt.due_at or now, now + delays.DELAYS.after_end)


def _out_of(session: Session, row: Collection, state: str, reason: str) -> None:
    moves.move(session, row, state, reason)
    row.rest(None)


def _settled(session: Session, attempt: Attempt) -> None:
    attempt.action_url = ""
    attempt.rest(None)
    if attempt.doubted_at is not None:
        for kind in ("in_doubt", "in_doubt_for_a_week"):
            cases.settle(session, attempt.shop_id, kind, attempt.id, "its outcome is known")


def _ask_later(attempt: Attempt) -> None:
    """On the ladder, and at the moment at which somebody must be told. The second word on an absence is not waited for
    longer because a look in between had no answer."""
    now = clock.now()
    again = now + ask_again(now - (attempt.doubted_at or attempt.first_sent_at))
    if attempt.absent_at is not None:
        again = min(again, now + delays.DELAYS.absent_twice)
    alarm = attempt.first_sent_at + delays.DELAYS.alarm
    attempt.rest(alarm if now < alarm < again else again)
