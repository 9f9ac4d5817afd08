"""The beginning of an erasure: who may be forgotten now, and what stops at once."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core.render import codes
from plugin_backend.domain import billing, cases, moves, offers, outbox, plans
from plugin_backend.domain.billing import Attempt, Dispute, Refund
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing.rows import Erasure
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import OPEN_STATES, Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import RepriseError

Why = Literal["plan_running", "charge_open", "refund_open", "dispute_open"]


class NotNow(RepriseError):
    """The customer cannot be forgotten yet; ``why`` says for what reason, and nothing was changed."""

    def __init__(self, why: Why) -> None:
        super().__init__(codes.REASONS[why])
        self.why = why


def begin(
    session: Session,
    shop: Shop,
    customer_id: str,
    *,
    cause: str,
    asked_by: str,
    cancel_plans: bool = False,
) -> Erasure:
    """Freeze a customer who is to be forgotten: from here on he gets no offer, plan, card page, charge or mail. Doing it
    again changes nothing. ``NotNow`` while he has a running plan, unless those are to be cancelled, or money under way.

    Locks are taken in the order offer, customer, plan, as where a plan is made.
    """
    _open_offers(session, shop.id, customer_id)
    customer = session.get_one(Customer, (shop.id, customer_id), with_for_update=True, populate_existing=True)
    before = of_customer(session, customer)
    if before is not None:
        return before
    _end_plans(session, shop, customer_id, cancel=cancel_plans)
    row = Erasure(
        shop_id=shop.id, customer_id=customer.id, method_id="", cause=cause, asked_by=asked_by, tries=0
    )
    row.rest(clock.now())
    moves.begin(session, row, "asked", cause)
    freeze(session, customer)
    cases.settle(session, shop.id, "customer_redacted", customer.id, "being_forgotten")
    return row


def of_customer(session: Session, customer: Customer) -> Erasure | None:
    """The erasure of all of a customer."""
    found = select(Erasure).where(
        Erasure.shop_id == customer.shop_id, Erasure.customer_id == customer.id, Erasure.method_id == ""
    )
    return session.scalar(found)


def unsettled(session: Session, shop_id: str, customer_id: str) -> Why | None:
    """What of the customer's money is still on its way, or disputed: his data is needed until it has arrived."""
    his = select(Plan.id).where(Plan.shop_id == shop_id, Plan.customer_id == customer_id)
    kinds: tuple[tuple[Why, type[Attempt | Refund | Dispute], tuple[str, ...]], ...] = (
        ("charge_open", Attempt, billing.OPEN),
        ("refund_open", Refund, billing.UNSETTLED),
        ("dispute_open", Dispute, ("open",)),
    )
    for why, model, states in kinds:
        found = select(model.id).where(
            model.shop_id == shop_id, model.plan_id.in_(his), model.state.in_(states)
        )
        if session.scalar(found.limit(1)) is not None:
            return why
    return None


def freeze(session: Session, customer: Customer) -> None:
    """Stop what has begun for the customer and is not bound to a plan: his offers, and the mails that wait. The caller
    holds his lock."""
    customer.frozen_at = clock.now()
    for offer in _open_offers(session, customer.shop_id, customer.id):
        offers.withdraw(session, offer, "being_forgotten")
    waiting = (
        select(Out, Message)
        .join(Message, (Message.shop_id == Out.shop_id) & (Message.id == Out.what))
        .where(Out.shop_id == customer.shop_id, Out.state == "queued", Message.customer_id == customer.id)
        .with_for_update()
    )
    for out, message in session.execute(waiting).all():
        outbox.done(session, out, "dropped", "being_forgotten")
        moves.move(session, message, "suppressed", "being_forgotten")


def _open_offers(session: Session, shop_id: str, customer_id: str) -> list[Offer]:
    found = select(Offer).where(
        Offer.shop_id == shop_id, Offer.customer_id == customer_id, Offer.state.in_(OPEN_STATES)
    )
    return list(session.scalars(found.with_for_update().execution_options(populate_existing=True)))


def _end_plans(session: Session, shop: Shop, customer_id: str, *, cancel: bool) -> None:
    """``NotNow`` before anything was changed, or no plan of the customer runs any more."""
    his = select(Plan.id).where(Plan.shop_id == shop.id, Plan.customer_id == customer_id)
    held = plans.lock_all(session, shop.id, list(session.scalars(his)))
    running = [plan for plan in held if plan.state not in plans.ENDED]
    if running and not cancel:
        raise NotNow("plan_running")
    why = unsettled(session, shop.id, customer_id)
    if why is not None:
        raise NotNow(why)
    for plan in running:
        billing.stop(session, shop, plan.id, "cancelled", "being_forgotten")
