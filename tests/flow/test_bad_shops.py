"""Shops that behave badly, as processes, one for each platform: late, twice, out of order, lost, signed errors, answers of
firewalls, redirects and silence."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.core.registry import connectors
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused, RepriseError
from plugin_backend.sdk.money import Money
from tests.contract.connector_writes import reservation
from tests.flow.bad_shops import BadShop, bad_shop
from tests.flow.shop_process import Receiver, receiver
from tests.house import STANDARD_SECRET, TestHouse

PLATFORMS = sorted(connectors())
WRONG: list[dict[str, Any]] = [
    {"late": 0.3},
    {"twice": True},
    {"shuffled": True},
    {"late": 0.2, "twice": True, "shuffled": True},
]


@pytest.fixture(params=PLATFORMS)
def bad(request: pytest.FixtureRequest) -> Iterator[BadShop]:
    """A process of its own for each test: the house asks the shop, too, and would hear of the baskets of others."""
    with bad_shop(request.param) as shop:
        yield shop


@pytest.fixture
def hooks(bad: BadShop) -> Iterator[Receiver]:
    """A receiver that the shop's webhooks lead to, and that takes all of them."""
    with receiver() as kept:
        bad.hear(kept.url)
        yield kept


def connect(house: TestHouse, site: str, bad: BadShop) -> Shop:
    """The fake shop connected to the house's own web server."""
    shop = house.add_shop(bad.platform, settings=bad.settings)
    bad.hear(f"{site}{house.hook(shop)}")
    return shop


def carts(house: TestHouse, shop: Shop) -> list[Cart]:
    with house.of(shop) as session:
        return list(session.scalars(select(Cart)))


def offers(house: TestHouse, shop: Shop) -> list[Offer]:
    with house.of(shop) as session:
        return list(session.scalars(select(Offer)))


def states(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return list(session.scalars(select(DeliveryRow.state)))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: "-".join(one))
def test_a_basket_that_was_left_is_one_cart_and_one_offer_however_it_is_told(
    house: TestHouse, site: str, bad: BadShop, wrong: dict[str, Any]
) -> None:
    shop = connect(house, site, bad)
    bad.wrong(**wrong)
    bad.leave()
    bad.settle()
    house.rest(shop)
    assert [cart.state for cart in carts(house, shop)] == ["active"]
    house.travel(shop, hours=3)
    assert len(offers(house, shop)) == 1
    assert set(states(house, shop)) <= {"read", "ignored"}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: "-".join(one))
def test_what_was_bought_is_never_offered_however_it_is_told(
    house: TestHouse, site: str, bad: BadShop, wrong: dict[str, Any]
) -> None:
    shop = connect(house, site, bad)
    bad.wrong(**wrong)
    bad.buy()
    bad.settle()
    house.rest(shop)
    house.travel(shop, hours=3)
    assert {cart.state for cart in carts(house, shop)} <= {"ordered"}
    assert offers(house, shop) == []


def test_a_delivery_that_came_twice_is_kept_once(house: TestHouse, site: str, bad: BadShop) -> None:
    shop = connect(house, site, bad)
    bad.wrong(twice=True)
    bad.leave()
    bad.settle()
    bodies = {sent["body"] for sent in bad.deliveries() if sent["url"].endswith(house.hook(shop))}
    assert len(states(house, shop)) == len(bodies) > 0


def test_signed_errors_are_shown_to_a_person_and_stop_nobody(
    house: TestHouse, site: str, bad: BadShop
) -> None:
    """WooCommerce signs errors for a webhook whose owner lost his rights, Saleor where a resolver failed; a shop of one's
    own may sign anything. Shopify is not known to."""
    if bad.platform == "shopify":
        pytest.skip("Shopify is not known to sign an error")
    other = house.add_shop("custom", settings={"secret": STANDARD_SECRET})
    shop = connect(house, site, bad)
    bad.wrong(error_bodies=True)
    bad.leave()
    bad.settle()
    basket = {"id": "k-1", "updated_at": "2026-11-22T10:00:00Z", "currency": "EUR", "amount_minor": 5000}
    assert house.standard(other, {"type": "cart.updated", "data": basket}) == 200
    house.rest(shop)
    house.rest(other)
    assert "unreadable" in states(house, shop)
    assert states(house, other) == ["read"]
    bad.wrong()
    bad.leave()
    bad.settle()
    house.rest(shop)
    assert "read" in states(house, shop)
    assert len(carts(house, other)) == 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"throttle": True}, Refused),
        ({"html_instead_of_json": True}, NoAnswer),
        ({"redirect": True}, NoAnswer),
        ({"slow": 1.5}, NoAnswer),
        ({"down": "500"}, NoAnswer),
        ({"down": "closed"}, NoAnswer | NotSent),
        ({"lost_answer": True}, NoAnswer),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else "",
)
def test_an_order_is_held_once_after_whatever_the_shop_answered_first(
    bad: BadShop, hooks: Receiver, wrong: dict[str, Any], expected: Any
) -> None:
    name, switch = next(iter(wrong.items()))
    key = f"res_{bad.platform}_{name}_{switch}".replace(".", "_")
    wanted = reservation(bad.leave(), key=key, total=Money(10000, bad.currency))
    bad.wrong(**wrong)
    with pytest.raises(RepriseError) as raised:
        bad.connector(timeout=0.7).reserve(wanted)
    assert isinstance(raised.value, expected)
    assert not raised.value.permanent
    bad.settle()
    bad.wrong()
    one = bad.connector()
    first = one.reserve(wanted)
    assert one.reserve(wanted) == first
    assert bad.orders_with(wanted.key) == 1


def test_notices_before_the_json_are_read_over_where_php_writes_them(bad: BadShop, hooks: Receiver) -> None:
    if bad.platform != "woocommerce":
        pytest.skip("no PHP there")
    cart = bad.leave()
    bad.wrong(php_notice=True)
    assert bad.connector().reserve(reservation(cart, key="res_notice")).order_key == cart


def test_a_webhook_that_the_platform_switched_off_after_failures_is_made_to_stand_again(
    bad: BadShop, hooks: Receiver
) -> None:
    if bad.platform not in ("woocommerce", "shopify"):
        pytest.skip("it never switches one off")
    one = bad.connector()
    one.ensure_webhooks(hooks.url)
    hooks.answer = lambda _: 500
    stood = bad.hooks_standing()
    for _ in range(9):
        bad.buy()
    _wait(lambda: bad.hooks_standing() < stood)
    hooks.answer = lambda _: 200
    assert {state.state for state in one.ensure_webhooks(hooks.url)} & {"repaired", "created"}
    assert {state.state for state in one.ensure_webhooks(hooks.url)} == {"active"}
    hooks.clear()
    bad.buy()
    _wait(lambda: bool(hooks.received))


def _wait(until: Callable[[], bool]) -> None:
    """The platform's repetitions go on for minutes, so that its rest is not waited for."""
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)
