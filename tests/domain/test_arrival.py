"""Whatever order deliveries come in, and however often, the same carts and sales stand in the end."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from plugin_backend.domain import carts
from plugin_backend.domain.carts import Cart, Sale
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.connector import (
    CartChanged,
    CartRemoved,
    CartRestored,
    Line,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    PaymentFailed,
    Person,
    ShopEvent,
)
from plugin_backend.sdk.money import Money
from tests.house import TestHouse

RECORDED = Path(__file__).parents[3] / "shared" / "fixtures" / "woocommerce" / "recorded"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Facts = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def standing(session: Any) -> Facts:
    """All that does not depend on when a delivery reached us, of every basket that still has a name, and of every sale."""
    people = {row.id: row.email for row in session.scalars(select(Customer))}
    rows = session.scalars(select(Cart).execution_options(populate_existing=True))
    found = [
        (
            *(
                row.key,
                tuple(row.keys),
                row.state,
                row.amount,
                row.currency,
                json.dumps(row.lines),
                row.empty,
            ),
            *(people.get(row.customer_id), row.platform_id, row.locale, row.country),
            *(row.updated_at, row.version, row.content_hash, row.failed_at, row.decline),
            *(row.removed, row.removed_at, row.restored_at),
        )
        for row in rows
        if row.keys
    ]
    sales = [
        (
            *(row.order_key, tuple(row.cart_keys), people.get(row.customer_id), row.amount, row.currency),
            *(row.placed_at, row.our_reference, row.cancelled_at, row.refunded_at),
        )
        for row in session.scalars(select(Sale).execution_options(populate_existing=True))
    ]
    return sorted(found, key=repr), sorted(sales, key=repr)


def take_in(session: Any, shop: Shop, event: ShopEvent, at: datetime) -> None:
    """As the worker does, for the events that are about baskets and orders."""
    match event:
        case CartChanged():
            carts.cart_changed(session, shop, event, at)
        case PaymentFailed():
            carts.payment_failed(session, shop, event, at)
        case CartRemoved():
            carts.cart_removed(session, shop, event, at)
        case CartRestored():
            carts.cart_restored(session, shop, event, at)
        case OrderPlaced():
            carts.order_placed(session, shop, event, at)
        case OrderCancelled():
            carts.order_cancelled(session, shop, event, at)
        case OrderRefunded():
            carts.order_refunded(session, shop, event, at)
        case _:
            raise AssertionError(event)
    session.flush()


def outcome(house: TestHouse, shop: Shop, events: list[ShopEvent]) -> Facts:
    """How baskets and sales stand after these events in this order, in a shop that knew nothing; then all is undone."""
    with house.of(shop) as session:
        undone = session.begin_nested()
        for number, event in enumerate(events):
            take_in(session, shop, event, NOON + timedelta(seconds=number))
        facts = standing(session)
        undone.rollback()
        session.expunge_all()
    return facts


# Few names, few moments, few amounts: what matters is how they meet.
KEYS = st.sampled_from(["order:9", "order:10", "cart:x"])
MOMENTS = st.integers(0, 3).map(lambda hour: NOON + timedelta(hours=hour))
TOTALS = st.sampled_from([Money(10000, "EUR"), Money(9500, "EUR"), Money(9500, "CHF")])
PEOPLE = st.builds(
    Person,
    email=st.sampled_from(["", "ana@example.test", "bob@example.test"]),
    locale=st.sampled_from(["", "fr", "en"]),
    country=st.sampled_from(["", "FR"]),
)
STATES = st.builds(
    CartChanged,
    key=KEYS,
    total=st.one_of(st.none(), TOTALS),
    updated_at=MOMENTS,
    lines=st.sampled_from([(), (Line("Lamp"),)]),
    person=PEOPLE,
    version=st.integers(0, 1),
    empty=st.sampled_from([False, False, True]),
    aliases=st.sampled_from([(), (), ("cart:x",), ("order:9",), ("order:10", "cart:x")]),
)
SALES = st.builds(
    OrderPlaced,
    order_key=st.sampled_from(["order:9", "order:10"]),
    placed_at=MOMENTS,
    cart_keys=st.sampled_from([(), ("order:9",), ("order:9", "cart:x")]),
    total=st.one_of(st.none(), TOTALS),
    person=PEOPLE,
    our_reference=st.just(""),
)
EVENTS = st.one_of(
    STATES,
    st.builds(
        PaymentFailed,
        key=KEYS,
        at=MOMENTS,
        decline=st.sampled_from(["limit", "funds", "unknown"]),
        cart=st.one_of(st.none(), STATES),
    ),
    st.builds(CartRemoved, key=KEYS, at=st.one_of(st.none(), MOMENTS)),
    st.builds(CartRestored, key=KEYS, at=MOMENTS),
    SALES.filter(lambda sale: sale.order_key == "order:9"),
    # An order is ours in every telling or in none.
    SALES.filter(lambda sale: sale.order_key == "order:10").map(
        lambda sale: replace(sale, our_reference="pln_1")
    ),
    st.builds(OrderCancelled, order_key=st.sampled_from(["order:9", "order:10"]), at=MOMENTS),
    st.builds(
        OrderRefunded,
        order_key=st.sampled_from(["order:9", "order:10"]),
        at=MOMENTS,
        refunded=st.none(),
        full=st.booleans(),
    ),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=st.lists(EVENTS, min_size=2, max_size=6), chance=st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_of_events_leaves_the_same_carts_and_sales(
    house: TestHouse, shop: Shop, events: list[ShopEvent], chance: random.Random
) -> None:
    expected = outcome(house, shop, events)
    for _ in range(2):
        shuffled = [*events, *chance.choices(events, k=2)]
        chance.shuffle(shuffled)
        assert outcome(house, shop, shuffled) == expected, shuffled


def basket(key: str, hour: int, total: str, *aliases: str, **more: Any) -> CartChanged:
    moment = NOON + timedelta(hours=hour)
    lines = (Line("Lamp"),)
    return CartChanged(key, Money.parse(total, "EUR"), moment, lines=lines, aliases=aliases, **more)


ANA = Person(email="ana@example.test", locale="fr", country="FR")
BASKETS: dict[str, list[ShopEvent]] = {
    "two states of one second": [basket("order:9", 0, "100"), basket("order:9", 0, "90")],
    "two versions of one second": [
        basket("order:9", 0, "100", version=1),
        basket("order:9", 0, "90", version=2),
    ],
    "a basket that became an order": [
        basket("cart:x", 0, "100", person=ANA),
        basket("order:9", 1, "90", "cart:x"),
        basket("cart:x", 2, "80"),
    ],
    "two baskets that turn out to be one": [
        basket("cart:x", 2, "80", person=ANA),
        basket("order:9", 1, "90"),
        basket("order:9", 0, "100", "cart:x"),
    ],
    "a basket refused under one name and removed under another": [
        PaymentFailed("order:9", NOON + timedelta(hours=3), "limit"),
        basket("cart:x", 1, "90"),
        basket("order:9", 0, "100", "cart:x"),
        CartRemoved("cart:x", NOON + timedelta(hours=2)),
    ],
    "a sale under one name of a basket with three": [
        basket("cart:x", 2, "80"),
        basket("order:9", 1, "90"),
        basket("order:10", 0, "100", "cart:x", "order:9"),
        OrderPlaced("order:9", NOON, ("order:9",), Money(9000, "EUR"), ANA),
    ],
    "an order cancelled before it was told of": [
        OrderCancelled("order:9", NOON + timedelta(hours=2)),
        OrderPlaced("order:9", NOON, ("order:9",), Money(9000, "EUR"), ANA),
        OrderPlaced(
            "order:9", NOON + timedelta(hours=1), ("cart:x",), Money(8000, "EUR"), Person(email="b@b.test")
        ),
        OrderRefunded("order:9", NOON + timedelta(hours=3), None, full=True),
    ],
    "removed for good and brought back": [
        basket("order:9", 0, "100"),
        CartRemoved("order:9"),
        CartRestored("order:9", NOON + timedelta(hours=1)),
        basket("order:9", 1, "100"),
    ],
}


@pytest.mark.parametrize("name", sorted(BASKETS))
def test_a_story_ends_alike_however_it_is_told(house: TestHouse, shop: Shop, name: str) -> None:
    events = BASKETS[name]
    expected = outcome(house, shop, events)
    chance = random.Random(name)
    for _ in range(10):
        told = [*events, *events]
        chance.shuffle(told)
        assert outcome(house, shop, told) == expected, told


def test_baskets_that_turn_out_to_be_one_keep_the_newest_of_what_was_told_under_any_name(
    house: TestHouse, shop: Shop
) -> None:
    (found,), _ = outcome(house, shop, BASKETS["two baskets that turn out to be one"])
    key, keys, state, amount, *_ = found
    assert (key, keys, state, amount) == ("order:9", ("cart:x", "order:9"), "active", 8000)
    assert "ana@example.test" in found


def test_a_cancelled_order_that_was_never_sold_counts_for_nobody_as_bought(
    house: TestHouse, shop: Shop
) -> None:
    (found,), ((_, cart_keys, email, amount, *_),) = outcome(
        house, shop, [basket("order:9", 0, "100", person=ANA), OrderCancelled("order:9", NOON)]
    )
    assert found[2] == "active"
    assert (cart_keys, email, amount) == ((), None, None)


# What a running WooCommerce sent, byte for byte.


def recorded() -> list[tuple[str, dict[str, Any], bytes]]:
    if not RECORDED.is_dir():
        return []
    found = sorted(RECORDED.glob("*.headers.json"))
    return [
        (
            path.name,
            json.loads(path.read_text()),
            path.with_name(path.name.replace(".headers.json", ".body")).read_bytes(),
        )
        for path in found
    ]


@pytest.fixture
def deliveries() -> Iterator[list[tuple[str, dict[str, Any], bytes]]]:
    found = recorded()
    if not found:
        pytest.skip(f"NO RECORDED DELIVERIES at {RECORDED}: what a running shop sends was not replayed")
    yield found


def send(house: TestHouse, shop: Shop, told: dict[str, Any], body: bytes) -> int:
    own = ("host", "connection", "content-length", "content-type")
    headers = [(name, value) for name, value in told["headers"] if name.lower() not in own]
    kind = next((value for name, value in told["headers"] if name.lower() == "content-type"), "")
    answer = house.client().post(house.hook(shop), data=body, headers=headers, content_type=kind)
    return answer.status_code


def test_recorded_deliveries_lead_to_the_same_carts_in_any_order(
    house: TestHouse, deliveries: list[tuple[str, dict[str, Any], bytes]]
) -> None:
    (secret,) = {told["signed_with"] for _, told, _ in deliveries} - {None}
    in_order = house.add_shop(settings={"secret": secret})
    refused = []
    for name, told, body in deliveries:
        status = send(house, in_order, told, body)
        assert status in (200, 401)
        if status == 401:
            refused.append(name)
    # Neither signed nor a hello: keys that are handed over, and what other plugins of the shop send.
    unsigned = [
        name for name, told, _ in deliveries if told["signed_with"] is None and told["topic"] != "ping"
    ]
    assert refused == unsigned
    house.rest(in_order)
    with house.of(in_order) as session:
        expected = standing(session)
        states = {row.state for row in session.scalars(select(DeliveryRow))}
    assert {"read", "ignored", "unreadable"} == states
    assert len(expected[0]) >= 3
    assert len(expected[1]) >= 3

    for seed in range(3):
        shop = house.add_shop(settings={"secret": secret})
        shuffled = [delivery for delivery in deliveries if delivery[0] not in refused] * 3
        random.Random(seed).shuffle(shuffled)
        half = len(shuffled) // 2
        for part in (shuffled[:half], shuffled[half:]):
            assert {send(house, shop, told, body) for _, told, body in part} == {200}
            house.rest(shop)
        with house.of(shop) as session:
            assert standing(session) == expected, seed
            assert session.scalar(text("SELECT count(*) FROM deliveries")) == sum(
                told["topic"] != "ping" for name, told, _ in deliveries if name not in refused
            )
