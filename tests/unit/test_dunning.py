"""What a decline asks of us, as a table: when to try again, when to stop, and who can mend it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain import dunning
from plugin_backend.domain.dunning import Retry, Stop
from plugin_backend.sdk.gateway import Decline

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


def dates(decline: Decline, count: int) -> list[str]:
    """The local moments of the first tries, and the word "stop" where there is none."""
    said = [dunning.next_step(decline, number, NOW, PARIS) for number in range(1, count + 1)]
    return [
        step.at.astimezone(PARIS).strftime("%d %H:%M") if isinstance(step, Retry) else "stop" for step in said
    ]


def test_missing_funds_are_tried_again_after_three_five_seven_and_seven_days_at_nine() -> None:
    assert dates(Decline.FUNDS, 6) == ["25 09:00", "27 09:00", "29 09:00", "29 09:00", "stop", "stop"]


def test_a_fault_of_the_system_is_tried_within_the_day_and_then_like_missing_funds() -> None:
    assert dates(Decline.SYSTEM, 8) == [
        "22 16:30",
        "22 21:30",
        "23 09:00",
        "25 09:00",
        "27 09:00",
        "29 09:00",
        "29 09:00",
        "stop",
    ]


def test_an_unknown_code_is_tried_twice() -> None:
    assert dates(Decline.UNKNOWN, 3) == ["25 09:00", "29 09:00", "stop"]


@pytest.mark.parametrize(
    ("decline", "customer"),
    [
        (Decline.NEVER, True),
        (Decline.NEW_DATA, True),
        (Decline.AUTHENTICATION, True),
        (Decline.FRAUD, True),
        (Decline.CONFIGURATION, False),
    ],
)
def test_a_final_decline_is_never_tried_again(decline: Decline, *, customer: bool) -> None:
    assert dunning.next_step(decline, 1, NOW, PARIS) == Stop(customer=customer)


def test_the_gateways_advice_to_wait_wins_over_an_earlier_step_and_never_hurries() -> None:
    later, sooner = NOW + timedelta(days=10), NOW + timedelta(minutes=1)
    assert dunning.next_step(Decline.FUNDS, 1, NOW, PARIS, not_before=later) == Retry(later)
    step = dunning.next_step(Decline.FUNDS, 1, NOW, PARIS, not_before=sooner)
    assert step == dunning.next_step(Decline.FUNDS, 1, NOW, PARIS)


@given(
    st.sampled_from(Decline),
    st.lists(st.integers(1, 30), max_size=8).map(tuple).filter(lambda ladder: sum(ladder) <= 30),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)
def test_every_ladder_ends_within_what_the_card_schemes_allow(
    decline: Decline, ladder: tuple[int, ...], start: datetime
) -> None:
    dunning.check_ladder(ladder)
    now = first = start.replace(tzinfo=UTC)
    tries = 0
    for number in range(1, 40):
        step = dunning.next_step(decline, number, now, PARIS, ladder=ladder)
        if isinstance(step, Stop):
            break
        assert step.at > now
        now, tries = step.at, tries + 1
    else:
        raise AssertionError("a ladder without an end")
    assert tries < 15
    assert now - first <= timedelta(days=33)


@pytest.mark.parametrize("ladder", [(), (3, 5, 7, 7), (1,) * 8, (30,)])
def test_a_ladder_within_its_bounds_is_taken(ladder: tuple[int, ...]) -> None:
    dunning.check_ladder(ladder)


@pytest.mark.parametrize("ladder", [(0,), (-1,), (31,), (1,) * 9, (10, 10, 11), (3, 0, 3)])
def test_a_ladder_beyond_its_bounds_is_refused(ladder: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a ladder has at most"):
        dunning.check_ladder(ladder)


def test_a_shop_without_a_ladder_stops_at_the_first_missing_funds() -> None:
    assert dunning.next_step(Decline.FUNDS, 1, NOW, PARIS, ladder=()) == Stop(customer=True)
