"""Attempts: one try at one collection each. Prepare and commit, ask with nothing open, record under locks.

``record`` is the only way by which any result reaches the books. The first settlement stands; a later capture that
contradicts it is booked to suspense and opens a case.
"""

import base64
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import LEASE, Due, Row, due_index
from plugin_backend.domain import (
    cases,
    dunning,
    ledger,
    letters,
    merchants,
    moves,
    outbox,
    plans,
    showing,
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
# How soon an unclear attempt is asked about again; after the last, daily, and on the seventh day a person looks.
ASK_AGAIN = (
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)
GIVE_UP = timedelta(days=7)
TWICE_APART = timedelta(minutes=10)
CONFIRM_WITHIN = timedelta(hours=24)
NOT_EXECUTED_AGAIN = timedelta(minutes=5)


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
    attempt.due_at, attempt.taken = clock.now() + LEASE, True
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
            row.rest(None if plan.state in plans.ENDED else clock.now() + timedelta(days=1))
        return False
    if cases.open_about(session, plan.shop_id, row.id):
        row.rest(clock.now() + timedelta(days=1))
        return False
    if plan.kind == INSTALMENTS and _taken_and_open(session, plan) + row.amount > plan.amount:
        cases.open_case(session, plan.shop_id, "more_than_agreed", row.id, plan=plan.id)
        row.rest(clock.now() + timedelta(days=1))
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
        deadline=time.monotonic() + LEASE.total_seconds() / 2,
    )


def ask(prepared: Prepared) -> sdk.Outcome:
    """Ask the gateway, with no transaction open."""
    assert_no_transaction()
    return prepared.gateway.charge(prepared.request)


def record(session: Session, shop: Shop, attempt_id: str, outcome: sdk.Outcome | sdk.Closed) -> None:
    """Enter what became of an attempt, from whatever source: answer, callback or look-up. Entering it again changes
    nothing. Locks are taken in the order plan, collection, attempt."""
    attempt = session.get_one(Attempt, (shop.id, attempt_id))
    plan = plans.locked(session, shop.id, attempt.plan_id)
    row = session.get_one(
        Collection, (shop.id, attempt.collection_id), with_for_update=True, populate_existing=True
    )
    attempt = session.get_one(Attempt, (shop.id, attempt_id), with_for_update=True, populate_existing=True)
    if attempt.state not in OPEN:
        _after_the_end(session, plan, attempt, outcome)
        return
    match outcome:
        case sdk.Succeeded():
            _succeeded(session, shop, plan, row, attempt, outcome)
        case sdk.Declined():
            _declined(session, shop, plan, row, attempt, outcome)
        case sdk.RequiresAction():
            _requires_action(session, shop, plan, row, attempt, outcome)
        case sdk.Pending():
            _pending(session, row, attempt, outcome)
        case sdk.NotExecuted():
            _not_executed(session, plan, row, attempt, outcome.reason, permanent=outcome.permanent)
        case sdk.Closed():
            _closed(session, shop, plan, row, attempt)
        case sdk.InDoubt():
            _in_doubt(session, row, attempt, outcome.reason)
        case _:
            assert_never(outcome)


def _after_the_end(session: Session, plan: Plan, attempt: Attempt, outcome: sdk.Outcome | sdk.Closed) -> None:
    """The attempt was settled before. Only a capture that contradicts the settlement means anything."""
    if isinstance(outcome, sdk.Succeeded) and attempt.state != "succeeded":
        ledger.book(
            session,
            attempt.shop_id,
            "unexpected_capture",
            attempt.id,
            plan.id,
            outcome.amount,
            debit=ledger.GATEWAY,
            credit=ledger.SUSPENSE,
        )
        cases.open_case(
            session, attempt.shop_id, "captured_after_all", attempt.collection_id, attempt=attempt.id
        )


