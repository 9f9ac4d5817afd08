"""What a decline asks of us, as a table: when to try again, when to stop, and who can mend it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain import dunning
from plugin_backend.domain.dunning import Retry, Stop, Verdict
from plugin_backend.sdk.gateway import Decline, Declined
from plugin_backend.sdk.money import Money

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


def local(text: str) -> datetime:
    """A moment as a clock in Paris shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def dates(said: Declined | Decline, count: int, now: datetime = NOW) -> list[str]:
    """The local moments of the first tries, each counted from ``now``, and "stop" where there is none."""
    declined = said if isinstance(said, Declined) else Declined(said)
    verdict = dunning.judge(declined, now)
    steps = [dunning.next_step(verdict, number, now, PARIS) for number in range(1, count + 1)]
    return [
        step.at.astimezone(PARIS).strftime("%d %H:%M") if isinstance(step, Retry) else "stop"
        for step in steps
    ]


def test_missing_funds_are_tried_again_after_three_five_seven_and_seven_days_at_nine() -> None:
    assert dates(Decline.FUNDS, 6) == ["25 09:00", "27 09:00", "29 09:00", "29 09:00", "stop", "stop"]


def test_a_fault_of_the_system_is_tried_within_the_day_and_then_like_missing_funds() -> None:
    assert dates(Decline.SYSTEM, 8) == [
        "22 16:30",
        "23 09:00",
        "23 15:30",
        "25 09:00",
        "27 09:00",
        "29 09:00",
        "29 09:00",
        "stop",
    ]


def test_an_unknown_code_is_tried_twice() -> None:
    assert dates(Decline.UNKNOWN, 3) == ["25 09:00", "29 09:00", "stop"]


@pytest.mark.parametrize(
    ("decline", "need"),
    [
        (Decline.NEVER, "card"),
        (Decline.NEW_DATA, "card"),
        (Decline.AUTHENTICATION, "authentication"),
        (Decline.FRAUD, "card"),
        (Decline.CONFIGURATION, "merchant"),
    ],
)
def test_a_final_decline_is_never_tried_again(decline: Decline, need: dunning.Need) -> None:
    assert dunning.next_step(Verdict(decline), 1, NOW, PARIS) == Stop(need)


@pytest.mark.parametrize("decline", Decline)
def test_a_card_that_is_refused_for_good_or_under_suspicion_is_done_with(decline: Decline) -> None:
    assert Verdict(decline).final is (decline in (Decline.NEVER, Decline.FRAUD))


@pytest.mark.parametrize(
    ("advice", "decline"),
    [
        ("01", Decline.NEW_DATA),
        ("03", Decline.NEVER),
        ("04", Decline.CONFIGURATION),
        ("05", Decline.CONFIGURATION),
        ("21", Decline.NEVER),
        ("22", Decline.CONFIGURATION),
        ("40", Decline.NEVER),
        ("41", Decline.NEVER),
        ("42", Decline.FRAUD),
        ("R0", Decline.NEVER),
        ("R1", Decline.NEVER),
        ("R3", Decline.NEVER),
        (" r3 ", Decline.NEVER),
        ("do_not_try_again", Decline.NEVER),
        ("confirm_card_data", Decline.NEW_DATA),
    ],
)
@pytest.mark.parametrize("table", Decline)
def test_advice_beats_our_table_whatever_that_says(table: Decline, advice: str, decline: Decline) -> None:
    assert dunning.judge(Declined(table, "51", advice=advice), NOW) == Verdict(decline)


@pytest.mark.parametrize(
    ("advice", "wait"),
    [
        ("02", timedelta(0)),
        ("try_again_later", timedelta(0)),
        ("24", timedelta(hours=1)),
        ("25", timedelta(hours=24)),
        ("26", timedelta(days=2)),
        ("27", timedelta(days=4)),
        ("28", timedelta(days=6)),
        ("29", timedelta(days=8)),
        ("30", timedelta(days=10)),
    ],
)
@pytest.mark.parametrize("table", Decline)
def test_advice_to_wait_makes_any_decline_one_that_waits(
    table: Decline, advice: str, wait: timedelta
) -> None:
    waits = table if table in (Decline.FUNDS, Decline.SYSTEM) else Decline.SYSTEM
    assert dunning.judge(Declined(table, "14", advice=advice), NOW) == Verdict(waits, NOW + wait)


@pytest.mark.parametrize("advice", ["", "43", "99", "00", "nonsense"])
@pytest.mark.parametrize("table", Decline)
def test_advice_that_says_nothing_leaves_our_table(table: Decline, advice: str) -> None:
    assert dunning.judge(Declined(table, "05", advice=advice), NOW) == Verdict(table)


