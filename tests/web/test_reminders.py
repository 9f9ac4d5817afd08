"""An address that was typed into a public page is asked once whether it wants to be reminded, and nothing else happens to
it unless it says yes."""

import re

import pytest
from sqlalchemy import func, select

from plugin_backend.domain import consent, customers
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.consent import ConsentRecord
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.optins import OptIn
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.web.fronts import Limiter
from tests import storefront_story as story
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.storefront_story import EMAIL, told

AN_HOUR = {"hours": 1, "minutes": 1}


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    return story.add_shop(house, name="Boutique Luna")


def want(house: TestHouse, shop: Shop, email: str = EMAIL, *, name: str = "k-7") -> int:
    """The page says that the shopper of an address-less basket wants to be reminded; the status it was answered with."""
    # What one process counts by the minute is not what is asked here.
    house.web.extensions["storefront"].limiter = Limiter()
    basket = told("cart.updated", story.cart(house, shop, name, email=""))
    message = story.signed(basket, name=f"{name}-{house.now(shop).timestamp()}")
    answer = story.post(house, shop, "reminders", {"message": message, "email": email, "lang": "en"})
    house.rest(shop)
    assert answer.json == ({} if answer.status_code == 202 else answer.json)
    return answer.status_code


def link_in(mails: Letterbox, email: str = EMAIL) -> str:
    text = mails.to(email)[-1].get_body(("plain",)).get_content()
    found = re.search(r"/c/[a-z2-7]{32}", text)
    assert found, text
    return found[0]


def test_an_address_that_says_yes_is_reminded_of_its_basket(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    assert want(house, shop) == 202
    link = link_in(mails)
    asked = house.client().get(link)
    assert asked.status_code == 200
    assert "Yes, remind me" in asked.text or "Oui, m’envoyer" in asked.text

    assert house.client().post(link, data={"answer": "yes"}).status_code == 200
    house.rest(shop)
    house.travel(shop, **AN_HOUR)

    with house.of(shop) as session:
        word = session.scalars(select(ConsentRecord)).one()
        assert (word.granted, word.source, word.text_version) == (True, "double_opt_in", "1")
        assert session.scalars(select(Cart)).one().customer_id == word.customer_id
    assert story.verdicts(house, shop) == [("open", "")]
    assert len(mails.to(EMAIL)) == 2


def test_looking_says_nothing(house: TestHouse, shop: Shop, mails: Letterbox) -> None:
    want(house, shop)
    for _ in range(3):
        house.client().get(link_in(mails))
        house.client().head(link_in(mails))
    house.travel(shop, **AN_HOUR)

    with house.of(shop) as session:
        assert session.scalars(select(func.count()).select_from(ConsentRecord)).one() == 0
    assert len(mails.to(EMAIL)) == 1


def test_an_address_that_says_no_is_never_written_to_again(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    want(house, shop)
    assert house.client().post(link_in(mails), data={"answer": "no"}).status_code == 200
    house.travel(shop, days=2)
    assert want(house, shop) == 202
    house.travel(shop, days=2)

    assert len(mails.to(EMAIL)) == 1


def test_an_answer_from_another_site_counts_for_nothing(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    want(house, shop)
    answer = house.client().post(
        link_in(mails), data={"answer": "yes"}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 404
    with house.of(shop) as session:
        assert session.scalars(select(OptIn.state)).one() == "asked"


def test_an_address_is_asked_once_a_day_and_three_times_a_month(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    for day in range(20):
        assert want(house, shop, name=f"k-{day}") == 202
        assert want(house, shop, name=f"m-{day}") == 202
        house.travel(shop, days=1, minutes=1)

    assert len(mails.to(EMAIL)) == 3


def test_one_visitor_has_at_most_five_addresses_asked_in_a_day(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    for number in range(8):
        assert want(house, shop, f"a{number}@example.test", name=f"k-{number}") == 202

    assert len(mails.messages) == 5


def test_who_has_spoken_already_is_not_asked(house: TestHouse, shop: Shop, mails: Letterbox) -> None:
    with house.of(shop) as session:
        ana = customers.meet(session, shop.id, sdk.Person(email=EMAIL, locale="fr", name="Ana"))
        assert ana is not None
        consent.record(session, shop.id, ana.id, sdk.Consent(granted=False, source="s"), clock.now())

    assert want(house, shop) == 202
    assert mails.to(EMAIL) == []


def test_of_a_customer_who_is_known_a_public_page_teaches_nothing(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    with house.of(shop) as session:
        customers.meet(session, shop.id, sdk.Person(email=EMAIL, locale="fr", name="Ana", country="FR"))
    want(house, shop)
    with house.of(shop) as session:
        ana = session.scalars(select(Customer)).one()
        assert (ana.name, ana.locale, ana.country) == ("Ana", "fr", "FR")


def test_an_address_that_never_answers_is_forgotten(house: TestHouse, shop: Shop, mails: Letterbox) -> None:
    want(house, shop)
    link = link_in(mails)
    house.travel(shop, days=8)

    with house.of(shop) as session:
        assert session.scalars(select(Customer.email)).one() == ""
        assert session.scalars(select(OptIn.state)).one() == "expired"
    assert house.client().post(link, data={"answer": "yes"}).status_code == 404
    assert EMAIL not in house.client().get(link).text


def test_an_address_that_is_known_for_something_else_stays(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    basket = told("cart.updated", story.cart(house, shop, "other"))
    assert house.standard(shop, basket, delivery="o") == 200
    house.rest(shop)
    want(house, shop)
    house.travel(shop, days=8)

    with house.of(shop) as session:
        assert session.scalars(select(Customer.email)).one() == EMAIL


@pytest.mark.parametrize("email", ["", "ana", "ana@", "a b@example.test", 5, None])
def test_what_is_no_address_is_told_so(house: TestHouse, shop: Shop, email: object) -> None:
    message = story.signed(told("cart.updated", story.cart(house, shop, email="")))
    answer = story.post(house, shop, "reminders", {"message": message, "email": email})

    assert answer.status_code == 400


def test_an_offer_that_the_page_shows_is_mailed_once_its_address_agreed(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop, email="")))
    want(house, shop)
    house.client().post(link_in(mails), data={"answer": "yes"})
    house.travel(shop, hours=2)

    assert story.verdicts(house, shop) == [("open", "")]
    assert offer["url"] in mails.to(EMAIL)[-1].get_body(("plain",)).get_content()
