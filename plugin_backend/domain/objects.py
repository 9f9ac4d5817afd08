"""Objects as they leave us, as JSON in the words of the house: for the dashboard and the command line.

Nothing in them is secret, neither a token nor a sealed setting; the one link is the way to an offer's page, and only
``show_object`` gives it. Moments are RFC 3339 in UTC, money is ``{"amount": minor units, "currency": code}``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from plugin_backend.domain import books, carts, exchanges, ledger, merchants, messages, moves, offers, plans
from plugin_backend.domain.billing import Attempt, Dispute, Refund
from plugin_backend.domain.books import Json, common, moment
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Mandate, Plan
from plugin_backend.domain.reconciliation import Reconciliation
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

Writer = Callable[[Session, Shop, list[Any]], list[Json]]
PAGE = 50
SOON = timedelta(days=30)
_TO_COME = ("scheduled", "due", "retry_wait")
_UNPAID = (*_TO_COME, "in_flight", "in_doubt", "requires_action", "exhausted")


def list_objects(
    session: Session, shop_id: str, noun: str, limit: int = PAGE, after: str | None = None
) -> list[Json]:
    """Up to ``limit`` objects of a noun of ``NOUNS`` (``KeyError`` for any other), newest first, older than the one
    whose id is ``after``."""
    model, write = NOUNS[noun]
    shop = merchants.get_shop(session, shop_id)
    found = select(model).where(model.shop_id == shop_id).order_by(model.id.desc()).limit(limit)
    if after:
        found = found.where(model.id < after)
    with merchants.shop_time(shop):
        return write(session, shop, list(session.scalars(found)))


def show_object(session: Session, shop_id: str, noun: str, row_id: str) -> Json:
    """One object with what hangs on it: its history, its cases and what of it is to be told to the outside. ``Unknown``
    where the shop has none of that id."""
    model, write = NOUNS[noun]
    shop = merchants.get_shop(session, shop_id)
    row = session.get(model, (shop_id, row_id))
    if row is None:
        raise merchants.Unknown(f"shop {shop_id} has no {row_id}")
    with merchants.shop_time(shop):
        (shown,) = write(session, shop, [row])
        shown |= _more(session, row)
    about = select(Case).where(Case.shop_id == shop_id, Case.subject == row_id).order_by(Case.id)
    told = select(Out).where(Out.shop_id == shop_id, Out.what == row_id).order_by(Out.seq)
    shown["history"] = history(session, shop_id, row_id)
    shown["cases"] = _cases(session, shop, list(session.scalars(about)))
    shown["outbox"] = [common(out) | {"kind": out.kind, "tries": out.tries} for out in session.scalars(told)]
    return shown


def history(session: Session, shop_id: str, row_id: str) -> list[Json]:
    """Every move of a row, the first one first."""
    found = select(moves.Move).where(moves.Move.shop_id == shop_id, moves.Move.row_id == row_id)
    return [
        {"at": moment(move.created_at), "before": move.before, "after": move.after, "reason": move.reason}
        for move in session.scalars(found.order_by(moves.Move.seq))
    ]


def recovered(session: Session, shop_id: str) -> list[Money]:
    """What was captured for plans and not given back, for each currency by itself. What landed in suspense, because
    nobody can say yet whose it is, does not count."""
    return [
        Money(-balance.minor, balance.currency)
        for account, balance in ledger.of_accounts(session, shop_id)
        if account == ledger.CUSTOMER and balance.minor
    ]


def expected_30_days(session: Session, shop_id: str) -> list[Money]:
    """What is planned, or will be tried again, within 30 days of the shop's time, for each currency by itself."""
    with merchants.shop_time(merchants.get_shop(session, shop_id)):
        until = clock.now() + SOON
    when = func.coalesce(Collection.due_at, Collection.scheduled_at)
    return _sums(session, shop_id, Collection.state.in_(_TO_COME), when <= until)


def at_risk(session: Session, shop_id: str) -> list[Money]:
    """What was refused at least once and is not paid yet, for each currency by itself."""
    refused = or_(Collection.declines > 0, Collection.state.in_(("retry_wait", "exhausted")))
    return _sums(session, shop_id, Collection.state.in_(_UNPAID), refused)


def _sums(session: Session, shop_id: str, *conditions: ColumnElement[bool]) -> list[Money]:
    found = (
        select(func.sum(Collection.amount), Collection.currency)
        .where(Collection.shop_id == shop_id, *conditions)
        .group_by(Collection.currency)
        .order_by(Collection.currency)
    )
    return [Money(int(amount), currency) for amount, currency in session.execute(found)]


