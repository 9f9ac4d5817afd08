"""Unclear attempts: what evidence, silence and the end of a plan mean for them."""

from typing import Literal

from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import (
    cases,
    letters,
    plans,
    showing,
)
from plugin_backend.domain.billing.attempts import OPEN, Attempt
from plugin_backend.domain.billing.recording import record
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk


def absent(session: Session, shop: Shop, attempt_id: str, capabilities: sdk.GatewayCapabilities) -> None:
    """The gateway knows nothing of an attempt. That proves something only when the last send is long enough ago, and
    only when it is said twice, ten minutes apart; then the attempt was not executed."""
    attempt = session.get_one(Attempt, (shop.id, attempt_id))
    now = clock.now()
    believable = now - attempt.last_sent_at >= delays.DELAYS.lease + capabilities.absent_after
    if (
        attempt.state in OPEN
        and believable
        and attempt.absent_at
        and now - attempt.absent_at >= delays.DELAYS.absent_twice
    ):
        record(session, shop, attempt_id, sdk.NotExecuted("absent at the gateway, twice"))
        return
    record(session, shop, attempt_id, sdk.InDoubt("absent for now"))
    if believable and attempt.absent_at is None:
        attempt.absent_at = now
    if attempt.absent_at is not None and attempt.state in OPEN:
        attempt.rest(min(attempt.due_at or now, attempt.absent_at + delays.DELAYS.absent_twice))


def note_question(session: Session, shop: Shop, attempt_id: str) -> Attempt | None:
    """Count one look at an unclear attempt; None where it is settled. On the seventh day a person must look too."""
    attempt = session.get_one(Attempt, (shop.id, attempt_id), with_for_update=True, populate_existing=True)
    if attempt.state not in OPEN:
        attempt.rest(None)
        return None
    attempt.asked += 1
    if attempt.state in ("sent", "in_doubt") and clock.now() - attempt.first_sent_at >= delays.DELAYS.give_up:
        cases.open_case(session, shop.id, "in_doubt_for_a_week", attempt.id, collection=attempt.collection_id)
    return attempt


def must_close(session: Session, plan: Plan, attempt: Attempt) -> bool:
    """Is an attempt that waits for its customer to be closed: its plan has ended, or nobody came for a day?"""
    if attempt.state != "requires_action":
        return False
    return plan.state in plans.ENDED or clock.now() - attempt.first_sent_at >= delays.DELAYS.confirm


def evidence(session: Session, attempt: Attempt) -> None:
    """Somebody says that something happened to an attempt: look now, even where a worker holds it. That worker may be
    dead; where it lives, what it records is the same, or finds it recorded."""
    if attempt.state in OPEN:
        attempt.due_at = clock.now()


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
    session.flush()
    letters.plan_ended(session, shop, plan, ending)
    if ending.refund is not None:
        cases.open_case(session, shop.id, "refund_due", plan.id, amount=ending.refund.as_json())
    return plan
