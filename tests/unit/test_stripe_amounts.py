"""Amounts as Stripe counts them: no factor of ten, a hundred or a thousand is ever wrong, and what it does not take is refused
before it is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.gateways.stripe.amounts import NotTaken, from_stripe, takes, to_stripe
from plugin_backend.sdk.money import EXPONENTS, Money

TAKEN = sorted(code for code in EXPONENTS if takes(code))


@pytest.mark.parametrize(
    ("minor", "currency", "units"),
    [
        (3334, "EUR", 3334),
        (500, "JPY", 500),
        (5120, "KWD", 5120),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (10_000, "MGA", 100),
        (999, "HUF", 999),
        (80_045, "TWD", 80_045),
    ],
)
def test_an_amount_is_told_in_stripes_units_and_read_back(minor: int, currency: str, units: int) -> None:
    assert to_stripe(Money(minor, currency)) == units
    assert from_stripe(units, currency.lower()) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "why"),
    [
        (5124, "KWD", "two decimals only"),
        (150, "MGA", "in whole units"),
        (10_000, "CLF", "does not take CLF"),
    ],
)
def test_an_amount_that_stripe_has_not_is_refused_with_the_reason(
    minor: int, currency: str, why: str
) -> None:
    with pytest.raises(NotTaken, match=why):
        to_stripe(Money(minor, currency))


@given(st.sampled_from(TAKEN), st.integers(0, 10**9))
def test_whatever_is_told_is_read_back_as_it_was(currency: str, minor: int) -> None:
    money = Money(minor, currency)
    try:
        units = to_stripe(money)
    except NotTaken:
        return
    assert from_stripe(units, currency.lower()) == money


@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_half_a_krona_is_no_amount(currency: str) -> None:
    with pytest.raises(ValueError):
        from_stripe(150, currency)


@given(st.sampled_from(TAKEN), st.integers(0, 10**9), st.integers(1, 24))
def test_whatever_is_offered_in_parts_is_taken_in_parts(currency: str, steps: int, parts: int) -> None:
    whole = Money(steps * Money(0, currency).step, currency)
    for part in whole.split(parts):
        assert from_stripe(to_stripe(part), currency) == part
