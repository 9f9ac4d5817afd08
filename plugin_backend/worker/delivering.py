"""The outbox is worked off: mails to the mail server, news of plans to the shop."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from plugin_backend.core import mail
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.core.house import house
from plugin_backend.core.i18n import money, translator
from plugin_backend.domain import (
    carts,
    cases,
    consent,
    exchanges,
    letters,
    merchants,
    messages,
    moves,
    notices,
    outbox,
    plans,
    polling,
    vault,
)
from plugin_backend.domain.billing import Attempt, CreditNote, Refund, attempts_of
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.http import overheard
from plugin_backend.sdk.money import Money

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dropped:
    """No longer wanted, for a reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class WriteBack:
    """News for the shop, and the connector that takes them."""

    connector: sdk.Connector
    change: sdk.Change


def deliver(shop: Shop) -> int:
    """Tell the outside what is to be told now."""
    with transaction(shop.id) as session:
        ids = outbox.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            prepared = _prepare(session, shop, session.get_one(Out, (shop.id, row_id), with_for_update=True))
        if prepared is None:
            continue
        with overheard() as heard:
            error = _ask(prepared)
        with transaction(shop.id) as session:
            row = session.get_one(Out, (shop.id, row_id), with_for_update=True)
            _record(session, shop, row, prepared, error)
            if isinstance(prepared, WriteBack):
                exchanges.keep(session, shop.id, row_id, heard if error else ())
    return len(ids)


def _prepare(session: Session, shop: Shop, row: Out) -> mail.Letter | WriteBack | Dropped | None:
    """What is to be told, or None where that was done here: a mail that waited for its moment is written now, and leaves
    from a row of its own."""
    if row.kind in notices.KINDS:
        if row.state == "queued":
            notices.give(session, shop, row)
        return None
    if row.kind == outbox.LETTER and row.state == "queued":
        letters.write(session, shop, row)
    if row.kind == "mail" and row.tries > 1 and (until := _outdated_until(session, shop, row)):
        row.tries -= 1
        row.rest(until)
        return None
    return _letter(session, shop, row) if row.kind == "mail" else _write_back(session, shop, row)


def _ask(prepared: mail.Letter | WriteBack | Dropped) -> RepriseError | None:
    assert_no_transaction()
    try:
        match prepared:
            case mail.Letter():
                mail.send(house().config.mail_url, prepared)
            case WriteBack():
                prepared.connector.write_back(prepared.change)
    except RepriseError as error:
        return error
    return None


def _record(
    session: Session,
    shop: Shop,
    row: Out,
    prepared: mail.Letter | WriteBack | Dropped,
    error: RepriseError | None,
) -> None:
    if row.state != "queued":
        return
    if isinstance(prepared, Dropped):
        _end(session, shop, row, "dropped", prepared.reason)
    elif error is None:
        _end(session, shop, row, "sent", "")
    elif error.permanent or not outbox.later(session, row, f"{type(error).__name__}: {error}"[:300]):
        log.warning("not_told", out=row.id, kind=row.kind, error=str(error))
        _end(session, shop, row, "parked", f"{type(error).__name__}: {error}"[:300])
        if row.kind == "write_back":
            cases.open_case(session, shop.id, "shop_not_told", row.what, out=row.id, reason=str(error)[:300])


def _end(session: Session, shop: Shop, row: Out, state: str, reason: str) -> None:
    outbox.done(session, row, state, reason)
    if row.kind != "mail":
        return
    message = session.get_one(Message, (shop.id, row.what))
    moves.move(
        session, message, {"sent": "sent", "dropped": "suppressed", "parked": "bounced"}[state], reason
    )
    if state == "sent":
        message.sent_at = clock.now()


def _letter(session: Session, shop: Shop, row: Out) -> mail.Letter | Dropped:
    message = session.get_one(Message, (shop.id, row.what))
    reason = _no_longer_wanted(session, shop, message)
    if reason:
        return Dropped(reason)
    config = house().config
    unsubscribe = (
        house().url(messages.secret_path("u", shop.id, message.customer_id)) if message.marketing else ""
    )
    return mail.Letter(
        message_id=f"<{message.id}@{config.mail_from.rpartition('@')[2]}>",
        sender=config.mail_from,
        sender_name=shop.name,
        to=message.recipient,
        locale=message.locale,
        subject=message.subject,
        text=messages.with_links(shop.id, message.text),
        html=messages.with_links(shop.id, message.html),
        unsubscribe=unsubscribe,
        reply_to=shop.contact,
    )


def _outdated_until(session: Session, shop: Shop, row: Out) -> datetime | None:
    """A mail about a basket that could not leave for a while waits until the shop was asked again: what it is about may
    have been bought meanwhile, and the webhook lost. None: it need not."""
    message = session.get_one(Message, (shop.id, row.what))
    return polling.outdated_until(session, shop) if message.marketing else None


