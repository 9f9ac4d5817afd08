"""One try at a collection: its row, its key, and what is asked of the gateway."""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Literal

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core import delays
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.core.ids import nth_of
from plugin_backend.domain import moves, setups, vault
from plugin_backend.domain.messages import secret_path
from plugin_backend.domain.offers import INSTALMENTS
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money

OPEN = ("sent", "pending", "requires_action", "in_doubt")
CHARGEABLE = ("scheduled", "due", "retry_wait")
Initiator = Literal["customer", "merchant"]


class Attempt(moves.Stateful, Due, Row, Base):
    """One try at a collection. ``reference`` is its idempotency key, derived from collection and number; what was asked
    is frozen in the row, and ``request_hash`` is of all of it, the card's token included. ``back`` is where the customer
    comes back to, a page and its row, "" where no customer is there. ``doubted_at`` is when it was first in doubt,
    ``absent_at`` when the gateway first said, credibly, that it knows nothing of it."""

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
    description: Mapped[str] = mapped_column(default="")
    back: Mapped[str] = mapped_column(default="")
    request_hash: Mapped[str] = mapped_column(default="")
    advice: Mapped[str] = mapped_column(default="")
    action_url: Mapped[str] = mapped_column(default="")
    asked: Mapped[int] = mapped_column(default=0)
    doubted_at: Mapped[datetime | None]
    absent_at: Mapped[datetime | None]
    evidence: Mapped[list[Any]] = mapped_column(default=list)

    __table_args__ = (
        due_index("attempts"),
        ForeignKeyConstraint(["shop_id", "collection_id"], ["collections.shop_id", "collections.id"]),
        UniqueConstraint("shop_id", "collection_id", "number"),
        UniqueConstraint("shop_id", "reference"),
        Index("ix_attempts_account", "shop_id", "account_id", "first_sent_at"),
        Index(
            "ix_attempts_refused",
            "shop_id",
            "method_id",
            "first_sent_at",
            postgresql_where="state IN ('declined', 'sent', 'pending', 'requires_action', 'in_doubt')",
        ),
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


class Changed(RepriseError):
    """What was asked can no longer be asked in the same words."""

    permanent = True


def reference_of(collection_id: str, number: int) -> str:
    """The idempotency key: the same after any crash, at most 40 characters of ``[a-z0-9-]``, without meaning."""
    digest = hashlib.sha256(f"reprise|{collection_id}|{number}".encode()).digest()
    return "rp-" + base64.b32encode(digest)[:32].decode().lower()


def ask_again(age: timedelta) -> timedelta:
    """In how long an ask that has been unclear for ``age`` is looked at again: one step of the ladder after the other, by
    age and not by number, so that ten callbacks in its first minute do not put the next look off to tomorrow."""
    steps = delays.DELAYS.ask_again
    climbed = accumulate(steps)
    return next((step for step, until in zip(steps, climbed, strict=True) if age < until), steps[-1])


def request_of(plan: Plan, attempt: Attempt, card: vault.Opened) -> sdk.ChargeRequest:
    """What is asked of the gateway: the same for an attempt however often it is built, but for its deadline."""
    page, _, row_id = attempt.back.partition("/")
    return sdk.ChargeRequest(
        reference=attempt.reference,
        amount=attempt.money,
        token=card.token,
        initiator=attempt.initiator,
        series="instalment" if plan.kind == INSTALMENTS else "subscription",
        description=attempt.description,
        collection=attempt.collection_id,
        return_url=house().url(f"{secret_path(page, attempt.shop_id, row_id)}/back") if page else "",
        gateway_customer=card.gateway_customer,
        network_transaction_id=card.network_transaction_id,
        authenticate=card.shared and attempt.initiator == "customer",
        opening=is_opening(attempt),
        # Half the lease: past it somebody else may already be asking about this attempt.
        deadline=time.monotonic() + delays.DELAYS.lease.total_seconds() / 2,
    )


def is_opening(attempt: Attempt) -> bool:
    """Is it the plan's first payment, with its customer there: the one whose amount his card was stored for?"""
    first = nth_of(attempt.plan_id, Collection.prefix, 1)
    return attempt.initiator == "customer" and attempt.collection_id == first


def trace_of(session: Session, attempt: Attempt) -> sdk.Trace:
    """What is known of an attempt beside its reference."""
    stored = setups.that_stored(session, attempt.shop_id, attempt.method_id)
    return sdk.Trace(setup=stored.gateway_id if stored else "", opening=is_opening(attempt))


def hash_of(request: sdk.ChargeRequest) -> str:
    """What makes two requests the same: all that is sent, not until when it may be."""
    told = asdict(request) | {"deadline": None}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def ask(prepared: Prepared) -> sdk.Outcome:
    """Ask the gateway, with no transaction open here."""
    assert_no_transaction()
    return prepared.gateway.charge(prepared.request)


def by_reference(session: Session, shop_id: str, reference: str) -> Attempt | None:
    return session.scalar(select(Attempt).where(Attempt.shop_id == shop_id, Attempt.reference == reference))


def accounts_of(session: Session, shop_id: str, attempt_ids: Sequence[str]) -> list[str]:
    """The gateway accounts that these attempts were made with."""
    found = select(Attempt.account_id).where(Attempt.shop_id == shop_id, Attempt.id.in_(attempt_ids))
    return sorted(set(session.scalars(found)))


def attempts_of(session: Session, shop_id: str, collection_id: str) -> list[Attempt]:
    found = select(Attempt).where(Attempt.shop_id == shop_id, Attempt.collection_id == collection_id)
    return list(session.scalars(found.order_by(Attempt.number)))
