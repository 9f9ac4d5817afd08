"""What the shop does by itself to a basket or an order of ours: sell it, cancel it, refund it, remove it."""

from datetime import datetime
from types import MappingProxyType

from sqlalchemy.orm import Session

from plugin_backend.domain import carts, cases, offers, plans, regimes, schedules
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import PaymentFailed
from plugin_backend.sdk.declines import decline_of
from plugin_backend.sdk.errors import Refused, RepriseError, SoldOut
from plugin_backend.sdk.gateway import CheckoutDeclined

# Why a shop holds no order, where that is the end of it, in our words.
_SAID_NO = MappingProxyType(
    {"already_bought": "bought in the shop", "cancelled_in_shop": "cancelled in the shop"}
)


def bought_natively(session: Session, cart: Cart) -> None:
    """The basket was bought in the shop as well. An open offer is withdrawn; a running plan pauses, and a person
    decides which of the two stands."""
    if cart.offer_id is None:
        offers.withdraw_for_cart(session, cart, "bought")
        return
    plan = plans.of_offer(session, cart.shop_id, cart.offer_id)
    if plan is None:
        offers.withdraw_for_cart(session, cart, "bought")
        cart.offer_id = None
        return
    plan = plans.locked(session, cart.shop_id, plan.id)
    if plan.state in plans.ENDED:
        return
    if plan.state == "pending":
        plans.give_up(session, plan, "bought in the shop")
        return
    plans.pause(session, plan, "bought_twice")
    cases.open_case(session, cart.shop_id, "bought_twice", plan.id, cart=cart.id)


def order_stopped(session: Session, shop_id: str, order_key: str, reason: str) -> None:
    """The shop cancelled or refunded a plan's order: nothing more is collected until a person has decided."""
    plan = plans.of_order(session, shop_id, order_key)
    if plan is None:
        return
    plan = plans.locked(session, shop_id, plan.id)
    if plan.state in plans.ENDED:
        return
    if plan.state == "pending":
        plans.give_up(session, plan, reason)
    else:
        plans.end(session, plan, "cancelled", reason)
    cases.open_case(session, shop_id, "order_stopped", plan.id, order=order_key, reason=reason)


def order_not_held(session: Session, plan: Plan, error: RepriseError) -> None:
    """The shop holds no order for a plan that waits for its first payment, of which nothing was charged. Bought or cancelled
    in the shop, the plan comes to nothing. Sold out, or without an answer, the customer may try again while the plan
    waits; a person hears only of what nobody understands. The caller holds the plan's lock."""
    if plan.state != "pending":
        return
    if isinstance(error, SoldOut):
        session.get_one(Cart, (plan.shop_id, plan.cart_id)).sold_out = list(error.names)
        plans.wait_for_customer(session, plan, "sold_out")
        return
    why = _SAID_NO.get(error.reason) if isinstance(error, Refused) else None
    if why is not None:
        plans.give_up(session, plan, why)
        return
    plans.wait_for_customer(session, plan, "shop_unreachable")
    cases.open_case(session, plan.shop_id, "order_not_held", plan.id, reason=str(error)[:300])


def withdraw_if_barred(session: Session, cart: Cart) -> None:
    """After a card that was lost, stolen or is suspected of fraud nothing is offered, and what was is taken back, unless it
    was accepted: the gateway judges that card itself."""
    if cart.barred and cart.offer_id is None:
        offers.withdraw_for_cart(session, cart, "declined_for_fraud")


def declined_at_gateway(session: Session, shop: Shop, event: CheckoutDeclined, gateway: str) -> None:
    """The gateway says why it declined a payment at the shop's own checkout. That it was declined is the shop's to say: a
    reason is added to what the shop told, and a stolen card counts before the shop has told anything."""
    decline, key = decline_of(event.reason, gateway), f"order:{event.order}"
    cart = carts.find(session, shop.id, [key])
    failed = None if cart is None else cart.failed_at
    if failed is None and decline != "fraud":
        return
    told = PaymentFailed(key, max(event.at, failed or event.at), decline)
    withdraw_if_barred(session, carts.payment_failed(session, shop, told, clock.now()))


def order_supplied(session: Session, shop: Shop, order_key: str, at: datetime) -> None:
    """The shop sent a plan's order: from here the law counts how long payment may be deferred. What was agreed counted
    from the acceptance, so that a later supply changes nothing; where the shop had sent it before, a payment may come
    after the last lawful day, and a person decides. The first supply that was told stands."""
    plan = plans.of_order(session, shop.id, order_key)
    if plan is None:
        return
    plan = plans.locked(session, shop.id, plan.id)
    plan.supplied_at = min(at, plan.supplied_at or at)
    longest = regimes.longest(plan.country, company=shop.company)
    if plan.kind != plans.INSTALMENTS or longest is None or plan.state in plans.ENDED:
        return
    last = schedules.day_offsets(plan.supplied_at, (longest + 1,), shop.zone)[0]
    rows = plans.collections_of(session, shop.id, plan.id)
    if any(row.state in plans.UNSENT and row.scheduled_at >= last for row in rows):
        cases.open_case(session, shop.id, "supplied_early", plan.id, supplied_at=plan.supplied_at.isoformat())


def withdraw_if_lost(session: Session, cart: Cart) -> None:
    """A basket that is gone cannot be bought: an offer that nobody has accepted yet is withdrawn."""
    if cart.state == "lost" and cart.offer_id is None:
        offers.withdraw_for_cart(session, cart, "removed in the shop")
