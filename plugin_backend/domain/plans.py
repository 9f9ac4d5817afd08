"""Plans: an accepted offer, its mandate, and its dated collections."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import nth_of
from plugin_backend.core.render import MANDATE_VERSION
from plugin_backend.domain import announcing, customers, moves, offers, outbox, schedules
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import INSTALMENTS as INSTALMENTS
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.setups import Setup
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Person
from plugin_backend.sdk.money import Money

# How long a plan waits for its first payment before it comes to nothing.
FIRST_PAYMENT = timedelta(hours=24)
ENDED = ("completed", "cancelled", "withdrawn")
UNSENT = ("scheduled", "due", "retry_wait", "exhausted")
UNDER_WAY = ("in_flight", "in_doubt", "requires_action")
# Nothing more comes of these: they were paid, or a credit or a dispute has settled them.
SETTLED = ("paid", "refunded", "void", "lost")


class Plan(moves.Stateful, Due, Row, Base):
    """An instalment plan or a subscription. ``amount`` is all of an instalment plan, or one period of a subscription.
    Its card is one of its own account's, to the end: the shop may have moved to another gateway meanwhile.
    ``anchor`` is when it was accepted, from which every date is counted. ``order_key`` is the shop's order, held before
    the first payment; ``supplied_at`` is when the shop first sent all of it, in the shop's own time. ``paying`` is the collection that its customer, who is there, wants to pay now ("" none). Its timer
    runs while it is pending, and when he pays: then he is there, or it ends."""

    __tablename__ = "plans"
    prefix = "pln"
    noun = "plan"
    bell = "present"

    offer_id: Mapped[str]
    cart_id: Mapped[str]
    customer_id: Mapped[str] = mapped_column(index=True)
    account_id: Mapped[str]
    method_id: Mapped[str]
    kind: Mapped[offers.Kind] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    days: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    unit: Mapped[schedules.Unit] = mapped_column(Text)
    every: Mapped[int]
    ship: Mapped[str]
    locale: Mapped[str]
    country: Mapped[str]
    anchor: Mapped[datetime]
    order_key: Mapped[str] = mapped_column(default="")
    paying: Mapped[str] = mapped_column(default="")
    supplied_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        due_index("plans"),
        UniqueConstraint("shop_id", "offer_id"),
        Index("ix_plans_method", "shop_id", "method_id"),
        ForeignKeyConstraint(["shop_id", "offer_id"], ["offers.shop_id", "offers.id"]),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
        ForeignKeyConstraint(
            ["shop_id", "method_id", "account_id"],
            ["payment_methods.shop_id", "payment_methods.id", "payment_methods.account_id"],
        ),
    )

    @property
    def agreed(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def count(self) -> int | None:
        """How many payments were agreed; None for a subscription without an end."""
        return len(self.days) if self.kind == INSTALMENTS else None


class Mandate(Row, Base):
    """The customer's consent to later charges: the words that were shown, letter by letter, and how they were accepted.
    Never changed."""

    __tablename__ = "mandates"
    prefix = "man"

    plan_id: Mapped[str]
    text: Mapped[str]
    text_version: Mapped[str]
    locale: Mapped[str]
    terms_hash: Mapped[str]
    parts: Mapped[list[Any]]
    ip: Mapped[str]
    accepted_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("shop_id", "plan_id"),
        ForeignKeyConstraint(["shop_id", "plan_id"], ["plans.shop_id", "plans.id"]),
    )


class Collection(moves.Stateful, Due, Row, Base):
    """One dated payment of a plan. ``scheduled_at`` is the day that was agreed and never moves with retries. ``held``
    is why it was not charged when its moment last came, "" where it was."""

    __tablename__ = "collections"
    prefix = "col"
    noun = "collection"
    bell = "charge"

    plan_id: Mapped[str]
    number: Mapped[int]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    scheduled_at: Mapped[datetime]
    declines: Mapped[int] = mapped_column(default=0)
    held: Mapped[str] = mapped_column(default="")
    paid_at: Mapped[datetime | None]

    __table_args__ = (
        due_index("collections"),
        ForeignKeyConstraint(["shop_id", "plan_id"], ["plans.shop_id", "plans.id"]),
        UniqueConstraint("shop_id", "plan_id", "number"),
        Index("ix_collections_scheduled", "shop_id", "scheduled_at"),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Ended:
    """What ending a plan did: the collections that will not be taken, and whether one had already left."""

    stopped: tuple[Collection, ...]
    in_flight: bool


def make(session: Session, shop: Shop, offer: Offer, setup: Setup, method: PaymentMethod) -> Plan:
    """Plan, mandate and collections of an accepted offer, in the caller's transaction; the same plan where it was made
    before. The caller holds the offer's lock."""
    made = of_offer(session, shop.id, offer.id)
    if made is not None:
        return made
    plan = _plan(shop, offer, method)
    moves.begin(session, plan, "pending")
    plan.rest(clock.now())
    session.flush()
    session.add(_mandate(plan, offer, setup))
    for part in (offer.terms or {})["parts"]:
        due = datetime.fromisoformat(part["due"])
        _collection(session, plan, part["number"], part["amount"], due, told=plan.anchor)
    # The first one waits for its order to be held; from then on each has its own timer.
    first = collection(session, shop.id, plan.id, 1)
    first.rest(None)
    moves.move(session, offer, "accepted", "a card is stored")
    return plan