def _succeeded(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, outcome: sdk.Succeeded
) -> None:
    if outcome.amount != attempt.money:
        # Another amount than we asked for is nothing we may call paid; the money is real, so a person must look.
        cases.open_case(session, shop.id, "amount_differs", attempt.id, captured=outcome.amount.as_json())
        _in_doubt(session, row, attempt, "amount differs")
        attempt.rest(clock.now() + timedelta(days=1))
        return
    moves.move(session, attempt, "succeeded")
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _settled(attempt)
    moves.move(session, row, "paid")
    row.paid_at = clock.now()
    row.rest(None)
    ledger.book(
        session,
        shop.id,
        "capture",
        attempt.id,
        plan.id,
        row.money,
        debit=ledger.GATEWAY,
        credit=ledger.CUSTOMER,
    )
    ended, first = plan.state in plans.ENDED, plan.state == "pending"
    plans.paid(session, shop, plan, row.number)
    session.flush()
    outbox.post(
        session, shop.id, "write_back", subject=plan.order_key or plan.id, what=row.id, change="payment"
    )
    if first:
        letters.plan_confirmed(session, shop, plan)
    letters.receipt(session, shop, plan, row)
    if plan.state == "completed":
        letters.plan_completed(session, shop, plan)
    if ended:
        cases.open_case(session, shop.id, "charged_after_end", row.id, plan=plan.id, attempt=attempt.id)


def _declined(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, outcome: sdk.Declined
) -> None:
    moves.move(session, attempt, "declined", outcome.decline.value)
    attempt.decline, attempt.code = outcome.decline.value, outcome.code
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _settled(attempt)
    row.declines += 1
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
    elif plan.state == "pending":
        _out_of(session, row, "retry_wait", outcome.decline.value)
        plans.wait_for_customer(session, plan, f"declined: {outcome.decline.value}")
    else:
        _dun(session, shop, plan, row, outcome)


def _dun(session: Session, shop: Shop, plan: Plan, row: Collection, outcome: sdk.Declined) -> None:
    step = dunning.next_step(
        outcome.decline,
        row.declines,
        clock.now(),
        shop.zone,
        ladder=tuple(shop.retry_days),
        not_before=outcome.retry_not_before,
    )
    match step:
        case dunning.Retry(at=at):
            _out_of(session, row, "retry_wait", outcome.decline.value)
            row.rest(at)
            session.flush()
            letters.payment_failed(session, shop, plan, row, outcome.decline.value)
        case dunning.Stop(customer=customer):
            if row.state != "retry_wait":
                _out_of(session, row, "exhausted", outcome.decline.value)
            plans.pause(session, plan, f"declined: {outcome.decline.value}")
            cases.open_case(session, shop.id, "collection_exhausted", row.id, plan=plan.id)
            session.flush()
            if customer:
                needs = outcome.decline is sdk.Decline.AUTHENTICATION
                letters.action_needed(session, shop, plan, row, authentication=needs)


def _requires_action(
    session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt, outcome: sdk.RequiresAction
) -> None:
    first_time = attempt.state != "requires_action"
    if first_time:
        moves.move(session, attempt, "requires_action")
    if row.state != "requires_action":
        moves.move(session, row, "requires_action")
    attempt.action_url = outcome.url
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _ask_later(attempt)
    if first_time and attempt.initiator == "merchant":
        session.flush()
        letters.action_needed(session, shop, plan, row, authentication=True)


def _pending(session: Session, row: Collection, attempt: Attempt, outcome: sdk.Pending) -> None:
    if attempt.state != "pending":
        moves.move(session, attempt, "pending")
    if row.state != "in_flight":
        moves.move(session, row, "in_flight")
    attempt.gateway_id = outcome.gateway_id or attempt.gateway_id
    _ask_later(attempt)


def _not_executed(
    session: Session, plan: Plan, row: Collection, attempt: Attempt, reason: str, *, permanent: bool
) -> None:
    moves.move(session, attempt, "not_executed", reason)
    _settled(attempt)
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
        return
    _out_of(session, row, "due", "not executed")
    if plan.state == "pending":
        plans.wait_for_customer(session, plan, "gateway_unreachable")
        return
    again = min(NOT_EXECUTED_AGAIN * 2 ** min(attempt.number - 1, 8), timedelta(hours=6))
    row.rest(clock.now() + (timedelta(days=1) if permanent else again))
    if permanent:
        cases.open_case(session, plan.shop_id, "gateway_refuses", plan.account_id, reason=reason)


def _closed(session: Session, shop: Shop, plan: Plan, row: Collection, attempt: Attempt) -> None:
    """The customer did not confirm in time, and can no longer."""
    moves.move(session, attempt, "closed", "not confirmed in time")
    _settled(attempt)
    if plan.state in plans.ENDED:
        _out_of(session, row, "void", "the plan has ended")
    elif plan.state == "pending":
        _out_of(session, row, "retry_wait", "not confirmed")
        plans.wait_for_customer(session, plan, "not_confirmed")
    else:
        _dun(session, shop, plan, row, sdk.Declined(sdk.Decline.AUTHENTICATION, "not_confirmed"))


