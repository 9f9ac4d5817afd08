"""What shops say, in our words: baskets, sales, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from plugin_backend.sdk.money import Money

CheckoutDecline = Literal["limit", "funds", "fraud", "other", "unknown"]
"""Why a card was refused at the shop's own checkout. ``fraud``: lost, stolen, picked up, or suspected."""


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
class PaidWith:
    """How a paid order was paid, as the shop's own record of it says: a hint that the gateway is asked about, and nothing
    is ever charged by it alone. ``module`` is the shop's name of the payment method (``stripe``, ``payxpert_cc``),
    ``transaction_id`` the payment's id as the shop has it, and ``references`` whatever else its payment module left with
    the order, by the shop's names. Those can start payments: they are read when they are needed, and not kept."""

    module: str
    transaction_id: str = field(default="", repr=False)
    references: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class CartChanged:
    """A basket stands like this now.

    ``key`` names the basket within the shop for ever (``order:19``, ``checkout:abc``). Of two states of one basket
    the one with the later ``updated_at`` is newer, then the higher ``version``; where both are equal a rule that
    does not look at arrival decides. ``total`` None: the platform has not told. ``empty`` baskets have nothing to sell.
    ``aliases`` are other keys under which the shop may speak of the same basket (the draft order it became).
    ``sold_out`` names what of it the shop could not sell now; a ``read`` looks for that, a delivery need not.
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
    sold_out: tuple[str, ...] = ()


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
class OrderFulfilled:
    """All of an order was sent, handed over or done, first at ``at``: the day of supply, from which the law counts."""

    order_key: str
    at: datetime
    our_reference: str = ""


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """A card was declined at the shop's own checkout: the moment of loss. ``cart`` is the basket, where the delivery
    carries it. After ``fraud`` nothing is ever offered for the basket."""

    key: str
    at: datetime
    decline: CheckoutDecline = "unknown"
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
    | OrderFulfilled
    | PaymentFailed
    | CustomerRedacted
    | CustomerDataRequested
    | ShopDisconnected
)
