"""What customers see: the shop, the basket, the offer and the plan."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from plugin_backend.sdk.money import Money

Kind = Literal["instalments", "subscription", "checkout"]
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ShopView:
    """The merchant as a customer knows him. ``locale`` is the shop's own language, in which product names are written;
    ``timezone`` an IANA name; ``logo_url`` https and on the shop's own host; ``color`` ``#rrggbb``, used for a band
    without text; ``address_lines`` the postal address. ``test`` True: no real money moves."""

    name: str
    locale: str
    timezone: str
    logo_url: str = ""
    color: str = ""
    contact_email: str = ""
    address_lines: tuple[str, ...] = ()
    test: bool = False

    @property
    def band(self) -> str:
        """The shop's colour where it is one, else "": what somebody typed never reaches a style."""
        return self.color if _COLOR.fullmatch(self.color) else ""


@dataclass(frozen=True, slots=True)
class BasketLine:
    """One line of the basket; ``total`` None where the shop does not tell it. ``quantity`` is a plain decimal."""

    title: str
    quantity: str = "1"
    total: Money | None = None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a subscription is paid: every ``every`` units."""

    unit: Literal["day", "week", "month", "quarter", "year"]
    every: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One payment of a schedule. ``today`` True for the one that the customer makes now. ``state`` is the collection's
    ("" on an offer, where nothing is scheduled yet); ``retry_at`` when a refused one is tried again."""

    number: int
    amount: Money
    due: datetime
    today: bool = False
    state: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OfferView:
    """What is offered. ``parts`` are all payments of an instalment plan, which sum to ``total``; of a subscription the
    first one, or the first few, and ``rhythm`` says how they go on; the one payment at the shop's own checkout. ``total`` is the basket, or one period of a
    subscription. ``reference`` is what a customer quotes. ``descriptor`` stands on his bank statement ("" unknown)."""

    kind: Kind
    reference: str
    lines: tuple[BasketLine, ...]
    total: Money
    parts: tuple[Part, ...]
    expires_at: datetime
    rhythm: Rhythm | None = None
    withdrawal_days: int = 14
    descriptor: str = ""

    @property
    def first(self) -> Part:
        """The payment that is made on acceptance."""
        return self.parts[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed since the offer was made: ``what`` names it, ``before`` and ``after`` are shown as they are."""

    what: Literal["total", "basket", "dates", "mandate"]
    before: Money | datetime | str
    after: Money | datetime | str


# Gateways write brands as programs do.
_BRANDS = MappingProxyType(
    {
        "visa": "Visa",
        "mastercard": "Mastercard",
        "amex": "American Express",
        "american_express": "American Express",
        "cartes_bancaires": "CB",
        "maestro": "Maestro",
        "diners": "Diners Club",
        "discover": "Discover",
        "jcb": "JCB",
        "unionpay": "UnionPay",
    }
)


@dataclass(frozen=True, slots=True)
class Card:
    """The card that pays, or the bank account where ``kind`` is no ``card``, as far as a customer needs it to know it again.
    ``expires`` is ``MM/YYYY``, "" where it never does."""

    brand: str
    last4: str
    expires: str = ""
    kind: str = "card"

    @property
    def called(self) -> str:
        """Its brand as it is printed on the card."""
        return _BRANDS.get(self.brand, self.brand)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to pay: ``value`` is what the form calls it, ``title`` what it is called in the reader's language. ``card`` is
    one that the customer paid an earlier order with, and need not type again."""

    value: str
    title: str
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class PlanView:
    """An accepted offer. ``parts`` is the schedule with states: all of an instalment plan; of a subscription those past
    and the next. ``total`` None for a subscription without an end. ``mandate`` is the text that was accepted, letter by
    letter, in the language ``mandate_locale``. ``withdraw_until`` None where the right has ended or does not exist. ``taken_off`` payments to come and
    ``given_back`` is what the shop credited since; None: nothing. ``name`` and ``email`` are the
    customer's."""

    kind: Kind
    reference: str
    state: str
    order: str
    lines: tuple[BasketLine, ...]
    parts: tuple[Part, ...]
    paid: Money
    started_at: datetime
    mandate: str
    mandate_locale: str
    total: Money | None = None
    next: Part | None = None
    rhythm: Rhythm | None = None
    card: Card | None = None
    withdraw_until: datetime | None = None
    withdrawal_days: int = 14
    taken_off: Money | None = None
    given_back: Money | None = None
    can_cancel: bool = True
    descriptor: str = ""
    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)

    @property
    def to_pay(self) -> Money | None:
        """All payments together: what was agreed, less what was taken off."""
        return self.total - self.taken_off if self.total and self.taken_off else self.total


@dataclass(frozen=True, slots=True)
class Ending:
    """What stopping a plan does. ``stopped`` are the payments that will not be taken; ``ends_at`` is the last moment of
    what was already paid for (None: at once); ``refund`` is given back; ``owed`` stays due to the shop and is not
    taken from the card by us; ``in_flight`` True where one payment had already left."""

    kind: Literal["cancel", "withdraw"]
    stopped: tuple[Part, ...] = ()
    ends_at: datetime | None = None
    refund: Money | None = None
    owed: Money | None = None
    in_flight: bool = False
