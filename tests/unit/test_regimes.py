"""The law as a table: country, size of the seller, kind, and days, against what may be offered."""

from typing import Literal

import pytest

from plugin_backend.domain import offers, regimes
from plugin_backend.domain.regimes import EU, PlanTerms

Size = Literal["small", "large"]
TWELVE_MONTHS = (0, 30, 61, 91, 122, 152, 183, 213, 244, 274, 305, 335)

# country, size of the seller, days, allowed
CASES: list[tuple[str, Size, tuple[int, ...], bool]] = [
    *((country, "small", (0, 25, 50), True) for country in sorted(EU)),
    *((country, "large", (0, 25, 50), False) for country in sorted(EU)),
    ("FR", "small", (0,), True),
    ("FR", "small", (50,), True),
    ("FR", "small", (51,), False),
    ("FR", "small", (0, 51), False),
    ("FR", "small", (0, 30, 60), False),
    ("FR", "small", (0, 16, 33, 50), True),
    ("FR", "small", TWELVE_MONTHS, False),
    ("FR", "large", (0,), True),
    ("FR", "large", (14,), True),
    ("FR", "large", (15,), False),
    ("FR", "large", (0, 7, 14), True),
    ("FR", "large", (0, 7, 15), False),
    ("DE", "small", (0, 49), True),
    ("DE", "small", (0, 60), False),
    ("GB", "small", (0, 25, 50), True),
    ("GB", "large", (0, 25, 50), True),
    ("GB", "small", (0, 30, 60, 90), True),
    ("GB", "small", TWELVE_MONTHS, True),
    ("GB", "small", (*TWELVE_MONTHS, 360), False),
    ("GB", "small", (0, 365), True),
    ("GB", "small", (0, 366), False),
    ("GB", "small", (0,), True),
    ("US", "small", (0, 14, 28, 42), True),
    ("US", "large", (0, 30, 60, 90), True),
    ("US", "small", (0, 14, 28, 42, 56), False),
    ("US", "small", (0,), True),
    ("CH", "small", (0, 25, 50), False),
    ("CH", "small", (0,), True),
    ("BR", "small", (0, 30), False),
    ("AU", "large", (0, 14, 28, 42), False),
    ("CA", "small", (0, 30), False),
    ("JP", "small", (0, 30), False),
    ("XX", "small", (0, 30), False),
    ("", "small", (0, 30), False),
    ("fr", "small", (0, 30), False),
    ("UK", "small", (0, 30), False),
    ("EL", "small", (0, 30), False),
]


@pytest.mark.parametrize(("country", "size", "days", "allowed"), CASES)
def test_instalments_are_judged_by_the_customers_country(
    country: str, size: Size, days: tuple[int, ...], *, allowed: bool
) -> None:
    verdict = regimes.judge(country, company=size, terms=PlanTerms("instalments", days))
    assert verdict.allowed is allowed
    assert verdict.reason
    assert verdict.reason.replace("_", "").isalnum()


def test_the_table_is_as_long_as_it_claims() -> None:
    assert len(CASES) == len(set(CASES)) >= 80
    assert len(EU) == 30


@pytest.mark.parametrize("country", ["FR", "GB", "US", "BR", ""])
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_subscription_is_no_credit_anywhere(country: str, size: Size) -> None:
    assert regimes.judge(country, company=size, terms=PlanTerms("subscription", (0,))).allowed


@pytest.mark.parametrize("country", ["FR", "GB", "US", "BR"])
@pytest.mark.parametrize("days", [(0,), (0, 10)])
def test_a_fee_makes_credit_of_it_everywhere(country: str, days: tuple[int, ...]) -> None:
    verdict = regimes.judge(country, company="small", terms=PlanTerms("instalments", days, free=False))
    assert (verdict.allowed, verdict.reason) == (False, "fees_make_it_credit")


def test_the_template_of_a_new_shop_is_lawful_for_a_small_shop_in_all_of_the_union() -> None:
    terms = PlanTerms("instalments", offers.DEFAULT_DAYS)
    assert all(regimes.judge(country, company="small", terms=terms).allowed for country in EU)


def test_every_rule_that_allows_credit_names_its_source() -> None:
    for country, size, days, allowed in CASES:
        verdict = regimes.judge(country, company=size, terms=PlanTerms("instalments", days))
        assert bool(verdict.source) is (verdict.reason not in ("no_rule_for_country", "paid_at_once")), (
            allowed
        )


def test_what_is_due_latest_counts_in_whatever_order_the_days_are_given() -> None:
    """A plan's days are a set of dates; a template that lists them unsorted must not slip past the longest one."""
    for country, days in (("FR", (0, 60, 25)), ("GB", (0, 400, 30))):
        assert not regimes.judge(country, company="small", terms=PlanTerms("instalments", days)).allowed


def test_a_plan_without_a_date_is_refused() -> None:
    for country in ("FR", "GB", "US"):
        assert not regimes.judge(country, company="small", terms=PlanTerms("instalments", ())).allowed
