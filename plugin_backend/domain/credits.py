"""A credit on a plan: how much is taken off payments to come, how much goes back to the card, and what the schedule is
then. Pure: what was computed is shown to a person, and exactly that is then done.

Whoever still owes is not paid out: a credit lowers what is to come first and gives back only what exceeds it, unless the
merchant wants it given back now. No payment ever grows, since the customer has agreed to each as it was.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from plugin_backend.core.ids import digest
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money

First = Literal["schedule", "card"]
"""What a credit is taken from first: payments to come, or what was captured."""
Rest = Literal["end", "spread"]
"""How payments to come are lowered: the last ones first, or each by the same amount."""


@dataclass(frozen=True, slots=True)
class Line:
    """One payment of a plan, in the plan's order. ``untouched`` False: it was asked for, or has ended, and stays."""

    collection: str
    number: int
    amount: Money
    untouched: bool


@dataclass(frozen=True, slots=True)
class Capture:
    """What is left to be given back of one captured payment."""

    attempt: str
    left: Money


@dataclass(frozen=True, slots=True)
class Wish:
    """What the merchant wants: an amount, where it comes from first, and how the schedule is lowered."""

    amount: Money
    first: First = "schedule"
    rest: Rest = "end"


@dataclass(frozen=True, slots=True)
class Step:
    """One payment of the plan before and after."""

    collection: str
    number: int
    before: Money
    after: Money


@dataclass(frozen=True, slots=True)
class Credit:
    """What a wish comes to: ``taken_off`` and ``given_back`` sum to it. ``steps`` are all payments of the plan,
    ``refunds`` what goes back of which capture now."""

    wish: Wish
    taken_off: Money
    given_back: Money
    steps: tuple[Step, ...]
    refunds: tuple[Capture, ...]

    def fingerprint(self, plan_id: str, number: int) -> str:
        """What was shown, in one word: the ``number``-th credit of this plan, with every amount of it."""
        shown = json.dumps([plan_id, number, asdict(self)], sort_keys=True)
        return digest(shown)


class Impossible(RepriseError):
    """There is no such credit. ``reason`` is ``nothing``, ``too_much`` or ``not_payable`` (for a last digit that no card can
    pay); ``most`` is what could be credited."""

    permanent = True

    def __init__(self, reason: Literal["nothing", "too_much", "not_payable"], most: Money) -> None:
        super().__init__(f"no such credit: {reason}, at most {most.decimal()} {most.currency}")
        self.reason, self.most = reason, most


def credit(wish: Wish, lines: tuple[Line, ...], captures: tuple[Capture, ...]) -> Credit:
    """What the wish comes to; captures are given back in the order in which they stand. ``Impossible`` where it asks for
    nothing, or for more than there is."""
    currency = wish.amount.currency
    owed = _sum([line.amount for line in lines if line.untouched], currency)
    left = _sum([capture.left for capture in captures], currency)
    if wish.amount.minor <= 0:
        raise Impossible("nothing", owed + left)
    if owed + left < wish.amount:
        raise Impossible("too_much", owed + left)
    if not wish.amount.payable:
        raise Impossible("not_payable", owed + left)
    if wish.first == "schedule":
        off = min(wish.amount.minor, owed.minor)
    else:
        off = wish.amount.minor - min(wish.amount.minor, left.minor)
    step = wish.amount.step
    steps = LOWER[wish.rest](
        [line.amount.minor // step if line.untouched else 0 for line in lines], off // step
    )
    share = [lost * step for lost in steps]
    taken_off = Money(off, currency)
    given_back = wish.amount - taken_off
    return Credit(
        wish,
        taken_off,
        given_back,
        tuple(
            Step(line.collection, line.number, line.amount, line.amount - Money(minor, currency))
            for line, minor in zip(lines, share, strict=True)
        ),
        tuple(_given(captures, given_back)),
    )


def _given(captures: tuple[Capture, ...], amount: Money) -> Iterable[Capture]:
    left = amount.minor
    for capture in captures:
        part = min(left, capture.left.minor)
        left -= part
        if part:
            yield Capture(capture.attempt, Money(part, amount.currency))


def from_the_end(amounts: list[int], off: int) -> list[int]:
    """What each amount loses when the last ones shrink or vanish first."""
    shares = []
    for amount in reversed(amounts):
        shares.append(min(amount, off))
        off -= shares[-1]
    return shares[::-1]


def spread(amounts: list[int], off: int) -> list[int]:
    """What each amount loses when all lose the same: those that are smaller than that vanish, and the others bear the
    rest. Minor units that cannot be split are lost by the greatest, of equal ones by the last."""
    shares = [0] * len(amounts)
    smallest_first = sorted(range(len(amounts)), key=lambda place: (amounts[place], place))
    for done, place in enumerate(smallest_first):
        shares[place] = min(amounts[place], off // (len(amounts) - done))
        off -= shares[place]
    return shares


LOWER: dict[Rest, Callable[[list[int], int], list[int]]] = {"end": from_the_end, "spread": spread}


def _sum(amounts: list[Money], currency: str) -> Money:
    whole = Money(0, currency)
    for amount in amounts:
        whole = whole + amount
    return whole
