"""Objects as they leave us: in the words of the house, without anything secret, and no two currencies in one amount."""

import json
from datetime import datetime
from typing import Any

import pytest

from plugin_backend.domain import cases, merchants, objects
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.gateway import Decline, Declined
from plugin_backend.sdk.money import Money
from tests import plan_story as story
from tests.house import TestHouse

EUROS, YEN = Money(10000, "EUR"), Money(9000, "JPY")
MONEY = {"amount", "currency"}


@pytest.fixture
def paying(house: TestHouse) -> Shop:
    return story.add_paying_shop(house)


@pytest.fixture
def plan_id(house: TestHouse, paying: Shop) -> str:
    """A plan over 100,00 EUR whose first payment arrived and whose second was declined once."""
    with house.of(paying) as session:
        plan = story.accepted_plan(session, paying, EUROS)
        story.charged(session, paying, plan.id, 1)
        story.charged(session, paying, plan.id, 2, Declined(Decline.FUNDS, "51"))
    return plan.id


def everything(house: TestHouse, shop: Shop) -> dict[str, list[dict[str, Any]]]:
    with house.of(shop) as session:
        listed = {noun: objects.list_objects(session, shop.id, noun) for noun in objects.NOUNS}
        return {
            noun: [objects.show_object(session, shop.id, noun, found["id"]) for found in rows]
            for noun, rows in listed.items()
        }


def test_every_object_says_whose_it_is_where_it_stands_and_since_when(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    shown = everything(house, paying)

    for noun in ("carts", "offers", "plans", "collections", "messages"):
        assert shown[noun], noun
    for found in (found for rows in shown.values() for found in rows):
        assert {"id", "shop", "state", "reason", "created_at"} <= set(found)
        assert found["shop"] == paying.id
        assert found["created_at"].endswith("Z")
        assert datetime.fromisoformat(found["created_at"]).utcoffset() is not None


def test_nothing_secret_leaves(house: TestHouse, paying: Shop, plan_id: str) -> None:
    told = json.dumps(everything(house, paying))

    assert story.TOKEN not in told
    assert "sealed" not in told
    assert "settings" not in told


def test_the_way_to_an_offers_page_is_given_with_that_offer_only(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        (listed,) = objects.list_objects(session, paying.id, "offers")
        shown = objects.show_object(session, paying.id, "offers", listed["id"])

    assert "link" not in listed
    assert shown["link"].startswith("/o/")


def test_a_plan_shows_its_collections_and_they_their_attempts(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        shown = objects.show_object(session, paying.id, "plans", plan_id)

    assert shown["agreed"] == {"amount": 10000, "currency": "EUR"}
    assert shown["received"] == {"amount": 3334, "currency": "EUR"}
    assert [part["state"] for part in shown["collections"]] == ["paid", "retry_wait", "scheduled"]
    assert [part["amount"]["amount"] for part in shown["collections"]] == [3334, 3333, 3333]
    (attempt,) = shown["collections"][1]["attempts"]
    assert (attempt["state"], attempt["decline"], attempt["code"]) == ("declined", "funds", "51")
    assert shown["card"] == {"kind": "card", "brand": "Visa", "last4": "4242", "expires": "11/2028"}
    assert [step["after"] for step in shown["history"]] == ["pending", "active"]


def test_a_cart_shows_its_customer_its_lines_and_its_offer(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        (cart,) = objects.list_objects(session, paying.id, "carts")
        (offer,) = objects.list_objects(session, paying.id, "offers")

    assert cart["customer"]["email"] == "ana@example.test"
    assert cart["total"] == {"amount": 10000, "currency": "EUR"}
    assert cart["lines"][0]["title"] == "Lamp <b>"
    assert cart["offer"] == offer["id"]
    assert (offer["cart"], offer["plan"]) == (cart["id"], plan_id)
    assert [set(part["amount"]) for part in offer["parts"]] == [MONEY] * 3


def test_an_open_offer_shows_what_accepting_now_would_mean(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        story.open_offer(session, paying, EUROS)
        (offer,) = objects.list_objects(session, paying.id, "offers")

    assert [part["amount"]["amount"] for part in offer["parts"]] == [3334, 3333, 3333]


def test_a_delivery_shows_its_body_even_where_that_is_no_text(house: TestHouse, shop: Shop) -> None:
    assert house.woo(shop, "order.updated", b'{"id": "\xff"') == 200
    house.rest(shop)

    with house.of(shop) as session:
        (listed,) = objects.list_objects(session, shop.id, "deliveries")
        shown = objects.show_object(session, shop.id, "deliveries", listed["id"])
    assert listed["state"] == "unreadable"
    assert not {"body", "headers"} & set(listed)
    assert shown["body"] == '{"id": "\ufffd"'
    assert shown["headers"]["x-wc-webhook-topic"] == "order.updated"


def test_lists_are_newest_first_and_go_on_where_they_stopped(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        made = [cases.open_case(session, shop.id, "work_failed", f"row{number}").id for number in range(5)]
    newest_first = sorted(made, reverse=True)

    with house.of(shop) as session:
        first = [found["id"] for found in objects.list_objects(session, shop.id, "cases", limit=3)]
        second = [found["id"] for found in objects.list_objects(session, shop.id, "cases", after=first[-1])]
    assert first + second == newest_first


def test_what_a_shop_does_not_have_is_unknown(
    house: TestHouse, shop: Shop, paying: Shop, plan_id: str
) -> None:
    with house.of(shop) as session, pytest.raises(merchants.Unknown):
        objects.show_object(session, shop.id, "plans", plan_id)


def test_the_money_of_two_currencies_is_never_one_amount(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        for total, email in ((EUROS, "ana@example.test"), (YEN, "bo@example.test")):
            plan = story.accepted_plan(session, paying, total, email)
            story.charged(session, paying, plan.id, 1)
            story.charged(session, paying, plan.id, 2, Declined(Decline.FUNDS))

    with house.of(paying) as session:
        assert objects.recovered(session, paying.id) == [Money(3334, "EUR"), Money(3000, "JPY")]
        assert objects.at_risk(session, paying.id) == [Money(3333, "EUR"), Money(3000, "JPY")]
        assert objects.expected_30_days(session, paying.id) == [Money(3333, "EUR"), Money(3000, "JPY")]


def test_a_shop_without_plans_has_no_money_to_show(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        assert objects.recovered(session, shop.id) == []
        assert objects.at_risk(session, shop.id) == []
        assert objects.expected_30_days(session, shop.id) == []