@pytest.mark.parametrize("code", ["R0", "R1", "R3", "r1"])
def test_a_revocation_that_comes_as_a_plain_code_is_understood(code: str) -> None:
    assert dunning.judge(Declined(Decline.UNKNOWN, code), NOW) == Verdict(Decline.NEVER)


@pytest.mark.parametrize("code", ["03", "21", "40", "R2"])
def test_a_code_is_not_taken_for_advice(code: str) -> None:
    """Response code 03 is "invalid merchant", advice 03 is "do not try again"."""
    assert dunning.judge(Declined(Decline.UNKNOWN, code), NOW) == Verdict(Decline.UNKNOWN)


def test_the_later_of_two_named_times_holds() -> None:
    late, soon = NOW + timedelta(days=9), NOW + timedelta(minutes=1)
    for named, wanted in ((late, late), (soon, NOW + timedelta(days=2))):
        said = Declined(Decline.FUNDS, retry_not_before=named, advice="26")
        assert dunning.judge(said, NOW).not_before == wanted


def test_advice_to_wait_wins_over_an_earlier_step_and_never_hurries() -> None:
    later, sooner = NOW + timedelta(days=10), NOW + timedelta(minutes=1)
    assert dunning.next_step(Verdict(Decline.FUNDS, later), 1, NOW, PARIS) == Retry(later)
    step = dunning.next_step(Verdict(Decline.FUNDS, sooner), 1, NOW, PARIS)
    assert step == dunning.next_step(Verdict(Decline.FUNDS), 1, NOW, PARIS)


def test_a_named_time_does_not_bring_back_what_is_never_tried() -> None:
    verdict = dunning.judge(Declined(Decline.NEVER, retry_not_before=NOW + timedelta(days=1)), NOW)
    assert dunning.next_step(verdict, 1, NOW, PARIS) == Stop("card")


@pytest.mark.parametrize(
    ("now", "tried"),
    [
        ("2026-11-22T06:59", "22 09:00"),
        ("2026-11-22T07:00", "22 08:00"),
        ("2026-11-22T18:59", "22 19:59"),
        ("2026-11-22T19:00", "23 09:00"),
        ("2026-11-22T22:59", "23 09:00"),
        ("2026-11-22T23:59", "23 09:00"),
        # The nights when clocks change: an hour later is an hour later, and nine is nine.
        ("2026-03-29T01:30", "29 09:00"),
        ("2026-03-28T23:59", "29 09:00"),
        ("2026-10-25T02:30", "25 09:00"),
        ("2026-10-24T23:59", "25 09:00"),
        # Ends of months and years, and a leap day.
        ("2026-11-30T23:30", "01 09:00"),
        ("2026-12-31T19:00", "01 09:00"),
        ("2028-02-28T22:00", "29 09:00"),
    ],
)
def test_nothing_is_tried_at_night(now: str, tried: str) -> None:
    assert dates(Decline.SYSTEM, 1, local(now)) == [tried]


@pytest.mark.parametrize(
    ("now", "tried"),
    [
        ("2026-01-31T23:59", "03 09:00"),
        ("2028-02-27T00:00", "01 09:00"),
        ("2026-03-26T23:59", "29 09:00"),
        ("2026-10-22T00:01", "25 09:00"),
    ],
)
def test_days_are_days_of_the_calendar_in_the_shops_zone(now: str, tried: str) -> None:
    assert dates(Decline.FUNDS, 1, local(now)) == [tried]


def test_a_day_of_the_system_is_twenty_four_hours_on_both_nights() -> None:
    for noon in ("2026-03-28T12:00", "2026-10-24T12:00"):
        now = local(noon)
        step = dunning.next_step(Verdict(Decline.SYSTEM), 3, now, PARIS)
        assert step == Retry(now + timedelta(hours=24))


def test_a_named_time_at_night_is_put_off_to_the_morning() -> None:
    night = local("2026-12-24T03:00")
    assert dunning.next_step(Verdict(Decline.FUNDS, night), 1, NOW, PARIS) == Retry(local("2026-12-24T09:00"))


@pytest.mark.parametrize(("advice", "once"), [("40", True), (" 41", True), ("43", False), ("", False)])
def test_cards_that_cannot_pay_again_are_known_by_advice(advice: str, *, once: bool) -> None:
    assert dunning.good_for_one_payment(advice) is once


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
        step = dunning.next_step(Verdict(decline), number, now, PARIS, ladder=ladder)
        if isinstance(step, Stop):
            break
        assert step.at > now
        assert 8 <= step.at.astimezone(PARIS).hour < 20
        now, tries = step.at, tries + 1
    else:
        raise AssertionError("a ladder without an end")
    assert tries < 15
    assert now - first <= timedelta(days=34)


