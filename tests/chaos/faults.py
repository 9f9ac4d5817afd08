"""What is done to the processes, and when: drawn from one seed, and paced by how much of the work is done.

Paced by the clock, a fast machine would be done before the first fault, and a slow one would never be done.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass

from tests.chaos.stage import Stage

WORKERS_KILLED, REDIS_EMPTIED = "workers killed", "Redis emptied"
POSTGRES_STOPPED, WORKERS_PAUSED = "PostgreSQL stopped at once", "workers paused"
CLOCKS_KILLED, GATEWAY_FAULTS = "clocks killed", "gateway faults"
# For ten thousand collections.
DEMANDED = {
    WORKERS_KILLED: 90,
    REDIS_EMPTIED: 25,
    POSTGRES_STOPPED: 10,
    WORKERS_PAUSED: 30,
    CLOCKS_KILLED: 15,
    GATEWAY_FAULTS: 500,
}
_OF = 10_000
_PAUSE_SECONDS = 3.0
# Of the pauses, every so many lasts longer than a lease: that worker wakes up to rows which are no longer its own.
_PAST_THE_LEASE = 3
# The last faults still meet work in hand.
_LAST_SHARE = 0.95
# A worker that has just begun has nothing in hand yet.
_SETTLED_SECONDS = (0.2, 1.5)


def demanded(collections: int) -> dict[str, int]:
    """How many faults of each kind so many collections must survive."""
    return {kind: max(1, -(-count * collections // _OF)) for kind, count in DEMANDED.items()}


@dataclass(frozen=True, slots=True, order=True)
class _Planned:
    share: float
    kind: str


class Faults:
    """``done`` counts what was really injected. ``lease`` is in seconds."""

    def __init__(
        self, stage: Stage, collections: int, seed: int, lease: float, without: tuple[str, ...] = ()
    ) -> None:
        self.done: Counter[str] = Counter()
        self._stage = stage
        self._random = random.Random(seed)
        self._long_pause = max(_PAUSE_SECONDS, lease * 1.2)
        self._asleep: list[tuple[float, int]] = []
        self._working_since: dict[str, float] = {}
        counts = {
            kind: count
            for kind, count in demanded(collections).items()
            if kind not in (GATEWAY_FAULTS, *without)
        }
        planned = [
            _Planned(self._random.uniform(0.0, _LAST_SHARE), kind)
            for kind, count in sorted(counts.items())
            for _ in range(count)
        ]
        self._planned = sorted(planned)

    @property
    def left(self) -> int:
        return len(self._planned)

    def told(self) -> str:
        """What was injected so far, in a few words."""
        return (
            ", ".join(f"{self.done[kind]} {kind}" for kind in DEMANDED if self.done[kind]) or "no fault yet"
        )

    def tick(self, share: float) -> None:
        """Wake whoever has slept long enough, and do what is due at this share of the work."""
        self._wake()
        self._look()
        waiting = [fault for fault in self._planned if fault.share <= share]
        for fault in waiting:
            if self._do(fault.kind):
                self.done[fault.kind] += 1
                self._planned.remove(fault)

    def _do(self, kind: str) -> bool:
        """False where there is nobody to do it to, yet."""
        if kind == REDIS_EMPTIED:
            return self._stage.flush_redis()
        if kind == POSTGRES_STOPPED:
            self._stage.crash_postgres()
            return True
        victim = self._victim("clock" if kind == CLOCKS_KILLED else "worker")
        if victim is None:
            return False
        if kind == WORKERS_PAUSED:
            past_the_lease = self.done[kind] % _PAST_THE_LEASE == 0
            seconds = self._long_pause if past_the_lease else _PAUSE_SECONDS
            self._asleep.append((time.monotonic() + seconds, self._stage.stop(victim)))
        else:
            self._stage.kill(victim)
        del self._working_since[victim]
        return True

    def _victim(self, kind: str) -> str | None:
        """One that has been at work for a while, and is awake."""
        settled = time.monotonic() - self._random.uniform(*_SETTLED_SECONDS)
        found = [
            name
            for name, since in sorted(self._working_since.items())
            if name.startswith(kind) and since <= settled
        ]
        return self._random.choice(found) if found else None

    def _look(self) -> None:
        asleep = {pid for _, pid in self._asleep}
        for name in (*self._stage.names("worker"), *self._stage.names("clock")):
            if not self._stage.working(name) or self._stage.supervisor.children[name].pid in asleep:
                self._working_since.pop(name, None)
            else:
                self._working_since.setdefault(name, time.monotonic())

    def _wake(self) -> None:
        now = time.monotonic()
        for _, pid in (sleeper for sleeper in self._asleep if sleeper[0] <= now):
            self._stage.wake(pid)
        self._asleep = [sleeper for sleeper in self._asleep if sleeper[0] > now]
