"""Doing what was asked once per key, and misbehaving as told: errors are kept under their keys like any answer, keys are
forgotten after a day, and a key that is being worked on is refused."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Response

from plugin_backend.demo.gateway.faults import ON_MOVES, Faults
from tests.contract.stripe_fake import wire
from tests.contract.stripe_fake.errors import Refusal
from tests.contract.stripe_fake.store import Body, Store

KEPT_SECONDS = 86_400.0
_BROKEN: Body = {"error": {"type": "api_error", "message": "An unknown error occurred"}}
_BUSY: Body = {
    "error": {
        "type": "idempotency_error",
        "code": "idempotency_key_in_use",
        "message": "There is currently another in-progress request using this Idempotent Key",
    }
}
_LIMITED: Body = {
    "error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}
}
_REUSED: Body = {
    "error": {
        "type": "idempotency_error",
        "message": "Keys for idempotent requests can only be used with the same parameters they were first used with.",
    }
}


class Once:
    """``window`` is for how many seconds a key is kept. ``ordered`` has the faults that a test wants next, by account."""

    def __init__(self, store: Store, faults: Faults, window: float = KEPT_SECONDS) -> None:
        self.ordered: Counter[tuple[str, str]] = Counter()
        self._store, self._faults, self._window = store, faults, window
        self._busy: set[tuple[str, str]] = set()

    def do(
        self, account: str, what: str, key: str, asked: bytes, work: Callable[[], Body], *, moves: bool
    ) -> Response:
        fault = self._fault(account, what, key, moves=moves)
        if fault == "lost_before":
            return wire.drop()
        if fault == "too_many":
            return wire.answer(429, _LIMITED)
        if fault == "in_progress" and self._faults.coin(account, key):
            return wire.answer(409, _BUSY)
        if fault == "slow":
            # The caller hears nothing, and it is done when he has given up.
            late = threading.Thread(target=self._late, args=(account, what, key, asked, work), daemon=True)
            late.start()
            return wire.drop()
        with self._working_on(account, key) as free:
            if not free:
                return wire.answer(409, _BUSY)
            status, body, replayed = self._worked(account, what, key, asked, work, fault)
        return self._told(fault, status, body, replayed=replayed)

    def _worked(
        self, account: str, what: str, key: str, asked: bytes, work: Callable[[], Body], fault: str
    ) -> tuple[int, Body, bool]:
        printed = hashlib.sha256(what.encode() + b"\n" + asked).hexdigest()
        with self._store.together():
            kept = self._store.kept(account, key) if key else None
            if kept is not None and self._store.now(account) - kept[0] < self._window:
                if kept[1] != printed:
                    return 400, _REUSED, False
                return kept[2], json.loads(kept[3]), True
            if fault == "error_before":
                status, body, keeps = 500, _BROKEN, True
            else:
                status, body, keeps = self._done(work)
            if fault == "error_after" and keeps:
                status, body = 500, _BROKEN
            if key and keeps:
                self._store.keep(account, key, printed, status, body)
        return status, body, False

    def _done(self, work: Callable[[], Body]) -> tuple[int, Body, bool]:
        try:
            return 200, work(), True
        except Refusal as refusal:
            return refusal.status, refusal.body, refusal.kept

    def _late(self, account: str, what: str, key: str, asked: bytes, work: Callable[[], Body]) -> None:
        with self._working_on(account, key) as free:
            if free:
                time.sleep(self._faults.late(account))
                self._worked(account, what, key, asked, work, "")

    def _told(self, fault: str, status: int, body: Body, *, replayed: bool) -> Response:
        match fault:
            case "lost_answer":
                return wire.drop()
            case "reset":
                return wire.reset(status, body)
            case "garbage":
                return wire.garbage()
            case "in_progress":
                return wire.answer(409, _BUSY)
            case _:
                return wire.answer(status, body, replayed=replayed)

    def _fault(self, account: str, what: str, key: str, *, moves: bool) -> str:
        """What a test ordered for the next request that moves money, or what chance has for this one."""
        for kind in ON_MOVES:
            if moves and self.ordered[account, kind]:
                self.ordered[account, kind] -= 1
                return kind
        return self._faults.draw(account, ON_MOVES, f"{what} {key}")

    @contextmanager
    def _working_on(self, account: str, key: str) -> Iterator[bool]:
        """False where somebody else is at it."""
        with self._store.lock:
            free = not key or (account, key) not in self._busy
            self._busy.add((account, key))
        try:
            yield free
        finally:
            if free:
                with self._store.lock:
                    self._busy.discard((account, key))