def _money(amount: int | None, currency: str | None) -> Json | None:
    return None if amount is None or currency is None else {"amount": amount, "currency": currency}


def _deliveries(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [
        common(row)
        | {
            "source": row.source,
            "topic": row.topic,
            "identity": row.identity,
            "sha256": row.sha256,
            "received_at": moment(row.received_at),
            "effect": row.effect,
        }
        for row in rows
    ]


def _carts(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    people = _people(session, shop.id, rows)
    newest = select(Offer.cart_id, func.max(Offer.id)).where(
        Offer.shop_id == shop.id, Offer.cart_id.in_([row.id for row in rows])
    )
    offered = dict(session.execute(newest.group_by(Offer.cart_id)).all())
    return [
        common(row)
        | {
            "key": row.key,
            "customer": people.get(row.customer_id),
            "total": _money(row.amount, row.currency),
            "lines": row.lines,
            "country": row.country,
            "locale": row.locale,
            "updated_at": moment(row.updated_at) if row.updated_at > carts.BEFORE_EVERYTHING else None,
            "changed_at": moment(row.changed_at),
            "failed_at": moment(row.failed_at),
            "decline": row.decline,
            "offer": row.offer_id or offered.get(row.id),
        }
        for row in rows
    ]


def _offers(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    people = _people(session, shop.id, rows)
    made = select(Plan.offer_id, Plan.id).where(
        Plan.shop_id == shop.id, Plan.offer_id.in_([row.id for row in rows])
    )
    plan_of = dict(session.execute(made).all())
    return [
        common(row)
        | {
            "cart": row.cart_id,
            "customer": people.get(row.customer_id),
            "plan": plan_of.get(row.id),
            "cause": row.cause,
            "kind": row.kind,
            "total": row.total.as_json(),
            "parts": _parts(shop, row),
            "country": row.country,
            "locale": row.locale,
            "verdict": row.verdict,
            "expires_at": moment(row.expires_at),
            "viewed_at": moment(row.viewed_at),
            "accepted_at": moment(row.accepted_at),
        }
        for row in rows
    ]


def _parts(shop: Shop, offer: Offer) -> list[Json]:
    """What was accepted, else what accepting now would mean."""
    if offer.terms is not None:
        agreed = (
            (part["number"], part["amount"], datetime.fromisoformat(part["due"]))
            for part in offer.terms["parts"]
        )
    else:
        agreed = (
            (part.number, part.amount.minor, part.due) for part in offers.parts_of(shop, offer, clock.now())
        )
    return [
        {"number": number, "amount": _money(amount, offer.currency), "due_at": moment(due)}
        for number, amount, due in agreed
    ]


def _plans(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    ids = [row.id for row in rows]
    people = _people(session, shop.id, rows)
    found = select(Collection).where(Collection.shop_id == shop.id, Collection.plan_id.in_(ids))
    dated = defaultdict(list)
    for shown in _collections(session, shop, list(session.scalars(found.order_by(Collection.number)))):
        dated[shown["plan"]].append(shown)
    received = _received(session, shop.id, ids)
    return [
        common(row)
        | {
            "offer": row.offer_id,
            "cart": row.cart_id,
            "customer": people.get(row.customer_id),
            "kind": row.kind,
            "order_key": row.order_key,
            "agreed": row.agreed.as_json(),
            "received": _money(received.get(row.id, 0), row.currency),
            "country": row.country,
            "locale": row.locale,
            "started_at": moment(row.anchor),
            "supplied_at": moment(row.supplied_at),
            "ended_at": moment(row.ended_at),
            "collections": dated[row.id],
        }
        for row in rows
    ]


def _received(session: Session, shop_id: str, plan_ids: list[str]) -> dict[str, int]:
    found = select(ledger.PLANS.c.plan_id, ledger.PLANS.c.received).where(
        ledger.PLANS.c.shop_id == shop_id, ledger.PLANS.c.plan_id.in_(plan_ids)
    )
    return {plan_id: int(amount) for plan_id, amount in session.execute(found)}


def _collections(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    found = select(Attempt).where(
        Attempt.shop_id == shop.id, Attempt.collection_id.in_([row.id for row in rows])
    )
    tried = defaultdict(list)
    for attempt in session.scalars(found.order_by(Attempt.number)):
        tried[attempt.collection_id].append(_attempt(attempt))
    return [
        common(row)
        | {
            "plan": row.plan_id,
            "number": row.number,
            "amount": row.money.as_json(),
            "scheduled_at": moment(row.scheduled_at),
            "paid_at": moment(row.paid_at),
            "declines": row.declines,
            "held": row.held,
            "attempts": tried[row.id],
        }
        for row in rows
    ]


def _attempt(row: Attempt) -> Json:
    return common(row) | {
        "number": row.number,
        "reference": row.reference,
        "amount": row.money.as_json(),
        "initiator": row.initiator,
        "decline": row.decline,
        "code": row.code,
        "advice": row.advice,
        "gateway_id": row.gateway_id,
        "first_sent_at": moment(row.first_sent_at),
        "last_sent_at": moment(row.last_sent_at),
    }


def _messages(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [
        common(row)
        | {
            "kind": row.kind,
            "about": row.subject_id,
            "to": row.recipient,
            "locale": row.locale,
            "subject": row.subject,
            "text": row.text,
            "not_after": moment(row.not_after),
            "sent_at": moment(row.sent_at),
        }
        for row in rows
    ]


def _cases(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [common(row) | {"kind": row.kind, "subject": row.subject, "facts": row.facts} for row in rows]


def _erasures(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [
        common(row)
        | {
            "customer": row.customer_id,
            "payment_method": row.method_id or None,
            "cause": row.cause,
            "asked_by": row.asked_by,
            "tries": row.tries,
        }
        for row in rows
    ]


def _reconciliations(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    accounts = select(GatewayAccount.id, GatewayAccount.gateway).where(GatewayAccount.shop_id == shop.id)
    gateways = dict(session.execute(accounts).all())
    return [
        common(row)
        | {
            "account": row.account_id,
            "gateway": gateways.get(row.account_id),
            "since": moment(row.since),
            "until": moment(row.until),
            "counts": row.counts,
            "differences": [{"reason": kind} | told for kind, some in row.found.items() for told in some],
        }
        for row in rows
    ]


def _people(session: Session, shop_id: str, rows: Iterable[Any]) -> dict[str | None, Json]:
    ids = {row.customer_id for row in rows} - {None}
    found = select(Customer.id, Customer.email).where(Customer.shop_id == shop_id, Customer.id.in_(ids))
    return {customer_id: {"id": customer_id, "email": email} for customer_id, email in session.execute(found)}


def _more(session: Session, row: Any) -> Json:
    """What is worth telling of one object and too much for a list."""
    match row:
        case DeliveryRow():
            body = None if row.body is None else row.body.decode("utf-8", "replace")
            sealed = row.dropped is not None
            return {"headers": row.headers, "query": row.query, "body": body, "sealed": sealed}
        case Case():
            return {"exchange": _exchange(session, row)}
        case Offer():
            sent = row.state != "not_sent"
            return {"link": messages.secret_path("o", row.shop_id, row.id) if sent else None}
        case Plan():
            return {
                "card": _card(session, row),
                "mandate": _mandate(plans.mandate_of(session, row.shop_id, row.id)),
                **books.of_plan(session, row),
            }
        case _:
            return {}


def _exchange(session: Session, case: Case) -> str:
    """What was said with the shop when the case arose, as far as it is kept: about its subject, or what was to be told."""
    told = case.facts.get("out", "")
    found = [exchanges.about(session, case.shop_id, what) for what in (case.subject, told, case.id) if what]
    return next(filter(None, found), "")


def _card(session: Session, plan: Plan) -> Json | None:
    method = session.get(PaymentMethod, (plan.shop_id, plan.method_id))
    if method is None:
        return None
    return {
        "kind": method.kind,
        "brand": method.brand,
        "last4": method.last4,
        "expires": f"{method.expiry_month:02d}/{method.expiry_year}" if method.expiry_month else None,
    }


def _mandate(row: Mandate) -> Json:
    return {
        "id": row.id,
        "text": row.text,
        "text_version": row.text_version,
        "locale": row.locale,
        "accepted_at": moment(row.accepted_at),
    }


NOUNS: dict[str, tuple[type[Any], Writer]] = {
    "carts": (Cart, _carts),
    "offers": (Offer, _offers),
    "plans": (Plan, _plans),
    "collections": (Collection, _collections),
    "deliveries": (DeliveryRow, _deliveries),
    "messages": (Message, _messages),
    "refunds": (Refund, books.refunds),
    "disputes": (Dispute, books.disputes),
    "cases": (Case, _cases),
    "reconciliations": (Reconciliation, _reconciliations),
    "erasures": (Erasure, _erasures),
}
"""What can be listed and shown: the table of each noun, and how its rows are written."""