def _in_doubt(session: Session, row: Collection, attempt: Attempt, reason: str) -> None:
    if attempt.state != "in_doubt":
        moves.move(session, attempt, "in_doubt", reason)
    if row.state != "in_doubt":
        moves.move(session, row, "in_doubt", reason)
    _ask_later(attempt)


def _out_of(session: Session, row: Collection, state: str, reason: str) -> None:
    moves.move(session, row, state, reason)
    row.rest(None)


def _settled(attempt: Attempt) -> None:
    attempt.action_url = ""
    attempt.rest(None)


def _ask_later(attempt: Attempt) -> None:
    step = ASK_AGAIN[min(attempt.asked, len(ASK_AGAIN) - 1)]
    attempt.rest(clock.now() + step)


def absent(session: Session, shop: Shop, attempt_id: str, capabilities: sdk.GatewayCapabilities) -> None:
    """The gateway knows nothing of an attempt. That proves something only when the last send is long enough ago, and
    only when it is said twice, ten minutes apart; then the attempt was not executed."""
    attempt = session.get_one(Attempt, (shop.id, attempt_id))
    now = clock.now()
    believable = now - attempt.last_sent_at >= LEASE + capabilities.absent_after
    if attempt.state in OPEN and believable and attempt.absent_at and now - attempt.absent_at >= TWICE_APART:
        record(session, shop, attempt_id, sdk.NotExecuted("absent at the gateway, twice"))
        return
    record(session, shop, attempt_id, sdk.InDoubt("absent for now"))
    if believable and attempt.absent_at is None:
        attempt.absent_at = now
    if attempt.absent_at is not None and attempt.state in OPEN:
        attempt.rest(min(attempt.due_at or now, attempt.absent_at + TWICE_APART))


def note_question(session: Session, shop: Shop, attempt_id: str) -> Attempt | None:
    """Count one look at an unclear attempt; None where it is settled. On the seventh day a person must look too."""
    attempt = session.get_one(Attempt, (shop.id, attempt_id), with_for_update=True, populate_existing=True)
    if attempt.state not in OPEN:
        attempt.rest(None)
        return None
    attempt.asked += 1
    if attempt.state in ("sent", "in_doubt") and clock.now() - attempt.first_sent_at >= GIVE_UP:
        cases.open_case(session, shop.id, "in_doubt_for_a_week", attempt.id, collection=attempt.collection_id)
    return attempt


def must_close(session: Session, plan: Plan, attempt: Attempt) -> bool:
    """Is an attempt that waits for its customer to be closed: its plan has ended, or nobody came for a day?"""
    if attempt.state != "requires_action":
        return False
    return plan.state in plans.ENDED or clock.now() - attempt.first_sent_at >= CONFIRM_WITHIN


def by_reference(session: Session, shop_id: str, reference: str) -> Attempt | None:
    return session.scalar(select(Attempt).where(Attempt.shop_id == shop_id, Attempt.reference == reference))


def evidence(session: Session, attempt: Attempt) -> None:
    """Somebody says that something happened to an attempt: look now. One that a worker holds is looked at anyway."""
    if attempt.state in OPEN and not attempt.taken:
        attempt.due_at = clock.now()


def attempts_of(session: Session, shop_id: str, collection_id: str) -> list[Attempt]:
    found = select(Attempt).where(Attempt.shop_id == shop_id, Attempt.collection_id == collection_id)
    return list(session.scalars(found.order_by(Attempt.number)))


def stop(
    session: Session, shop: Shop, plan_id: str, state: Literal["cancelled", "withdrawn"], reason: str
) -> Plan:
    """Cancel or withdraw a plan, with its proof to the customer and the news to the shop. Doing it again changes
    nothing. A payment that had already left and arrives later opens a case."""
    plan = plans.locked(session, shop.id, plan_id)
    if plan.state in plans.ENDED:
        return plan
    ending = showing.ending(session, plan, "withdraw" if state == "withdrawn" else "cancel", clock.now())
    plans.end(session, plan, state, reason)
    session.flush()
    letters.plan_ended(session, shop, plan, ending)
    if ending.refund is not None:
        cases.open_case(session, shop.id, "refund_due", plan.id, amount=ending.refund.as_json())
    return plan
