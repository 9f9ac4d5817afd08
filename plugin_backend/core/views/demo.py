"""What the tour of the demo shows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class TourStep:
    """One of the seven steps, in order: where it can be seen or done, and whether it happened already."""

    url: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One movement as one of the two ledgers holds it. ``state`` is a state of an attempt."""

    reference: str
    amount: Money
    at: datetime
    state: str


PlugState = Literal["in", "being_pulled", "stuck"]
"""``stuck``: no payment began in time, in the middle of which it could have been pulled."""


@dataclass(frozen=True, slots=True)
class TourView:
    """``unplug_url`` is where the plug is pulled by POST. ``agree`` None: nothing to compare yet."""

    steps: tuple[TourStep, ...]
    unplug_url: str
    plug: PlugState = "in"
    ours: tuple[LedgerLine, ...] = ()
    gateway: tuple[LedgerLine, ...] = ()
    agree: bool | None = None
    timezone: str = "UTC"
