"""The port of a payment gateway: the verbs it has, what it is asked and what it tells. What can become of a charge stands in
``sdk.outcomes``; all of it can be had from here as well.

A gateway is one folder under ``plugin_backend/gateways/`` whose ``__init__`` names its class ``GATEWAY``. It is built
per call from its opened settings and a ``Client`` and keeps no state. A card number never passes through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, Protocol

from marshmallow import Schema

from plugin_backend.sdk.accounts import CARD as CARD
from plugin_backend.sdk.accounts import SEPA_DEBIT as SEPA_DEBIT
from plugin_backend.sdk.accounts import AccountGuide as AccountGuide
from plugin_backend.sdk.accounts import Checked as Checked
from plugin_backend.sdk.accounts import Flaw as Flaw
from plugin_backend.sdk.accounts import Method as Method
from plugin_backend.sdk.accounts import Mode as Mode
from plugin_backend.sdk.accounts import offered as offered
from plugin_backend.sdk.capabilities import GatewayCapabilities as GatewayCapabilities
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.outcomes import Absent as Absent
from plugin_backend.sdk.outcomes import Closed as Closed
from plugin_backend.sdk.outcomes import Decline as Decline
from plugin_backend.sdk.outcomes import Declined as Declined
from plugin_backend.sdk.outcomes import InDoubt as InDoubt
from plugin_backend.sdk.outcomes import NotExecuted as NotExecuted
from plugin_backend.sdk.outcomes import Outcome as Outcome
from plugin_backend.sdk.outcomes import Pending as Pending
from plugin_backend.sdk.outcomes import RequiresAction as RequiresAction
from plugin_backend.sdk.outcomes import Succeeded as Succeeded
from plugin_backend.sdk.shop_events import PaidWith as PaidWith


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """Take a payment method of this ``kind`` on the gateway's own page. ``reference`` is ours and fixed: asking twice
    resumes one set-up. ``amount`` is the first payment, for the page and for strong customer authentication."""

    reference: str
    return_url: str = field(repr=False)
    amount: Money
    customer: str
    email: str = field(repr=False)
    locale: str
    description: str
    series: Literal["instalment", "subscription"]
    kind: str = "card"


@dataclass(frozen=True, slots=True)
class SetupPage:
    """Where the customer's browser goes."""

    url: str = field(repr=False)
    gateway_id: str


@dataclass(frozen=True, slots=True)
class CardStored:
    """A stored payment method. ``token`` can start payments with our key: it is sealed as soon as it is here. ``advice``
    is the network's, where it gives any while a card is stored, such as Mastercard's ``40`` (prepaid). ``kind`` is what
    was stored, which may be another than was asked for; of one that never expires month and year are 0."""

    token: str = field(repr=False)
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int
    gateway_customer: str = field(default="", repr=False)
    network_transaction_id: str = field(default="", repr=False)
    fingerprint: str = field(default="", repr=False)
    country: str = ""
    funding: str = ""
    kind: str = "card"
    advice: str = ""


@dataclass(frozen=True, slots=True)
class SetupPending:
    """The customer is still on the page, or has not come yet."""


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """This set-up cannot succeed any more; another may be begun. ``reason``: ``declined``, ``expired``, ``left``,
    or ``unknown``."""

    reason: Literal["declined", "expired", "left", "unknown"]


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One try at one collection. ``reference`` is the idempotency key, derived from collection and attempt number, at
    most 40 characters of ``[a-z0-9-]``, and the way to find the charge again. ``deadline`` (monotonic seconds) is
    checked immediately before the bytes leave: past it nothing may be sent (``NotExecuted``). ``authenticate`` asks for
    strong customer authentication of a customer who is there: the token was stored for something else, and later
    payments of this series will refer to this one. ``opening`` True for the plan's first payment, whose amount the
    set-up showed its customer: a gateway that stores a card by authorising that very payment captures it now."""

    reference: str
    amount: Money
    token: str = field(repr=False)
    initiator: Literal["customer", "merchant"]
    series: Literal["instalment", "subscription"]
    description: str
    collection: str
    return_url: str = field(default="", repr=False)
    gateway_customer: str = field(default="", repr=False)
    network_transaction_id: str = field(default="", repr=False)
    deadline: float | None = None
    authenticate: bool = False
    opening: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of something that was sent, beside its reference: for a gateway that does not file everything under one
    (``traces``), or finds it sooner so. ``setup`` is the gateway's id of the set-up that stored the card, ``opening`` as in the request; of a
    refund ``charge`` is the gateway's id of what was to be given back, ``amount`` how much of it, and ``others`` are the
    ids of the charge's other refunds."""

    setup: str = field(default="", repr=False)
    opening: bool = False
    charge: str = ""
    amount: Money | None = None
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give back up to what was captured. ``reference`` is ours, fixed, and another than the charge's; ``deadline`` as
    with charges."""

    reference: str
    charge_reference: str
    charge_gateway_id: str
    amount: Money
    reason: str = ""
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class ChargeChanged:
    """The gateway says something happened to a charge: evidence, never an order; it is read again. ``outcome`` is what
    the callback itself says, where it is signed and says it: all there is where a gateway has no look-up. None from a
    gateway that does not sign."""

    reference: str
    gateway_id: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class SetupChanged:
    """The gateway says something happened to a set-up."""

    reference: str


@dataclass(frozen=True, slots=True)
class RefundChanged:
    """The gateway says something happened to a refund; ``outcome`` as with charges."""

    reference: str
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class DisputeChanged:
    """A cardholder disputes a charge, or a dispute ended (``state``: ``open``, ``won``, ``lost``)."""

    dispute_id: str
    reference: str
    gateway_id: str
    amount: Money
    state: Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True)
class CardUpdated:
    """The network gave the card behind a token a new expiry or last four digits, or closed it."""

    token: str = field(repr=False)
    last4: str = ""
    expiry_month: int = 0
    expiry_year: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class CheckoutDeclined:
    """A payment at the shop's own checkout, asked for with the same account, was declined: ``order`` is the number that the
    shop's plugin gave it there, ``reason`` the gateway's code for it. Told only where events are signed: after a stolen
    card nothing is offered, and anybody could say so."""

    order: str
    reason: str
    at: datetime


GatewayEvent = ChargeChanged | SetupChanged | RefundChanged | DisputeChanged | CardUpdated | CheckoutDeclined


@dataclass(frozen=True, slots=True)
class Captured:
    """One movement the gateway remembers, for reconciliation. ``kind`` is ``charge`` or ``refund``. ``reference`` is ours;
    of a set-up's own payment it is the set-up's, and of a refund that the gateway keeps no reference of, the charge's:
    ``of`` is then the charge's id."""

    reference: str
    gateway_id: str
    amount: Money
    at: datetime
    kind: Literal["charge", "refund"] = "charge"
    of: str = ""


