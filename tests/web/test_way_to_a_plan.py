"""The shop leads a customer to his plan by a message that it signs anew each time."""

import pytest
from werkzeug.test import TestResponse

from plugin_backend.domain import messages
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.money import Money
from tests import plan_story, storefront_story
from tests.house import TestHouse
from tests.storefront_story import signed, told


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    return storefront_story.add_shop(house)


@pytest.fixture
def plan_id(house: TestHouse, shop: Shop) -> str:
    with house.of(shop) as session:
        return plan_story.accepted_plan(session, shop, Money(10000, "EUR"), "ana@example.test").id


def go(house: TestHouse, shop: Shop, message: dict[str, str]) -> TestResponse:
    """As a browser comes that was redirected: a navigation has no origin."""
    return storefront_story.get(house, shop, "plan", origin=None, **message)


def test_a_signed_way_leads_to_the_page_of_the_plan(house: TestHouse, shop: Shop, plan_id: str) -> None:
    answer = go(house, shop, signed(told("plan.opened", {"plan": plan_id})))

    assert answer.status_code == 303
    with house.worker.app_context():
        path = messages.secret_path("p", shop.id, plan_id)
    assert answer.location == house.settings.base_url + path
    assert house.client().get(path).status_code == 200


@pytest.mark.parametrize(
    "why",
    [
        "changed",
        "old",
        "another type",
        "another shop's plan",
        "nothing",
        "no object",
        "not signed by the shop",
    ],
)
def test_every_other_word_leads_nowhere(house: TestHouse, shop: Shop, plan_id: str, why: str) -> None:
    other = storefront_story.add_shop(house)
    with house.of(other) as session:
        others = plan_story.accepted_plan(session, other, Money(10000, "EUR"), "ben@example.test").id
    body = told("plan.opened", {"plan": plan_id})
    messages_of = {
        "changed": {**signed(body), "body": '{"type": "plan.opened", "data": {"plan": "' + plan_id + '"} }'},
        "old": signed(body, age=301),
        "another type": signed(told("cart.updated", {"plan": plan_id})),
        "another shop's plan": signed(told("plan.opened", {"plan": others})),
        "nothing": {},
        "no object": signed(told("plan.opened", [plan_id])),  # type: ignore[arg-type]
        "not signed by the shop": signed(
            body, secret="whsec_" + "c29tZWJvZHkgZWxzZSdzIHNlY3JldCwgbm90IG91cnM="
        ),
    }

    assert go(house, shop, messages_of[why]).status_code == (404 if why == "another shop's plan" else 400)
