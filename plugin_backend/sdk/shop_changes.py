"""What shops are told, in our words: an order to be held, payments that arrived, and what became of a plan."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from plugin_backend.sdk.money import Money
from plugin_backend.sdk.shop_events import Line, Person

Ship = Literal["first_payment", "fully_paid"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Hold an order for a plan before its first payment: the basket's own draft or pending order where there is one,
    else a new pending order. ``key`` is ours and fixed: reserving twice under one key is one order."""

    key: str
    cart_key: str
    total: Money
    lines: tuple[Line, ...]
    person: Person
    plan_words: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """The order that is held, and its total as the shop computed it."""

    order_key: str
    total: Money


@dataclass(frozen=True, slots=True)
class PaymentBooked:
    """One payment of a plan arrived; tell the shop. ``number`` of ``count`` (None: a subscription without end).

    With ``ship`` = ``first_payment`` the order becomes paid at number 1, with the plan in its meta and one note per
    payment; with ``fully_paid`` it waits (on hold, part-paid) until number equals ``count``. ``key`` is ours and fixed:
    writing twice under one key leaves one effect. ``words`` is the note, in the shop's language.
    """

    key: str
    plan_key: str
    order_key: str
    number: int
    count: int | None
    amount: Money
    paid_so_far: Money
    plan_total: Money | None
    transaction_id: str
    paid_at: datetime
    ship: Ship
    words: str


@dataclass(frozen=True, slots=True)
class RenewalBooked:
    """A later period of a subscription was paid: one new paid order of the same content. Known again by ``key``."""

    key: str
    plan_key: str
    first_order_key: str
    number: int
    amount: Money
    lines: tuple[Line, ...]
    person: Person
    transaction_id: str
    paid_at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class PlanEnded:
    """A plan stopped before its end; the order gets a note and its meta says so."""

    key: str
    plan_key: str
    order_key: str
    reason: str
    words: str


@dataclass(frozen=True, slots=True)
class PlanCredited:
    """Money went back to the customer (``given_back``), or payments to come were lowered (``taken_off``); the order gets
    a note. The shop's own refund of the goods stays the shop's. ``settled`` True where nothing is left to be collected:
    an order that waited for that waits no longer."""

    key: str
    plan_key: str
    order_key: str
    given_back: Money
    taken_off: Money
    settled: bool
    words: str


Change = PaymentBooked | RenewalBooked | PlanEnded | PlanCredited


@dataclass(frozen=True, slots=True)
class WrittenBack:
    """The shop knows. ``order_key`` is the order that carries the change."""

    order_key: str
