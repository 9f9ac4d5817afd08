"""Faults by chance: seeded, so that the same request meets the same faults in every run, and counted.

A fault is drawn from the seed, the kind of request, its key and how often that key was seen; nothing depends on which
thread came first. Only ``refused`` knows no key yet: it is drawn by the number of the connection.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

ALL = ""

REFUSED = "refused"
ON_MOVES = (
    "lost_before",
    "lost_answer",
    "error_before",
    "error_after",
    "in_progress",
    "too_many",
    "garbage",
    "slow",
    "reset",
)
ON_LOOK_UPS = ("look_up_error", "look_up_lost")
ON_CALLBACKS = ("callback_lost", "callback_twice", "callback_late", "callback_out_of_order")
KINDS = (REFUSED, *ON_MOVES, *ON_LOOK_UPS, *ON_CALLBACKS)


class FaultsSchema(Schema):
    """``rates`` are probabilities by kind; those of one kind of request never sum above 1. ``late`` is how many seconds
    a slow request or a late callback takes."""

    class Meta:
        unknown = RAISE

    seed = fields.Integer(load_default=0)
    rates = fields.Dict(
        keys=fields.String(validate=validate.OneOf(KINDS)),
        values=fields.Float(validate=validate.Range(0, 1)),
        load_default=dict,
    )
    late = fields.Float(load_default=30.0, validate=validate.Range(0, 86_400))


@dataclass(slots=True)
class _Plan:
    seed: int
    rates: Mapping[str, float]
    late: float
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)


class Faults:
    """What is injected, by account id; an account without a plan of its own has the one of ``ALL``."""

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}
        self._injected: Counter[str] = Counter()
        self._lock = threading.Lock()

    def plan(self, account: str, values: Mapping[str, Any]) -> None:
        """Set what one account, or ``ALL``, is to meet. ``ValueError`` where it cannot be read; then nothing is set."""
        try:
            loaded = FaultsSchema().load(dict(values))
        except ValidationError as error:
            raise ValueError(f"cannot read: {', '.join(sorted(map(str, error.messages_dict)))}") from error
        for kinds in (ON_MOVES, ON_LOOK_UPS, ON_CALLBACKS):
            if sum(loaded["rates"].get(kind, 0.0) for kind in kinds) > 1.0:
                raise ValueError(f"cannot read: rates of {kinds[0]} and its kind sum above 1")
        with self._lock:
            self._plans[account] = _Plan(**loaded)

    def stop(self, account: str) -> None:
        """No more faults for one account; ``ALL`` stops everything. What was counted stays counted."""
        with self._lock:
            if account == ALL:
                self._plans.clear()
            self._plans.pop(account, None)

    def shown(self, account: str) -> dict[str, Any]:
        """The plan as it acts on an account, and how many faults of each kind this process injected, for whomever."""
        with self._lock:
            plan = self._of(account)
            acting = {"seed": plan.seed, "rates": dict(plan.rates), "late": plan.late} if plan else {}
            return {**acting, "injected": {kind: self._injected[kind] for kind in KINDS}}

    def draw(self, account: str, kinds: tuple[str, ...], about: str) -> str:
        """The fault that this request, look-up or callback meets, counted; "" for none."""
        with self._lock:
            plan = self._of(account)
            if plan is None or not plan.rates:
                return ""
            plan.seen[kinds[0], about] += 1
            left = _chance(plan.seed, kinds[0], about, plan.seen[kinds[0], about])
            for kind in kinds:
                left -= plan.rates.get(kind, 0.0)
                if left < 0:
                    self._injected[kind] += 1
                    return kind
            return ""

    def refuses(self) -> bool:
        """Are connections refused by chance?"""
        with self._lock:
            plan = self._of(ALL)
            return plan is not None and plan.rates.get(REFUSED, 0.0) > 0

    def coin(self, account: str, about: str) -> bool:
        """Heads or tails, the same for the same request in every run."""
        with self._lock:
            plan = self._of(account)
            return plan is not None and _chance(plan.seed, "coin", about, 0) < 0.5

    def late(self, account: str) -> float:
        """How many seconds "late" is."""
        with self._lock:
            plan = self._of(account)
            return plan.late if plan else 0.0

    def _of(self, account: str) -> _Plan | None:
        return self._plans.get(account, self._plans.get(ALL))


def _chance(seed: int, kind: str, about: str, nth: int) -> float:
    """A number from 0 to below 1 that follows from its arguments."""
    digest = hashlib.sha256(f"{seed}|{kind}|{about}|{nth}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
