"""One shopper has one open basket and one open offer, whatever he is called on the way and however many devices he uses."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import carts, offers, setups
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.inquiries import Inquiry
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.setups import Setup
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money
from tests import storefront_story as story
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.storefront_story import EMAIL, failed, told


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    return story.add_shop(house)


def baskets(house: TestHouse, shop: Shop) -> dict[str, tuple[str, str]]:
    """Where each basket that goes by a name of the shop's stands, and why."""
    with house.of(shop) as session:
        rows = session.scalars(select(Cart).where(Cart.shop_id == shop.id))
        return {row.key: (row.state, row.reason) for row in rows if row.keys}


def send(house: TestHouse, shop: Shop, body: dict[str, Any], delivery: str) -> None:
    assert house.standard(shop, body, delivery=delivery) == 200
    house.rest(shop)


def test_a_guest_who_signs_in_has_one_basket(house: TestHouse, shop: Shop) -> None:
    guest = story.cart(house, shop, "guest-1", email="")
    send(house, shop, told("cart.updated", guest), "1")
    house.travel(shop, minutes=1)
    his = story.cart(house, shop, "user-7", aliases=["guest-1"], amount_minor=12000)
    send(house, shop, told("cart.updated", his), "2")

    (stands,) = baskets(house, shop).values()
    assert stands == ("active", "")
    with house.of(shop) as session:
        row = session.scalars(select(Cart).where(Cart.state == "active")).one()
        assert (row.amount, sorted(row.keys)) == (12000, ["cart:guest-1", "cart:user-7"])


def test_what_the_shop_still_calls_the_guests_is_the_same_basket(house: TestHouse, shop: Shop) -> None:
    send(house, shop, told("cart.updated", story.cart(house, shop, "user-7", aliases=["guest-1"])), "1")
    house.travel(shop, minutes=1)
    send(house, shop, told("cart.deleted", {"id": "guest-1", "deleted_at": house.now(shop).isoformat()}), "2")

    assert list(baskets(house, shop).values()) == [("lost", "removed")]


def test_the_basket_that_was_touched_last_is_the_shoppers_one(house: TestHouse, shop: Shop) -> None:
    send(house, shop, told("cart.updated", story.cart(house, shop, "phone")), "1")
    house.travel(shop, minutes=1)
    send(house, shop, told("cart.updated", story.cart(house, shop, "laptop")), "2")
    assert {name: state for name, (state, _) in baskets(house, shop).items()} == {
        "cart:phone": "lost",
        "cart:laptop": "active",
    }

    house.travel(shop, minutes=1)
    send(house, shop, told("cart.updated", story.cart(house, shop, "phone", amount_minor=7000)), "3")
    assert {name: state for name, (state, _) in baskets(house, shop).items()} == {
        "cart:phone": "active",
        "cart:laptop": "lost",
    }


def test_baskets_of_different_shoppers_and_of_nobody_are_left_alone(house: TestHouse, shop: Shop) -> None:
    for number, email in enumerate(("ana@example.test", "bob@example.test", "", "")):
        send(
            house,
            shop,
            told("cart.updated", story.cart(house, shop, f"k-{number}", email=email)),
            f"{number}",
        )

    assert {state for state, _ in baskets(house, shop).values()} == {"active"}


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_which_basket_stands_does_not_depend_on_what_came_first(
    house: TestHouse, shop: Shop, order: tuple[int, ...]
) -> None:
    at = house.now(shop) - timedelta(minutes=30)

    def state(key: str, minutes: int, email: str = EMAIL) -> sdk.CartChanged:
        person = sdk.Person(email=email)
        moment = at + timedelta(minutes=minutes)
        return sdk.CartChanged(key, Money(10000, "EUR"), moment, (sdk.Line("Lamp"),), person)

    events = [
        state("cart:a", 1),
        state("cart:b", 2),
        state("cart:a", 3),
        state("cart:c", 2, "bob@example.test"),
    ]
    with house.of(shop) as session:
        for number in order:
            carts.cart_changed(session, shop, events[number], clock.now())

    found = {name: state for name, (state, _) in baskets(house, shop).items()}
    assert found == {"cart:a": "active", "cart:b": "lost", "cart:c": "active"}


def test_a_basket_that_an_offer_stands_for_keeps_it_until_its_shopper_asks_for_another(
    house: TestHouse, shop: Shop
) -> None:
    first = story.offered(house, shop, told("cart.updated", story.cart(house, shop, "phone")))
    house.travel(shop, minutes=1)
    send(house, shop, told("cart.updated", story.cart(house, shop, "laptop")), "2")
    assert {name: state for name, (state, _) in baskets(house, shop).items()} == {
        "cart:phone": "offered",
        "cart:laptop": "active",
    }

    second = story.offered(house, shop, told("cart.updated", story.cart(house, shop, "laptop")), name="msg_3")
    assert first["url"] != second["url"]
    assert sorted(story.verdicts(house, shop)) == [("open", ""), ("withdrawn", "replaced")]


