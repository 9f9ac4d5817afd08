"""The port of a shop platform: the verbs a connector has. Our words for what shops say are in ``sdk.shop_events`` and can
be had from here as well.

A connector is one folder under ``connectors/`` whose ``__init__`` names its class ``CONNECTOR``. It is built per call
from its opened settings and a ``Client`` and keeps no state. Whatever it raises is one of ``sdk.errors``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, Protocol

from marshmallow import Schema

from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.shop_events import (
    CartChanged,
    CartRemoved,
    CartRestored,
    CheckoutDecline,
    Consent,
    CustomerDataRequested,
    CustomerRedacted,
    Line,
    OrderCancelled,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    PaidWith,
    PaymentFailed,
    Person,
    ShopDisconnected,
    ShopEvent,
)

__all__ = [
    "Capabilities",
    "CartChanged",
    "CartRemoved",
    "CartRestored",
    "Change",
    "Check",
    "CheckoutDecline",
    "Connector",
    "Consent",
    "CustomerDataRequested",
    "CustomerRedacted",
    "Guide",
    "Install",
    "Line",
    "OrderCancelled",
    "OrderFulfilled",
    "OrderPlaced",
    "OrderRefunded",
    "Page",
    "PaidWith",
    "PaymentBooked",
    "PaymentFailed",
    "Person",
    "PlanCredited",
    "PlanEnded",
    "RenewalBooked",
    "Reservation",
    "Reserved",
    "Ship",
    "ShopDisconnected",
    "ShopEvent",
    "ShopFacts",
    "WebhookState",
    "WrittenBack",
    "settings_of",
]

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


@dataclass(frozen=True, slots=True)
class Page:
    """Some events of a poll, and where to go on; ``cursor`` "" when all was seen. ``at`` is the shop's own clock when it
    answered: the next poll begins a little before the first page of this one, and a shop whose clock is wrong dates its
    changes wrongly too. None: the platform does not say, and its clock is taken to be right. ``listed`` is how many
    things this page shows, of ``total`` in all, where the platform says: for who waits."""

    events: tuple[ShopEvent, ...]
    cursor: str = ""
    at: datetime | None = None
    listed: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class WebhookState:
    """One webhook we need in the shop. ``state``: ``active``, ``created``, ``repaired``, ``missing``."""

    topic: str
    state: Literal["active", "created", "repaired", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One live check of the connection: ``reach`` (the shop answers), ``rights`` (the keys may do what we need) or
    ``webhooks`` (all that we need are there and lead to one address). ``remedy`` names the exact menu to open where it is
    not ``good``; it is marked by ``sdk.wording.N_``."""

    name: str
    good: bool
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What the shop says about itself; "" where it does not."""

    name: str = ""
    currency: str = ""
    country: str = ""
    timezone: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Install:
    """What a key hand-over needs: the shop's address, a one-time nonce of ``[A-Za-z0-9_-]``, where the platform posts
    the keys and where it sends the owner's browser afterwards."""

    address: str
    nonce: str
    callback_url: str
    return_url: str


