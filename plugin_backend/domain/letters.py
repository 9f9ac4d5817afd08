"""Mails about offers and plans: posted in the transaction in which the thing they tell happened, sent from the outbox.
Those of payments that arrived are written only when their turn to leave has come."""

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from plugin_backend.core.house import house
from plugin_backend.core.render import mail
from plugin_backend.core.views import (
    ActionNeededMail,
    AlertMail,
    CancelledMail,
    CardNeededMail,
    CompletedMail,
    CreditMail,
    Ending,
    FailedMail,
    Mail,
    NoticeMail,
    OfferMail,
    OptInMail,
    PlanMail,
    ReceiptMail,
)
from plugin_backend.domain import customers, messages, offers, outbox, showing
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

# How long a page that shows an offer is taken to be open still.
PAGE_LEFT = timedelta(minutes=10)


def offer_made(session: Session, shop: Shop, cart: Cart, offer: Offer) -> None:
    """The offer's mail: a reminder, or after a decline one neutral service mail. It is not sent after the offer ends."""
    message = _offer_mail(session, shop, cart, offer)
    outbox.post(session, shop.id, "mail", subject=offer.id, what=message.id)


def if_page_is_left(session: Session, shop: Shop, cart: Cart, offer: Offer) -> None:
    """An offer that is shown in the shop's page goes by mail too, once, if nothing came of it there: after a decline soon,
    else when a basket counts as left. Nothing is posted where it may not be mailed, and what is posted is judged again."""
    customer = customers.get(session, shop.id, offer.customer_id) if offer.customer_id else None
    if offer.state != "open" or outbox.is_told(session, shop.id, offer.id):
        return
    if offers.why_not_mailed(session, shop, cart, customer, offer):
        return
    wait = PAGE_LEFT if offer.cause == offers.DECLINED else max(PAGE_LEFT, shop.idle)
    outbox.post(
        session,
        shop.id,
        outbox.LETTER,
        subject=offer.id,
        what=offer.id,
        not_before=clock.now() + wait,
        letter="offer",
    )


def _offer_left(session: Session, shop: Shop, out: Out) -> Message:
    offer = session.get_one(Offer, (shop.id, out.what))
    return _offer_mail(session, shop, session.get_one(Cart, (shop.id, offer.cart_id)), offer)


def opt_in(
    session: Session, shop: Shop, customer: Customer, row_id: str, *, locale: str, not_after: datetime
) -> None:
    """The one mail that asks an address whether it wants to be reminded."""
    content = OptInMail(offers.shop_view(shop), messages.link(session, "c", shop.id, row_id))
    message = messages.write(
        session,
        shop.id,
        "opt_in",
        about=row_id,
        customer_id=customer.id,
        recipient=customer.email,
        locale=locale,
        rendered=mail("opt_in", locale, content),
        not_after=not_after,
    )
    outbox.post(session, shop.id, "mail", subject=row_id, what=message.id)


def _offer_mail(session: Session, shop: Shop, cart: Cart, offer: Offer) -> Message:
    customer = offers.of_customer(session, shop.id, offer)
    declined = offer.cause == "declined"
    kind = "offer_after_decline" if declined else "offer"
    content = OfferMail(
        shop=offers.shop_view(shop),
        offer=offers.view_of(shop, cart, offer),
        link=messages.link(session, "o", shop.id, offer.id),
        unsubscribe_link=messages.link(session, "u", shop.id, customer.id),
        name=customer.name,
    )
    return messages.write(
        session,
        shop.id,
        kind,
        about=offer.id,
        customer_id=customer.id,
        recipient=customer.email,
        locale=offer.locale,
        rendered=mail(kind, offer.locale, content),
        marketing=True,
        not_after=offer.expires_at,
    )


def later(session: Session, shop_id: str, kind: str, plan_id: str, what: str) -> None:
    """Have a mail of a plan written when its turn to leave has come: where many payments arrive at once, none waits for
    the words about another. ``kind`` is one of ``LATER``; ``what`` is the row it is about."""
    outbox.post(session, shop_id, outbox.LETTER, subject=plan_id, what=what, letter=kind)


def write(session: Session, shop: Shop, out: Out) -> None:
    """Write the mail that a row of the outbox stands for; the row leaves as that mail."""
    message = LATER[out.payload["letter"]](session, shop, out)
    out.kind, out.what = "mail", message.id


def _alert(session: Session, shop: Shop, out: Out) -> Message:
    """To whoever sees to the shop, in the shop's language: a case that must not wait until somebody happens to look."""
    case = session.get_one(Case, (shop.id, out.what))
    link = house().url(f"/shops/{shop.id}/connection")
    return messages.write(
        session,
        shop.id,
        "alert",
        about=case.id,
        customer_id="",
        recipient=out.payload["to"],
        locale=shop.locale,
        rendered=mail(
            "alert", shop.locale, AlertMail(offers.shop_view(shop), case.kind, case.created_at, link)
        ),
    )


