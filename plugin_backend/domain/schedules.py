"""When payments fall due, and how much each is. Pure: dates in, dates out."""

from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from plugin_backend.sdk.money import Money

HUMANE_HOUR = 9
QUIET_HOUR = 4
# Nobody's card is tried at night: where it fails, the customer should be awake when he reads of it.
DAY_BEGINS, DAY_ENDS = time(8), time(20)
Unit = Literal["day", "week", "month", "year"]


def nth_period(anchor: datetime, unit: Unit, every: int, number: int, zone: ZoneInfo) -> datetime:
    """The due moment of payment ``number`` (0: the anchor itself): anchor + n periods, never chained, so that the
    31st gives 31, 28, 31; at 09:00 in the shop's zone, whichever side of a clock change that lies on."""
    if number == 0:
        return anchor
    count = every * number
    steps = {
        "day": relativedelta(days=count),
        "week": relativedelta(weeks=count),
        "month": relativedelta(months=count),
        "year": relativedelta(years=count),
    }
    return _at_hour((anchor.astimezone(zone) + steps[unit]), zone)


def day_offsets(anchor: datetime, days: tuple[int, ...], zone: ZoneInfo) -> list[datetime]:
    """Due moments so many days after the anchor; day 0 is the anchor itself."""
    return [nth_period(anchor, "day", 1, day, zone) for day in days]


def instalments(total: Money, days: tuple[int, ...]) -> list[Money]:
    """Equal parts that sum exactly; the first carries the remainder."""
    return total.split(len(days))


def after(moment: datetime, delay: timedelta, zone: ZoneInfo) -> datetime:
    """About ``delay`` later: whole days land at the humane hour of that day in the shop's zone."""
    if delay < timedelta(days=1):
        return moment + delay
    return _at_hour((moment.astimezone(zone) + timedelta(days=delay.days)), zone)


def humane(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment itself by day, else the humane hour of the next morning in the shop's zone. 20:00 is night."""
    local = moment.astimezone(zone)
    if DAY_BEGINS <= local.time() < DAY_ENDS:
        return moment
    return _at_hour(local if local.time() < DAY_BEGINS else local + timedelta(days=1), zone)


def tonight(moment: datetime, zone: ZoneInfo) -> datetime:
    """The next 04:00 in the shop's zone: for work that nobody waits for."""
    local = moment.astimezone(zone)
    here = _at_hour(local, zone, QUIET_HOUR)
    return here if here > moment else _at_hour(local + timedelta(days=1), zone, QUIET_HOUR)


def by_calendar(moment: datetime, span: relativedelta, zone: ZoneInfo) -> datetime:
    """``span`` later by the shop's calendar, and not before that day's payments were taken: who was there at dawn a month
    before a payment sees it when he looks a month later."""
    there = (moment.astimezone(zone) + span).astimezone(ZoneInfo("UTC"))
    return max(there, _at_hour(there.astimezone(zone), zone, HUMANE_HOUR + 1))


def _at_hour(local: datetime, zone: ZoneInfo, hour: int = HUMANE_HOUR) -> datetime:
    # Combining in the zone is safe on both nights of the year: 04:00 and 09:00 exist once on each day everywhere.
    return datetime.combine(local.date(), time(hour), tzinfo=zone).astimezone(ZoneInfo("UTC"))
