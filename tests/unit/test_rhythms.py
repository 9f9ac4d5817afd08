"""How a shop usually speaks, and which silence is out of its rhythm."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain import rhythms

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 2, 0, 0, tzinfo=PARIS).astimezone(UTC)
HOURS = st.integers(0, 7 * 24 - 1).map(lambda hour: MONDAY + timedelta(weeks=3, hours=hour))


def learned(weeks: int, opens: int = 9, closes: int = 18, days: int = 5) -> dict[str, str]:
    """A shop that speaks in each of its hours, and never else."""
    rhythm: dict[str, str] = {}
    for step in range(weeks * 7 * 24):
        hour = MONDAY + timedelta(hours=step)
        local = hour.astimezone(PARIS)
        heard = local.weekday() < days and opens <= local.hour < closes
        rhythm = rhythms.learned(rhythm, hour, PARIS, heard=heard)
    return rhythm


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, 23 + day, hour, 0, tzinfo=PARIS).astimezone(UTC)


def test_a_silent_working_day_is_out_of_the_rhythm() -> None:
    assert rhythms.unlikely(learned(3), at(0, 8), at(0, 17), PARIS)


def test_a_silent_hour_is_not() -> None:
    assert not rhythms.unlikely(learned(8), at(0, 10), at(0, 12), PARIS)


def test_a_silent_night_and_a_silent_weekend_are_not() -> None:
    assert not rhythms.unlikely(learned(3), at(0, 18), at(1, 9), PARIS)
    assert not rhythms.unlikely(learned(3), at(4, 18), at(7, 9), PARIS)


def test_a_shop_that_is_open_day_and_night_is_missed_sooner_than_one_that_is_not() -> None:
    always = learned(8, opens=0, closes=24, days=7)
    assert rhythms.unlikely(always, at(0, 0), at(0, 6), PARIS)
    assert not rhythms.unlikely(learned(8), at(0, 0), at(0, 6), PARIS)


@given(since=HOURS, silent=st.integers(0, 400))
def test_nothing_is_expected_of_a_shop_that_was_not_listened_to_for_two_weeks(
    since: datetime, silent: int
) -> None:
    until = since + timedelta(hours=silent)
    assert not rhythms.unlikely({}, since, until, PARIS)
    assert not rhythms.unlikely(learned(1, opens=0, closes=24, days=7), since, until, PARIS)


@given(since=HOURS, silent=st.integers(0, 30), longer=st.integers(0, 30))
def test_a_longer_silence_is_never_likelier(since: datetime, silent: int, longer: int) -> None:
    rhythm = learned(3)
    shorter = rhythms.unlikely(rhythm, since, since + timedelta(hours=silent), PARIS)
    assert not shorter or rhythms.unlikely(rhythm, since, since + timedelta(hours=silent + longer), PARIS)


def test_no_more_than_the_last_weeks_are_remembered() -> None:
    rhythm = learned(rhythms.WEEKS + 3)
    assert {len(weeks) for weeks in rhythm.values()} == {rhythms.WEEKS}
