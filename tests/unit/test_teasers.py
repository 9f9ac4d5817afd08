"""What a shop's page says of a plan."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from plugin_backend.core.render import teaser
from plugin_backend.core.views import Part
from plugin_backend.sdk.money import Money
from tests.unit import sample_views as sample


def said(view: object, language: str) -> tuple[str, str, str]:
    made = teaser(view, language, "Europe/Paris")  # type: ignore[arg-type]
    return tuple(re.sub(r"[\u00a0\u202f]", " ", text) for text in (made.title, made.words, made.button))  # type: ignore[return-value]


def parts(*amounts: int) -> tuple[Part, ...]:
    return tuple(
        Part(number, Money(amount, "EUR"), sample.AT + timedelta(days=25 * (number - 1)), today=number == 1)
        for number, amount in enumerate(amounts, 1)
    )


def test_equal_payments_are_counted() -> None:
    assert said(sample.OFFER, "fr") == (
        "Payer en 3 fois",
        "33,34 € aujourd’hui, puis 2 × 33,33 € ; total 100,00 €",
        "Voir les paiements",
    )
    assert said(sample.OFFER, "en")[1] == "€33.34 today, then 2 × €33.33; total €100.00"


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        ((5000, 5001), "€50.00 today, then 1 × €50.01; total €100.00"),
        ((10000,), "€100.00 today; total €100.00"),
        (
            (2000, 3000, 5000),
            "€20.00 today, then €30.00 on December 17, 2026 and €50.00 on January 11, 2027; total €100.00",
        ),
    ],
)
def test_other_payments_are_named(amounts: tuple[int, ...], words: str) -> None:
    assert said(replace(sample.OFFER, parts=parts(*amounts)), "en")[1] == words


def test_a_subscription_says_how_often_it_is_paid() -> None:
    title, words, _ = said(sample.SUBSCRIPTION, "en")

    assert title == "Pay by subscription"
    assert words == "€100.00 today, then €100.00 every month."


def test_the_page_is_not_ours_so_that_nothing_is_html() -> None:
    assert "<" not in "".join(said(sample.OFFER, "fr"))
