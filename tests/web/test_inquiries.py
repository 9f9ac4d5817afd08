"""A shopper stands in the shop's page and asks for a plan: what his page must prove, what he gets, and what he does not."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.inquiries import Inquiry
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer, Template
from plugin_backend.domain.outbox import Out
from plugin_backend.sdk import clock
from plugin_backend.web.fronts import Limiter
from tests import storefront_story as story
from tests.house import STANDARD_SECRET, TestHouse
from tests.letterbox import Letterbox
from tests.storefront_story import EMAIL, ORIGIN, failed, told

CART = "Z2NwLWV1cm9wZS13ZXN0NDowMUo"


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    return story.add_shop(house, name="Boutique Luna")


def count(house: TestHouse, shop: Shop, model: Any) -> int:
    with house.of(shop) as session:
        return session.scalars(select(func.count()).select_from(model).where(model.shop_id == shop.id)).one()


def the_offer(house: TestHouse, shop: Shop) -> Offer:
    with house.of(shop) as session:
        return session.scalars(select(Offer)).one()


def test_a_basket_that_the_shop_signed_gets_its_plan_in_the_page(house: TestHouse, shop: Shop) -> None:
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop)), lang="en")

    assert (offer["title"], offer["button"]) == ("Pay in 3 payments", "See the payments")
    assert offer["words"] == "€33.34 today, then 2 × €33.33; total €100.00"
    assert offer["plan"]["total"] == {"amount": 10000, "currency": "EUR"}
    page = house.client().get(offer["url"].removeprefix(house.settings.base_url))
    assert page.status_code == 200
    assert "€33.34" in page.text
    assert the_offer(house, shop).cause == "asked"


def test_a_subscription_is_begun_for_the_basket_at_hand(house: TestHouse, mails: Letterbox) -> None:
    shop = story.add_shop(house, kind="subscription")
    offer = story.offered(house, shop, told("cart.updated", story.cart(house, shop)), lang="en")

    assert offer["title"] == "Pay by subscription"
    assert (offer["plan"]["count"], offer["plan"]["rhythm"]) == (None, {"unit": "month", "every": 1})


def test_who_asks_again_is_led_to_the_same_offer(house: TestHouse, shop: Shop) -> None:
    basket = story.cart(house, shop)
    first = story.offered(house, shop, told("cart.updated", basket))
    again = story.offered(house, shop, told("cart.updated", basket), name="msg_2")
    changed = told("cart.updated", story.cart(house, shop, amount_minor=12000))
    after = story.offered(house, shop, changed, name="msg_3")

    assert first["url"] == again["url"] == after["url"]
    assert after["plan"]["total"]["amount"] == 12000
    assert story.verdicts(house, shop) == [("open", "")]


def test_the_same_message_by_the_page_and_as_a_webhook_is_one_delivery(house: TestHouse, shop: Shop) -> None:
    body = told("cart.updated", story.cart(house, shop))
    story.offered(house, shop, body, name="msg_7")

    assert house.standard(shop, body, delivery="msg_7") == 200
    assert count(house, shop, DeliveryRow) == 1


@pytest.mark.parametrize(
    "spoilt", ["unsigned", "changed", "old", "early", "other", "no", "sale", "surrogate"]
)
def test_a_basket_that_nobody_signed_is_no_basket(house: TestHouse, shop: Shop, spoilt: str) -> None:
    body = told("cart.updated", story.cart(house, shop))
    other_secret = STANDARD_SECRET[:-4] + "AAA="
    sale = told("order.created", {"id": "9", "at": house.now(shop).isoformat(), "cart_id": "k-7"})
    message: Any = {
        "unsigned": story.signed(body) | {"signature": ""},
        "changed": story.signed(body) | {"body": story.signed(body)["body"].replace("10000", "10001", 1)},
        "old": story.signed(body, age=301),
        "early": story.signed(body, age=-302),
        "other": story.signed(body, secret=other_secret),
        "no": "yes",
        "sale": story.signed(sale),
        "surrogate": story.signed(body) | {"id": "\ud800"},
    }[spoilt]

    answer = story.post(house, shop, "inquiries", {"message": message})

    assert answer.status_code == 400
    assert count(house, shop, DeliveryRow) == count(house, shop, Inquiry) == count(house, shop, Cart) == 0


@pytest.mark.parametrize(
    "sent", [b"", b"[]", b"nonsense", b"\xff", b"{}", b'{"token":"a","message":{}}', b'{"token":5}']
)
def test_a_body_that_asks_nothing_is_told_so(house: TestHouse, shop: Shop, sent: bytes) -> None:
    assert story.post(house, shop, "inquiries", sent).status_code == 400


def test_an_order_number_is_no_proof_of_whose_basket_it_is(house: TestHouse, mails: Letterbox) -> None:
    shop = story.add_shop(house, "woocommerce")
    for token in ("order:19", "19", "cart:k-7", "a" * 40):
        assert story.post(house, shop, "inquiries", {"token": token}).status_code == 400


def checkout(house: TestHouse, shop: Shop, **changes: Any) -> None:
    """Shopify tells of a checkout."""
    stamp = house.now(shop).isoformat()
    body = {
        "id": 22,
        "token": "0f" * 16,
        "cart_token": CART,
        "email": EMAIL,
        "created_at": stamp,
        "updated_at": stamp,
        "currency": "EUR",
        "presentment_currency": "EUR",
        "total_price": "100.00",
        "line_items": [{"title": "Lamp", "quantity": 1, "line_price": "100.00"}],
        **changes,
    }
    assert house.shopify(shop, "checkouts/update", body, delivery=f"d-{stamp}") == 200
    house.rest(shop)


@pytest.mark.parametrize("token", [CART, f"{CART}?key=abc", "0f" * 16])
def test_a_name_that_nobody_can_guess_speaks_for_its_basket(
    house: TestHouse, mails: Letterbox, token: str
) -> None:
    shop = story.add_shop(house, "shopify")
    checkout(house, shop)
    asked = story.post(house, shop, "inquiries", {"token": token, "lang": "fr"})

    assert asked.status_code == 202
    came = story.outcome(house, shop, asked.json["poll"].removeprefix(house.settings.base_url))
    assert came["state"] == "offered"
    assert came["offer"]["plan"]["total"] == {"amount": 10000, "currency": "EUR"}


def test_a_basket_that_has_not_reached_us_is_waited_for(house: TestHouse, mails: Letterbox) -> None:
    shop = story.add_shop(house, "shopify")
    asked = story.post(house, shop, "inquiries", {"token": CART})
    poll = asked.json["poll"].removeprefix(house.settings.base_url)

    assert story.outcome(house, shop, poll)["state"] == "asked"
    checkout(house, shop)
    house.travel(shop, seconds=2)
    assert story.outcome(house, shop, poll)["state"] == "offered"


def test_a_basket_that_never_comes_is_waited_for_no_longer_than_a_minute(
    house: TestHouse, mails: Letterbox
) -> None:
    shop = story.add_shop(house, "shopify")
    asked = story.post(house, shop, "inquiries", {"token": CART})
    house.travel(shop, seconds=62)

    came = story.outcome(house, shop, asked.json["poll"].removeprefix(house.settings.base_url))
    assert came["state"] == "none"
    with house.of(shop) as session:
        assert session.scalars(select(Inquiry.reason)).one() == "no_basket"


def test_what_became_of_an_inquiry_is_told_to_no_other_shops_page(house: TestHouse, shop: Shop) -> None:
    poll = story.ask(house, shop, told("cart.updated", story.cart(house, shop)))
    other = story.add_shop(house)
    secret = poll.rpartition("/")[2]

    assert story.get(house, other, f"inquiries/{secret}").status_code == 404


# The rescue.


@pytest.mark.parametrize(
    ("why", "state"),
    [
        ({}, "offered"),
        ({"decline": "limit"}, "offered"),
        ({"decline": "funds"}, "offered"),
        ({"reason": "Your card was declined. Reason: insufficient_funds", "gateway": "stripe"}, "offered"),
        ({"decline": "fraud"}, "none"),
        ({"reason": "stolen_card", "gateway": "stripe"}, "none"),
        ({"reason": "Votre carte a été déclarée volée.", "gateway": "stripe"}, "none"),
        ({"reason": "Processor response 2012", "gateway": "braintree_cc"}, "none"),
        ({"reason": "43", "gateway": "whatever"}, "none"),
    ],
)
def test_after_a_decline_a_plan_is_shown_unless_the_card_was_lost_or_stolen(
    house: TestHouse, shop: Shop, why: dict[str, str], state: str
) -> None:
    basket = story.cart(house, shop)
    poll = story.ask(house, shop, failed(basket, **why), declined=True)

    came = story.outcome(house, shop, poll)

    assert came["state"] == state
    assert set(came) <= {"state", "poll", "wait_ms", "offer"}, "why is nobody's business in a public place"


def test_what_is_said_after_a_decline_is_neutral(house: TestHouse, shop: Shop) -> None:
    for lang in ("fr", "en"):
        body = failed(story.cart(house, shop, lang))
        offer = story.offered(house, shop, body, name=f"m-{lang}", declined=True, lang=lang)
        said = " ".join((offer["title"], offer["words"], offer["button"])).lower()
        assert not [word for word in ("refus", "declin", "sorry", "!", "free", "gratuit") if word in said]


def test_a_stolen_card_takes_back_what_was_offered_and_bars_the_basket_for_good(
    house: TestHouse, shop: Shop
) -> None:
    basket = story.cart(house, shop)
    story.offered(house, shop, told("cart.updated", basket))
    assert house.standard(shop, failed(basket, decline="fraud"), delivery="f") == 200
    house.rest(shop)
    house.travel(shop, minutes=1)
    after = told("cart.updated", story.cart(house, shop, amount_minor=9000))

    assert story.outcome(house, shop, story.ask(house, shop, after, name="again"))["state"] == "none"
    assert story.verdicts(house, shop)[0] == ("withdrawn", "declined_for_fraud")
    assert set(story.verdicts(house, shop)[1:]) == {("not_sent", "declined_for_fraud")}


@pytest.mark.parametrize("declined", [True, False])
def test_the_first_payment_after_a_decline_is_at_most_half(
    house: TestHouse, shop: Shop, *, declined: bool
) -> None:
    with house.of(shop) as session:
        session.execute(update(Template).where(Template.shop_id == shop.id).values(days=[0, 30]))
    basket = story.cart(house, shop, amount_minor=10001)
    offer = story.offered(house, shop, told("cart.updated", basket), declined=declined)

    parts = [part["amount"] for part in offer["plan"]["parts"]]
    assert parts == ([5000, 5001] if declined else [5001, 5000])


@pytest.mark.parametrize(("facts", "days"), [({"kind": "subscription"}, [0]), ({}, [0])])
def test_a_plan_that_asks_for_everything_at_once_is_no_rescue(
    house: TestHouse, mails: Letterbox, facts: dict[str, Any], days: list[int]
) -> None:
    shop = story.add_shop(house, **facts)
    with house.of(shop) as session:
        session.execute(update(Template).where(Template.shop_id == shop.id).values(days=days))

    poll = story.ask(house, shop, failed(story.cart(house, shop)), declined=True)

    assert story.outcome(house, shop, poll)["state"] == "none"
    assert set(story.verdicts(house, shop)) == {("not_sent", "first_above_half")}


def test_a_decline_that_only_a_page_saw_is_no_reason_for_a_mail(house: TestHouse, mails: Letterbox) -> None:
    """A public call is no proof: with consent unknown, the offer stays in the page."""
    shop = story.add_shop(house, "shopify")
    checkout(house, shop)
    story.post(house, shop, "inquiries", {"token": CART, "declined": True})
    house.rest(shop)
    house.travel(shop, days=1)

    assert story.verdicts(house, shop) == [("open", "")]
    assert the_offer(house, shop).cause == "asked"
    assert mails.to(EMAIL) == []


def test_a_signed_decline_goes_by_mail_once_the_page_was_left(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    body = failed(story.cart(house, shop), decline="limit")
    offer = story.offered(house, shop, body, declined=True)
    assert house.standard(shop, body, delivery="msg_1") == 200
    house.travel(shop, minutes=9)
    assert mails.to(EMAIL) == []

    house.travel(shop, minutes=2)
    (mail,) = mails.to(EMAIL)
    assert offer["url"] in mail.get_body(("plain",)).get_content()
    house.travel(shop, days=2)
    assert len(mails.to(EMAIL)) == 1


def test_a_decline_told_by_webhook_waits_for_the_page_where_the_shop_has_one(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    story.get(house, shop, "plans", amount="100", currency="EUR")
    body = failed(story.cart(house, shop))
    assert house.standard(shop, body, delivery="msg_1") == 200
    house.rest(shop)
    assert story.verdicts(house, shop) == [("open", "")]
    assert mails.to(EMAIL) == []

    offer = story.offered(house, shop, body, declined=True)
    house.travel(shop, minutes=11)
    assert [offer["url"] in mail.get_body(("plain",)).get_content() for mail in mails.to(EMAIL)] == [True]


def test_what_was_accepted_in_the_page_is_not_mailed_as_an_offer(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    offer = story.offered(house, shop, failed(story.cart(house, shop)), declined=True)
    house.client().post(offer["url"].removeprefix(house.settings.base_url) + "/stop")
    house.travel(shop, minutes=11)

    assert mails.to(EMAIL) == []


@pytest.mark.parametrize("granted", [True, False, None])
def test_a_shopper_who_asked_and_left_is_reminded_only_with_his_consent(
    house: TestHouse, shop: Shop, mails: Letterbox, *, granted: bool | None
) -> None:
    said = {} if granted is None else {"consent": {"granted": granted, "at": house.now(shop).isoformat()}}
    story.offered(house, shop, told("cart.updated", story.cart(house, shop, **said)))
    house.travel(shop, hours=2)

    assert len(mails.to(EMAIL)) == (1 if granted else 0)


def test_a_shop_that_only_watches_shows_nothing_and_counts_it(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state="watch_only"))
    poll = story.ask(house, shop, failed(story.cart(house, shop)), declined=True)

    assert story.outcome(house, shop, poll)["state"] == "none"
    assert set(story.verdicts(house, shop)) == {("not_sent", "watch_only")}


def test_a_basket_that_was_bought_meanwhile_gets_no_plan(house: TestHouse, shop: Shop) -> None:
    basket = story.cart(house, shop)
    poll = story.ask(house, shop, failed(basket), declined=True)
    sale = told("order.created", {"id": "9", "at": house.now(shop).isoformat(), "cart_id": "k-7"})
    assert house.standard(shop, sale, delivery="s") == 200

    assert story.outcome(house, shop, poll)["state"] == "none"


# Caps.


def test_a_visitor_asks_at_most_thirty_times_an_hour(house: TestHouse, shop: Shop) -> None:
    for number in range(30):
        assert _asks(house, shop, number) == 202
    assert _asks(house, shop, 31) == 429
    house.travel(shop, hours=1, minutes=1)
    assert _asks(house, shop, 32) == 202


def test_a_customer_is_made_at_most_five_offers_a_day(house: TestHouse, shop: Shop) -> None:
    states = []
    for number in range(6):
        body = told("cart.updated", story.cart(house, shop, f"k-{number}"))
        states.append(story.outcome(house, shop, story.ask(house, shop, body, name=f"m-{number}"))["state"])
        house.travel(shop, minutes=1)

    assert states == ["offered"] * 5 + ["none"]
    assert story.verdicts(house, shop)[-1] == ("not_sent", "asked_too_often")


def _asks(house: TestHouse, shop: Shop, number: int) -> int:
    # What one process counts by the minute is not what is asked here.
    house.web.extensions["storefront"].limiter = Limiter()
    body = told("cart.updated", story.cart(house, shop))
    message = story.signed(body, name=f"n-{number}")
    return story.post(house, shop, "inquiries", {"message": message}).status_code


# The sandboxed page of a pixel.


def test_a_sandboxed_page_may_tell_of_a_decline_and_is_told_nothing(
    house: TestHouse, mails: Letterbox
) -> None:
    shop = story.add_shop(house, "shopify")
    checkout(house, shop)
    answer = story.post(house, shop, "inquiries", {"token": CART, "declined": True}, origin="null")
    wish = story.post(house, shop, "inquiries", {"token": CART}, origin="null")
    plans = story.get(house, shop, "plans", origin="null", amount="100", currency="EUR")

    assert (answer.status_code, answer.json) == (202, {})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert (wish.status_code, plans.status_code) == (403, 403)
    house.rest(shop)
    assert story.verdicts(house, shop) == [("open", "")]
    shown = story.post(house, shop, "inquiries", {"token": CART}, origin=ORIGIN)
    assert (
        story.outcome(house, shop, shown.json["poll"].removeprefix(house.settings.base_url))["state"]
        == "offered"
    )


def test_where_an_inquiry_came_from_is_forgotten_after_a_month(house: TestHouse, shop: Shop) -> None:
    story.ask(house, shop, told("cart.updated", story.cart(house, shop)))
    house.rest(shop)
    with house.of(shop) as session:
        assert session.scalars(select(Inquiry.visitor)).one() not in ("", "127.0.0.1")
    house.travel(shop, days=32)
    with house.of(shop) as session:
        assert session.scalars(select(Inquiry.visitor)).one() == ""


def test_nothing_of_an_inquiry_waits_in_the_outbox_twice(house: TestHouse, shop: Shop) -> None:
    body = failed(story.cart(house, shop))
    story.offered(house, shop, body, declined=True)
    story.offered(house, shop, body, name="msg_2", declined=True)
    with house.of(shop) as session:
        waiting = session.scalars(select(Out)).all()
        assert [row.kind for row in waiting] == ["letter"]
        assert waiting[0].due_at - clock.now() < timedelta(minutes=11)
