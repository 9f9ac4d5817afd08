"""What is kept of one customer, whole and as JSON, for the customer who asks for it (Regulation (EU) 2016/679, art. 15
and 20). It holds no token and nothing of how he is judged: what is not about him is not his."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import consent, objects
from plugin_backend.domain.books import Json, moment
from plugin_backend.domain.carts import Cart, Sale
from plugin_backend.domain.consent import ConsentRecord
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock

# What hangs on a row is told with it; what only the shop's people need is not.
_HIS_OWN = {"carts": Cart, "offers": Offer, "plans": Plan, "messages": Message}
_INTERNAL = frozenset({"cases", "outbox", "link"})


def everything_about(session: Session, shop: Shop, customer: Customer) -> Json:
    """All that is kept of the customer by this shop."""
    return {
        "shop": shop.id,
        "shop_name": shop.name,
        "told_at": moment(clock.now()),
        "customer": {
            "id": customer.id,
            "email": customer.email,
            "name": customer.name,
            "language": customer.locale,
            "country": customer.country,
            "known_since": moment(customer.created_at),
            "gets_no_more_offers": consent.suppressed(session, shop.id, customer.email),
        },
        "answers_about_reminders": _answers(session, shop, customer),
        "orders": _orders(session, shop, customer),
        **{noun: _objects(session, shop, customer, noun) for noun in _HIS_OWN},
    }


def _answers(session: Session, shop: Shop, customer: Customer) -> list[Json]:
    found = select(ConsentRecord).where(
        ConsentRecord.shop_id == shop.id, ConsentRecord.customer_id == customer.id
    )
    return [
        {"granted": row.granted, "at": moment(row.given_at), "where": row.source, "words": row.text_version}
        for row in session.scalars(found.order_by(ConsentRecord.given_at, ConsentRecord.id))
    ]


def _orders(session: Session, shop: Shop, customer: Customer) -> list[Json]:
    found = select(Sale).where(Sale.shop_id == shop.id, Sale.customer_id == customer.id)
    return [
        {"order": row.order_key, "at": moment(row.placed_at), "amount": row.amount, "currency": row.currency}
        for row in session.scalars(found.order_by(Sale.placed_at, Sale.id))
    ]


def _objects(session: Session, shop: Shop, customer: Customer, noun: str) -> list[Json]:
    model: Any = _HIS_OWN[noun]
    ids = select(model.id).where(model.shop_id == shop.id, model.customer_id == customer.id)
    shown = [
        objects.show_object(session, shop.id, noun, row_id)
        for row_id in session.scalars(ids.order_by(model.id))
    ]
    return [{name: value for name, value in one.items() if name not in _INTERNAL} for one in shown]
