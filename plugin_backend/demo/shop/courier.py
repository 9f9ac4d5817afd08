"""Deliveries leave one at a time per shop, from a thread of their own, and each is kept for the log page."""

import heapq
import itertools
import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugin_backend.demo.shop import wire
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.sdk import clock

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """One POST that left: what was sent, and what was answered."""

    number: int
    at: str
    kind: str
    topic: str
    about: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str
    answer: wire.Answer

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at,
            "kind": self.kind,
            "topic": self.topic,
            "about": self.about,
            "url": self.url,
            "headers": [list(header) for header in self.headers],
            "body": self.body,
            "status": self.answer.status,
            "error": self.answer.error,
            "seconds": round(self.answer.seconds, 3),
        }


class Letter(Protocol):
    """Something to deliver."""

    def deliver(self) -> float | None:
        """Send it once. The seconds after which to try again, or None when no more is to be done."""
        ...


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    letter: Letter = field(compare=False)


class Courier:
    """The delivery thread of one shop. ``enqueue`` keeps the order of what is due at the same time, where no switch says
    otherwise."""

    def __init__(self, name: str, switches: Switches) -> None:
        self.log: deque[Sent] = deque(maxlen=_KEPT)
        self.switches = switches
        self._name = name
        self._due: list[_Due] = []
        self._numbers = itertools.count(1)
        self._log_numbers = itertools.count(1)
        self._bell = threading.Condition()
        self._busy = False

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"courier-{self._name}", daemon=True).start()

    def enqueue(self, *letters: Letter, delay: float = 0.0) -> None:
        at = time.monotonic() + delay + self.switches.late
        with self._bell:
            for letter in letters:
                number = next(self._numbers)
                due = (
                    _Due(math.ceil(at), -number, letter)
                    if self.switches.shuffled
                    else _Due(at, number, letter)
                )
                heapq.heappush(self._due, due)
            self._bell.notify()

    def post(
        self,
        kind: str,
        topic: str,
        about: str,
        url: str,
        headers: wire.Headers,
        body: bytes,
        *,
        timeout: float,
    ) -> wire.Answer:
        """Send now, from whatever thread asks, and keep it in the log; a hello is never touched by the switches."""
        touched = kind != "ping"
        if touched and self.switches.dropped:
            answer = wire.Answer(200, "lost on its way")
        else:
            for _ in range(2 if touched and self.switches.twice else 1):
                answer = wire.post(url, headers, body, timeout=timeout)
        at = clock.real_now().isoformat(timespec="milliseconds")
        number = next(self._log_numbers)
        self.log.append(Sent(number, at, kind, topic, about, url, tuple(headers), body.decode(), answer))
        return answer

    def idle(self) -> bool:
        """True where nothing is being sent and nothing waits, retries included."""
        with self._bell:
            return not self._busy and not self._due

    def _run(self) -> None:
        while True:
            letter = self._next()
            delay = letter.deliver()
            with self._bell:
                if delay is not None:
                    self.enqueue(letter, delay=delay)
                self._busy = False

    def _next(self) -> Letter:
        with self._bell:
            while not self._due or self._due[0].at > time.monotonic():
                wait = self._due[0].at - time.monotonic() if self._due else None
                self._bell.wait(wait)
            self._busy = True
            return heapq.heappop(self._due).letter
