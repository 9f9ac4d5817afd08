"""What a decline asks of us: try again, and when, or stop. Pure tables; sources in the scheme rules they follow.

Advice beats tables: what the gateway or the network advises comes first, then our own class of the code, then
``unknown``, which is tried little and late.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from plugin_backend.domain import schedules
from plugin_backend.sdk.gateway import Decline, Declined
from plugin_backend.sdk.money import Money

DEFAULT_LADDER = (3, 5, 7, 7)
# Bounds for a shop's own ladder: at most 8 tries within 30 days, far under what Visa (15 in 30 days) and Mastercard
# (35 in 30 days) count as excessive.
MOST_STEPS, MOST_DAYS = 8, 30
# What Visa let be retried in 30 days until 2025, which some acquirers still count by, and what it lets be since.
VISA_RETRIES, MOST_VISA_RETRIES = 15, 20

_SYSTEM = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
_UNKNOWN = (3, 7)
# Never again with this card, for whatever plan: the schemes charge fees for a try after such an answer.
_FINAL = frozenset({Decline.NEVER, Decline.FRAUD})
_NO_RETRY = _FINAL | {Decline.NEW_DATA, Decline.AUTHENTICATION, Decline.CONFIGURATION}

# Advice by the code as it came. Mastercard's merchant advice codes; Visa's revocations (R0 this payment, R1 and R3 the
# authorisation), which come as plain response codes; Stripe's ``advice_code``.
_MEANS = {
    "01": Decline.NEW_DATA,
    "03": Decline.NEVER,
    "04": Decline.CONFIGURATION,
    "05": Decline.CONFIGURATION,
    "21": Decline.NEVER,
    "22": Decline.CONFIGURATION,
    "40": Decline.NEVER,
    "41": Decline.NEVER,
    "42": Decline.FRAUD,
    "r0": Decline.NEVER,
    "r1": Decline.NEVER,
    "r3": Decline.NEVER,
    "confirm_card_data": Decline.NEW_DATA,
    "do_not_try_again": Decline.NEVER,
}
_REVOKED = frozenset({"r0", "r1", "r3"})
_WAIT = {
    "02": timedelta(0),
    "24": timedelta(hours=1),
    "25": timedelta(hours=24),
    "26": timedelta(days=2),
    "27": timedelta(days=4),
    "28": timedelta(days=6),
    "29": timedelta(days=8),
    "30": timedelta(days=10),
    "try_again_later": timedelta(0),
}
# Prepaid and not to be filled up again, or a number that is good for one payment: also said of a payment that went well.
_ONCE = frozenset({"40", "41"})

Need = Literal["card", "authentication", "merchant"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a refusal is, once advice has had its say, and before when nothing may be tried (None: no such limit)."""

    decline: Decline
    not_before: datetime | None = None

    @property
    def final(self) -> bool:
        """Is the card never to be charged again, for no plan at all?"""
        return self.decline in _FINAL


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at ``at``."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """No further try without somebody's help: the customer gives another card or confirms with his bank, or the merchant
    mends his account."""

    need: Need


def judge(said: Declined, now: datetime) -> Verdict:
    """Advice first, then the class of the code. Advice to wait makes a decline one that is tried again, whatever our
    table thought of it; a named time only ever puts a try off."""
    advice = said.advice.strip().casefold() or _revoked(said.code)
    decline, not_before = _MEANS.get(advice, said.decline), said.retry_not_before
    if advice in _WAIT:
        decline = decline if decline in (Decline.FUNDS, Decline.SYSTEM) else Decline.SYSTEM
        wait = now + _WAIT[advice]
        not_before = max(not_before, wait) if not_before else wait
    return Verdict(decline, not_before)


def good_for_one_payment(advice: str) -> bool:
    """Does the network advise that a card cannot pay again? It is then no card for a plan."""
    return advice.strip().casefold() in _ONCE


def next_step(
    verdict: Verdict,
    declines: int,
    now: datetime,
    zone: ZoneInfo,
    *,
    ladder: tuple[int, ...] = DEFAULT_LADDER,
) -> Retry | Stop:
    """What follows the ``declines``-th decline of a collection (1 for the first), at an hour of the day. The gateway's
    or network's ``not_before`` wins over an earlier step."""
    if verdict.decline in _NO_RETRY:
        return Stop(_need(verdict.decline))
    at = _step(verdict.decline, declines, now, zone, ladder)
    if at is None:
        return Stop("card")
    return Retry(schedules.humane(max(at, verdict.not_before or at), zone))


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` refusals of a card within any such span; of one amount only where ``same_amount``."""

    most: int
    within: timedelta
    same_amount: bool = False


_MASTERCARD = (Limit(10, timedelta(hours=24)), Limit(35, timedelta(days=30), same_amount=True))
WINDOW = timedelta(days=30)
"""The longest span that any scheme looks back."""


def limits(brand: str, visa_retries: int) -> tuple[Limit, ...]:
    """What a card's scheme allows; of a brand that is not known, all that any allows."""
    visa = (Limit(visa_retries, WINDOW),)
    match brand.casefold().replace(" ", "").replace("-", ""):
        case "visa" | "visaelectron" | "electron" | "vpay":
            return visa
        case "mastercard" | "mc" | "maestro":
            return _MASTERCARD
        case _:
            return visa + _MASTERCARD


def allowed_from(
    refusals: Iterable[tuple[datetime, Money]], money: Money, at: datetime, budget: tuple[Limit, ...]
) -> datetime:
    """The first moment from ``at`` on at which one more try keeps within every limit, should it be refused too."""
    known = sorted(refusals, key=lambda refusal: refusal[0], reverse=True)
    moments = [at]
    for limit in budget:
        counted = [moment for moment, amount in known if not limit.same_amount or amount == money]
        if len(counted) >= limit.most:
            moments.append(counted[limit.most - 1] + limit.within)
    return max(moments)


def _need(decline: Decline) -> Need:
    match decline:
        case Decline.AUTHENTICATION:
            return "authentication"
        case Decline.CONFIGURATION:
            return "merchant"
        case _:
            return "card"


def _step(
    decline: Decline, declines: int, now: datetime, zone: ZoneInfo, ladder: tuple[int, ...]
) -> datetime | None:
    """The ladder's own moment, None at its end."""
    if decline is Decline.SYSTEM:
        if declines <= len(_SYSTEM):
            return schedules.humane(now + _SYSTEM[declines - 1], zone)
        declines -= len(_SYSTEM)
    days = _UNKNOWN if decline is Decline.UNKNOWN else ladder
    return schedules.after(now, timedelta(days=days[declines - 1]), zone) if declines <= len(days) else None


def _revoked(code: str) -> str:
    known = code.strip().casefold()
    return known if known in _REVOKED else ""


def check_ladder(ladder: tuple[int, ...]) -> None:
    """``ValueError`` unless the ladder stays within its bounds."""
    if not 0 <= len(ladder) <= MOST_STEPS or any(days < 1 for days in ladder) or sum(ladder) > MOST_DAYS:
        raise ValueError(f"a ladder has at most {MOST_STEPS} steps of whole days, {MOST_DAYS} days in all")


def check_visa_retries(retries: int) -> None:
    """``ValueError`` unless it is what Visa allows or less."""
    if not 1 <= retries <= MOST_VISA_RETRIES:
        raise ValueError(f"retries of a Visa card are 1 to {MOST_VISA_RETRIES} in 30 days")


def read_ladder(text: str) -> tuple[int, ...]:
    """A ladder as somebody types it, such as ``3, 5, 7, 7``; nothing at all is a ladder without a step. ``ValueError``
    where it is none, or beyond its bounds."""
    steps = [step.strip() for step in text.split(",")] if text.strip() else []
    if not all(step.isascii() and step.isdecimal() and len(step) <= 3 for step in steps):
        raise ValueError("a ladder is written as whole days with commas, such as 3,5,7,7")
    ladder = tuple(map(int, steps))
    check_ladder(ladder)
    return ladder
