"""A shop whose owner lets payments be taken at its platform's own checkout only: no plan, but the way back."""

import pytest
from sqlalchemy import select

from plugin_backend.core.registry import connectors
from plugin_backend.domain.merchants import Connection
from plugin_backend.sdk.errors import Refused
from tests import storefront_story
from tests.contract.connector_golden import connector
from tests.contract.connector_rigs import SHOPS
from tests.contract.connector_writes import reservation
from tests.house import TestHouse
from tests.offer_story import AN_HOUR, leave, verdicts
from tests.plan_story import ACCOUNT

SHOPIFY = {"url": "http://127.0.0.1:9/shop"}


def test_a_shop_that_names_no_way_offers_none(house: TestHouse) -> None:
    shop = house.add_shop("shopify", settings=SHOPIFY)
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "shop_not_writable")]


@pytest.mark.parametrize(
    ("mode", "own"),
    [
        ({}, True),
        ({"write_mode": "checkout_link"}, True),
        ({"write_mode": "draft_order_invoice"}, True),
        ({"write_mode": "external_paid_order"}, False),
    ],
)
def test_plans_are_shown_in_the_pages_of_a_shop_on_shopify_only_where_its_owner_said_so(
    house: TestHouse, mode: dict[str, str], own: bool
) -> None:
    shop = house.add_shop("shopify", settings={**SHOPIFY, **mode}, sandbox=ACCOUNT)
    shown = storefront_story.get(house, shop, "plans", amount="100.00", currency="EUR").json
    assert bool(shown["plans"]) is not own
    with house.of(shop) as session:
        assert session.scalars(select(Connection)).one().own_checkout is own


def test_nothing_is_held_in_such_a_shop() -> None:
    shop = SHOPS["shopify"]()
    with pytest.raises(Refused, match="own_checkout"):
        connector("shopify", shop, write_mode="checkout_link").reserve(reservation("cart:c0ffee"))
    assert not shop.requests


def test_the_owner_is_told_the_rule_before_he_chooses() -> None:
    guide = connectors()["shopify"].guide
    for steps in (guide.before, guide.by_hand):
        assert any("1.1.2" in step for step in steps)
    assert next(iter(guide.choices["write_mode"])) == "checkout_link"
