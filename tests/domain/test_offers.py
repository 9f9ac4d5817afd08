"""Who gets an offer, who does not and why, and what can still stop its mail."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from plugin_backend.domain import consent, customers, moves, offers
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer, Template
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money
from tests import plan_story, story
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.offer_story import (
    AN_HOUR,
    EMAIL,
    an_open_offer,
    forward,
    leave,
    sell,
    verdicts,
)


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    """A test shop that could keep what it offers."""
    return plan_story.add_paying_shop(house)


@pytest.mark.parametrize("granted", [True, False, None])
@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize("declined", [True, False])
def test_who_may_be_written_to(
    house: TestHouse,
    shop: Shop,
    mails: Letterbox,
    *,
    granted: bool | None,
    earlier: bool,
    stopped: bool,
    declined: bool,
) -> None:
    if earlier:
        sell(house, shop)
        house.travel(shop, minutes=1)
    if stopped:
        with house.of(shop) as session:
            consent.suppress(session, shop.id, EMAIL, "unsubscribed")
    leave(house, shop, granted=granted, declined=declined)
    house.rest(shop)
    if not declined:
        house.travel(shop, **AN_HOUR)

    why = "unsubscribed" if stopped else ""
    if not declined and not stopped:
        why = (
            "" if granted or (granted is None and earlier) else "consent_refused" if earlier else "no_consent"
        )
    assert verdicts(house, shop) == [("not_sent", why) if why else ("open", "")]
    assert len(mails.to(EMAIL)) == (0 if why else 1)


def test_the_last_word_about_reminders_counts_and_of_two_at_one_moment_the_refusal(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        now = clock.now()
        ana = customers.meet(session, shop.id, sdk.Person(email=EMAIL))
        assert ana is not None

        def say(hours: int, *, granted: bool) -> str:
            consent.record(
                session, shop.id, ana.id, sdk.Consent(granted, "s", at=now + timedelta(hours=hours)), now
            )
            return consent.why_not(session, shop.id, ana.id, EMAIL, bought_before=True)

        assert say(0, granted=True) == ""
        assert say(0, granted=False) == "consent_refused"
        assert say(-5, granted=True) == "consent_refused"
        assert say(1, granted=True) == ""
        assert say(1, granted=True) == ""


@pytest.mark.parametrize(
    ("total", "facts", "offered"),
    [
        (Money(2000, "EUR"), {}, True),
        (Money(1999, "EUR"), {}, False),
        (Money(500, "EUR"), {"smallest_offer": 500}, True),
        (Money(2, "EUR"), {"smallest_offer": 0}, True),
        (Money(3, "CHF"), {}, True),
        (Money(2, "CHF"), {}, False),
        (Money(0, "CHF"), {}, False),
    ],
)
def test_a_basket_below_the_shops_minimum_is_not_offered(
    house: TestHouse, mails: Letterbox, total: Money, facts: dict[str, Any], *, offered: bool
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT, **facts)
    leave(house, shop, total=total)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("open", "") if offered else ("not_sent", "below_minimum")]


@pytest.mark.parametrize(
    ("country", "facts", "verdict"),
    [
        ("FR", {}, ("open", "")),
        ("", {}, ("open", "")),
        ("", {"country": "BR"}, ("not_sent", "not_lawful: no_rule_for_country")),
        ("BR", {}, ("not_sent", "not_lawful: no_rule_for_country")),
        ("FR", {"country": "BR"}, ("open", "")),
        ("FR", {"company": "large"}, ("open", "")),
        ("GB", {"company": "large"}, ("open", "")),
    ],
)
def test_the_customers_country_decides_and_the_shops_where_it_is_not_known(
    house: TestHouse, mails: Letterbox, country: str, facts: dict[str, Any], verdict: tuple[str, str]
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT, **facts)
    leave(house, shop, country=country)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [verdict]
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert offer.country == (country or shop.country)
    assert offer.verdict["allowed"] is (verdict[0] == "open")


def test_a_template_that_is_longer_than_the_law_allows_is_offered_to_nobody(
    house: TestHouse, mails: Letterbox
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT, company="large")
    with house.of(shop) as session:
        session.scalars(select(Template)).one().days = [0, 25, 50]
    leave(house, shop, country="FR")
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "not_lawful: longer_than_14_days")]


@pytest.mark.parametrize(
    ("total", "verdict"),
    [
        (Money(100_000, "KWD"), ("open", "")),
        (Money(100_001, "KWD"), ("not_sent", "not_payable")),
        (Money(29, "KWD"), ("not_sent", "below_minimum")),
    ],
)
def test_an_amount_with_a_last_digit_that_no_card_can_pay_is_not_offered(
    house: TestHouse, mails: Letterbox, total: Money, verdict: tuple[str, str]
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT)
    leave(house, shop, total=total)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [verdict]


def test_an_offer_stands_no_longer_when_its_basket_comes_to_what_no_card_can_pay(
    house: TestHouse, mails: Letterbox
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT)
    for key in ("order:19", "order:20"):
        leave(house, shop, key=key, email=f"{key[-2:]}@example.test", total=Money(100_000, "KWD"))
    house.travel(shop, **AN_HOUR)
    leave(house, shop, key="order:19", email="19@example.test", total=Money(100_001, "KWD"))
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        (offer,) = session.scalars(select(Offer).where(Offer.state == "open"))
        moves.move(session, offer, "accepting")
        offer.amount += 1
        offers.reopen(session, offer, "basket_changed")
    assert verdicts(house, shop) == [("withdrawn", "not_payable")] * 2


def test_nobody_is_offered_anything_twice_within_the_shops_pause(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    with house.of(shop) as session:
        session.execute(update(Template).values(open_days=1))
    leave(house, shop, key="order:1")
    house.travel(shop, hours=26)
    leave(house, shop, key="order:2")
    house.travel(shop, **AN_HOUR)
    leave(house, shop, key="order:3", declined=True)
    house.rest(shop)
    house.travel(shop, hours=72)
    leave(house, shop, key="order:4")
    house.travel(shop, **AN_HOUR)

    assert verdicts(house, shop) == [
        ("expired", ""),
        ("not_sent", "mailed_lately"),
        ("expired", ""),
        ("open", ""),
    ]
    assert len(mails.to(EMAIL)) == 3


def test_a_shop_that_only_watches_writes_to_nobody(house: TestHouse, mails: Letterbox) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT)
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state="watch_only"))
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "watch_only")]
    assert mails.to(EMAIL) == []


@pytest.mark.parametrize("email", ["", "no address", "a@b", "ana@example.test\nBcc: x@y.test"])
def test_a_basket_without_an_address_is_kept_back(house: TestHouse, shop: Shop, email: str) -> None:
    leave(house, shop, email=email)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "no_email")]


def test_a_basket_without_a_total_is_not_offered(house: TestHouse, shop: Shop) -> None:
    leave(house, shop, total=None)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == []


def test_a_basket_that_is_free_by_now_takes_its_offer_back(house: TestHouse, shop: Shop) -> None:
    offer = an_open_offer(house, shop)
    path = story.link(house, shop, "o", offer.id)
    leave(house, shop, total=Money(0, "EUR"))
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("withdrawn", "nothing left to pay")]
    assert house.client().get(path).status_code == 410


@pytest.mark.parametrize("total", [Money(7000, "EUR"), Money(10000, "SEK")])
def test_a_basket_that_changed_keeps_its_offer_at_the_new_amount_and_no_second_mail_goes_out(
    house: TestHouse, shop: Shop, mails: Letterbox, total: Money
) -> None:
    path = story.link(house, shop, "o", an_open_offer(house, shop).id)
    shown = story.terms_on(house.client().get(path).text)
    leave(house, shop, total=total)
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        assert session.scalars(select(Offer)).one().total == total
        assert session.scalars(select(Cart)).one().state == "offered"
    assert len(mails.to(EMAIL)) == 1
    terms = {"terms": shown, "country": "FR", "mandate": "yes"}
    assert house.client().post(f"{path}/accept", data=terms).status_code == 409


def test_who_bought_something_else_meanwhile_is_left_in_peace(house: TestHouse, shop: Shop) -> None:
    leave(house, shop)
    house.travel(shop, minutes=10)
    sell(house, shop, "order:7")
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "bought_meanwhile")]


def test_an_offer_ends_on_its_day_and_cannot_be_accepted_afterwards(house: TestHouse, shop: Shop) -> None:
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    path = story.link(house, shop, "o", offer.id)
    terms = story.terms_on(house.client().get(path).text)
    forward(house, shop, days=7)

    form = {"terms": terms, "country": "FR", "mandate": "yes"}
    assert house.client().get(path).status_code == 410
    assert house.client().post(f"{path}/accept", data=form).status_code == 410
    house.rest(shop)
    assert verdicts(house, shop) == [("expired", "")]
    with house.of(shop) as session:
        assert session.scalars(select(Cart)).one().state == "abandoned"
    house.travel(shop, days=30)
    assert verdicts(house, shop) == [("expired", "")]
    assert house.client().get(path).status_code == 410
