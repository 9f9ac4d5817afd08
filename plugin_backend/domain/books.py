"""The books as JSON: balances, credits, refunds and disputes, in the words of the house."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin_backend.core.due import Due
from plugin_backend.domain import ledger, plans
from plugin_backend.domain.billing import CreditNote, Dispute, Refund, credit_notes_of
from plugin_backend.domain.ledger import Balance
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import INSTALMENTS
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk.money import Money

Json = dict[str, Any]


def common(row: Any) -> Json:
    """What every object says: whose it is, where it stands and since when."""
    shown: Json = {
        "id": row.id,
        "shop": row.shop_id,
        "state": row.state,
        "reason": row.reason,
        "created_at": moment(row.created_at),
    }
    return shown | {"due_at": moment(row.due_at)} if isinstance(row, Due) else shown


def moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def of_plan(session: Session, plan: Plan) -> Json:
    """A plan's money: its books, what is still to be paid, and every credit, refund and dispute of it."""
    balance = ledger.of_plan(session, plan.shop_id, plan.id, plan.currency)
    to_pay = plans.to_pay(session, plan)
    return {
        "books": _balance(balance)
        | {
            "outstanding": _outstanding(session, plan).as_json(),
            "taken_off": (plan.agreed - to_pay).as_json(),
        },
        "credits": [_credit(note) for note in credit_notes_of(session, plan.shop_id, plan.id)],
        "refunds": [_refund(row) for row in _of(session, plan, Refund)],
        "disputes": [_dispute(row) for row in _of(session, plan, Dispute)],
    }


def _of(session: Session, plan: Plan, model: type[Any]) -> list[Any]:
    found = select(model).where(model.shop_id == plan.shop_id, model.plan_id == plan.id)
    return list(session.scalars(found.order_by(model.created_at, model.id)))


def of_shop(session: Session, shop_id: str) -> list[Json]:
    """The balance of each account of a shop's books, currency by currency."""
    return [
        {"account": account, "balance": balance.as_json()}
        for account, balance in ledger.of_accounts(session, shop_id)
    ]


def of_customer(session: Session, shop_id: str, customer_id: str) -> list[Json]:
    """A customer's books, currency by currency."""
    return [_balance(balance) for balance in ledger.of_customer(session, shop_id, customer_id)]


def refunds(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [_refund(row) for row in rows]


def disputes(session: Session, shop: Shop, rows: list[Any]) -> list[Json]:
    return [_dispute(row) for row in rows]


def _balance(balance: Balance) -> Json:
    return {
        "captured": balance.captured.as_json(),
        "refunded": balance.refunded.as_json(),
        "disputed": balance.disputed.as_json(),
        "received": balance.received.as_json(),
    }


def _outstanding(session: Session, plan: Plan) -> Money:
    """What a running instalment plan still has to collect."""
    if plan.kind != INSTALMENTS or plan.state in plans.ENDED:
        return Money(0, plan.currency)
    unpaid = select(func.sum(Collection.amount)).where(
        Collection.shop_id == plan.shop_id,
        Collection.plan_id == plan.id,
        Collection.paid_at.is_(None),
        Collection.state != "void",
    )
    return Money(int(session.scalar(unpaid) or 0), plan.currency)


def _credit(note: CreditNote) -> Json:
    return {
        "id": note.id,
        "created_at": moment(note.created_at),
        "number": note.number,
        "amount": note.money(note.amount).as_json(),
        "taken_off": note.money(note.taken_off).as_json(),
        "given_back": note.money(note.given_back).as_json(),
        "first": note.first,
        "rest": note.rest,
    }


def _refund(row: Refund) -> Json:
    return common(row) | {
        "plan": row.plan_id,
        "attempt": row.attempt_id,
        "number": row.number,
        "amount": row.money.as_json(),
        "reference": row.reference,
        "gateway_id": row.gateway_id,
        "code": row.code,
        "first_sent_at": moment(row.first_sent_at),
        "last_sent_at": moment(row.last_sent_at),
    }


def _dispute(row: Dispute) -> Json:
    return common(row) | {
        "plan": row.plan_id,
        "attempt": row.attempt_id,
        "amount": row.money.as_json(),
        "gateway_id": row.gateway_id,
        "evidence": row.evidence,
    }
