"""What a shop lost in its last days, and what of that could have been offered. Pure: events in, figures out.

Baskets are told before sales, so that of all who ever bought only those need be remembered who left a basket. What is
remembered between two pages is JSON, without an address: people are told apart by a keyed hash that ends with it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from plugin_backend.core.views import BasketLine, OfferView, Part
from plugin_backend.domain import regimes, schedules
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money

Kind = Literal["carts", "orders"]
# Baskets first: of who bought only those are remembered who left one.
KINDS: tuple[Kind, ...] = ("carts", "orders")
DAYS = 90
# What is worth an offer where nobody said, in minor units.
SMALLEST = 2000
_MOST_LINES = 50
# After a card that was lost, stolen or is suspected of fraud nothing is offered.
_BARRED = "fraud"


@dataclass(frozen=True, slots=True)
class Rules:
    """By what is judged: the days of an instalment plan, the seller's size and country, and the smallest amount worth an
    offer, in minor units of ``currency``."""

    days: tuple[int, ...]
    company: Literal["small", "large"]
    country: str
    currency: str
    smallest: int


@dataclass(frozen=True, slots=True)
class Basket:
    """An order that nobody paid, as far as it counts. ``declined`` is why its payment was refused, "" where it was not. ``granted`` is what
    the customer said about reminders, None: nothing. ``since`` and ``before``: its customer bought after it, or before."""

    key: str
    total: Money
    at: datetime
    country: str
    known: bool
    declined: str
    granted: bool | None
    since: bool
    before: bool
    lines: tuple[BasketLine, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """``amounts`` is what the unpaid orders come to, each currency by itself; ``offerable`` how many of them could have been
    offered a plan within the law, ``by_mail`` how many of those by mail (the rest on the page only). ``last`` is the
    newest of them, else the newest of all."""

    unpaid: int
    declined: int
    amounts: tuple[Money, ...]
    offerable: int
    by_mail: int
    offerable_amounts: tuple[Money, ...]
    last: Basket | None


@dataclass(slots=True)
class Memory:
    """What was seen so far. ``state`` is JSON."""

    secret: bytes = field(repr=False)
    state: dict[str, Any] = field(default_factory=lambda: {"baskets": {}, "buyers": {}, "sold": []})

    def see(self, events: Sequence[sdk.ShopEvent]) -> None:
        """Take in what a page told: of baskets first, then of orders."""
        for event in events:
            match event:
                case sdk.PaymentFailed(cart=cart, decline=decline) if cart is not None:
                    self._basket(cart, decline)
                case sdk.CartChanged():
                    self._basket(event, "")
        baskets = self.state["baskets"].values()
        names = {name for basket in baskets for name in basket["names"]}
        people = {basket["who"] for basket in baskets} - {""}
        for event in events:
            if isinstance(event, sdk.OrderPlaced):
                self._sale(event, names, people)

    def _basket(self, cart: sdk.CartChanged, declined: str) -> None:
        if cart.empty or cart.total is None or cart.total.minor <= 0:
            return
        self.state["baskets"][cart.key] = {
            "names": [cart.key, *cart.aliases],
            "who": self._who(cart.person),
            "total": cart.total.as_json(),
            "at": cart.updated_at.isoformat(),
            "country": cart.person.country,
            "declined": declined,
            "granted": None if cart.consent is None else cart.consent.granted,
            "lines": [_line_as_json(line) for line in cart.lines[:_MOST_LINES]],
        }

    def _sale(self, sale: sdk.OrderPlaced, names: set[str], people: set[str]) -> None:
        self.state["sold"] += [name for name in sale.cart_keys if name in names]
        who, at = self._who(sale.person), sale.placed_at.isoformat()
        if who in people:
            first, last = self.state["buyers"].get(who, (at, at))
            self.state["buyers"][who] = [min(first, at), max(last, at)]

    def _who(self, person: sdk.Person) -> str:
        email = person.email.strip().lower()
        return hmac.new(self.secret, email.encode(), hashlib.sha256).hexdigest()[:32] if email else ""

    def baskets(self) -> list[Basket]:
        """Every order that was not paid, oldest first."""
        sold = set(self.state["sold"])
        left = [(key, it) for key, it in self.state["baskets"].items() if not sold.intersection(it["names"])]
        return sorted((self._read(key, it) for key, it in left), key=lambda basket: basket.at)

    def _read(self, key: str, it: Mapping[str, Any]) -> Basket:
        first, last = self.state["buyers"].get(it["who"], (None, None))
        at = datetime.fromisoformat(it["at"])
        return Basket(
            key=key,
            total=_money(it["total"]),
            at=at,
            country=it["country"],
            known=bool(it["who"]),
            declined=it["declined"],
            granted=it["granted"],
            since=last is not None and datetime.fromisoformat(last) >= at,
            before=first is not None and datetime.fromisoformat(first) < at,
            lines=tuple(line_of(line) for line in it["lines"]),
        )


def report(baskets: Sequence[Basket], rules: Rules) -> Report:
    """What they come to. A customer who bought afterwards is lost to nobody, and is not counted as one to be offered."""
    offerable = [basket for basket in baskets if _may_be_offered(basket, rules)]
    return Report(
        unpaid=len(baskets),
        declined=sum(bool(basket.declined) for basket in baskets),
        amounts=_sums(baskets),
        offerable=len(offerable),
        by_mail=sum(_may_be_mailed(basket) for basket in offerable),
        offerable_amounts=_sums(offerable),
        last=next(iter([*offerable[::-1], *baskets[::-1]]), None),
    )


def offer_for(basket: Basket, rules: Rules, zone: ZoneInfo, now: datetime, expires_at: datetime) -> OfferView:
    """The basket as the offer that it would be today."""
    days = rules.days if basket.total.minor >= len(rules.days) else (0,)
    amounts = schedules.instalments(basket.total, days)
    dues = schedules.day_offsets(now, days, zone)
    parts = tuple(
        Part(number=number, amount=amount, due=due, today=number == 1)
        for number, (amount, due) in enumerate(zip(amounts, dues, strict=True), 1)
    )
    return OfferView("instalments", basket.key, basket.lines, basket.total, parts, expires_at)


def _may_be_offered(basket: Basket, rules: Rules) -> bool:
    if basket.since or basket.declined == _BARRED:
        return False
    smallest = rules.smallest if basket.total.currency == rules.currency else len(rules.days)
    terms = regimes.PlanTerms("instalments", rules.days)
    verdict = regimes.judge(basket.country or rules.country, company=rules.company, terms=terms)
    return verdict.allowed and basket.total.minor >= smallest


def _may_be_mailed(basket: Basket) -> bool:
    """As where an offer is made: a refused payment is answered by a service mail; a reminder wants consent, or an earlier
    sale that no refusal followed."""
    if not basket.known:
        return False
    return bool(basket.declined) or basket.granted is True or (basket.granted is None and basket.before)


def _sums(baskets: Iterable[Basket]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for basket in baskets:
        sums[basket.total.currency] = sums.get(basket.total.currency, 0) + basket.total.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))


def _line_as_json(line: sdk.Line) -> list[Any]:
    return [line.title, line.quantity, None if line.total is None else line.total.as_json()]


def line_of(line: Sequence[Any]) -> BasketLine:
    title, quantity, total = line
    return BasketLine(title, quantity, None if total is None else _money(total))


def _money(value: Mapping[str, Any]) -> Money:
    return Money(value["amount"], value["currency"])
