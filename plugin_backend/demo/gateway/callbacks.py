"""Callbacks, signed unless the account's mode says otherwise: sent at least once while the process lives, a few times
where the other side does not answer 2xx.

What is still to be sent when the process is killed is lost, as it is with real gateways on a bad day: that is what
looking up is for.
"""

import heapq
import itertools
import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from plugin_backend.demo.gateway.book import new_id
from plugin_backend.demo.gateway.faults import ON_CALLBACKS, Faults
from plugin_backend.demo.gateway.records import Account
from plugin_backend.demo.gateway.switches import Switches
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import Client, Request
from plugin_backend.sdk.signing import hmac_sha256

WAITS = (1.0, 5.0, 30.0)
# One that is held back leaves so long after the next one, or after so long at the latest.
_BEHIND = 0.2
_HELD_BACK = 2.0
_HELD_BACK_ALONE = 5.0
_SENDERS = 4


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell: ``type`` such as ``charge.captured``, and the object as it stood at that moment."""

    account: Account
    url: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: float
    order: int
    attempt: int = field(compare=False)
    url: str = field(compare=False)
    key: bytes | None = field(compare=False, repr=False)
    body: bytes = field(compare=False, repr=False)
    lets_pass: bool = field(compare=False, default=False)


def signature(key: bytes, stamp: str, body: bytes) -> str:
    """The value of ``Sandbox-Signature``: HMAC-SHA256 over ``stamp.body``."""
    return f"t={stamp},v1={hmac_sha256(key, stamp.encode() + b'.' + body).hex()}"


class Callbacks:
    """The background sender: a few threads, so that one deaf address does not hold up the others."""

    def __init__(self, http: Client, switches: Switches, faults: Faults) -> None:
        self._http = http
        self._switches = switches
        self._faults = faults
        self._queue: list[_Due] = []
        self._numbers = itertools.count()
        self._wake = threading.Condition()
        for number in range(_SENDERS):
            threading.Thread(target=self._run, daemon=True, name=f"callbacks-{number}").start()

    def tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.url and not self._switches.get(event.account.id, "callback_off"):
                self._plan(event)

    def _plan(self, event: Event) -> None:
        account, number, body = event.account, next(self._numbers), _body(event)
        fault = self._faults.draw(account.id, ON_CALLBACKS, f"{event.type} {event.data.get('reference')}")
        if fault == "callback_lost":
            return
        wait = float(self._switches.get(account.id, "callback_late"))
        if fault == "callback_late":
            wait += self._faults.late(account.id)
        lets_pass = bool(self._switches.get(account.id, "callback_out_of_order")) and number % 2 == 0
        if lets_pass:
            wait += _HELD_BACK_ALONE
        elif fault == "callback_out_of_order":
            wait += _HELD_BACK
        twice = self._switches.get(account.id, "callback_twice") or fault == "callback_twice"
        key = account.callback_key if account.behaves.signs else None
        for _ in range(2 if twice else 1):
            self._put(_Due(time.monotonic() + wait, number, 0, event.url, key, body, lets_pass))

    def _put(self, due: _Due) -> None:
        with self._wake:
            if not due.lets_pass:
                self._queue = [_behind(waiting, due.at) for waiting in self._queue]
                heapq.heapify(self._queue)
            heapq.heappush(self._queue, due)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            self._post(self._next())

    def _next(self) -> _Due:
        with self._wake:
            while True:
                if self._queue and self._queue[0].at <= time.monotonic():
                    return heapq.heappop(self._queue)
                self._wake.wait(self._queue[0].at - time.monotonic() if self._queue else None)

    def _post(self, due: _Due) -> None:
        stamp = str(int(clock.real_now().timestamp()))
        headers = {"Content-Type": "application/json"}
        if due.key is not None:
            headers["Sandbox-Signature"] = signature(due.key, stamp, due.body)
        try:
            status = self._http.send(Request("POST", due.url, headers, due.body)).status
        except (NotSent, NoAnswer):
            status = 0
        if not 200 <= status < 300 and due.attempt < len(WAITS):
            at = time.monotonic() + WAITS[due.attempt]
            self._put(_Due(at, due.order, due.attempt + 1, due.url, due.key, due.body))


def _behind(waiting: _Due, at: float) -> _Due:
    """What lets the next one pass leaves soon after it, and no sooner, however slow its sender was."""
    return replace(waiting, at=at + _BEHIND, lets_pass=False) if waiting.lets_pass else waiting


def _body(event: Event) -> bytes:
    told = {
        "id": new_id("evt"),
        "type": event.type,
        "created": event.account.now().isoformat(),
        "data": event.data,
    }
    return json.dumps(told).encode()
