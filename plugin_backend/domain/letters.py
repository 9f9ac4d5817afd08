"""Mails about offers and plans: posted in the transaction in which the thing they tell happened, sent from the outbox.
Those of payments that arrived are written only when their turn to leave has come."""

from typing import Literal

from sqlalchemy.orm import Session

from plugin_backend.core.render import mail
from plugin_backend.core.views import (
    ActionNeededMail,
    CancelledMail,
    CardNeededMail,
    CompletedMail,
    CreditMail,
    Ending,
    FailedMail,
    Mail,
    NoticeMail,
    OfferMail,
    PlanMail,
    ReceiptMail,
)
from plugin_backend.domain import customers, messages, offers, outbox, showing
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

LETTER = "letter"


def offer_made(session: Session, shop: Shop, cart: Cart, offer: Offer) -> None:
    """The offer's mail: a reminder, or after a decline one neutral service mail. It is not sent after the offer ends."""
    customer = offers.of_customer(session, shop.id, offer)
    terms = offers.terms_of(shop, cart, offer, country=offer.country, locale=offer.locale)
    declined = offer.cause == "declined"
    kind = "offer_after_decline" if declined else "offer"
    content = OfferMail(
        shop=offers.shop_view(shop),
        offer=terms.view,
        link=messages.link(session, "o", shop.id, offer.id),
        unsubscribe_link=messages.link(session, "u", shop.id, customer.id),
        name=customer.name,
    )
    message = messages.write(
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
    outbox.post(session, shop.id, "mail", subject=offer.id, what=message.id)


def later(session: Session, shop_id: str, kind: str, plan_id: str, what: str) -> None:
    """Have a mail of a plan written when its turn to leave has come: where many payments arrive at once, none waits for
    the words about another. ``kind`` is one of ``LATER``; ``what`` is the row it is about."""
    outbox.post(session, shop_id, LETTER, subject=plan_id, what=what, letter=kind)


def write(session: Session, shop: Shop, out: Out) -> None:
    """Write the mail that a row of the outbox stands for; the row leaves as that mail."""
    message = LATER[out.payload["letter"]](session, shop, out.what)
    out.kind, out.what = "mail", message.id


def _plan_confirmed(session: Session, shop: Shop, plan_id: str) -> Message:
    plan = session.get_one(Plan, (shop.id, plan_id))
    view = showing.plan_view(session, shop, plan)
    content = PlanMail(offers.shop_view(shop), view, _portal(session, plan))
    return _written(session, shop, plan, "plan_confirmed", content)


def _receipt(session: Session, shop: Shop, collection_id: str) -> Message:
    row = session.get_one(Collection, (shop.id, collection_id))
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


def _plan_completed(session: Session, shop: Shop, plan_id: str) -> Message:
    plan = session.get_one(Plan, (shop.id, plan_id))
    view = showing.plan_view(session, shop, plan)
    content = CompletedMail(offers.shop_view(shop), view, _portal(session, plan))
    return _written(session, shop, plan, "plan_completed", content)


LATER = {"plan_confirmed": _plan_confirmed, "receipt": _receipt, "plan_completed": _plan_completed}


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
