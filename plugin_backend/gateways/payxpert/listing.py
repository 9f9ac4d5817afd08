"""PayXpert's export: seconds, its start within and its end not, no pages and no cursor. We page by time.

PayXpert lives in real time, a shop's clock may stand ahead of it: moments are taken into the shop's time and back.
"""

from datetime import datetime, timedelta

from plugin_backend.gateways.payxpert import reading
from plugin_backend.gateways.payxpert.api import Api
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import Absent, CapturedPage, Outcome

# Of one page, so that a busy merchant's answer can still be read.
_SPAN = 3600
# Around a sending it is looked in shorter ones: on the first of a month a merchant's payments all fall into some minutes.
_AROUND = 600
# How far back a reference is looked for of which nobody knows when it was sent.
_UNDATED = timedelta(days=3)


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


def look(api: Api, reference: str, since: datetime | None, settled: timedelta) -> Outcome | Absent:
    """A rebill by its reference, among those made within ``settled`` after its sending. (A page that nobody was led to
    took nothing, and a capture is found in its payment.) A shop whose clock was moved forward counts its sending as
    earlier than it was: there it is looked up to now."""
    now = clock.real_now()
    start = since or now - _UNDATED
    end = min(now, start + settled) if since is not None and not _ahead() else now
    span = _AROUND if since is not None and end - start <= timedelta(hours=6) else _SPAN
    at, last = int(start.timestamp()), int(end.timestamp()) + 1
    while at < last:
        found = reading.taken(api.export(at, min(at + span, last), "rebill"), reference)
        if not isinstance(found, Absent):
            return found
        at += span
    return Absent()
