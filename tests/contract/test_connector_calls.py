"""The contract of a connector, for every connector that is there: what it asks of its shop."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from plugin_backend.core.registry import connectors
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import CartChanged, OrderPlaced, PaidWith, Ship
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused, RepriseError
from plugin_backend.sdk.http import Request, Response
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.signing import sign_standard
from tests.contract.connector_golden import SETTINGS, STANDARD_SECRET, connector, folder
from tests.contract.connector_rigs import SHOPS
from tests.contract.connector_shops import Answers, Shop, WooShop
from tests.contract.connector_writes import (
    AT,
    TOTAL,
    WRITES,
    credited,
    ended,
    exchange,
    payment,
    renewal,
    reservation,
)

Written = TypeVar("Written")

PLATFORMS = sorted(connectors())
EACH_PLATFORM = pytest.mark.parametrize("platform", PLATFORMS)
EACH_WRITE = pytest.mark.parametrize("name", sorted(WRITES))
ANY_BASKET = [platform for platform in PLATFORMS if SHOPS[platform].holds_any_basket]
BASKETS = [(platform, True) for platform in PLATFORMS] + [(platform, False) for platform in ANY_BASKET]
EACH_BASKET = pytest.mark.parametrize(("platform", "own"), BASKETS)
"""Each platform with a basket that it has, and each that can hold any basket with one that it never had."""
_NOT_TOLD = [("custom", True), ("custom", False), ("woocommerce", True)]


def test_every_connector_has_a_shop_to_be_tried_against() -> None:
    assert set(SHOPS) == set(PLATFORMS)


@EACH_PLATFORM
@EACH_WRITE
def test_a_write_sends_what_was_written_down(platform: str, name: str) -> None:
    golden = json.loads((folder(platform) / f"{name}.write_back.json").read_text())
    assert exchange(platform, name, SHOPS[platform]()) == golden


@EACH_PLATFORM
def test_the_same_reservation_twice_is_one_order(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    cart = shop.leave_basket()
    first = one.reserve(reservation(cart))
    assert one.reserve(reservation(cart)) == first
    assert first.total == TOTAL
    assert len(shop.orders) == 1
    assert shop.paid(first.order_key) == 0


@EACH_BASKET
@pytest.mark.parametrize("lost_at", range(1, 6))
def test_a_reservation_whose_answer_was_lost_is_found_again(platform: str, own: bool, lost_at: int) -> None:
    shop = SHOPS[platform]()
    wanted = reservation(shop.leave_basket() if own else "cart:elsewhere")
    one = connector(platform, LosesNth(shop, lost_at))
    first = _until_answered(lambda: one.reserve(wanted))
    assert _until_answered(lambda: one.reserve(wanted)) == first
    assert len(shop.orders) == 1


@EACH_PLATFORM
@pytest.mark.parametrize("ship", ["first_payment", "fully_paid"])
@pytest.mark.parametrize("lost_at", range(1, 8))
def test_payments_are_told_once_each_whatever_answer_is_lost(platform: str, ship: Ship, lost_at: int) -> None:
    shop = SHOPS[platform]()
    order = connector(platform, shop).reserve(reservation(shop.leave_basket())).order_key
    for number in (1, 2, 3):
        change = payment(order, number, ship)
        write = partial(connector(platform, LosesNth(shop, lost_at)).write_back, change)
        assert _until_answered(write) == _until_answered(write)
        settled = ship == "first_payment" or number == 3
        part = change.paid_so_far.minor if shop.counts_parts else 0
        assert shop.paid(order) == (TOTAL.minor if settled else part)
        assert len(shop.told(order)) == number
        assert change.words in shop.told(order)[-1]


@EACH_PLATFORM
@pytest.mark.parametrize("lost_at", range(1, 6))
def test_a_renewal_is_one_paid_order_whatever_answer_is_lost(platform: str, lost_at: int) -> None:
    shop = SHOPS[platform]()
    first = connector(platform, shop).reserve(reservation(shop.leave_basket())).order_key
    before = set(shop.orders)
    write = partial(connector(platform, LosesNth(shop, lost_at)).write_back, renewal(first))
    written = _until_answered(write)
    assert _until_answered(write) == written
    assert len(set(shop.orders) - before) == 1
    assert shop.paid(written.order_key) == TOTAL.minor
    assert len(shop.told(written.order_key)) == 1


@EACH_PLATFORM
def test_the_end_of_a_plan_is_told_once(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    order = one.reserve(reservation(shop.leave_basket())).order_key
    one.write_back(ended(order))
    one.write_back(ended(order))
    assert len(shop.told(order)) == 1


@EACH_PLATFORM
def test_a_credit_is_told_once(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    order = one.reserve(reservation(shop.leave_basket())).order_key
    for _ in range(2):
        assert one.write_back(credited(order)).order_key == order
    assert len(shop.told(order)) == 1


@EACH_PLATFORM
def test_a_basket_that_was_bought_meanwhile_is_not_reserved(platform: str) -> None:
    shop = SHOPS[platform]()
    cart = shop.leave_basket()
    shop.buy(cart)
    before = len(shop.orders)
    with pytest.raises(Refused) as refused:
        connector(platform, shop).reserve(reservation(cart))
    assert refused.value.permanent
    assert len(shop.orders) == before


@pytest.mark.parametrize(
    ("platform", "own"),
    # A shop of its owner's making says by a refusal of its own that it cancelled; WooCommerce makes another order for a
    # basket whose own was cancelled.
    [(platform, own) for platform, own in BASKETS if (platform, own) not in _NOT_TOLD],
)
def test_what_the_shop_cancelled_is_not_held_again(platform: str, own: bool) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    wanted = reservation(shop.leave_basket() if own else "cart:elsewhere")
    shop.cancel(one.reserve(wanted).order_key)
    with pytest.raises(Refused, match="cancelled_in_shop"):
        one.reserve(wanted)
    assert len(shop.orders) == 1


@EACH_PLATFORM
def test_what_was_reserved_is_seen_in_the_shop(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    order = one.reserve(reservation(shop.leave_basket())).order_key
    seen = one.read("order", order)
    assert seen is None or (isinstance(seen, CartChanged | OrderPlaced) and seen.total == TOTAL)
    assert one.read("order", "order:404404") is None


@EACH_PLATFORM
def test_what_was_sold_out_meanwhile_is_named(platform: str) -> None:
    shop = SHOPS[platform]()
    cart = shop.leave_basket()
    seen = connector(platform, shop).read("cart", cart)
    assert seen is None or (isinstance(seen, CartChanged) and not seen.sold_out)
    name = shop.sell_out(cart)
    seen = connector(platform, shop).read("cart", cart)
    assert not name or (isinstance(seen, CartChanged) and seen.sold_out == (name,))


@EACH_PLATFORM
def test_neither_a_basket_nor_an_order_of_ours_is_a_payment_of_the_shops(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    order = one.reserve(reservation(shop.leave_basket())).order_key
    one.write_back(payment(order))
    assert one.paid_with(order) is None
    assert one.paid_with(shop.leave_basket()) is None
    assert one.paid_with("order:404404") is None


def test_what_a_payment_module_left_with_a_paid_order_is_told_and_hidden() -> None:
    shop = WooShop()
    cart = shop.leave_basket()
    shop.orders[cart.partition(":")[2]]["meta_data"] = [
        {"key": "_cardgate_customer", "value": "cust_1"},
        {"key": "_note", "value": "a sentence, not a reference"},
        {"key": "_lines", "value": ["a"]},
    ]
    shop.buy(cart)
    paid = connector("woocommerce", shop).paid_with(cart)
    assert paid == PaidWith("cardgate", "", {"_cardgate_customer": "cust_1"})
    assert "cust_1" not in repr(paid)


@given(
    totals=st.lists(st.none() | st.integers(0, 10**7), max_size=4),
    quantity=st.sampled_from(["1", "2", "3", "1.5", "0", "-1", "many"]),
    sku=st.sampled_from(["", "A-1"]),
    total=st.integers(1, 10**7),
)
@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("platform", ANY_BASKET)
def test_a_new_order_has_the_total_that_was_agreed(
    platform: str, totals: list[int | None], quantity: str, sku: str, total: int
) -> None:
    lines = tuple(
        replace(
            reservation("").lines[0],
            total=None if one is None else Money(one, "EUR"),
            quantity=quantity,
            sku=sku,
        )
        for one in totals
    )
    wanted = replace(reservation("cart:elsewhere", total=Money(total, "EUR")), lines=lines)
    assert connector(platform, SHOPS[platform]()).reserve(wanted).total == Money(total, "EUR")


@EACH_PLATFORM
@EACH_WRITE
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NoAnswer("timed out"), NoAnswer),
        (NotSent("no address"), NotSent),
        (Response(500, {}, b"{}"), NoAnswer),
        (Response(302, {"location": "https://elsewhere.example"}, b""), NoAnswer),
        (Response(200, {}, b"<html>Hello</html>"), NoAnswer),
        (Response(401, {}, b"{}"), Refused),
        (Response(400, {}, b"{}"), Refused),
        (Response(403, {}, b"<html>Blocked</html>"), Refused),
        (Response(429, {}, b""), Refused),
        (Response(503, {}, b""), Refused),
    ],
    ids=["silent", "unreachable", "500", "302", "html", "401", "400", "403", "429", "503"],
)
def test_a_failure_is_one_of_three(
    platform: str, name: str, answer: Response | RepriseError, expected: type[RepriseError]
) -> None:
    shop = SHOPS[platform]()
    write = WRITES[name]
    if name == "reserve_without_own_order" and not shop.holds_any_basket:
        return
    key = write.prepare(connector(platform, shop), shop.leave_basket())
    with pytest.raises(expected) as raised:
        write.act(connector(platform, Answers(answer)), key)
    later = isinstance(answer, Response) and answer.status in (429, 503)
    assert raised.value.permanent is (expected is Refused and not later)
    assert not [
        secret
        for secret in SETTINGS[platform].values()
        if secret in str(raised.value) and "://" not in secret
    ]


@given(
    body=st.binary(max_size=80)
    | st.sampled_from([b"{}", b"[]", b"[" * 50_000, b'{"data":{}}', b'{"data":null}'])
)
@settings(deadline=None, max_examples=40)
@EACH_PLATFORM
def test_an_answer_of_nonsense_raises_nothing_but_our_errors(platform: str, body: bytes) -> None:
    one = connector(platform, Answers(Response(200, {}, body)))
    shop = SHOPS[platform]()
    cart = shop.leave_basket()
    order = connector(platform, shop).reserve(reservation(cart)).order_key
    asks: list[Callable[[], object]] = [partial(write.act, one, order) for write in WRITES.values()]
    asks += [
        lambda: one.reserve(reservation(cart)),
        lambda: one.read("cart", cart),
        lambda: one.read("order", order),
        lambda: one.read("cart", "cart:c0ffee"),
        lambda: one.paid_with(order),
        lambda: one.fetch("carts", AT),
        lambda: one.fetch("orders", AT),
        lambda: one.ensure_webhooks("https://us.example/hook"),
        lambda: one.checks(),
        lambda: one.facts(),
        lambda: one.refresh(),
        lambda: connectors()[platform].recognise("https://shop.example", Answers(Response(200, {}, body))),
    ]
    for ask in asks:
        try:
            ask()
        except RepriseError as error:
            assert str(error)


@EACH_PLATFORM
def test_without_keys_nothing_is_asked(platform: str) -> None:
    shop = SHOPS[platform]()
    bare = {name: SETTINGS[platform][name] for name in ("url", "secret")}
    one = connectors()[platform](bare, shop)
    assert not one.can_write
    assert connector(platform, shop).can_write
    for ask in (
        lambda: one.reserve(reservation("order:1")),
        lambda: one.write_back(payment("order:1")),
        lambda: one.read("cart", "order:1"),
    ):
        with pytest.raises(Refused) as refused:
            ask()
        assert (refused.value.reason, refused.value.permanent) == ("no_api_key", True)
    assert not shop.requests


def test_notices_of_php_before_the_answer_are_read_over() -> None:
    class Noisy(WooShop):
        def send(self, request: Request, *, timeout: float | None = None) -> Response:
            answer = super().send(request, timeout=timeout)
            notice = b"<br />\n<b>Notice</b>: Undefined index: [0] in {main} on line 7<br />\n"
            return Response(answer.status, answer.headers, notice + answer.body)

    shop = Noisy()
    assert connector("woocommerce", shop).reserve(reservation(shop.leave_basket())).total == TOTAL


@given(body=st.binary(max_size=200), name=st.from_regex(r"\A[A-Za-z0-9_]{1,40}\Z"))
@settings(deadline=None, max_examples=30)
def test_what_we_sign_the_reference_library_accepts(body: bytes, name: str) -> None:
    """The library reads the body as JSON text once it is satisfied, so it gets text."""
    text = json.dumps(body.decode("latin-1")).encode()
    signed = sign_standard(STANDARD_SECRET, name, clock.real_now(), text)
    assert Webhook(STANDARD_SECRET).verify(text, signed) == body.decode("latin-1")


class LosesNth:
    """A client that loses the answer to its n-th request, after the shop acted on it."""

    def __init__(self, shop: Shop, nth: int) -> None:
        self.shop = shop
        self.left = nth

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        self.left -= 1
        answer = self.shop.send(request, timeout=timeout)
        if self.left == 0:
            raise NoAnswer("the answer was lost on its way")
        return answer


def _until_answered(ask: Callable[[], Written]) -> Written:
    """What the outbox does: ask again under the same key until there is an answer."""
    for _ in range(3):
        try:
            return ask()
        except NoAnswer:
            continue
    raise AssertionError("never answered")
