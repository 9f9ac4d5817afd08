"""One try at a collection: written down, then asked with nothing open."""

import base64
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core import delays
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import (
    cases,
    merchants,
    moves,
    plans,
    vault,
)
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import INSTALMENTS
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money

OPEN = ("sent", "pending", "requires_action", "in_doubt")
CHARGEABLE = ("scheduled", "due", "retry_wait")
Initiator = Literal["customer", "merchant"]


class Attempt(moves.Stateful, Due, Row, Base):
    """One try at a collection. ``reference`` is its idempotency key, derived from collection and number; what was asked
    is frozen in the row. ``absent_at`` is when the gateway first said, credibly, that it knows nothing of it."""

    __tablename__ = "attempts"
    prefix = "att"
    noun = "attempt"
    bell = "reconcile"

    plan_id: Mapped[str] = mapped_column(index=True)
    collection_id: Mapped[str]
    account_id: Mapped[str]
    method_id: Mapped[str]
    number: Mapped[int]
    reference: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    initiator: Mapped[Initiator] = mapped_column(Text)
    first_sent_at: Mapped[datetime]
    last_sent_at: Mapped[datetime]
    gateway_id: Mapped[str] = mapped_column(default="")
    code: Mapped[str] = mapped_column(default="")
    decline: Mapped[str] = mapped_column(default="")
    action_url: Mapped[str] = mapped_column(default="")
    asked: Mapped[int] = mapped_column(default=0)
    absent_at: Mapped[datetime | None]
    evidence: Mapped[list[Any]] = mapped_column(default=list)

    __table_args__ = (
        due_index("attempts"),
        ForeignKeyConstraint(["shop_id", "collection_id"], ["collections.shop_id", "collections.id"]),
        UniqueConstraint("shop_id", "collection_id", "number"),
        UniqueConstraint("shop_id", "reference"),
        Index(
            "uq_attempts_one_open",
            "shop_id",
            "collection_id",
            unique=True,
            postgresql_where="state IN ('sent', 'pending', 'requires_action', 'in_doubt')",
        ),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attempt that is written down and may now be asked, with all that asking needs."""

    shop_id: str
    attempt_id: str
    request: sdk.ChargeRequest
    gateway: sdk.Gateway


def reference_of(collection_id: str, number: int) -> str:
    """The idempotency key: the same after any crash, at most 40 characters of ``[a-z0-9-]``, without meaning."""
    digest = hashlib.sha256(f"reprise|{collection_id}|{number}".encode()).digest()
    return "rp-" + base64.b32encode(digest)[:32].decode().lower()


def ask_again(asked: int) -> timedelta:
    """How long after the ``asked``-th look (from 0) an unclear ask is looked at again."""
    steps = delays.DELAYS.ask_again
    return steps[min(asked, len(steps) - 1)]


def prepare(
    session: Session, shop: Shop, collection_id: str, *, initiator: Initiator, return_url: str = ""
) -> Prepared | None:
    """Write an attempt down, or None where there is nothing to be charged (any more). The transaction must be committed
    before it is asked."""
    plan = plans.locked(session, shop.id, session.get_one(Collection, (shop.id, collection_id)).plan_id)
    row = session.get_one(Collection, (shop.id, collection_id), with_for_update=True, populate_existing=True)
    if not _may_charge(session, plan, row, initiator):
        return None
    attempt = _attempt(session, plan, row, initiator)
    moves.begin(session, attempt, "sent")
    attempt.due_at, attempt.taken = clock.now() + delays.DELAYS.lease, True
    moves.move(session, row, "in_flight")
    row.rest(None)
    method = session.get_one(vault.PaymentMethod, (shop.id, plan.method_id))
    account = session.get_one(GatewayAccount, (shop.id, method.account_id))
    request = _request(shop, plan, row, attempt, vault.open_method(method), return_url)
    return Prepared(shop.id, attempt.id, request, merchants.gateway_of(shop, account))


def _may_charge(session: Session, plan: Plan, row: Collection, initiator: Initiator) -> bool:
    """Only a running plan, a collection that waits, and never more than was agreed."""
    states = ("pending", "active") if initiator == "customer" else ("active",)
    if plan.state not in states or row.state not in CHARGEABLE:
        if row.state in CHARGEABLE:
            # A plan that is paused, or not yet begun, keeps its due moments; it is looked at again tomorrow.
            row.rest(None if plan.state in plans.ENDED else clock.now() + delays.DELAYS.looked_at_again)
        return False
    if cases.open_about(session, plan.shop_id, row.id):
        row.rest(clock.now() + delays.DELAYS.looked_at_again)
        return False
    if plan.kind == INSTALMENTS and _taken_and_open(session, plan) + row.amount > plan.amount:
        cases.open_case(session, plan.shop_id, "more_than_agreed", row.id, plan=plan.id)
        row.rest(clock.now() + delays.DELAYS.looked_at_again)
        return False
    return True


def _taken_and_open(session: Session, plan: Plan) -> int:
    """Minor units captured for the plan or possibly so."""
    statement = select(func.coalesce(func.sum(Attempt.amount), 0)).where(
        Attempt.shop_id == plan.shop_id,
        Attempt.plan_id == plan.id,
        Attempt.state.in_((*OPEN, "succeeded")),
    )
    return int(session.scalar(statement) or 0)


def _attempt(session: Session, plan: Plan, row: Collection, initiator: Initiator) -> Attempt:
    last = session.scalar(
        select(func.max(Attempt.number)).where(
            Attempt.shop_id == row.shop_id, Attempt.collection_id == row.id
        )
    )
    number = (last or 0) + 1
    now = clock.now()
    return Attempt(
        shop_id=row.shop_id,
        plan_id=plan.id,
        collection_id=row.id,
        account_id=plan.account_id,
        method_id=plan.method_id,
        number=number,
        reference=reference_of(row.id, number),
        amount=row.amount,
        currency=row.currency,
        initiator=initiator,
        first_sent_at=now,
        last_sent_at=now,
        asked=0,
    )


def _request(
    shop: Shop, plan: Plan, row: Collection, attempt: Attempt, card: vault.Opened, return_url: str
) -> sdk.ChargeRequest:
    return sdk.ChargeRequest(
        reference=attempt.reference,
        amount=row.money,
        token=card.token,
        initiator=attempt.initiator,
        series="instalment" if plan.kind == INSTALMENTS else "subscription",
        description=f"{shop.name} {row.number}" + (f"/{plan.count}" if plan.count else ""),
        collection=row.id,
        return_url=return_url,
        gateway_customer=card.gateway_customer,
        network_transaction_id=card.network_transaction_id,
        # Half the lease: past it somebody else may already be asking about this attempt.
        deadline=time.monotonic() + delays.DELAYS.lease.total_seconds() / 2,
    )


def ask(prepared: Prepared) -> sdk.Outcome:
    """Ask the gateway, with no transaction open."""
    assert_no_transaction()
    return prepared.gateway.charge(prepared.request)


def by_reference(session: Session, shop_id: str, reference: str) -> Attempt | None:
    return session.scalar(select(Attempt).where(Attempt.shop_id == shop_id, Attempt.reference == reference))


def attempts_of(session: Session, shop_id: str, collection_id: str) -> list[Attempt]:
    found = select(Attempt).where(Attempt.shop_id == shop_id, Attempt.collection_id == collection_id)
    return list(session.scalars(found.order_by(Attempt.number)))
