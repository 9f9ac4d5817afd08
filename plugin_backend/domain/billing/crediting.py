"""Credits on plans: shown first, then done exactly as shown, once.

``plan.amount`` stays what was agreed. What is taken off payments to come is kept beside it in credit notes, which nobody
can change; what goes back to the card is refunds. So at any time the payments of an instalment plan sum to what was
agreed less what was taken off.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, credits, letters, moves, outbox, plans
from plugin_backend.domain.billing import refunds
from plugin_backend.domain.billing.attempts import Attempt
from plugin_backend.domain.cases import Case
from plugin_backend.domain.credits import Capture, Credit, Line, Wish
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import INSTALMENTS
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk.connector import OrderRefunded
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money


class CreditNote(Row, Base):
    """What a merchant credited on a plan, once: ``taken_off`` of payments to come and ``given_back`` of captured ones, in
    minor units. ``fingerprint`` is that of what he was shown, ``steps`` every payment before and after. Never changed."""

    __tablename__ = "credit_notes"
    prefix = "crn"

    plan_id: Mapped[str]
    number: Mapped[int]
    fingerprint: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    taken_off: Mapped[int] = mapped_column(BigInteger)
    given_back: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    first: Mapped[credits.First] = mapped_column(Text)
    rest: Mapped[credits.Rest] = mapped_column(Text)
    steps: Mapped[list[Any]]

    __table_args__ = (
        ForeignKeyConstraint(["shop_id", "plan_id"], ["plans.shop_id", "plans.id"]),
        UniqueConstraint("shop_id", "plan_id", "number"),
    )

    def money(self, minor: int) -> Money:
        """So many minor units of the note's currency."""
        return Money(minor, self.currency)


