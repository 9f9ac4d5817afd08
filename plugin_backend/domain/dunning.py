"""What a decline asks of us: try again, and when, or stop. Pure tables; sources in the scheme rules they follow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from plugin_backend.domain import schedules
from plugin_backend.sdk.gateway import Decline

DEFAULT_LADDER = (3, 5, 7, 7)
# Bounds for a shop's own ladder: at most 8 tries within 30 days, far under what Visa (15 in 30 days) and Mastercard
# (35 in 30 days) count as excessive.
MOST_STEPS, MOST_DAYS = 8, 30

_SYSTEM = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
_UNKNOWN = (timedelta(days=3), timedelta(days=7))
_NO_RETRY = frozenset(
    {Decline.NEVER, Decline.NEW_DATA, Decline.AUTHENTICATION, Decline.CONFIGURATION, Decline.FRAUD}
)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at ``at``."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """No further try on this card. ``customer`` True where the customer can mend it (another card, a confirmation)."""

    customer: bool


def next_step(
    decline: Decline,
    declines: int,
    now: datetime,
    zone: ZoneInfo,
    *,
    ladder: tuple[int, ...] = DEFAULT_LADDER,
    not_before: datetime | None = None,
) -> Retry | Stop:
    """What follows the ``declines``-th decline of a collection (1 for the first). The gateway's ``not_before`` wins
    over an earlier step."""
    if decline in _NO_RETRY:
        return Stop(customer=decline is not Decline.CONFIGURATION)
    steps = _steps(decline, ladder)
    if declines > len(steps):
        return Stop(customer=True)
    at = schedules.after(now, steps[declines - 1], zone)
    return Retry(max(at, not_before) if not_before else at)


def _steps(decline: Decline, ladder: tuple[int, ...]) -> tuple[timedelta, ...]:
    funds = tuple(timedelta(days=days) for days in ladder)
    if decline is Decline.SYSTEM:
        return _SYSTEM + funds
    return funds if decline is Decline.FUNDS else _UNKNOWN


def check_ladder(ladder: tuple[int, ...]) -> None:
    """``ValueError`` unless the ladder stays within its bounds."""
    if not 0 <= len(ladder) <= MOST_STEPS or any(days < 1 for days in ladder) or sum(ladder) > MOST_DAYS:
        raise ValueError(f"a ladder has at most {MOST_STEPS} steps of whole days, {MOST_DAYS} days in all")
