"""The port of a shop platform: our words for what shops say, and the verbs a connector has.

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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a basket. ``quantity`` is a plain decimal (shops sell 1.5 m of cloth), ``total`` what the customer
    pays for the line where the shop says it; the basket's total is never rebuilt from lines."""

    title: str
    quantity: str = "1"
    total: Money | None = None
    sku: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """What the customer said about reminders, as the shop recorded it. ``text_version`` names the sentence that was
    shown, ``at`` when it was answered, ``source`` where (a field of the checkout, a platform's marketing state)."""

    granted: bool
    source: str
    text_version: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """The customer as the basket knows him; anything may be missing. ``email`` is stripped and lower-cased,
    ``country`` ISO 3166 alpha-2 in capitals, ``locale`` a BCP 47 tag such as ``fr`` or ``fr-CH``."""

    email: str = ""
    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    locale: str = ""
    country: str = ""
    platform_id: str = ""


@dataclass(frozen=True, slots=True)
class CartChanged:
    """A basket stands like this now.

    ``key`` names the basket within the shop for ever (``order:19``, ``checkout:abc``). Of two states of one basket
    the one with the later ``updated_at`` is newer, then the higher ``version``; where both are equal a rule that
    does not look at arrival decides. ``total`` None: the platform has not told. ``empty`` baskets have nothing to sell.
    ``aliases`` are other keys under which the shop may speak of the same basket (the draft order it became).
    """

    key: str
    total: Money | None
    updated_at: datetime
    lines: tuple[Line, ...] = ()
    person: Person = Person()
    consent: Consent | None = None
    version: int = 0
    recovery_url: str = field(default="", repr=False)
    empty: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CartRemoved:
    """The basket was deleted in the shop. ``at`` None where the platform gives no time: then a sale and a restoration
    win over it, and it wins over every state of the basket."""

    key: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CartRestored:
    """A deleted basket or order came back."""

    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """Somebody bought. ``cart_keys`` are all the names the basket may have had; ``our_reference`` is the reference we
    wrote into an order of our own, so that it is known when it comes back. ``paid`` False: placed, to be paid later
    by other means (a bank transfer): still a sale."""

    order_key: str
    placed_at: datetime
    cart_keys: tuple[str, ...] = ()
    total: Money | None = None
    person: Person = Person()
    our_reference: str = ""
    paid: bool = True


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """An order was cancelled in the shop, before or after it was paid."""

    order_key: str
    at: datetime
    our_reference: str = ""


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """An order was refunded in the shop, wholly (``full``) or in part."""

    order_key: str
    at: datetime
    refunded: Money | None
    full: bool
    our_reference: str = ""


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """A card was declined at the shop's own checkout: the moment of loss. ``decline`` is ``limit``, ``funds``,
    ``other`` or ``unknown``; ``cart`` the basket, where the delivery carries it."""

    key: str
    at: datetime
    decline: Literal["limit", "funds", "other", "unknown"] = "unknown"
    cart: CartChanged | None = None


@dataclass(frozen=True, slots=True)
class CustomerRedacted:
    """The platform asks that a customer be forgotten."""

    email: str
    platform_id: str = ""


@dataclass(frozen=True, slots=True)
class CustomerDataRequested:
    """The platform asks for what is kept about a customer."""

    email: str
    platform_id: str = ""


@dataclass(frozen=True, slots=True)
class ShopDisconnected:
    """The shop removed us, or (``redact``) asks that everything of it be forgotten."""

    redact: bool = False


ShopEvent = (
    CartChanged
    | CartRemoved
    | CartRestored
    | OrderPlaced
    | OrderCancelled
    | OrderRefunded
    | PaymentFailed
    | CustomerRedacted
    | CustomerDataRequested
    | ShopDisconnected
)

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


Change = PaymentBooked | RenewalBooked | PlanEnded


@dataclass(frozen=True, slots=True)
class WrittenBack:
    """The shop knows. ``order_key`` is the order that carries the change."""

    order_key: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some events of a poll, oldest change first, and where to go on; ``cursor`` "" when all was seen."""

    events: tuple[ShopEvent, ...]
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class WebhookState:
    """One webhook we need in the shop. ``state``: ``active``, ``created``, ``repaired``, ``missing``."""

    topic: str
    state: Literal["active", "created", "repaired", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One live check of the connection. ``remedy`` names the exact menu to open where it is not ``good``."""

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

    def __init__(self, settings: Mapping[str, str], http: Client) -> None: ...

    @property
    def can_write(self) -> bool:
        """Whether the settings hold what ``read``, ``reserve`` and ``write_back`` need; without it they raise
        ``Refused`` with the reason ``no_api_key``."""
        ...

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The least part of the settings that ``verify``, ``identify`` and ``topic`` need: all that the process which
        answers the outside ever holds."""
        ...

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """True for the platform's unsigned hello, which wants exactly 200 and means nothing."""
        ...

    @staticmethod
    def recognise(address: str, http: Client) -> bool:
        """Is the shop at this address one of this platform's? Asks the address; never raises."""
        ...

    def verify(self, delivery: Delivery) -> None:
        """``BadSignature`` unless the shop that holds our secret signed these bytes."""
        ...

    def identify(self, delivery: Delivery) -> str:
        """What makes two deliveries the same: equal for a redelivery, different for another event."""
        ...

    def topic(self, delivery: Delivery) -> str:
        """What the delivery says it is about, for lists; never raises."""
        ...

    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        """The events in a delivery, ``[]`` where it is of no interest. ``Unreadable`` where it should be and is not."""
        ...

    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        """The basket or order as it stands in the shop now; None where the shop has none of that key, or cannot tell
        (``capabilities.reserve`` False)."""
        ...

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        """What changed since then, a page at a time."""
        ...

    def ensure_webhooks(self, callback_url: str) -> Sequence[WebhookState]:
        """Create what is missing, switch on what is off, and say what was done."""
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
