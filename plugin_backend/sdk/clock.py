"""The one place that asks what time it is.

Business time is the time *of a shop*: real time plus the shop's own offset, which only grows (a test shop's clock
can be moved forward). Code that works for a shop runs inside ``shifted(offset)`` and then asks ``now()``.
Signature tolerance, links, sessions, rate limits and socket deadlines use ``real_now()``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_offset: ContextVar[timedelta] = ContextVar("shop_clock_offset", default=timedelta(0))


def real_now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def now() -> datetime:
    """The time of the shop we are working for, in UTC; the machine's own outside any shop."""
    return real_now() + _offset.get()


@contextmanager
def shifted(offset: timedelta) -> Iterator[None]:
    """Inside, ``now()`` is the time of a shop whose clock stands ``offset`` (never negative) ahead."""
    if offset < timedelta(0):
        raise ValueError("a shop's clock only moves forward")
    token = _offset.set(offset)
    try:
        yield
    finally:
        _offset.reset(token)
