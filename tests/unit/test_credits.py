"""What a credit on a plan comes to, as tables, and what holds for every one, in every currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.domain.credits import Capture, Credit, Impossible, Line, Wish, credit
from plugin_backend.sdk.money import EXPONENTS, Money

AMOUNTS = st.integers(0, 10**9)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def plan(*amounts: int, asked: int = 0, currency: str = "EUR") -> tuple[Line, ...]:
    """A plan whose first ``asked`` payments were asked for."""
    return tuple(
        Line(f"col_{number}", number, Money(amount, currency), untouched=number > asked)
        for number, amount in enumerate(amounts, 1)
    )


def after(made: Credit) -> list[int]:
    return [step.after.minor for step in made.steps]


# 100.00 in three, the first paid. What is credited, from where first, how; then: the schedule, and what goes back.
TABLE = [
    (2000, "schedule", "end", [3334, 3333, 1333], 0),
    (2000, "schedule", "spread", [3334, 2333, 2333], 0),
    (2001, "schedule", "spread", [3334, 2333, 2332], 0),
    (3333, "schedule", "end", [3334, 3333, 0], 0),
    (4000, "schedule", "end", [3334, 2666, 0], 0),
    (6666, "schedule", "spread", [3334, 0, 0], 0),
    (6667, "schedule", "end", [3334, 0, 0], 1),
    (10000, "schedule", "spread", [3334, 0, 0], 3334),
    (2000, "card", "end", [3334, 3333, 3333], 2000),
    (5000, "card", "end", [3334, 3333, 1667], 3334),
    (5000, "card", "spread", [3334, 2500, 2500], 3334),
    (10000, "card", "end", [3334, 0, 0], 3334),
]


@pytest.mark.parametrize(("amount", "first", "rest", "schedule", "back"), TABLE)
def test_what_is_to_come_is_lowered_first_and_the_card_gets_what_exceeds_it(
    amount: int, first: str, rest: str, schedule: list[int], back: int
) -> None:
    made = credit(
        Wish(eur(amount), first, rest), plan(3334, 3333, 3333, asked=1), (Capture("a1", eur(3334)),)
    )  # type: ignore[arg-type]

    assert after(made) == schedule
    assert (made.given_back, made.taken_off) == (eur(back), eur(amount - back))


def test_spreading_makes_nobody_pay_more_where_the_payments_differ() -> None:
    made = credit(Wish(eur(3000), rest="spread"), plan(500, 4000, 2000), ())

    assert after(made) == [0, 2750, 750]


def test_captures_are_given_back_in_the_order_in_which_they_stand() -> None:
    captures = (Capture("late", eur(300)), Capture("given back", eur(0)), Capture("early", eur(500)))
    made = credit(Wish(eur(400), first="card"), (), captures)

    assert made.refunds == (Capture("late", eur(300)), Capture("early", eur(100)))


@pytest.mark.parametrize(("amount", "reason"), [(0, "nothing"), (-1, "nothing"), (10001, "too_much")])
def test_nothing_and_too_much_cannot_be_credited(amount: int, reason: str) -> None:
    with pytest.raises(Impossible) as refused:
        credit(Wish(eur(amount)), plan(3334, 3333, 3333, asked=1), (Capture("a1", eur(3334)),))

    assert (refused.value.reason, refused.value.most) == (reason, eur(10000))


def test_what_no_card_can_be_given_back_is_not_credited() -> None:
    lines = (Line("col_1", 1, Money(33_340, "KWD"), untouched=True),)
    with pytest.raises(Impossible) as refused:
        credit(Wish(Money(5, "KWD")), lines, ())

    assert refused.value.reason == "not_payable"


def test_two_currencies_never_mix() -> None:
    with pytest.raises(ValueError, match="never mix"):
        credit(Wish(Money(100, "JPY")), plan(3334), ())


def test_what_was_shown_is_known_by_its_fingerprint() -> None:
    lines, captures = plan(3334, 3333, 3333, asked=1), (Capture("a1", eur(3334)),)
    shown = credit(Wish(eur(2000)), lines, captures).fingerprint("pln_1", 1)
    others = {
        credit(Wish(eur(2000), rest="spread"), lines, captures).fingerprint("pln_1", 1),
        credit(Wish(eur(2001)), lines, captures).fingerprint("pln_1", 1),
        credit(Wish(eur(2000)), plan(3334, 3333, 3333, asked=3), captures).fingerprint("pln_1", 1),
        credit(Wish(eur(2000)), lines, captures).fingerprint("pln_1", 2),
        credit(Wish(eur(2000)), lines, captures).fingerprint("pln_2", 1),
    }

    assert credit(Wish(eur(2000)), lines, captures).fingerprint("pln_1", 1) == shown
    assert shown not in others
    assert len(others) == 5


@st.composite
def credits(draw: st.DrawFn) -> tuple[Credit, tuple[Line, ...], tuple[Capture, ...]]:
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    step = Money(0, currency).step
    lines = tuple(
        Line(f"col_{number}", number, Money(draw(AMOUNTS) * step, currency), draw(st.booleans()))
        for number in range(1, draw(st.integers(1, 13)))
    )
    captures = tuple(
        Capture(f"att_{number}", Money(draw(AMOUNTS) * step, currency))
        for number in range(draw(st.integers(0, 4)))
    )
    most = sum(line.amount.minor for line in lines if line.untouched) + sum(c.left.minor for c in captures)
    amount = Money(draw(st.integers(1, max(most // step, 1))) * step, currency)
    wish = Wish(amount, draw(st.sampled_from(["schedule", "card"])), draw(st.sampled_from(["end", "spread"])))
    if most == 0:
        lines = (*lines, Line("col_last", 99, amount, untouched=True))
    return credit(wish, lines, captures), lines, captures


@given(credits())
def test_every_minor_unit_of_a_credit_is_accounted_for(
    drawn: tuple[Credit, tuple[Line, ...], tuple[Capture, ...]],
) -> None:
    made, lines, captures = drawn
    left = {capture.attempt: capture.left for capture in captures}

    assert made.taken_off + made.given_back == made.wish.amount
    assert sum(step.before.minor - step.after.minor for step in made.steps) == made.taken_off.minor
    assert sum(refund.left.minor for refund in made.refunds) == made.given_back.minor
    assert all(0 < refund.left.minor <= left[refund.attempt].minor for refund in made.refunds)
    assert all(0 <= step.after.minor <= step.before.minor for step in made.steps)
    assert [step.before for step in made.steps] == [line.amount for line in lines]
    assert all(step.after.payable for step in made.steps)
    assert all(refund.left.payable for refund in made.refunds)
    assert all(
        step.after == step.before for step, line in zip(made.steps, lines, strict=True) if not line.untouched
    )


@given(credits())
def test_the_card_gets_nothing_while_the_customer_still_owes_unless_it_comes_first(
    drawn: tuple[Credit, tuple[Line, ...], tuple[Capture, ...]],
) -> None:
    made, lines, captures = drawn
    still_owed = any(step.after.minor for step, line in zip(made.steps, lines, strict=True) if line.untouched)
    all_back = made.given_back.minor == sum(capture.left.minor for capture in captures)

    if made.wish.first == "schedule":
        assert not (made.given_back.minor and still_owed)
    else:
        assert made.taken_off.minor == 0 or all_back


@given(credits())
def test_the_schedule_is_lowered_from_the_end_or_evenly(
    drawn: tuple[Credit, tuple[Line, ...], tuple[Capture, ...]],
) -> None:
    made, lines, _ = drawn
    steps = [s for s, line in zip(made.steps, lines, strict=True) if line.untouched and s.before.minor]
    if made.wish.rest == "end":
        changed = [step for step in steps if step.after != step.before]
        assert changed == steps[len(steps) - len(changed) :]
        assert all(step.after.minor == 0 for step in changed[1:])
    else:
        lost = [step.before.minor - step.after.minor for step in steps if step.after.minor]
        assert not lost or max(lost) - min(lost) <= made.wish.amount.step
        gone = [step.before.minor for step in steps if not step.after.minor]
        assert not (lost and gone) or max(gone) <= min(lost) + made.wish.amount.step
