"""Which plans exist, who may ask, and how often."""

import re
from typing import Any

import pytest
from sqlalchemy import update

from plugin_backend.domain import storefronts
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Template
from plugin_backend.web.fronts import Limiter, address
from tests import storefront_story as story
from tests.house import TestHouse
from tests.storefront_story import ORIGIN


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    return story.add_shop(house)


def plain(text: str) -> str:
    return re.sub(r"[\u00a0\u202f]", " ", text)


def test_a_product_says_in_how_many_payments_it_can_be_had(house: TestHouse, shop: Shop) -> None:
    answer = story.get(house, shop, "plans", amount_minor=10000, currency="EUR")

    (plan,) = answer.json["plans"]
    assert (answer.status_code, answer.json["lang"], answer.json["test"]) == (200, "fr", True)
    assert (plan["kind"], plan["count"], plan["rhythm"]) == ("instalments", 3, None)
    assert [part["amount"] for part in plan["parts"]] == [3334, 3333, 3333]
    assert [part["today"] for part in plan["parts"]] == [True, False, False]
    assert plain(plan["words"]) == "33,34 € aujourd’hui, puis 2 × 33,33 € ; total 100,00 €"
    assert answer.headers["Cache-Control"] == "public, max-age=60"


def test_an_amount_may_be_a_decimal_and_the_words_another_language(house: TestHouse, shop: Shop) -> None:
    answer = story.get(house, shop, "plans", amount="100.00", currency="EUR", lang="en-GB")

    assert answer.json["plans"][0]["words"] == "€33.34 today, then 2 × €33.33; total €100.00"


def test_a_subscription_says_how_it_goes_on(house: TestHouse) -> None:
    shop = story.add_shop(house, kind="subscription")
    (plan,) = story.get(house, shop, "plans", amount="9.90", currency="CHF", lang="en").json["plans"]

    assert (plan["count"], len(plan["parts"])) == (None, 1)
    assert plan["rhythm"] == {"unit": "month", "every": 1}
    assert "every month" in plan["words"]


@pytest.mark.parametrize(
    ("facts", "query"),
    [
        ({}, {"amount": "19.99"}),
        ({}, {"amount": "100", "country": "BR"}),
        ({"country": "BR"}, {"amount": "100"}),
        ({"state": "watch_only"}, {"amount": "100"}),
        ({"sandbox": None}, {"amount": "100"}),
    ],
)
def test_where_there_is_no_plan_none_is_named(
    house: TestHouse, facts: dict[str, Any], query: dict[str, str]
) -> None:
    state = facts.pop("state", "active")
    shop = story.add_shop(house, **facts)
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state=state))

    answer = story.get(house, shop, "plans", currency="EUR", **query)

    assert (answer.status_code, answer.json["plans"]) == (200, [])


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"amount_minor": "100"},
        {"amount_minor": "1e3", "currency": "EUR"},
        {"amount_minor": "-5", "currency": "EUR"},
        {"amount_minor": "0", "currency": "EUR"},
        {"amount_minor": "9" * 14, "currency": "EUR"},
        {"amount": "12.345", "currency": "EUR"},
        {"amount": "-1", "currency": "EUR"},
        {"amount": "NaN", "currency": "EUR"},
        {"amount": "12", "currency": "EURO"},
    ],
)
def test_an_amount_that_is_none_is_told_as_such(house: TestHouse, shop: Shop, query: dict[str, str]) -> None:
    answer = story.get(house, shop, "plans", **query)

    assert answer.status_code == 400


def test_a_page_of_the_shop_may_read_the_answer_and_no_other_page(house: TestHouse, shop: Shop) -> None:
    query = {"amount": "100", "currency": "EUR"}
    ours = story.get(house, shop, "plans", **query)
    theirs = story.get(house, shop, "plans", origin="https://evil.example", **query)
    without = story.get(house, shop, "plans", origin=None, **query)

    assert ours.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in ours.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in ours.headers
    assert theirs.status_code == 403
    assert without.status_code == 200
    for answer in (theirs, without):
        assert "Access-Control" not in str(answer.headers)


