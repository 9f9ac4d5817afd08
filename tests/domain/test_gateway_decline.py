"""Why a card was declined at the shop's own checkout, as the gateway says it by the number of the order."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk import clock
from tests import story
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.plan_story import ACCOUNT


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    return house.add_shop(sandbox=ACCOUNT)


def gateway_says(house: TestHouse, shop: Shop, code: str, order: str = "19") -> None:
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount.id)).one()
    said = {"order": order, "code": code, "at": (clock.real_now() - timedelta(seconds=5)).isoformat()}
    event = {"id": f"evt_{code}", "type": "checkout.declined", "data": said}
    assert house.callback(shop, account, ACCOUNT["api_key"], event) == 200
    house.rest(shop)


def shop_says(house: TestHouse, shop: Shop, status: str = "failed") -> None:
    order: dict[str, Any] = story.draft(19, status=status)
    order["date_modified_gmt"] = clock.real_now().replace(tzinfo=None).isoformat(timespec="seconds")
    assert house.woo(shop, "order.updated", order) == 200


def stands(house: TestHouse, shop: Shop) -> tuple[str, bool, list[str]]:
    with house.of(shop) as session:
        cart = session.scalars(select(Cart)).one()
        return (
            cart.decline,
            cart.barred,
            [offer.state for offer in session.scalars(select(Offer).order_by(Offer.id))],
        )


def test_a_stolen_card_of_which_the_gateway_tells_first_is_never_offered_anything(
    house: TestHouse, shop: Shop
) -> None:
    gateway_says(house, shop, "stolen_card")
    shop_says(house, shop)
    house.travel(shop, minutes=30)
    _, barred, offers = stands(house, shop)
    assert barred
    assert set(offers) <= {"not_sent"}


def test_an_offer_that_was_made_is_taken_back_when_the_gateway_tells_of_a_stolen_card(
    house: TestHouse, shop: Shop
) -> None:
    shop_says(house, shop)
    house.rest(shop)
    assert stands(house, shop) == ("unknown", False, ["open"])
    gateway_says(house, shop, "pickup_card")
    decline, barred, (first, *others) = stands(house, shop)
    assert (decline, barred, first) == ("fraud", True, "withdrawn")
    assert set(others) <= {"not_sent"}


def test_a_reason_is_added_to_what_the_shop_told_and_is_no_decline_by_itself(
    house: TestHouse, shop: Shop
) -> None:
    shop_says(house, shop, "pending")
    house.rest(shop)
    gateway_says(house, shop, "insufficient_funds")
    with house.of(shop) as session:
        assert session.scalars(select(Cart)).one().state == "active"
    shop_says(house, shop)
    house.rest(shop)
    gateway_says(house, shop, "card_velocity_exceeded")
    assert stands(house, shop) == ("limit", False, ["open"])


def test_of_an_order_that_nobody_knows_nothing_is_kept(house: TestHouse, shop: Shop) -> None:
    gateway_says(house, shop, "insufficient_funds", "4711")
    with house.of(shop) as session:
        assert list(session.scalars(select(Cart))) == []