@dataclass(frozen=True, slots=True)
class CapturedPage:
    """Some movements, and where to go on; ``cursor`` "" when all was seen. ``disputes`` are those that are told nowhere
    else: what is read with our own key is believed as a signed callback is."""

    movements: tuple[Captured, ...]
    cursor: str = ""
    disputes: tuple[DisputeChanged, ...] = ()


class Gateway(Protocol):
    """One payment gateway. Settings as with connectors: fields whose metadata says ``{"secret": True}`` are sealed."""

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[Schema]]
    test_only: ClassVar[bool]
    """True for a gateway that only plays with money: it is refused on live shops."""
    guide: ClassVar[AccountGuide]
    capabilities: GatewayCapabilities
    """Of this account: what a gateway promises can hang on the account's settings. ``methods`` and ``recognises`` are the
    same where only the door's settings are there."""

    def __init__(self, settings: Mapping[str, str], http: Client) -> None: ...

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The least that ``verify``, ``identify``, ``topic`` and ``parse`` need, if need be derived; never the account's
        key."""
        ...

    @staticmethod
    def mode_of(settings: Mapping[str, str]) -> Mode | Literal[""]:
        """Whether these settings are those of a test account or of a live one, "" where they do not show it (then
        ``checks`` tells)."""
        ...

    def begin_setup(self, request: SetupRequest) -> SetupPage:
        """A page that takes the card, with strong authentication. Raises ``NotSent``, ``NoAnswer``, ``Refused``."""
        ...

    def complete_setup(self, reference: str, gateway_id: str) -> CardStored | SetupPending | SetupFailed:
        """How the set-up stands. Raises ``NotSent``, ``NoAnswer``, ``Refused``."""
        ...

    def charge(self, request: ChargeRequest) -> Outcome:
        """Try once. Never raises for anything the network or the gateway does."""
        ...

    def find(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        """How a charge stands, asked by our reference. ``InDoubt`` where no answer could be had. ``since`` is when it was
        sent first, in the shop's time: a list need not be read further back. ``trace`` is what else is known of it: a list
        may be of one customer."""
        ...

    def close(self, reference: str, gateway_id: str = "") -> Closed | Outcome:
        """Make sure an open charge can no longer succeed, or say how it ended."""
        ...

    def refund(self, request: RefundRequest) -> Outcome:
        """Give back once. The six outcomes of a charge, none an exception."""
        ...

    def find_refund(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        """How a refund stands; ``since`` and ``trace`` as with charges."""
        ...

    def verify(self, delivery: Delivery) -> None:
        """``BadSignature`` unless the gateway signed these bytes (or it signs none: then evidence only)."""
        ...

    def identify(self, delivery: Delivery) -> str:
        """What makes two callbacks the same."""
        ...

    def topic(self, delivery: Delivery) -> str:
        """What the callback says it is about, for lists; never raises. May read the body."""
        ...

    def parse(self, delivery: Delivery) -> list[GatewayEvent]:
        """What a callback says happened. ``Unreadable`` where it cannot be read."""
        ...

    def list_since(self, since: datetime, cursor: str = "") -> CapturedPage:
        """What the gateway captured and gave back since then, a page at a time: of what was asked for by us. What the
        merchant takes with the same account in other ways is left out; a reference of ours begins with ``rp-``,
        ``rr-`` or ``probe-``. Raises ``NotSent``, ``NoAnswer``, ``Refused``."""
        ...

    def detach(self, token: str) -> None:
        """Make the stored payment method useless at the gateway too; where it cannot (``detach``), let go of what is held
        with it."""
        ...

    def recognise(self, paid: PaidWith) -> CardStored | None:
        """The stored payment method by which an earlier order of the shop was paid: where this very account holds it and
        it can be charged again, else None (another merchant's, a module we do not know, detached, expired, good for that
        one payment only). Raises ``NotSent``, ``NoAnswer``, ``Refused``."""
        ...

    def test_token(self) -> str:
        """A token that can be charged in test mode without a person, for the probe; "" where the gateway has none."""
        ...

    def checks(self) -> Checked:
        """How the account stands: asks the gateway, moves no money, and never raises for what network or gateway do."""
        ...
