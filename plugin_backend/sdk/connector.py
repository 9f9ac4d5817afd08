"""The port of a shop platform: the verbs a connector has. Our words for what shops say are in ``sdk.shop_events``, for what
they are told in ``sdk.shop_changes``, and all of them can be had from here as well.

A connector is one folder under ``connectors/`` whose ``__init__`` names its class ``CONNECTOR``. It is built per call
from its opened settings and a ``Client`` and keeps no state. Whatever it raises is one of ``sdk.errors``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from marshmallow import Schema, fields, validate

from plugin_backend.sdk.errors import Refused, RepriseError
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.shop_changes import (
    Change,
    PaymentBooked,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
    Reserved,
    Ship,
    WrittenBack,
)
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
    "ShopSettings",
    "WebhookState",
    "WrittenBack",
    "settings_of",
]


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

    @classmethod
    def of(cls, name: str, ask: Callable[[], bool], remedy: str) -> "Check":
        """What came of asking: a shop that answers with an error of any kind has not passed."""
        try:
            good = ask()
        except RepriseError:
            good = False
        return cls(name, good, "" if good else remedy)


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


class ShopSettings(Schema):
    """What the settings of every platform begin with: the shop's address, and the secret by which its webhooks are signed;
    ``old_secret`` is still accepted while that is changed."""

    url = fields.Url(required=True, require_tld=False, schemes={"http", "https"})
    secret = fields.String(required=True, validate=validate.Length(min=1, max=200), metadata={"secret": True})
    old_secret = fields.String(validate=validate.Length(max=200), metadata={"secret": True})


class Connector(ABC):
    """One shop platform. The settings are the fields of ``settings``; those whose metadata says
    ``{"secret": True}`` are sealed at rest and never shown again. ``secret`` is always among them: the webhook secret.

    What a platform must have is abstract. What not every platform has is answered here as one answers that has it not.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[Schema]]
    capabilities: ClassVar[Capabilities]
    guide: ClassVar[Guide]

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._settings = settings
        self._http = http

    def _setting(self, name: str) -> str:
        """What the owner set, "" where he did not."""
        return self._settings.get(name) or ""

    @property
    @abstractmethod
    def can_write(self) -> bool:
        """Whether the settings hold what ``read``, ``reserve`` and ``write_back`` need; without it they raise
        ``Refused`` with the reason ``no_api_key``."""

    @property
    def own_checkout_only(self) -> bool:
        """True where the owner lets payments be taken at the platform's own checkout only: no plan is begun, ``reserve`` raises
        ``Refused`` with the reason ``own_checkout``, and shoppers are led to ``checkout``."""
        return False

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The least part of the settings that ``verify``, ``identify``, ``topic`` and ``parse`` need: all that the
        process which answers the outside ever holds."""
        return {name: settings[name] for name in ("secret", "old_secret") if settings.get(name)}

    @staticmethod
    def basket_keys(token: str) -> tuple[str, ...]:
        """The names of the basket that whoever knows ``token`` may speak for, since nobody could guess it; none where
        ``token`` is no such word, or the platform has none. An order's number is not one."""
        return ()

    @staticmethod
    def is_ping(delivery: Delivery) -> bool:
        """True for the platform's unsigned hello, which wants exactly 200 and means nothing."""
        return False

    @staticmethod
    @abstractmethod
    def recognise(address: str, http: Client) -> str:
        """The address by which the platform's API knows the shop that the owner calls ``address``; "" where the shop is
        none of this platform's. Asks that address; never raises."""

    @abstractmethod
    def verify(self, delivery: Delivery) -> None:
        """``BadSignature`` unless the shop that holds our secret signed these bytes."""

    @abstractmethod
    def identify(self, delivery: Delivery) -> str:
        """What makes two deliveries the same: equal for a redelivery, different for another event."""

    @abstractmethod
    def topic(self, delivery: Delivery) -> str:
        """What the delivery says it is about, for lists; never raises. May read the body."""

    @abstractmethod
    def parse(self, delivery: Delivery) -> list[ShopEvent]:
        """The events in a delivery, ``[]`` where it is of no interest. ``Unreadable`` where it should be and is not."""

    @abstractmethod
    def read(
        self, kind: Literal["cart", "order"], key: str
    ) -> CartChanged | OrderPlaced | OrderCancelled | None:
        """The basket or order as it stands in the shop now, with what of it is sold out where the shop says so; None where the
        shop has none of that key, or cannot tell (``capabilities.reserve`` False)."""

    def paid_with(self, order_key: str) -> PaidWith | None:
        """How a paid order was paid, as it stands in the shop now; None where it is not paid, or the platform keeps
        nothing by which a gateway could know the payment again. Asks; an order of our own is none."""
        return None

    def fetch(self, kind: Literal["carts", "orders"], since: datetime, cursor: str = "") -> Page:
        """What changed since then, a page at a time. What is changed while pages are turned may be told twice, or by the
        next poll, and is never passed over. Asked only where ``capabilities.polling`` promises it."""
        return Page(())

    def ensure_webhooks(self, callback_url: str, *, resign: bool = False) -> Sequence[WebhookState]:
        """Create what is missing, switch on what is off, and say what was done. With ``resign`` the secret is told anew
        to those that are there too, where the platform has it from us."""
        return ()

    @abstractmethod
    def reserve(self, reservation: Reservation) -> Reserved:
        """Hold the order. ``NotSent`` or ``NoAnswer``: nothing may be charged yet. ``SoldOut`` where there is too little for it,
        ``Refused`` with the reason ``already_bought`` where the basket was sold meanwhile, and ``cancelled_in_shop`` where the
        shop cancelled what was held."""

    def checkout(self, reservation: Reservation) -> str:
        """The address of the platform's own checkout at which the shopper pays this basket, whole and at once. ``Refused`` with
        the reason ``no_checkout`` where there is none."""
        raise Refused("no_checkout")

    @abstractmethod
    def write_back(self, change: Change) -> WrittenBack:
        """Tell the shop, once per ``change.key`` however often it is called."""

    def install_url(self, install: Install) -> str:
        """Where the owner's browser goes to hand over keys; ``Refused`` where keys are pasted by hand instead."""
        raise Refused(f"{self.title} hands no keys over: they are typed")

    def complete_install(self, install: Install, delivery: Delivery) -> dict[str, str]:
        """The settings that a hand-over brought, verified by asking the shop that was typed."""
        raise Refused(f"{self.title} hands no keys over: they are typed")

    @property
    def renew_at(self) -> datetime | None:
        """When ``refresh`` should be called, in real time; None where the settings hold nothing that expires. What has
        expired all the same is not sent: ``NotSent``, since it will be renewed."""
        return None

    def refresh(self) -> dict[str, str]:
        """Settings that had to be renewed (expiring tokens); ``{}`` where nothing had to."""
        return {}

    @abstractmethod
    def checks(self) -> Sequence[Check]:
        """The live checks of the connect page."""

    def facts(self) -> ShopFacts:
        """What the shop says about itself."""
        return ShopFacts()


def settings_of(schema: type[Schema]) -> Iterable[tuple[str, bool]]:
    """The settings' names in order, and whether each is secret."""
    for name, declared in schema().fields.items():
        yield name, bool(declared.metadata.get("secret"))
