"""The rhythm of a shop: in which hours of the week it usually tells us something, and how unlikely its silence is. Pure.

It is learned from what came, week by week, and judged hour by hour: a night that is always silent says nothing, a busy
afternoon says much. Until an hour of the week has been listened to twice nothing is expected of it.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# How many weeks a shop is remembered: what it was like in spring says little of autumn.
WEEKS = 8
# One false alarm in ten thousand silences.
UNLIKELY = 1e-4
_FEWEST = 2
_WEEK = 7 * 24
HOUR = timedelta(hours=1)

Rhythm = Mapping[str, str]
"""Hour of the week (``0`` is Monday, 00:00 to 01:00 in the shop's zone) to ``1`` or ``0`` for each week: whether anything
came in it, the latest week last."""


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def learned(rhythm: Rhythm, hour: datetime, zone: ZoneInfo, *, heard: bool) -> dict[str, str]:
    """The rhythm with one more hour that was listened to."""
    place = _place(hour, zone)
    return {**rhythm, place: (rhythm.get(place, "") + "01"[heard])[-WEEKS:]}


def unlikely(rhythm: Rhythm, since: datetime, until: datetime, zone: ZoneInfo) -> bool:
    """Is it out of the shop's rhythm that nothing came in the whole hours between the two? More than a week of silence
    is judged as a week."""
    first = hour_of(since) + HOUR
    hours = min(_WEEK, max(0, (hour_of(until) - first) // HOUR))
    said = sum(math.log(_silent(rhythm.get(_place(first + HOUR * step, zone), ""))) for step in range(hours))
    return said < math.log(UNLIKELY)


def _silent(weeks: str) -> float:
    """How likely it is that nothing comes in this hour, by Laplace's rule of succession; certain where nothing ever did,
    else every long weekend would add up to an alarm."""
    if len(weeks) < _FEWEST or "1" not in weeks:
        return 1.0
    return (weeks.count("0") + 1) / (len(weeks) + 2)


def _place(hour: datetime, zone: ZoneInfo) -> str:
    local = hour.astimezone(zone)
    return str(local.weekday() * 24 + local.hour)