def _plan(shop: Shop, offer: Offer, method: PaymentMethod) -> Plan:
    return Plan(
        shop_id=shop.id,
        offer_id=offer.id,
        cart_id=offer.cart_id,
        customer_id=offer.customer_id,
        account_id=method.account_id,
        method_id=method.id,
        kind=offer.kind,
        amount=offer.amount,
        currency=offer.currency,
        days=offer.days,
        unit=offer.unit,
        every=offer.every,
        ship=offer.ship,
        locale=offer.locale,
        country=offer.country,
        anchor=offer.accepted_at,
        order_key="",
    )


def _mandate(plan: Plan, offer: Offer, setup: Setup) -> Mandate:
    terms = offer.terms or {}
    return Mandate(
        shop_id=plan.shop_id,
        id=plan.id.replace(Plan.prefix, Mandate.prefix, 1),
        plan_id=plan.id,
        text=terms["mandate"],
        text_version=MANDATE_VERSION,
        locale=offer.locale,
        terms_hash=offer.terms_hash,
        parts=terms["parts"],
        ip=setup.ip,
        accepted_at=offer.accepted_at,
    )


def _collection(
    session: Session, plan: Plan, number: int, amount: int, due: datetime, *, told: datetime
) -> Collection:
    """A dated payment. ``told`` is when the customer last was told of its date anyway: by accepting, or a receipt."""
    row = Collection(
        shop_id=plan.shop_id,
        id=nth_of(plan.id, Collection.prefix, number),
        plan_id=plan.id,
        number=number,
        amount=amount,
        currency=plan.currency,
        scheduled_at=due,
        declines=0,
    )
    moves.begin(session, row, "scheduled")
    row.rest(due)
    session.flush()
    if number > 1:
        announcing.announce(session, row.shop_id, row.id, due, told)
    return row


def person(session: Session, plan: Plan) -> Person:
    """The customer of a plan as connectors know him."""
    customer = customers.get(session, plan.shop_id, plan.customer_id)
    cart = session.get_one(Cart, (plan.shop_id, plan.cart_id))
    return Person(
        email=customer.email,
        name=customer.name,
        locale=plan.locale,
        country=plan.country,
        platform_id=cart.platform_id,
    )


def of_offer(session: Session, shop_id: str, offer_id: str) -> Plan | None:
    return session.scalar(select(Plan).where(Plan.shop_id == shop_id, Plan.offer_id == offer_id))


def of_order(session: Session, shop_id: str, order_key: str) -> Plan | None:
    """The plan that holds a shop's order."""
    found = select(Plan).where(Plan.shop_id == shop_id, Plan.order_key == order_key)
    return session.scalar(found.order_by(Plan.id.desc()).limit(1))


def locked(session: Session, shop_id: str, plan_id: str) -> Plan:
    """The plan, locked: whoever charges, cancels or settles takes this lock first, then the collection's."""
    return session.get_one(Plan, (shop_id, plan_id), with_for_update=True, populate_existing=True)