def test_an_offer_that_is_being_accepted_does_not_give_way(house: TestHouse, shop: Shop) -> None:
    first = story.offered(house, shop, told("cart.updated", story.cart(house, shop, "phone")))
    accept(house, first)
    body = told("cart.updated", story.cart(house, shop, "laptop"))

    assert story.outcome(house, shop, story.ask(house, shop, body, name="msg_3"))["state"] == "none"
    assert ("not_sent", "another_offer_open") in story.verdicts(house, shop)


def test_a_basket_whose_moment_comes_while_another_offer_is_being_accepted_is_not_offered(
    house: TestHouse, shop: Shop
) -> None:
    first = story.offered(house, shop, told("cart.updated", story.cart(house, shop, "phone")))
    accept(house, first)
    send(house, shop, told("cart.updated", story.cart(house, shop, "laptop")), "2")
    house.travel(shop, hours=2)
    assert ("not_sent", "another_offer_open") in story.verdicts(house, shop)


def accept(house: TestHouse, offer: dict[str, Any], **form: str) -> int:
    """Accept an offer on its page; the status of the answer."""
    from_base = offer["url"].removeprefix(house.settings.base_url)
    page = house.client().get(from_base).text
    shown = page.partition('name="terms" value="')[2][:32]
    sent = {"terms": shown, "country": "FR", "mandate": "yes", **form}
    return house.client().post(f"{from_base}/accept", data=sent).status_code


# A basket without an address.


def test_a_basket_without_an_address_is_counted_and_shown_and_not_mailed(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    send(house, shop, told("cart.updated", story.cart(house, shop, email="")), "1")
    house.travel(shop, hours=2)

    assert story.verdicts(house, shop) == [("not_sent", "no_email")]
    assert mails.messages == []


def test_a_basket_without_an_address_is_offered_in_the_page_and_the_address_asked_for_with_it(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    offer = story.offered(house, shop, failed(story.cart(house, shop, email="")), declined=True)
    page = house.client().get(offer["url"].removeprefix(house.settings.base_url)).text
    assert 'type="email"' in page
    house.travel(shop, hours=2)
    assert mails.messages == []

    assert accept(house, offer) == 422
    assert accept(house, offer, email="nonsense") == 422
    assert story.verdicts(house, shop) == [("open", "")]
    assert accept(house, offer, email=" Ana@Example.test ") == 303
    with house.of(shop) as session:
        ana = session.scalars(select(Customer)).one()
        row = session.scalars(select(Offer)).one()
        assert (ana.email, row.customer_id, row.state) == (EMAIL, ana.id, "accepting")


def test_an_offer_to_somebody_known_asks_for_no_address_and_takes_none(house: TestHouse, shop: Shop) -> None:
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop)))
    assert 'type="email"' not in house.client().get(offer["url"].removeprefix(house.settings.base_url)).text

    assert accept(house, offer, email="eve@example.test") == 303
    with house.of(shop) as session:
        assert [row.email for row in session.scalars(select(Customer))] == [EMAIL]


def test_who_types_the_address_of_a_known_customer_teaches_us_nothing_of_him(
    house: TestHouse, shop: Shop
) -> None:
    older = story.offered(house, shop, told("cart.updated", story.cart(house, shop, "his")))
    offer = story.offered(
        house, shop, told("cart.updated", story.cart(house, shop, "new", email="")), name="m2", lang="en"
    )
    assert accept(house, offer, email=EMAIL) == 303
    with house.of(shop) as session:
        ana = session.scalars(select(Customer)).one()
        assert (ana.locale, ana.country) == ("fr", "FR")
    assert sorted(story.verdicts(house, shop)) == [("accepting", ""), ("withdrawn", "replaced")]
    assert older["url"] != offer["url"]


def test_nobody_who_is_being_forgotten_is_given_an_offer_that_was_made_to_nobody(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        session.add(Customer(shop_id=shop.id, id="cus_x", email=EMAIL, frozen_at=clock.now()))
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop, email="")))

    assert accept(house, offer, email=EMAIL) == 410
    assert story.verdicts(house, shop) == [("open", "")]


def test_cards_are_tried_out_at_most_five_times_an_hour_for_one_offer(house: TestHouse, shop: Shop) -> None:
    """Each acceptance begins a card's page; one that comes to nothing may be begun again, but not without end."""
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop)))
    answered = []
    for _ in range(6):
        answered.append(accept(house, offer))
        with house.of(shop) as session:
            for row in session.scalars(select(Setup).where(Setup.state == "begun")):
                setups.finish(session, row, "failed", "left")
            offers.reopen(session, session.scalars(select(Offer)).one(), "left")
    assert answered == [303] * 5 + [429]
    house.travel(shop, hours=1, minutes=1)
    assert accept(house, offer) == 303


def test_an_inquiry_keeps_no_address_of_its_visitor(house: TestHouse, shop: Shop) -> None:
    story.offered(house, shop, told("cart.updated", story.cart(house, shop)))
    with house.of(shop) as session:
        row = session.scalars(select(Inquiry)).one()
        assert "127.0.0.1" not in str(vars(row))