def test_the_owner_may_let_pages_of_other_addresses_of_his_call(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        row = session.get_one(Shop, shop.id)
        storefronts.allow(row, ["https://www.Shop.example:443/", "http://shop.example:8080"])

    for origin in ("https://www.shop.example", "http://shop.example:8080", ORIGIN):
        answer = story.get(house, shop, "plans", origin=origin, amount="100", currency="EUR")
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    for origin in ("http://www.shop.example", "https://shop.example", "https://a.www.shop.example"):
        answer = story.get(house, shop, "plans", origin=origin, amount="100", currency="EUR")
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "address",
    [
        "shop.example",
        "https://",
        "https://u:p@shop.example",
        "https://shop.example/path",
        "ftp://shop.example",
    ],
)
def test_what_is_no_origin_is_not_let_in(house: TestHouse, shop: Shop, address: str) -> None:
    with house.of(shop) as session, pytest.raises(storefronts.NoOrigin):
        storefronts.allow(session.get_one(Shop, shop.id), [address])


def test_a_preflight_is_answered_for_a_page_of_the_shop_only(house: TestHouse, shop: Shop) -> None:
    path = story.base(house, shop) + "inquiries"
    ours = house.client().options(path, headers={"Origin": ORIGIN})
    theirs = house.client().options(path, headers={"Origin": "https://evil.example"})

    assert ours.status_code == 200
    assert ours.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert theirs.status_code == 403


def test_an_unknown_key_leads_nowhere(house: TestHouse, shop: Shop) -> None:
    assert house.client().get(f"/storefront/{'a' * 32}/plans").status_code == 404
    assert story.get(house, shop, f"inquiries/{'a' * 32}").status_code == 404


def test_a_link_of_another_kind_is_no_key(house: TestHouse, shop: Shop) -> None:
    """Doors lead to what they are for: a webhook's path does not open the storefront."""
    hook = house.hook(shop).rpartition("/")[2]
    assert house.client().get(f"/storefront/{hook}/plans").status_code == 404


def test_a_page_that_calls_is_noted_as_seen(house: TestHouse, shop: Shop) -> None:
    assert not storefronts.is_in_place(shop)
    story.get(house, shop, "plans", amount="100", currency="EUR")
    with house.of(shop) as session:
        assert storefronts.is_in_place(session.get_one(Shop, shop.id))


def test_a_visitor_who_asks_without_end_is_told_to_wait(house: TestHouse, shop: Shop) -> None:
    asked = [story.post(house, shop, "inquiries", {}).status_code for _ in range(25)]
    last = story.post(house, shop, "inquiries", {})

    assert set(asked) == {400, 429}
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) > 0
    assert story.get(house, shop, "plans", amount="100", currency="EUR").status_code == 200


def test_calls_are_counted_for_each_visitor_by_the_minute() -> None:
    limiter = Limiter()

    assert [limiter.allow(2, "plans", "shop", "one") for _ in range(3)] == [True, True, False]
    assert limiter.allow(2, "plans", "shop", "another")
    assert limiter.allow(2, "plans", "another shop", "one")


@pytest.mark.parametrize(
    ("remote", "visitor"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:9:9:9:9", "2001:db8:1:2::/64"),
        ("unix:", ""),
    ],
)
def test_a_visitor_is_an_address_or_the_network_that_one_household_has(remote: str, visitor: str) -> None:
    assert address(remote) == visitor


def test_a_body_that_is_too_large_is_not_read(house: TestHouse, shop: Shop) -> None:
    assert story.post(house, shop, "inquiries", b"{" + b" " * 70_000 + b"}").status_code == 413


@pytest.mark.parametrize("field", ["token", "email", "lang"])
def test_a_card_number_is_refused_in_plain_text_too(house: TestHouse, shop: Shop, field: str) -> None:
    answer = story.post(house, shop, "reminders", {field: "4242 4242 4242 4242"})

    assert answer.status_code == 422
    assert "4242" not in answer.text


def test_a_longer_template_than_the_law_allows_is_named_to_nobody(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        session.execute(update(Template).where(Template.shop_id == shop.id).values(days=[0, 60]))

    assert story.get(house, shop, "plans", amount="100", currency="EUR").json["plans"] == []
