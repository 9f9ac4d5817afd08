"""What pays a plan: its card, another one, or none; and a customer who is there and pays what was refused himself: the same
collection, confirmed with his bank where that asks for it."""

from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import cases, moves, plans, schedules
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import Decline

# What was refused, and may be paid with another card, or by the customer himself.
REFUSED = ("retry_wait", "exhausted")


def change_card(session: Session, plan: Plan, method: PaymentMethod) -> None:
    """From now on the plan is paid with another card; what waited for one is due at once."""
    plan.method_id = method.id
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    for row in (row for row in rows if row.state in REFUSED):
        release(session, row, "another card was given")
        row.declines = 0
        row.rest(None if plan.state == "pending" else clock.now())
    cases.settle(session, plan.shop_id, "card_stopped", plan.id, "another card was given")
    if plan.state == "pending":
        plan.rest(clock.now())
    elif waits_for_customer(plan):
        plans.resume(session, plan, "another card was given")


def card_renewed(session: Session, shop: Shop, plan: Plan) -> None:
    """The card has new data: what waited for that is tried with it, by day. The caller holds the plan's lock."""
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    for row in (row for row in rows if row.state == "exhausted" and row.reason == Decline.NEW_DATA):
        release(session, row, "the card was renewed")
        row.declines = 0
        row.rest(schedules.humane(clock.now(), shop.zone))
    if plan.state == "paused" and plan.reason == f"declined: {Decline.NEW_DATA.value}":
        plans.resume(session, plan, "the card was renewed")


def release(session: Session, row: Collection, reason: str) -> None:
    """What was refused may be taken again: what a person was to decide about it is settled."""
    moves.move(session, row, "due", reason)
    cases.settle(session, row.shop_id, "collection_exhausted", row.id, reason)


def card_is_stopped(session: Session, plan: Plan, method: PaymentMethod) -> bool:
    """A card that was refused for good is never charged again: its plan pauses until it has another one."""
    if method.stopped_at is None:
        return False
    plans.pause(session, plan, f"declined: {method.stopped_for}")
    return True


def waits_for_customer(plan: Plan) -> bool:
    """Did the plan pause because of its card, so that its customer can take it up again?"""
    return plan.state == "paused" and plan.reason.startswith("declined")


def payable(session: Session, plan: Plan) -> Collection | None:
    """What may be paid now with the plan's own card: it was refused, nothing of the plan is under way, and the card is
    not stopped."""
    if plan.state != "active" and not waits_for_customer(plan):
        return None
    method = session.get_one(PaymentMethod, (plan.shop_id, plan.method_id))
    if method.stopped_at is not None or plans.under_way(session, plan):
        return None
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    return next((row for row in rows if row.state in REFUSED), None)


def want(session: Session, plan: Plan) -> None:
    """The customer wants to pay now. Wanting it twice is wanting it once. The caller holds the plan's lock."""
    row = payable(session, plan)
    if row is not None and not plan.paying:
        plan.paying = row.id
        plan.rest(clock.now())


def begin(session: Session, plan: Plan) -> str:
    """The id of the collection that is to be paid now, made ready for that, or "". Each wish is begun once: where that
    comes to nothing, he is asked again and nothing is taken by itself. The caller holds the plan's lock."""
    row, wanted = payable(session, plan), plan.paying
    plan.paying = ""
    if row is None or row.id != wanted:
        return ""
    release(session, row, "paid by the customer")
    row.rest(clock.now() + delays.DELAYS.looked_at_again)
    if plan.state == "paused":
        plans.resume(session, plan, "paid by the customer")
    return row.id
