"""Plans as customers see them: filled from the tables, drawn by ``core.render``."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from plugin_backend.core.views import Card, Ending, Part, PlanView, Rhythm
from plugin_backend.domain import customers, ledger, offers, plans, vault
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock

WITHDRAWAL = timedelta(days=14)
_TO_COME = ("scheduled", "due", "retry_wait", "in_flight", "in_doubt", "requires_action")


def part(row: Collection) -> Part:
    """A collection as one line of the schedule."""
    retry = row.due_at if row.state == "retry_wait" else None
    return Part(
        number=row.number,
        amount=row.money,
        due=row.scheduled_at,
        today=row.number == 1 and row.state != "paid",
        state=row.state,
        retry_at=retry,
    )


def plan_view(session: Session, shop: Shop, plan: Plan) -> PlanView:
    """A plan with its schedule, its card and what may still be done with it."""
    rows = plans.collections_of(session, shop.id, plan.id)
    customer = customers.get(session, shop.id, plan.customer_id)
    balance = ledger.of_plan(session, shop.id, plan.id, plan.currency)
    mandate = plans.mandate_of(session, shop.id, plan.id)
    taken_off = plan.agreed - plans.to_pay(session, plan)
    until = plan.anchor + WITHDRAWAL
    running = plan.state not in plans.ENDED
    return PlanView(
        kind=plan.kind,
        reference=plan.id,
        state=plan.state,
        order=plan.order_key.partition(":")[2] or plan.order_key or plan.id,
        lines=offers.basket_lines(session.get_one(Cart, (shop.id, plan.cart_id))),
        parts=tuple(part(row) for row in rows if row.amount),
        paid=balance.received,
        started_at=plan.anchor,
        mandate=mandate.text,
        mandate_locale=mandate.locale,
        total=plan.agreed if plan.kind == offers.INSTALMENTS else None,
        next=next((part(row) for row in rows if row.state in _TO_COME), None) if running else None,
        rhythm=None if plan.kind == offers.INSTALMENTS else Rhythm(plan.unit, plan.every),
        card=card(session, shop.id, plan.method_id),
        withdraw_until=until if running and clock.now() < until else None,
        taken_off=taken_off if taken_off.minor else None,
        given_back=balance.refunded if balance.refunded.minor else None,
        can_cancel=plan.state in ("active", "paused"),
        name=customer.name,
        email=customer.email,
    )


def ending(session: Session, plan: Plan, kind: str, at: datetime) -> Ending:
    """What cancelling or withdrawing at this moment would do, or did."""
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    stopped = [row for row in rows if row.amount and (row.state in plans.UNSENT or row.state == "void")]
    in_flight = any(row.state in ("in_flight", "in_doubt") for row in rows)
    balance = ledger.of_plan(session, plan.shop_id, plan.id, plan.currency)
    received = balance.received
    if kind == "withdraw":
        return Ending(
            "withdraw",
            tuple(map(part, stopped)),
            refund=received if received.minor else None,
            in_flight=in_flight,
        )
    if plan.kind == offers.INSTALMENTS:
        # What went back was no longer owed: it lowered what is to be paid as it lowered what was.
        owed = plans.to_pay(session, plan) - balance.captured
        return Ending(
            "cancel", tuple(map(part, stopped)), owed=owed if owed.minor > 0 else None, in_flight=in_flight
        )
    return Ending("cancel", tuple(map(part, stopped)), ends_at=_paid_until(rows, at), in_flight=in_flight)


def _paid_until(rows: list[Collection], at: datetime) -> datetime | None:
    """A subscription lasts until the payment that will not be taken would have been due."""
    return next((row.scheduled_at for row in rows if row.state != "paid" and row.scheduled_at > at), None)


def card(session: Session, shop_id: str, method_id: str) -> Card | None:
    """A payment method as its holder knows it."""
    method = session.get(vault.PaymentMethod, (shop_id, method_id))
    if method is None:
        return None
    expires = f"{method.expiry_month:02d}/{method.expiry_year}" if method.expiry_month else ""
    return Card(method.brand, method.last4, expires, method.kind)