def _no_longer_wanted(session: Session, shop: Shop, message: Message) -> str:
    """The last look before a mail leaves: the customer, the stop list, the offer, and the time it was good for."""
    if not message.customer_id:
        return ""
    customer = session.get_one(Customer, (shop.id, message.customer_id))
    if customer.frozen_at is not None:
        return "being_forgotten"
    if message.not_after is not None and clock.now() >= message.not_after:
        return "too late"
    if not message.marketing:
        return ""
    if consent.suppressed(session, shop.id, message.recipient):
        return "unsubscribed"
    offer = session.get(Offer, (shop.id, message.subject_id))
    if offer is not None and offer.state != "open":
        return f"the offer is {offer.state}"
    cart = session.get(Cart, (shop.id, offer.cart_id)) if offer else None
    if cart is not None and (carts.bought(session, cart) or carts.bought_since(session, cart)):
        return "bought meanwhile"
    if offer is not None and offer.cause == "declined":
        return ""
    before = cart is not None and carts.bought_before(session, cart)
    return consent.why_not(session, shop.id, customer.id, customer.email, bought_before=before)


def _write_back(session: Session, shop: Shop, row: Out) -> WriteBack | Dropped:
    connection = merchants.connection_of(session, shop.id)
    connector = merchants.connector_of(session, shop, connection, vault.Use("shop_call", row.id))
    if not connector.can_write:
        return Dropped("the connection cannot write to the shop")
    match row.payload["change"]:
        case "ended":
            return WriteBack(connector, _ended(shop, session.get_one(Plan, (shop.id, row.what))))
        case "refund" | "credit":
            return WriteBack(connector, _credited(session, shop, row.what))
    collection = session.get_one(Collection, (shop.id, row.what))
    plan = session.get_one(Plan, (shop.id, collection.plan_id))
    paid = next(a for a in attempts_of(session, shop.id, collection.id) if a.state == "succeeded")
    renewal = plan.kind != "instalments" and collection.number > 1
    build = _renewal if renewal else _payment
    return WriteBack(connector, build(session, shop, plan, collection, paid))


def _payment(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt
) -> sdk.PaymentBooked:
    instalments = plan.kind == "instalments"
    so_far = _paid_up_to(session, plan, row) if instalments else row.money
    # A payment that a credit took away as a whole is not waited for.
    left = [r.number for r in plans.collections_of(session, shop.id, plan.id) if r.amount]
    return sdk.PaymentBooked(
        key=row.id,
        plan_key=plan.id,
        order_key=plan.order_key,
        number=left.index(row.number) + 1 if instalments else row.number,
        count=len(left) if instalments else 1,
        amount=row.money,
        paid_so_far=so_far,
        plan_total=plans.to_pay(session, plan) if instalments else None,
        transaction_id=attempt.gateway_id or attempt.reference,
        paid_at=row.paid_at or clock.now(),
        ship="fully_paid" if plan.ship == "fully_paid" else "first_payment",
        words=_words(shop, plan, row),
    )


def _renewal(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt
) -> sdk.RenewalBooked:
    cart = session.get_one(Cart, (shop.id, plan.cart_id))
    return sdk.RenewalBooked(
        key=row.id,
        plan_key=plan.id,
        first_order_key=plan.order_key,
        number=row.number,
        amount=row.money,
        lines=carts.lines_of(cart.lines),
        person=plans.person(session, plan),
        transaction_id=attempt.gateway_id or attempt.reference,
        paid_at=row.paid_at or clock.now(),
        words=_words(shop, plan, row),
    )


def _credited(session: Session, shop: Shop, row_id: str) -> sdk.PlanCredited:
    """A refund that arrived, or a credit note that lowered the schedule."""
    row = session.get(Refund, (shop.id, row_id)) or session.get_one(CreditNote, (shop.id, row_id))
    plan = session.get_one(Plan, (shop.id, row.plan_id))
    back = row.money if isinstance(row, Refund) else Money(0, row.currency)
    off = Money(0, row.currency) if isinstance(row, Refund) else row.money(row.taken_off)
    said = translator(shop.locale)
    if isinstance(row, Refund):
        sentence = said.gettext("%(amount)s was paid back to the customer's card. Reference %(key)s.")
    else:
        sentence = said.gettext("%(amount)s was taken off the payments to come. Reference %(key)s.")
    values = {"amount": money(back if back.minor else off, shop.locale), "key": row.id}
    settled = plan.state == "completed"
    return sdk.PlanCredited(row.id, plan.id, plan.order_key, back, off, settled, sentence % values)


def _ended(shop: Shop, plan: Plan) -> sdk.PlanEnded:
    said = translator(shop.locale)
    return sdk.PlanEnded(
        key=f"{plan.id}-end",
        plan_key=plan.id,
        order_key=plan.order_key,
        reason=plan.state,
        words=said.gettext("The payment plan %(plan)s has ended before its last payment.")
        % {"plan": plan.id},
    )


def _paid_up_to(session: Session, plan: Plan, row: Collection) -> Money:
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    return Money(sum(r.amount for r in rows if r.paid_at and r.number <= row.number), plan.currency)


def _words(shop: Shop, plan: Plan, row: Collection) -> str:
    """The note in the shop's order, in the shop's language."""
    said = translator(shop.locale)
    if plan.count is None:
        sentence = said.gettext(
            "Payment %(number)s of a subscription arrived: %(amount)s. Reference %(key)s."
        )
    else:
        sentence = said.gettext("Payment %(number)s of %(count)s arrived: %(amount)s. Reference %(key)s.")
    values = {
        "number": row.number,
        "count": plan.count,
        "amount": money(row.money, shop.locale),
        "key": row.id,
    }
    return sentence % values