def lock_all(session: Session, shop_id: str, ids: Iterable[str]) -> list[Plan]:
    """As ``locked``, for several at once, in the order of their ids: so two who lock several never wait for each other."""
    found = (
        select(Plan)
        .where(Plan.shop_id == shop_id, Plan.id.in_(ids))
        .order_by(Plan.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(found))


def collection(session: Session, shop_id: str, plan_id: str, number: int) -> Collection:
    return session.scalars(
        select(Collection).where(
            Collection.shop_id == shop_id, Collection.plan_id == plan_id, Collection.number == number
        )
    ).one()


def collections_of(session: Session, shop_id: str, plan_id: str) -> list[Collection]:
    found = select(Collection).where(Collection.shop_id == shop_id, Collection.plan_id == plan_id)
    return list(session.scalars(found.order_by(Collection.number)))


def running_by_account(session: Session, shop_id: str) -> dict[str, int]:
    """How many plans run with each gateway account."""
    found = select(Plan.account_id, func.count()).where(Plan.shop_id == shop_id, Plan.state.not_in(ENDED))
    return dict(session.execute(found.group_by(Plan.account_id)).all())


def to_pay(session: Session, plan: Plan) -> Money:
    """What is to be paid in all: of an instalment plan its payments together, which is what was agreed less what was
    credited; of a subscription one period."""
    if plan.kind != INSTALMENTS:
        return plan.agreed
    whole = select(func.sum(Collection.amount)).where(
        Collection.shop_id == plan.shop_id, Collection.plan_id == plan.id
    )
    return Money(int(session.scalar(whole) or 0), plan.currency)


def mandate_of(session: Session, shop_id: str, plan_id: str) -> Mandate:
    return session.scalars(
        select(Mandate).where(Mandate.shop_id == shop_id, Mandate.plan_id == plan_id)
    ).one()


def reserved(session: Session, plan: Plan, order_key: str) -> None:
    """The shop holds the order for us; the first payment may be taken while the customer is there."""
    plan.order_key = order_key
    plan.rest(clock.now())


def wait_for_customer(session: Session, plan: Plan, reason: str) -> None:
    """Nothing more happens to a pending plan until the customer does something, or its time is over."""
    plan.reason = reason
    plan.rest(plan.created_at + FIRST_PAYMENT)


def paid(session: Session, shop: Shop, plan: Plan, number: int, rows: Sequence[Collection]) -> None:
    """A collection of the plan was paid, of which ``rows`` are all: the plan goes on, or is complete. The caller holds
    the plan's lock."""
    if plan.state == "pending":
        moves.move(session, plan, "active", "first payment")
        plan.rest(None)
        cart = session.get_one(Cart, (shop.id, plan.cart_id), with_for_update=True)
        if cart.state != "recovered":
            moves.move(session, cart, "recovered", "first payment")
            cart.rest(None)
    end_if_settled(session, plan, rows)
    if plan.kind != INSTALMENTS and plan.state == "active" and rows[-1].number == number:
        due = schedules.nth_period(plan.anchor, plan.unit, plan.every, number, shop.zone)
        _collection(session, plan, number + 1, plan.amount, due, told=rows[-1].scheduled_at)


def end_if_settled(session: Session, plan: Plan, rows: Sequence[Collection], reason: str = "") -> None:
    """An instalment plan of whose ``rows`` nothing is left to collect is complete. The caller holds the plan's lock."""
    if plan.kind != INSTALMENTS or plan.state not in ("active", "paused"):
        return
    if any(row.state not in SETTLED for row in rows):
        return
    moves.move(session, plan, "completed", reason)
    plan.rest(None)
    plan.ended_at = clock.now()


def end(session: Session, plan: Plan, state: str, reason: str) -> Ended:
    """Cancel or withdraw: from here on no new charge of this plan begins. The caller holds the plan's lock."""
    moves.move(session, plan, state, reason)
    plan.rest(None)
    plan.ended_at = clock.now()
    if plan.order_key:
        outbox.post(session, plan.shop_id, "write_back", subject=plan.order_key, what=plan.id, change="ended")
    rows = collections_of(session, plan.shop_id, plan.id)
    stopped = [row for row in rows if row.state in UNSENT]
    for row in stopped:
        moves.move(session, row, "void", reason)
        row.rest(None)
    return Ended(tuple(stopped), in_flight=any(row.state in ("in_flight", "in_doubt") for row in rows))


def pause(session: Session, plan: Plan, reason: str) -> None:
    """Nothing is collected until a person takes it up again; due moments stay where they are."""
    if plan.state == "active":
        moves.move(session, plan, "paused", reason)


def resume(session: Session, plan: Plan, reason: str) -> None:
    if plan.state == "paused":
        moves.move(session, plan, "active", reason)


def under_way(session: Session, plan: Plan) -> bool:
    """Has a payment of the plan left, and not come to an end?"""
    rows = collections_of(session, plan.shop_id, plan.id)
    return any(row.state in UNDER_WAY for row in rows)


def give_up(session: Session, plan: Plan, reason: str) -> Ended:
    """A pending plan comes to nothing: the basket is free again."""
    ended = end(session, plan, "cancelled", reason)
    cart = session.get_one(Cart, (plan.shop_id, plan.cart_id), with_for_update=True)
    cart.offer_id = None
    if cart.state == "offered":
        moves.move(session, cart, "abandoned", reason)
    return ended