class PlanChanged(RepriseError):
    """The plan is not as it was when the credit was shown: it must be shown anew."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Standing:
    """What a credit can come from, at one moment. ``under_way`` True where a payment has left and is not part of it."""

    plan: Plan
    lines: tuple[Line, ...]
    captures: tuple[Capture, ...]
    notes: int
    under_way: bool

    @property
    def most(self) -> Money:
        """All that can be credited now."""
        open_ = sum(line.amount.minor for line in self.lines if line.untouched)
        return Money(open_ + sum(capture.left.minor for capture in self.captures), self.plan.currency)

    def shown(self, wish: Wish) -> tuple[Credit, str]:
        """What the wish comes to, and its fingerprint. ``credits.Impossible`` where it cannot be."""
        made = credits.credit(wish, self.lines, self.captures)
        return made, made.fingerprint(self.plan.id, self.notes + 1)


def standing(session: Session, plan: Plan) -> Standing:
    """What can be credited on a plan. Of a subscription, and of a plan that has ended, only what was captured; whatever
    is in flight, in doubt, or waits for its customer is left alone."""
    rows = plans.collections_of(session, plan.shop_id, plan.id) if plan.kind == INSTALMENTS else []
    running = plan.state in ("active", "paused")
    lines = tuple(
        Line(row.id, row.number, row.money, untouched=running and row.state in plans.UNSENT) for row in rows
    )
    found = tuple(
        Capture(attempt.id, refunds.left_of(session, attempt))
        for attempt in refunds.captures(session, plan.shop_id, plan.id)
    )
    return Standing(plan, lines, found, _notes(session, plan), plans.under_way(session, plan))


def credit_notes_of(session: Session, shop_id: str, plan_id: str) -> list[CreditNote]:
    found = select(CreditNote).where(CreditNote.shop_id == shop_id, CreditNote.plan_id == plan_id)
    return list(session.scalars(found.order_by(CreditNote.number)))


def credit(session: Session, shop: Shop, plan_id: str, wish: Wish, fingerprint: str) -> CreditNote:
    """Do what was shown. Doing the same again changes nothing. ``PlanChanged`` where it would come to something else by
    now, ``credits.Impossible`` where it can no longer be."""
    plan = plans.locked(session, shop.id, plan_id)
    done = select(CreditNote).where(
        CreditNote.shop_id == shop.id, CreditNote.plan_id == plan_id, CreditNote.fingerprint == fingerprint
    )
    if (note := session.scalar(done)) is not None:
        return note
    now = standing(session, plan)
    made, current = now.shown(wish)
    if current != fingerprint:
        raise PlanChanged(f"plan {plan_id} changed since the credit was shown")
    note = _note(session, plan, made, now.notes + 1, fingerprint)
    _lower(session, plan, made)
    for part in made.refunds:
        attempt = session.get_one(Attempt, (shop.id, part.attempt))
        refunds.begin(session, attempt, part.left.minor, credit_id=note.id)
    _finish(session, shop, plan, note)
    return note


def refunded_in_shop(session: Session, shop_id: str, event: OrderRefunded) -> None:
    """The shop gave something back by itself: a person decides whether the same is done here. Platforms tell now what
    they gave back at once, now the sum of it all, and tell it again with every change of the order; so only what goes
    beyond what was decided before is asked about."""
    plan = plans.of_order(session, shop_id, event.order_key)
    if plan is None or plan.state == "pending" or (event.full and plan.state != "completed"):
        return
    plans.locked(session, shop_id, plan.id)
    about = select(Case).where(
        Case.shop_id == shop_id, Case.kind == "refunded_in_shop", Case.subject == plan.id
    )
    found = list(session.scalars(about))
    decided = max((case.facts.get("told", 0) for case in found if case.state == "resolved"), default=0)
    told = event.refunded if event.refunded and event.refunded.currency == plan.currency else None
    if told is None or told.minor <= decided:
        if told is None and not found:
            cases.open_case(
                session, shop_id, "refunded_in_shop", plan.id, plan=plan.id, order=event.order_key
            )
        return
    case = cases.open_case(session, shop_id, "refunded_in_shop", plan.id, plan=plan.id, order=event.order_key)
    if told.minor > case.facts.get("told", 0):
        amount = Money(told.minor - decided, plan.currency).as_json()
        case.facts = case.facts | {"amount": amount, "told": told.minor}


def _note(session: Session, plan: Plan, made: Credit, number: int, fingerprint: str) -> CreditNote:
    note = CreditNote(
        shop_id=plan.shop_id,
        id=new_id(CreditNote.prefix),
        plan_id=plan.id,
        number=number,
        fingerprint=fingerprint,
        amount=made.wish.amount.minor,
        taken_off=made.taken_off.minor,
        given_back=made.given_back.minor,
        currency=plan.currency,
        first=made.wish.first,
        rest=made.wish.rest,
        steps=[asdict(step) for step in made.steps],
    )
    session.add(note)
    session.flush()
    return note


def _lower(session: Session, plan: Plan, made: Credit) -> None:
    for step in made.steps:
        if step.after == step.before:
            continue
        row = session.get_one(
            Collection, (plan.shop_id, step.collection), with_for_update=True, populate_existing=True
        )
        row.amount = step.after.minor
        if not row.amount:
            moves.move(session, row, "void", "credited")
            row.rest(None)
            cases.settle(session, plan.shop_id, "collection_exhausted", row.id, "credited")
    session.flush()


def _finish(session: Session, shop: Shop, plan: Plan, note: CreditNote) -> None:
    """What follows from it: a plan with nothing left to collect has ended; customer and shop are told. What goes back
    to the card is told when it has."""
    plans.end_if_settled(session, plan, plans.collections_of(session, plan.shop_id, plan.id), "credited")
    session.flush()
    if not note.taken_off:
        return
    letters.plan_credited(session, shop, plan, note.money(note.taken_off), note.money(note.given_back))
    if plan.order_key:
        outbox.post(session, shop.id, "write_back", subject=plan.order_key, what=note.id, change="credit")


def _notes(session: Session, plan: Plan) -> int:
    found = select(func.count(CreditNote.id)).where(
        CreditNote.shop_id == plan.shop_id, CreditNote.plan_id == plan.id
    )
    return int(session.scalar(found) or 0)
