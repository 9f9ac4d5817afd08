"""The whole story, lived through the front doors only: one step after the other, each telling what it saw."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plugin_backend.demo.stage import Json, Stage
from plugin_backend.demo.steps import books, instalments, leaks, others, subscription
from plugin_backend.launcher.errors import StopAsked
from plugin_backend.sdk.errors import RepriseError

Step = tuple[str, Callable[[Stage], Json]]
STEPS: tuple[Step, ...] = (
    *instalments.STEPS,
    *others.STEPS,
    *subscription.STEPS,
    *books.STEPS,
    *leaks.STEPS,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What each step saw, up to the first that failed, which ``failed`` names and ``reason`` explains."""

    steps: tuple[Json, ...]
    failed: str | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        failure = {} if self.failed is None else {"failed": self.failed, "reason": self.reason}
        return {**failure, "steps": list(self.steps)}


def live(stage: Stage) -> Told:
    """Live it to its end, or to the first step that fails."""
    told: list[Json] = []
    for name, step in STEPS:
        begun = time.monotonic()
        try:
            saw = step(stage)
        except StopAsked:
            raise
        except (RepriseError, LookupError, ValueError) as error:
            return Told(tuple(told), name, f"{type(error).__name__}: {error}")
        told.append({"step": name, "seconds": round(time.monotonic() - begun, 1), "saw": saw})
    return Told(tuple(told))