def _plan_confirmed(session: Session, shop: Shop, out: Out) -> Message:
    plan = session.get_one(Plan, (shop.id, out.what))
    view = showing.plan_view(session, shop, plan)
    content = PlanMail(offers.shop_view(shop), view, _portal(session, plan))
    return _written(session, shop, plan, "plan_confirmed", content)


def _receipt(session: Session, shop: Shop, out: Out) -> Message:
    row = session.get_one(Collection, (shop.id, out.what))
    plan = session.get_one(Plan, (shop.id, row.plan_id))
    content = ReceiptMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        part=showing.part(row),
        paid_at=row.paid_at or clock.now(),
        portal_link=_portal(session, plan),
        cancel_link=f"{_portal(session, plan)}/cancel",
        count=plan.count,
    )
    return _written(session, shop, plan, "receipt", content)


def _plan_completed(session: Session, shop: Shop, out: Out) -> Message:
    plan = session.get_one(Plan, (shop.id, out.what))
    view = showing.plan_view(session, shop, plan)
    content = CompletedMail(offers.shop_view(shop), view, _portal(session, plan))
    return _written(session, shop, plan, "plan_completed", content)


LATER = {
    "alert": _alert,
    "offer": _offer_left,
    "plan_confirmed": _plan_confirmed,
    "receipt": _receipt,
    "plan_completed": _plan_completed,
}


def payment_failed(session: Session, shop: Shop, plan: Plan, row: Collection, decline: str) -> None:
    view = showing.plan_view(session, shop, plan)
    content = FailedMail(offers.shop_view(shop), view, showing.part(row), decline, _portal(session, plan))
    _to_customer(session, shop, plan, "payment_failed", content)


def action_needed(session: Session, shop: Shop, plan: Plan, row: Collection, *, authentication: bool) -> None:
    content = ActionNeededMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        part=showing.part(row),
        need="authentication" if authentication else "card",
        link=f"{_portal(session, plan)}/pay",
        portal_link=_portal(session, plan),
    )
    _to_customer(session, shop, plan, "payment_action_needed", content)


def payment_notice(session: Session, shop: Shop, plan: Plan, row: Collection, *, expires: bool) -> None:
    """A payment will be taken in a few days, from which card, and how to change or stop that."""
    portal = _portal(session, plan)
    content = NoticeMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        part=showing.part(row),
        expires=expires,
        portal_link=portal,
        cancel_link=f"{portal}/cancel",
    )
    _to_customer(session, shop, plan, "payment_notice", content)


def card_needed(
    session: Session, shop: Shop, plan: Plan, row: Collection, why: Literal["expires", "stopped"]
) -> None:
    """Nothing was refused yet, but the card cannot pay what comes next."""
    portal = _portal(session, plan)
    content = CardNeededMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        part=showing.part(row),
        why=why,
        link=f"{portal}/pay",
        portal_link=portal,
    )
    _to_customer(session, shop, plan, "card_needed", content)


def plan_credited(session: Session, shop: Shop, plan: Plan, taken_off: Money, given_back: Money) -> None:
    """Payments to come were lowered; whatever goes back to the card as well has a mail of its own when it has."""
    content = CreditMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        portal_link=_portal(session, plan),
        taken_off=taken_off,
        given_back=given_back if given_back.minor else None,
    )
    _to_customer(session, shop, plan, "plan_credited", content)


def refund_made(session: Session, shop: Shop, plan: Plan, amount: Money, method_id: str) -> None:
    """Money went back to the card that it was taken from, which need not be the plan's card of today."""
    content = CreditMail(
        shop=offers.shop_view(shop),
        plan=showing.plan_view(session, shop, plan),
        portal_link=_portal(session, plan),
        given_back=amount,
        card=showing.card(session, shop.id, method_id),
    )
    _to_customer(session, shop, plan, "refund_made", content)


def plan_ended(session: Session, shop: Shop, plan: Plan, ending: Ending) -> None:
    """The proof of a cancellation or withdrawal."""
    view = showing.plan_view(session, shop, plan)
    at = plan.ended_at or clock.now()
    content = CancelledMail(offers.shop_view(shop), view, ending, at, _portal(session, plan))
    _to_customer(session, shop, plan, "plan_cancelled", content)


def _portal(session: Session, plan: Plan) -> str:
    return messages.link(session, "p", plan.shop_id, plan.id)


def _to_customer(session: Session, shop: Shop, plan: Plan, kind: str, content: Mail) -> None:
    message = _written(session, shop, plan, kind, content)
    outbox.post(session, shop.id, "mail", subject=plan.id, what=message.id)


def _written(session: Session, shop: Shop, plan: Plan, kind: str, content: Mail) -> Message:
    customer = customers.get(session, shop.id, plan.customer_id)
    return messages.write(
        session,
        shop.id,
        kind,
        about=plan.id,
        customer_id=customer.id,
        recipient=customer.email,
        locale=plan.locale,
        rendered=mail(kind, plan.locale, content),
    )
