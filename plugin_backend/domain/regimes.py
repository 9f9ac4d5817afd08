"""The law, as one pure function: which plan may be offered to whom. Sources stand beside the rules.

A shop may be stricter than its regime, never looser. Whatever no row allows is blocked.
"""

from dataclasses import dataclass
from typing import Literal

# Member states of the European Union, where Directive (EU) 2023/2225 applies from 20 November 2026; with the EEA
# states that take it over (Iceland, Liechtenstein, Norway).
EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO".split()
)
VERSION = "2026-11-20"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``allowed`` or not; ``reason`` is a stable word, ``source`` the rule's origin."""

    allowed: bool
    reason: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What is to be judged: ``days`` are the due dates counted from acceptance, in days; ``free`` is true where
    neither interest nor a fee is asked."""

    kind: Literal["instalments", "subscription"]
    days: tuple[int, ...]
    free: bool = True


def judge(country: str, *, company: Literal["small", "large"], terms: PlanTerms) -> Verdict:
    """May a seller of this size offer these terms, at a distance, to a consumer who lives in ``country``?

    The consumer's country decides, not the shop's. Supply is taken to be the day of acceptance, which is the
    strictest reading: delivery can only be later.
    """
    if terms.kind == "subscription":
        # Goods or services supplied and paid period by period are no credit: Directive (EU) 2023/2225, art. 3.
        return Verdict(True, "continuing_supply", "Directive (EU) 2023/2225 art. 3")
    if not terms.free:
        return Verdict(False, "fees_make_it_credit", "Directive (EU) 2023/2225 art. 2(2)")
    if not terms.days:
        return Verdict(False, "no_dates")
    if terms.days == (0,):
        return Verdict(True, "paid_at_once")
    most = longest(country, company=company)
    if most is not None:
        return _european(most, terms)
    if country == "GB":
        good = len(terms.days) <= 12 and max(terms.days) <= 365
        return Verdict(
            good, "own_plan_12_in_12_months", "Financial Services and Markets Act RAO art. 60F, PS26/1"
        )
    if country == "US":
        return Verdict(len(terms.days) <= 4, "at_most_four_instalments", "Regulation Z, 12 CFR 1026.2(a)(17)")
    return Verdict(False, "no_rule_for_country")


def longest(country: str, *, company: Literal["small", "large"]) -> int | None:
    """How many days after the supply the last payment may fall due; None where the law does not count from there.

    The seller's own deferral, free of charge: within 50 days of supply, 14 for a large company that sells at a distance:
    Directive (EU) 2023/2225 art. 2(2)(h); Code de la consommation L. 312-4 4°.
    """
    if country not in EU:
        return None
    return 14 if company == "large" else 50


def _european(most: int, terms: PlanTerms) -> Verdict:
    source = "Directive (EU) 2023/2225 art. 2(2)(h)"
    if max(terms.days) > most:
        return Verdict(False, f"longer_than_{most}_days", source)
    return Verdict(True, f"own_deferral_{most}_days", source)
