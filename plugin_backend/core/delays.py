"""Every delay the engine lives by, in one table, read when it is needed: ``delays.DELAYS.lease``.

A proof that needs a month of them in minutes scales the whole table at once, so that their proportions stay.
"""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Delays:
    """What each delay is for stands beside it. All hold for charges and refunds alike."""

    lease: timedelta = timedelta(seconds=120)
    """How long a worker may hold a row. It is longer than any one ask of the outside."""

    outside: timedelta = timedelta(seconds=20)
    """How long the outside may take to answer."""

    ask_again: tuple[timedelta, ...] = (
        timedelta(seconds=10),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(days=1),
    )
    """How soon an unclear ask is asked about again; after the last step, at its pace."""

    alarm: timedelta = timedelta(hours=1)
    """How long an ask may be in doubt before somebody is told."""

    give_up: timedelta = timedelta(days=7)
    """How long it may be in doubt before a person must settle it."""

    absent_twice: timedelta = timedelta(minutes=10)
    """How far apart a gateway must say twice that it knows nothing of an ask before that is believed."""

    confirm: timedelta = timedelta(hours=24)
    """How long a payment waits for its customer's confirmation before it is closed."""

    not_executed: timedelta = timedelta(minutes=5)
    """How soon what did not happen is tried anew; doubled with each try, up to the next."""

    not_executed_longest: timedelta = timedelta(hours=6)
    looked_at_again: timedelta = timedelta(days=1)
    """When a collection that must not be charged now is looked at again."""

    after_end: timedelta = timedelta(minutes=4)
    """How soon, at the latest, a payment in doubt is asked about again whose plan was ended meanwhile: what arrives
    after the end is given back or shown within five minutes."""

    held: timedelta = timedelta(minutes=5)
    """When what quarantine holds back is looked at again."""

    compared_again: timedelta = timedelta(hours=1)
    """When a comparison with a gateway's list that failed is tried again."""

    breaker: timedelta = timedelta(minutes=1)
    """How long no charge is begun at an account where too many ended in doubt."""

    breaker_window: timedelta = timedelta(minutes=5)
    """How far back the asks of an account are counted for that."""

    between_charges: timedelta = timedelta(hours=24)
    """At most one of a plan's collections is taken within this, however many an outage has left due."""

    poll: timedelta = timedelta(minutes=10)
    """How often a shop is asked what changed, for whatever it did not tell by itself."""

    poll_again: timedelta = timedelta(minutes=1)
    """How soon it is asked again where it did not answer; doubled with each try, up to the pace of polling."""

    between_polls: timedelta = timedelta(seconds=5)
    """How soon it may be asked again for baskets whose moment has come."""

    poll_overlap: timedelta = timedelta(minutes=5)
    """How far a poll begins before the end of the last one: what a shop dates is not always at once in its lists."""

    unheard: timedelta = timedelta(hours=1)
    """How long a shop may say nothing although something changed in it, before a person is told."""

    webhooks: timedelta = timedelta(days=1)
    """How often the webhooks in a shop are listed and repaired."""

    def scaled(self, factor: float) -> "Delays":
        """The same table with every delay times ``factor``."""
        scaled: dict[str, Any] = {f.name: _times(getattr(self, f.name), factor) for f in fields(self)}
        return replace(self, **scaled)


def _times(value: Any, factor: float) -> Any:
    return tuple(step * factor for step in value) if isinstance(value, tuple) else value * factor


DELAYS = Delays()
# The share of a gateway's idempotency window within which the same key may be sent again.
REPLAY_SHARE = 0.9
