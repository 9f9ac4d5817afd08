"""When payments fall due: anchored, in the shop's zone, at a humane hour, on both nights when clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain import schedules

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
ZONES = [PARIS, NEW_YORK, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia"), ZoneInfo("Africa/Cairo")]


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def days(
    anchor: datetime, unit: schedules.Unit, count: int, zone: ZoneInfo = PARIS, every: int = 1
) -> list[str]:
    dues = [schedules.nth_period(anchor, unit, every, number, zone) for number in range(count)]
    return [due.astimezone(zone).date().isoformat() for due in dues]


def test_the_thirty_first_falls_on_the_last_day_of_short_months_and_comes_back() -> None:
    assert days(at("2026-01-31T18:00"), "month", 5) == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
        "2026-05-31",
    ]


def test_a_leap_day_is_kept_in_leap_years() -> None:
    assert days(at("2028-02-29T18:00"), "year", 5) == [
        "2028-02-29",
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
    ]
    assert days(at("2028-01-30T18:00"), "month", 2) == ["2028-01-30", "2028-02-29"]


def test_weeks_days_and_every_other_month_are_counted_from_the_anchor() -> None:
    assert days(at("2026-12-20T18:00"), "week", 3) == ["2026-12-20", "2026-12-27", "2027-01-03"]
    assert days(at("2026-12-31T18:00"), "month", 3, every=2) == ["2026-12-31", "2027-02-28", "2027-04-30"]
    assert days(at("2026-02-27T18:00"), "day", 3) == ["2026-02-27", "2026-02-28", "2026-03-01"]


def test_the_day_is_the_shops_day_and_not_greenwichs() -> None:
    anchor = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
    assert days(anchor, "month", 2, NEW_YORK) == ["2026-01-30", "2026-02-28"]
    assert days(anchor, "month", 2, PARIS) == ["2026-01-31", "2026-02-28"]


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        (PARIS, "2026-03-29"),
        (PARIS, "2026-10-25"),
        (NEW_YORK, "2026-03-08"),
        (NEW_YORK, "2026-11-01"),
    ],
)
@pytest.mark.parametrize("hour", ["00:30", "02:30", "23:59"])
def test_a_payment_due_when_clocks_change_is_due_once_at_nine(zone: ZoneInfo, night: str, hour: str) -> None:
    changed = datetime.fromisoformat(night)
    for back, forward in ((1, 1), (7, 7), (28, 28)):
        anchor = at(f"{(changed - timedelta(days=back)).date()}T{hour}", zone)
        due = schedules.nth_period(anchor, "day", forward, 1, zone).astimezone(zone)
        assert (due.date().isoformat(), due.hour, due.minute) == (night, 9, 0)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1)), st.sampled_from(ZONES))
def test_who_goes_on_by_the_calendar_sees_the_payments_of_the_day_he_comes_to(
    moment: datetime, zone: ZoneInfo
) -> None:
    start = moment.replace(tzinfo=UTC)
    for unit, span in (("day", relativedelta(days=1)), ("month", relativedelta(months=1))):
        due = schedules.nth_period(start, unit, 1, 1, zone)
        assert due < schedules.by_calendar(start, span, zone) < due + timedelta(hours=24)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1)),
    st.sampled_from(ZONES),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 6),
)
def test_every_due_moment_is_later_than_the_one_before_and_at_nine_in_the_shop(
    anchor: datetime, zone: ZoneInfo, unit: schedules.Unit, every: int
) -> None:
    dues = [
        schedules.nth_period(anchor.replace(tzinfo=UTC), unit, every, number, zone) for number in range(14)
    ]
    assert dues[0] == anchor.replace(tzinfo=UTC)
    local = [due.astimezone(zone) for due in dues]
    assert all((due.hour, due.minute, due.second) == (9, 0, 0) for due in local[1:])
    assert all(later.date() > earlier.date() for earlier, later in pairwise(local))
    assert all(due.tzinfo is not None and due.utcoffset() == timedelta(0) for due in dues)


def test_the_days_of_a_plan_are_counted_from_the_day_it_was_accepted() -> None:
    anchor = at("2026-03-28T23:30")
    dues = schedules.day_offsets(anchor, (0, 1, 25, 50), PARIS)
    assert dues[0] == anchor
    assert [due.astimezone(PARIS).isoformat() for due in dues[1:]] == [
        "2026-03-29T09:00:00+02:00",
        "2026-04-22T09:00:00+02:00",
        "2026-05-17T09:00:00+02:00",
    ]


def test_a_delay_of_hours_is_kept_to_the_minute_and_one_of_days_lands_at_nine() -> None:
    moment = at("2026-10-24T22:17")
    assert schedules.after(moment, timedelta(hours=6), PARIS) == moment + timedelta(hours=6)
    assert schedules.after(moment, timedelta(hours=23, minutes=59), PARIS) == moment + timedelta(
        hours=23, minutes=59
    )
    later = schedules.after(moment, timedelta(days=1), PARIS).astimezone(PARIS)
    assert later.isoformat() == "2026-10-25T09:00:00+01:00"
