"""What customers are told at a moment of its own: of a payment before it is taken, of a card that will have expired by
then, and of a card that can pay no more.

Each is a row of the outbox that waits for its moment and is judged when that has come; no payment waits for it.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import announcing, cases, letters, outbox, paying, plans, vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import CardUpdated

CARD_NEWS = "card_news"
KINDS = (announcing.NOTICE, CARD_NEWS)


def stop_card(session: Session, method: PaymentMethod, reason: str, *, told: str = "") -> None:
    """Never charge this card again; every plan that it pays, but the one that is ``told`` already, asks for another."""
    _tell_plans(session, method.shop_id, vault.stop(session, method, reason), told)


def card_updated(session: Session, shop: Shop, account_id: str, news: CardUpdated) -> None:
    """The network renewed a card, which then pays what waited for its new data, or closed it."""
    for method in vault.by_token(session, shop.id, account_id, news.token):
        if news.closed:
            stop_card(session, method, "closed")
        else:
            vault.update(method, news)
            _tell_plans(session, shop.id, [method.id])


def _tell_plans(session: Session, shop_id: str, methods: list[str], told: str = "") -> None:
    """Each in its own turn and transaction: two plans' locks at once could wait for each other."""
    paid = select(Plan.id).where(
        Plan.shop_id == shop_id,
        Plan.method_id.in_(methods),
        Plan.state.in_(("active", "paused")),
        Plan.id != told,
    )
    for plan_id in session.scalars(paid.order_by(Plan.id)):
        outbox.post(session, shop_id, CARD_NEWS, subject=f"card:{plan_id}", what=plan_id)


def give(session: Session, shop: Shop, out: Out) -> None:
    """Its moment has come: write the mail, put it off, or drop it. Nobody outside is asked."""
    if out.kind == announcing.NOTICE:
        _before_payment(session, shop, out)
    else:
        _card_news(session, shop, out)


def _before_payment(session: Session, shop: Shop, out: Out) -> None:
    row = session.get_one(Collection, (shop.id, out.what))
    plan = session.get_one(Plan, (shop.id, row.plan_id))
    days, *further = out.payload["ahead"]
    now, moment = clock.now(), row.scheduled_at - timedelta(days=days)
    if plan.state in plans.ENDED or row.state != "scheduled" or now >= row.scheduled_at:
        outbox.done(session, out, "dropped", "too late" if row.state == "scheduled" else row.state)
    elif plan.state != "active":
        out.rest(min(now + timedelta(days=1), row.scheduled_at))
    elif now < moment:
        out.rest(moment)
    else:
        _tell(session, shop, plan, row, last=not further)
        if further:
            out.payload, out.tries = {"ahead": further}, 0
            out.rest(max(now, row.scheduled_at - timedelta(days=further[0])))
        else:
            outbox.done(session, out, "sent")


def _tell(session: Session, shop: Shop, plan: Plan, row: Collection, *, last: bool) -> None:
    method = session.get_one(PaymentMethod, (shop.id, plan.method_id))
    expires = vault.expires_before(method, row.scheduled_at.astimezone(shop.zone))
    if last:
        letters.payment_notice(session, shop, plan, row, expires=expires)
    elif expires:
        letters.card_needed(session, shop, plan, row, "expires")


def _card_news(session: Session, shop: Shop, out: Out) -> None:
    plan = plans.locked(session, shop.id, out.what)
    method = session.get_one(PaymentMethod, (shop.id, plan.method_id))
    open_rows = [r for r in plans.collections_of(session, shop.id, plan.id) if r.state in plans.UNSENT]
    if plan.state in plans.ENDED or not open_rows:
        outbox.done(session, out, "dropped", "no longer needed")
        return
    if paying.card_is_stopped(session, plan, method):
        cases.open_case(session, shop.id, "card_stopped", plan.id, plan=plan.id)
        letters.card_needed(session, shop, plan, open_rows[0], "stopped")
    else:
        paying.card_renewed(session, shop, plan)
    outbox.done(session, out, "sent")
