"""PayXpert's export: seconds, its start within and its end not, no pages and no cursor. We page by time.

PayXpert lives in real time, a shop's clock may stand ahead of it: moments are taken into the shop's time and back.
"""

from datetime import datetime, timedelta

from plugin_backend.gateways.payxpert import reading
from plugin_backend.gateways.payxpert.api import Api
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import Absent, CapturedPage, Outcome

# Of one page, so that a busy merchant's answer can still be read.
_SPAN = 6 * 3600
# How far back a reference is looked for of which nobody knows when it was sent, and how long after its sending a charge
# may still be dated.
_UNDATED, _SETTLES = timedelta(days=3), timedelta(seconds=_SPAN - 1)


def real(moment: datetime) -> datetime:
    """A moment of the shop's time, in PayXpert's."""
    return moment - _ahead()


def _ahead() -> timedelta:
    """By how much the shop's clock stands ahead, in whole seconds: that is all PayXpert counts in."""
    return timedelta(seconds=round((clock.now() - clock.real_now()).total_seconds()))


def page(api: Api, since: datetime, cursor: str) -> CapturedPage:
    """One span of the list, and where the next begins."""
    start = int(cursor) if cursor.isdecimal() else int(real(since).timestamp())
    now = int(clock.real_now().timestamp()) + 1
    if start >= now:
        return CapturedPage(())
    end = min(start + _SPAN, now)
    found = api.export(start, end)
    ahead = _ahead()
    return CapturedPage(
        tuple(moved for one in found if (moved := reading.movement(one, one.at + ahead)) is not None),
        str(end) if end < now else "",
        tuple(told for one in found if (told := reading.dispute(one)) is not None),
    )


def look(api: Api, reference: str, since: datetime | None) -> Outcome | Absent:
    """A charge by its reference, among all that happened around its sending."""
    now = clock.real_now()
    start = since or now - _UNDATED
    # A shop whose clock was moved forward meanwhile counts its sending as earlier than it was.
    end = now if now - start <= _UNDATED else start + _SETTLES
    at, last = int(start.timestamp()), int(end.timestamp()) + 1
    found = []
    while at < last:
        found += api.export(at, min(at + _SPAN, last))
        at += _SPAN
    return reading.taken(found, reference)
