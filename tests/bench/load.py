"""The load: keep-alive connections over loopback, driven by processes of their own that do next to nothing.

Python is slower than a load generator in C, and the generator shares the machine with what it measures. It is the same
for every server, its requests are made before the clock starts, and it says how busy it was.
"""

import contextlib
import multiprocessing
import re
import select
import socket
import time
from array import array
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Protocol, Self

PROCESSES = 2
CONNECTIONS = 16  # of each process: together as many as the bare server has threads
_AHEAD = 10_000
_PATIENCE = 20.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

_barrier: list[Barrier] = []


class Requests(Protocol):
    """Makes the requests of one kind for one server."""

    def request(self, number: int) -> bytes:
        """The bytes of the request with this number, which no other has."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests go, and what makes them."""

    port: int
    requests: Requests


@dataclass(slots=True)
class Seen:
    """What came of one stretch of load. ``accepted`` were answered 2xx, ``refused`` otherwise, ``lost`` not at all;
    ``in_time`` are those accepted before the stretch was over. ``waits`` are seconds from the moment a request was
    meant to leave. ``busy`` is the share of a core that a generating process took."""

    accepted: int = 0
    refused: int = 0
    lost: int = 0
    in_time: int = 0
    busy: float = 0.0
    waits: "array[float]" = field(default_factory=lambda: array("d"))

    def percentile(self, share: float) -> float:
        """Milliseconds within which ``share`` of the requests were answered."""
        ordered = sorted(self.waits)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Load:
    """The generating processes. Use it as a context; every call of ``drive`` is one stretch of load."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._number = 0
        self._pool = ProcessPoolExecutor(
            PROCESSES, mp_context=context, initializer=_join, initargs=(context.Barrier(PROCESSES),)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def drive(self, target: Target, seconds: float, *, rate: float | None = None) -> Seen:
        """Load the target for so long: as fast as it answers, or with ``rate`` requests a second whatever it does."""
        each = None if rate is None else rate / PROCESSES
        futures = []
        for _ in range(PROCESSES):
            futures.append(self._pool.submit(_stretch, target, seconds, each, self._number))
            self._number += 1_000_000
        return _together([future.result() for future in futures])


def _join(barrier: Barrier) -> None:
    _barrier.append(barrier)


def _together(parts: list[Seen]) -> Seen:
    whole = Seen(busy=max(part.busy for part in parts))
    for part in parts:
        whole.accepted += part.accepted
        whole.refused += part.refused
        whole.lost += part.lost
        whole.in_time += part.in_time
        whole.waits.extend(part.waits)
    return whole


def _stretch(target: Target, seconds: float, rate: float | None, first: int) -> Seen:
    with _Stretch(target, first, _AHEAD if rate is None else int(rate * seconds) + 1) as stretch:
        _barrier[0].wait(timeout=60)
        began, cpu = time.monotonic(), time.process_time()
        if rate is None:
            stretch.saturate(began + seconds)
        else:
            stretch.pace(began, began + seconds, 1 / rate)
        stretch.seen.busy = (time.process_time() - cpu) / seconds
        stretch.settle()
    return stretch.seen


class _Stretch:
    """One process's part of a stretch: a poll, a receive and a send for each request. ``ahead`` requests are made
    before it begins, any further one when it is sent."""

    def __init__(self, target: Target, first: int, ahead: int) -> None:
        self._port = target.port
        self._made = target.requests
        self._requests = deque(self._made.request(first + number) for number in range(ahead))
        self._next = first + ahead
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._since: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        # The one that has been idle longest goes first: a server closes a connection that nobody uses.
        self._idle: deque[int] = deque()
        self.seen = Seen()

    def __enter__(self) -> Self:
        for _ in range(CONNECTIONS):
            self._idle.append(self._connect())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._sockets.values():
            connection.close()
        self._poll.close()

    def saturate(self, until: float) -> None:
        """Every connection sends its next request as soon as it has an answer."""
        while self._idle:
            self._send(self._idle.popleft(), time.monotonic())
        while (now := time.monotonic()) < until:
            for number in self._answered(until - now, until):
                self._send(number, time.monotonic())

    def pace(self, began: float, until: float, step: float) -> None:
        """A request leaves each ``step`` seconds, or as soon as a connection is free; its wait counts from when it
        should have left."""
        turn = 0
        while (now := time.monotonic()) < until:
            while self._idle and began + turn * step <= now:
                self._send(self._idle.popleft(), began + turn * step)
                turn += 1
            self._idle += self._answered(max(0.0, began + turn * step - now), until)

    def settle(self) -> None:
        """Wait for the answers that are still to come: what they say counts, when they come does not."""
        deadline = time.monotonic() + _PATIENCE
        while self._since and time.monotonic() < deadline:
            self._answered(0.1, 0.0)
        self.seen.lost += len(self._since)

    def _connect(self) -> int:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = connection.fileno()
        self._sockets[number] = connection
        self._poll.register(number, select.EPOLLIN)
        return number

    def _send(self, number: int, since: float) -> None:
        if not self._requests:
            self._requests.append(self._made.request(self._next))
            self._next += 1
        self._since[number] = since
        # Where it is closed already, the poll finds that out and replaces it.
        with contextlib.suppress(OSError):
            self._sockets[number].sendall(self._requests.popleft())

    def _answered(self, patience: float, until: float) -> list[int]:
        """The connections whose request was answered, or that are new because theirs were closed."""
        free = []
        for number, _ in self._poll.poll(min(patience, 0.1)):
            try:
                data = self._sockets[number].recv(65536)
            except OSError:
                data = b""
            if not data:
                free.append(self._replace(number))
            elif self._complete(number, data, until):
                free.append(number)
        return free

    def _complete(self, number: int, data: bytes, until: float) -> bool:
        data = self._partial.pop(number, b"") + data
        head = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, head) if head >= 0 else None
        if head < 0 or len(data) < head + 4 + (int(length[1]) if length else 0):
            self._partial[number] = data
            return False
        now = time.monotonic()
        self.seen.waits.append(now - self._since.pop(number))
        if data[9:10] == b"2":
            self.seen.accepted += 1
            self.seen.in_time += now < until
        else:
            self.seen.refused += 1
        return True

    def _replace(self, number: int) -> int:
        self._poll.unregister(number)
        self._sockets.pop(number).close()
        self._partial.pop(number, None)
        if self._since.pop(number, None) is not None:
            self.seen.lost += 1
        elif number in self._idle:
            self._idle.remove(number)
        return self._connect()
