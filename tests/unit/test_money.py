"""Money: whole minor units, one currency, and nothing lost on the way in, through or out."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain import schedules
from plugin_backend.sdk.money import EXPONENTS, Money, total

# What a column of the database can hold.
MINORS = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
CURRENCIES = st.sampled_from(sorted(EXPONENTS))


@given(MINORS, CURRENCIES, st.integers(min_value=1, max_value=400))
def test_the_parts_of_a_split_sum_exactly_and_the_first_carries_the_remainder(
    minor: int, currency: str, parts: int
) -> None:
    first, *others = split = Money(minor, currency).split(parts)
    assert len(split) == parts
    assert total(split) == Money(minor, currency)
    assert len(set(others)) <= 1
    if others:
        assert first.minor - others[0].minor == minor % (parts * first.step)
        assert others[0].payable
        assert first.payable is Money(minor, currency).payable


@pytest.mark.parametrize(
    ("minor", "currency", "parts"),
    [
        (100_000, "KWD", [33_340, 33_330, 33_330]),
        (10_000, "MGA", [3400, 3300, 3300]),
        (10_000, "EUR", [3334, 3333, 3333]),
        (100, "UGX", [34, 33, 33]),
    ],
)
def test_a_part_has_no_last_digit_that_no_card_can_pay(minor: int, currency: str, parts: list[int]) -> None:
    assert [part.minor for part in Money(minor, currency).split(3)] == parts
    assert not Money(100_001, "KWD").payable
    assert Money(100_001, "EUR").payable


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=1, max_value=12))
def test_no_part_of_a_split_is_negative_where_the_whole_is_not(minor: int, parts: int) -> None:
    assert min(part.minor for part in Money(minor, "EUR").split(parts)) >= 0


@given(MINORS, st.integers(min_value=2, max_value=12))
def test_instalments_on_any_days_sum_to_what_was_agreed(minor: int, parts: int) -> None:
    agreed = Money(minor, "EUR")
    assert total(schedules.instalments(agreed, tuple(range(0, parts * 10, 10)))) == agreed


def test_a_split_into_no_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        Money(100, "EUR").split(0)


@given(MINORS, CURRENCIES)
def test_what_is_written_as_a_decimal_is_read_back_as_the_same_money(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    text = money.decimal()
    assert Money.parse(text, currency) == money
    assert len(text.partition(".")[2]) == EXPONENTS[currency]
    assert "e" not in text.lower()


@given(st.decimals(allow_nan=False, allow_infinity=False), CURRENCIES)
def test_a_decimal_is_read_exactly_or_not_at_all(value: Decimal, currency: str) -> None:
    text = f"{value:f}"
    try:
        read = Money.parse(text, currency)
    except ValueError:
        return
    assert Decimal(read.minor) == Decimal(text).scaleb(EXPONENTS[currency])


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("29.35", "EUR", 2935),
        ("1000", "EUR", 100000),
        ("42.000", "EUR", 4200),
        ("0.5", "EUR", 50),
        ("-1.20", "EUR", -120),
        ("1200", "JPY", 1200),
        ("1200.00", "JPY", 1200),
        ("1.234", "KWD", 1234),
        ("1.2", "KWD", 1200),
        ("1.2345", "CLF", 12345),
        ("850", "CLP", 850),
        ("119.99", "RSD", 11999),
        ("89500.00", "LBP", 8950000),
        ("100.10", "ALL", 10010),
        ("5000", "ISK", 5000),
        ("5000.00", "HUF", 500000),
        ("123456789012345678901234567890", "JPY", 123456789012345678901234567890),
    ],
)
def test_a_price_is_read_in_the_digits_of_its_currency(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("29.355", "EUR"),
        ("0.5", "JPY"),
        ("1.23456", "CLF"),
        ("1.2345", "KWD"),
        ("", "EUR"),
        ("-", "EUR"),
        ("--5", "EUR"),
        ("+5", "EUR"),
        ("5-", "EUR"),
        (".", "EUR"),
        ("1.2.3", "EUR"),
        ("1,20", "EUR"),
        ("1 000.00", "EUR"),
        ("1_000", "EUR"),
        (" 1", "EUR"),
        ("1\n", "EUR"),
        ("1e2", "EUR"),
        ("0x10", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("²", "EUR"),
        ("9" * 33, "EUR"),
        ("10.00", "XXX"),
        ("10.00", "eur"),
        ("10.00", ""),
    ],
)
def test_what_is_no_plain_price_is_refused_and_never_rounded(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Money.parse(text, currency)


@pytest.mark.parametrize("minor", [1.0, 33.34, True, "100", None, Decimal(1)])
def test_money_is_never_anything_but_a_whole_number(minor: Any) -> None:
    with pytest.raises(ValueError, match="whole minor units"):
        Money(minor, "EUR")


def test_two_currencies_never_mix() -> None:
    euros, francs = Money(100, "EUR"), Money(100, "CHF")
    for mix in (
        lambda: euros + francs,
        lambda: euros - francs,
        lambda: euros < francs,
        lambda: euros <= francs,
        lambda: euros > francs,
        lambda: euros >= francs,
        lambda: total([euros, euros, francs]),
    ):
        with pytest.raises(ValueError, match="never mix"):
            mix()
    assert euros != francs
    assert len({euros, francs, Money(100, "EUR")}) == 2


@pytest.mark.parametrize(
    "currency", ["RSD", "LBP", "ALL", "HUF", "IDR", "COP", "CRC", "AMD", "IRR", "PKR", "TWD"]
)
def test_currencies_that_others_show_without_decimals_are_charged_with_two(currency: str) -> None:
    assert EXPONENTS[currency] == 2


def test_every_currency_has_one_exponent_of_iso_4217() -> None:
    assert {code for code, exponent in EXPONENTS.items() if exponent == 0} >= {
        "JPY",
        "KRW",
        "CLP",
        "ISK",
        "XPF",
    }
    assert {code for code, exponent in EXPONENTS.items() if exponent == 3} == {
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND",
    }  # fmt: skip
    assert {code for code, exponent in EXPONENTS.items() if exponent == 4} == {"CLF", "UYW"}
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in EXPONENTS)


def test_money_leaves_as_minor_units_and_currency() -> None:
    assert Money(4333, "EUR").as_json() == {"amount": 4333, "currency": "EUR"}