@pytest.mark.parametrize("ladder", [(), (3, 5, 7, 7), (1,) * 8, (30,)])
def test_a_ladder_within_its_bounds_is_taken(ladder: tuple[int, ...]) -> None:
    dunning.check_ladder(ladder)


@pytest.mark.parametrize("ladder", [(0,), (-1,), (31,), (1,) * 9, (10, 10, 11), (3, 0, 3)])
def test_a_ladder_beyond_its_bounds_is_refused(ladder: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a ladder has at most"):
        dunning.check_ladder(ladder)


def test_a_shop_without_a_ladder_stops_at_the_first_missing_funds() -> None:
    assert dunning.next_step(Verdict(Decline.FUNDS), 1, NOW, PARIS, ladder=()) == Stop("card")


EUR = Money(3333, "EUR")


def refusals(
    count: int, *, apart: timedelta, last: datetime, money: Money = EUR
) -> list[tuple[datetime, Money]]:
    return [(last - number * apart, money) for number in range(count)]


@pytest.mark.parametrize(
    ("brand", "cap", "within"),
    [
        ("visa", 15, timedelta(days=30)),
        ("Visa Electron", 15, timedelta(days=30)),
        ("mastercard", 10, timedelta(hours=24)),
        ("MC", 10, timedelta(hours=24)),
    ],
)
def test_the_last_refusal_that_a_scheme_allows_is_allowed_and_the_next_waits_for_the_first_to_be_old(
    brand: str, cap: int, within: timedelta
) -> None:
    budget = dunning.limits(brand, 15)
    before = refusals(cap - 1, apart=timedelta(minutes=10), last=NOW)
    assert dunning.allowed_from(before, EUR, NOW, budget) == NOW

    full = refusals(cap, apart=timedelta(minutes=10), last=NOW)
    free = full[-1][0] + within
    assert dunning.allowed_from(full, EUR, NOW, budget) == free
    assert dunning.allowed_from(full, EUR, free - timedelta(seconds=1), budget) == free
    assert dunning.allowed_from(full, EUR, free, budget) == free


def test_mastercard_counts_thirty_five_of_one_amount_in_thirty_days() -> None:
    budget = dunning.limits("mastercard", 15)
    month = refusals(35, apart=timedelta(hours=20), last=NOW)
    assert dunning.allowed_from(month[:34], EUR, NOW, budget) == NOW
    assert dunning.allowed_from(month, EUR, NOW, budget) == month[-1][0] + timedelta(days=30)
    assert dunning.allowed_from(month, Money(3334, "EUR"), NOW, budget) == NOW
    assert dunning.allowed_from(month, Money(3333, "USD"), NOW, budget) == NOW


def test_visa_counts_every_amount_and_as_many_as_the_shop_says() -> None:
    sixteen = refusals(16, apart=timedelta(days=1), last=NOW, money=Money(1, "EUR"))
    assert dunning.allowed_from(sixteen, EUR, NOW, dunning.limits("visa", 20)) == NOW
    assert dunning.allowed_from(sixteen, EUR, NOW, dunning.limits("visa", 15)) == NOW + timedelta(days=16)


def test_a_brand_that_is_not_known_keeps_to_every_scheme() -> None:
    assert set(dunning.limits("girocard", 15)) == {
        *dunning.limits("visa", 15),
        *dunning.limits("mastercard", 15),
    }


@pytest.mark.parametrize("retries", [1, 15, 20])
def test_what_visa_allows_can_be_set(retries: int) -> None:
    dunning.check_visa_retries(retries)


@pytest.mark.parametrize("retries", [-1, 0, 21])
def test_more_than_visa_allows_cannot_be_set(retries: int) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        dunning.check_visa_retries(retries)


@pytest.mark.parametrize(
    ("text", "ladder"),
    [("3,5,7,7", (3, 5, 7, 7)), (" 1 , 29 ", (1, 29)), ("", ()), ("  ", ()), ("30", (30,))],
)
def test_a_ladder_is_read_as_it_is_typed(text: str, ladder: tuple[int, ...]) -> None:
    assert dunning.read_ladder(text) == ladder


@pytest.mark.parametrize(
    "text", ["3;5", "a", "3,,5", "-1", "3.5", "0", "31", "1,1,1,1,1,1,1,1,1", "٣", "1e1", ","]
)
def test_what_is_no_ladder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a ladder"):
        dunning.read_ladder(text)
