"""A visitor's basket, and what he says about himself at the checkout."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Literal

from plugin_backend.demo.shop.products import BY_SKU
from plugin_backend.sdk import clock

Outcome = Literal["leave", "declined", "buy"]
OUTCOMES: tuple[Outcome, ...] = ("leave", "declined", "buy")
CONSENT_VERSIONS = {"fr": "rappel-2026-11-fr", "en": "reminder-2026-11-en"}

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Mistyped(Exception):
    """A field of the checkout does not hold what it should. ``field`` is its name in the form."""

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name)
        self.field = field_name


def now() -> int:
    """Real time in whole seconds since 1970, UTC: both platforms keep no finer time of an order."""
    return int(clock.real_now().timestamp())


@dataclass(slots=True)
class Basket:
    """Quantities by SKU. ``paper`` is the id of the draft order or checkout it led to, 0 before the checkout;
    ``version`` counts its changes; a ``closed`` basket was bought and is never opened again."""

    token: str
    created: int
    updated: int
    quantities: dict[str, int] = field(default_factory=dict)
    paper: int = 0
    version: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Shopper:
    """The visitor as the checkout form has him. ``locale`` is the language of the page he saw, ``consent`` the tick
    box about reminders, whose sentence is named by ``consent_version``."""

    email: str
    name: str
    country: str
    locale: str
    consent: bool

    def __post_init__(self) -> None:
        if not _EMAIL.fullmatch(self.email):
            raise Mistyped("email")
        if not self.name.strip():
            raise Mistyped("name")
        if not _COUNTRY.fullmatch(self.country):
            raise Mistyped("country")
        if self.locale not in CONSENT_VERSIONS:
            raise Mistyped("locale")

    @property
    def first_name(self) -> str:
        return self.name.strip().partition(" ")[0]

    @property
    def last_name(self) -> str:
        return self.name.strip().partition(" ")[2]

    @property
    def consent_version(self) -> str:
        return CONSENT_VERSIONS[self.locale]


@dataclass(frozen=True, slots=True)
class Visit:
    """How a checkout ended: ``key`` names the draft order or checkout, ``order_id`` the order where there is one,
    ``total`` is a plain decimal."""

    basket: str
    outcome: Outcome
    key: str
    order_id: str
    total: str
    currency: str


def new_basket() -> Basket:
    at = now()
    return Basket(token=secrets.token_hex(16), created=at, updated=at)


def put(basket: Basket, sku: str, quantity: int) -> None:
    """Set the quantity of one thing; 0 takes it out. ``Mistyped`` for a thing or number the shop does not have."""
    if sku not in BY_SKU:
        raise Mistyped("sku")
    if not 0 <= quantity <= 99:
        raise Mistyped("quantity")
    basket.quantities[sku] = quantity
    if not quantity:
        del basket.quantities[sku]
    basket.version += 1
    basket.updated = now()
