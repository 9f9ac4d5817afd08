"""Strays: movements that the gateway lists and no attempt or refund of ours explains."""

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, ledger
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money

UNKNOWN = {"charge": "unknown_capture", "refund": "unknown_refund"}


class Stray(Row, Base):
    """A movement at the gateway that is not ours, or not known to be. ``plan_id`` is the plan that it seems to be
    about, "" where nobody can tell. ``at`` is the gateway's time. Never changed."""

    __tablename__ = "strays"
    prefix = "stray"

    account_id: Mapped[str]
    kind: Mapped[Literal["charge", "refund"]] = mapped_column(Text)
    reference: Mapped[str]
    gateway_id: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    at: Mapped[datetime]
    plan_id: Mapped[str] = mapped_column(default="")

    __table_args__ = (UniqueConstraint("shop_id", "account_id", "kind", "gateway_id"),)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


def keep_stray(
    session: Session, shop_id: str, account_id: str, moved: sdk.Captured, plan_id: str
) -> str | None:
    """Keep a stray, book it to suspense and show it to a person; its id. None where it is known already."""
    found = {
        "shop_id": shop_id,
        "id": new_id(Stray.prefix),
        "account_id": account_id,
        "kind": moved.kind,
        "reference": moved.reference,
        "gateway_id": moved.gateway_id,
        "amount": moved.amount.minor,
        "currency": moved.amount.currency,
        "at": moved.at,
        "plan_id": plan_id,
        "created_at": clock.now(),
    }
    stray_id: str | None = session.scalar(
        insert(Stray)
        .values(found)
        .on_conflict_do_nothing(index_elements=["shop_id", "account_id", "kind", "gateway_id"])
        .returning(Stray.id)
    )
    if stray_id is None:
        return None
    debit, credit = ledger.GATEWAY, ledger.SUSPENSE
    if moved.kind == "refund":
        debit, credit = credit, debit
    kind = "unexpected_capture" if moved.kind == "charge" else "unexpected_refund"
    ledger.book(session, shop_id, kind, stray_id, plan_id, moved.amount, debit=debit, credit=credit)
    facts = {
        "reference": moved.reference,
        "gateway_id": moved.gateway_id,
        "amount": moved.amount.as_json(),
        "at": moved.at.isoformat(),
    }
    cases.open_case(session, shop_id, UNKNOWN[moved.kind], stray_id, **facts, **_plan(plan_id))
    return stray_id


def _plan(plan_id: str) -> dict[str, str]:
    return {"plan": plan_id} if plan_id else {}
