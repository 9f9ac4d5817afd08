"""What a gateway says of an account: the kinds of payment methods it takes, what is wrong with it, and what to tell the
owner who connects one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from plugin_backend.sdk.wording import N_

Mode = Literal["test", "live"]

SEPA_COUNTRIES = frozenset(
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE SI"
    " SK SM VA".split()
)
"""The countries of the Single Euro Payments Area, by the European Payments Council's list EPC409-09."""


@dataclass(frozen=True, slots=True)
class Method:
    """A kind of payment method that can be stored and charged without the customer. ``kind`` is the word for it in
    tables (``card``, ``sepa_debit``), ``title`` what the customer reads, marked by ``sdk.wording.N_``. ``countries`` are
    those whose customers have one, ``currencies`` those in which it is charged; empty for all."""

    kind: str
    title: str
    countries: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()

    def fits(self, country: str, currency: str) -> bool:
        """Can a customer of this country pay in this currency with it?"""
        here = not self.countries or country in self.countries
        return here and (not self.currencies or currency in self.currencies)


CARD = Method("card", N_("Card"))
SEPA_DEBIT = Method("sepa_debit", N_("Bank account (SEPA direct debit)"), SEPA_COUNTRIES, frozenset({"EUR"}))


def offered(methods: tuple[Method, ...], country: str, currency: str) -> tuple[Method, ...]:
    """Those that fit, in the order in which a customer of this country is asked: a card first, then the more local one
    before the one that is known in more countries, else as the adapter has them."""
    fitting = [method for method in methods if method.fits(country, currency)]
    return tuple(sorted(fitting, key=lambda method: (method.kind != CARD.kind, _reach(method))))


def _reach(method: Method) -> int:
    return len(method.countries) or 1000


FlawReason = Literal[
    "wrong_key",
    "revoked",
    "rights",
    "wrong_mode",
    "currency",
    "method_off",
    "callbacks",
    "misdirected",
    "other_account",
    "unreachable",
    "refused",
    "settings",
    "promises_nothing",
]
"""What can be wrong with an account. The gateway does not know the key (``wrong_key``) or no longer honours it
(``revoked``); the key may not do what we need (``rights``); it is a test key on a live shop or the reverse
(``wrong_mode``); the shop's ``currency`` is not taken; a kind of payment method is offered that the account has not
switched on (``method_off``); callbacks do not come (``callbacks``), or such as are another merchant's (``misdirected``,
which the house finds itself); other keys were given for an account, and they open another one (``other_account``); nobody answers (``unreachable``), or something else is
``refused``. The last two are found before anybody is asked: ``settings`` cannot be what they are to be, or the account could
keep no promise by which a charge happens once."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong. ``remedy`` names the exact menu to open in the gateway's own dashboard, marked by
    ``sdk.wording.N_``; ``detail`` is what the gateway said, a short text without secrets. Both may be ""."""

    reason: FlawReason
    remedy: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """How an account stands, as its gateway says. ``mode`` "" and ``currencies`` None where it does not say;
    ``identity`` is the gateway's own name of the account, by which other keys of the same account are known, and
    ``title`` what its owner calls it. The house itself compares mode, currency and identity with what it expects."""

    flaws: tuple[Flaw, ...] = ()
    mode: Mode | Literal[""] = ""
    currencies: frozenset[str] | None = None
    identity: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class AccountGuide:
    """What the page on which an account is connected tells the owner, marked by ``sdk.wording.N_``: ``steps`` to have what
    is asked for, with ``%(callback_url)s`` where the address of our callbacks is to be entered, and ``labels`` that name
    each setting as the gateway does."""

    steps: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