@dataclass(frozen=True, slots=True)
class Guide:
    """What the connect page tells the owner and asks of him. Sentences are marked by ``sdk.wording.N_``.

    Where the platform hands keys over by itself, ``handover`` is the settings that must be typed first (often none),
    else None; ``before`` is told above that form, a step each, with ``%(callback_url)s`` for the address to which keys
    come. ``paste`` is the settings that are typed where keys are pasted, and ``by_hand`` the steps to have them. Those
    named in ``optional`` may be left out; those named in ``made`` are made by us: a secret of ``letters`` and digits, or
    one of ``standard`` webhooks; of those in ``choices`` one of the values is taken, the first unless another is, each with what
    it means. ``labels`` names each setting as the platform does. ``shop_side`` is the menu at which
    our part is put into the shop, "" where there is none, and ``signs`` the setting whose secret that part signs with.
    """

    handover: tuple[str, ...] | None = None
    before: tuple[str, ...] = ()
    paste: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    made: Mapping[str, Literal["letters", "standard"]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    shop_side: str = ""
    signs: str = "secret"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the platform can do; the house offers no more than this."""

    carts: bool
    consent: bool
    declines: bool
    reserve: bool
    part_paid: bool
    polling: bool
    webhooks_api: bool


class Connector(Protocol):
    """One shop platform. The settings are the fields of ``settings``; those whose metadata says
    ``{"secret": True}`` are sealed at rest and never shown again. ``secret`` is always among them: the webhook secret.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[Schema]]
    capabilities: ClassVar[Capabilities]
    guide: ClassVar[Guide]

    def __init__(self, settings: Mapping[str, str], http: Client) -> None: ...

    @property
    def can_write(self) -> bool:
        """Whether the settings hold what ``read``, ``reserve`` and ``write_back`` need; without it they raise
        ``Refused`` with the reason ``no_api_key``."""
        ...

    @property
    def own_checkout_only(self) -> bool:
        """True where the owner lets payments be taken at the platform's own checkout only: no plan is begun, and ``reserve``
        raises ``Refused`` with the reason ``own_checkout``."""
        ...

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The least part of the settings that ``verify``, ``identify``, ``topic`` and ``parse`` need: all that the
        process which answers the outside ever holds."""
        ...

    @staticmethod
    def basket_keys(token: str) -> tuple[str, ...]:
        """The names of the basket that whoever knows ``token`` may speak for, since nobody could guess it; none where
        ``token`` is no such word, or the platform has none. An order's number is not one."""
        ...

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """True for the platform's unsigned hello, which wants exactly 200 and means nothing."""
        ...

    @staticmethod
    def recognise(address: str, http: Client) -> str:
        """The address by which the platform's API knows the shop that the owner calls ``address``; "" where the shop is
        none of this platform's. Asks that address; never raises."""
        ...

    def verify(self, delivery: Delivery) -> None:
        """``BadSignature`` unless the shop that holds our secret signed these bytes."""
        ...

    def identify(self, delivery: Delivery) -> str:
        """What makes two deliveries the same: equal for a redelivery, different for another event."""
        ...

    def topic(self, delivery: Delivery) -> str:
        """What the delivery says it is about, for lists; never raises. May read the body."""
        ...

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        """The events in a delivery, ``[]`` where it is of no interest. ``Unreadable`` where it should be and is not."""
        ...

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        """The basket or order as it stands in the shop now, with what of it is sold out where the shop says so; None where the
        shop has none of that key, or cannot tell (``capabilities.reserve`` False)."""
        ...

    def paid_with(self, order_key: str) -> PaidWith | None:
        """How a paid order was paid, as it stands in the shop now; None where it is not paid, or the platform keeps
        nothing by which a gateway could know the payment again. Asks; an order of our own is none."""
        ...

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        """What changed since then, a page at a time. What is changed while pages are turned may be told twice, or by the
        next poll, and is never passed over."""
        ...

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        """Create what is missing, switch on what is off, and say what was done. With ``resign`` the secret is told anew
        to those that are there too, where the platform has it from us."""
        ...

    def reserve(self, reservation: Reservation) -> Reserved:
        """Hold the order. ``NotSent`` or ``NoAnswer``: nothing may be charged yet."""
        ...

    def write_back(self, change: Change) -> WrittenBack:
        """Tell the shop, once per ``change.key`` however often it is called."""
        ...

    def install_url(self, install: Install) -> str:
        """Where the owner's browser goes to hand over keys; ``Refused`` where keys are pasted by hand instead."""
        ...

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        """The settings that a hand-over brought, verified by asking the shop that was typed."""
        ...

    @property
    def renew_at(self) -> datetime | None:
        """When ``refresh`` should be called, in real time; None where the settings hold nothing that expires. What has
        expired all the same is not sent: ``NotSent``, since it will be renewed."""
        ...

    def refresh(self) -> dict[str, str]:
        """Settings that had to be renewed (expiring tokens); ``{}`` where nothing had to."""
        ...

    def checks(self) -> Sequence[Check]:
        """The live checks of the connect page."""
        ...

    def facts(self) -> ShopFacts:
        """What the shop says about itself."""
        ...


def settings_of(schema: type[Schema]) -> Iterable[tuple[str, bool]]:
    """The settings' names in order, and whether each is secret."""
    for name, declared in schema().fields.items():
        yield name, bool(declared.metadata.get("secret"))
