"""The contract of a connector, for every connector that is there: what is said about a delivery."""

import copy
import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin_backend.core.registry import connectors
from plugin_backend.sdk.connector import CartChanged, Connector, ShopEvent, settings_of
from plugin_backend.sdk.errors import BadSignature, Unreadable
from plugin_backend.sdk.http import Delivery, HttpClient
from tests.contract.connector_golden import (
    SETTINGS,
    Golden,
    as_json,
    connector,
    folder,
    goldens,
    signed_base64,
)

GOLDENS = goldens()
PLATFORMS = sorted(connectors())
EACH_GOLDEN = pytest.mark.parametrize(
    "golden", GOLDENS, ids=lambda golden: f"{golden.platform}-{golden.name}"
)
EACH_PLATFORM = pytest.mark.parametrize("platform", PLATFORMS)
NO_CLIENT = HttpClient()

_RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
_HOSTILE: list[Any] = [
    None,
    True,
    10**400,
    -1.5,
    2**63,
    "\u0000\ud800",
    "٣",
    "x" * 5000,
    "9999-12-31T23:59:59-14:00",
    [[[]]],
    {"id": {"id": []}},
]
_NASTY = st.sampled_from([*_HOSTILE, 1e308, "NaN", "1e5", "0001-01-01T00:00:00+14:00", "<b>&#0;</b>"])
_JSON = _NASTY | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def read(one: Connector, delivery: Delivery) -> list[ShopEvent] | str:
    """The events, or the reason why there are none; any other error fails the test."""
    try:
        return one.parse(delivery)
    except Unreadable as error:
        assert str(error)
        return str(error)


@EACH_GOLDEN
def test_a_golden_delivery_verifies_and_says_what_was_written_down(golden: Golden) -> None:
    one = connector(golden.platform, NO_CLIENT)
    one.verify(golden.delivery)
    said = read(one, golden.delivery)
    expected = golden.expected
    assert one.topic(golden.delivery) == expected["topic"]
    if isinstance(said, str):
        assert said == expected["unreadable"]
    else:
        assert as_json(said) == expected["events"]


@EACH_PLATFORM
def test_a_connector_has_a_guide_for_the_owner_and_golden_deliveries(platform: str) -> None:
    where = folder(platform)
    assert (where.parent / "README.md").read_text().startswith("# ")
    assert any(golden.platform == platform for golden in GOLDENS)
    assert connectors()[platform].name == platform


@given(data=st.data())
@_RELAXED
@EACH_PLATFORM
def test_one_changed_byte_anywhere_in_the_body_is_refused(platform: str, data: st.DataObject) -> None:
    golden = data.draw(st.sampled_from([golden for golden in GOLDENS if golden.platform == platform]))
    body = bytearray(golden.delivery.body)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSignature):
        connector(platform, NO_CLIENT).verify(replace(golden.delivery, body=bytes(body)))


@EACH_PLATFORM
def test_a_body_cut_short_or_made_longer_is_refused(platform: str) -> None:
    golden = _first(platform)
    for body in (golden.delivery.body[:-1], golden.delivery.body + b" ", b""):
        with pytest.raises(BadSignature):
            connector(platform, NO_CLIENT).verify(replace(golden.delivery, body=body))


@EACH_GOLDEN
def test_without_its_headers_or_with_nonsense_in_them_a_delivery_is_refused(golden: Golden) -> None:
    one = connector(golden.platform, NO_CLIENT)
    with pytest.raises(BadSignature):
        one.verify(replace(golden.delivery, headers={}))
    for nonsense in ("", "v1", "v1,", "é\u0000", "AAAA", "v1," + "A" * 44, "A" * 43 + "="):
        headers = {
            name: nonsense if "signature" in name or "hmac" in name else value
            for name, value in golden.delivery.headers.items()
        }
        with pytest.raises(BadSignature):
            one.verify(replace(golden.delivery, headers=headers))


@EACH_PLATFORM
def test_a_secret_that_was_changed_is_accepted_as_the_old_one_only(platform: str) -> None:
    golden = _first(platform)
    secret = SETTINGS[platform]["secret"]
    other = "whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSBzaG9wIG93bmVy"
    renewed = connector(platform, NO_CLIENT, secret=other, old_secret=secret)
    renewed.verify(golden.delivery)
    with pytest.raises(BadSignature):
        connector(platform, NO_CLIENT, secret=other).verify(golden.delivery)
    with pytest.raises(BadSignature):
        connectors()[platform]({"url": "https://shop.example"}, NO_CLIENT).verify(golden.delivery)


@EACH_PLATFORM
def test_the_door_needs_no_more_than_its_part_of_the_settings(platform: str) -> None:
    kind = connectors()[platform]
    door = kind.door(SETTINGS[platform])
    assert set(door) < set(SETTINGS[platform])
    assert not {name for name in door if "key" in name or "token" in name or "callback" in name}
    one = kind(door, NO_CLIENT)
    for golden in GOLDENS:
        if golden.platform == platform:
            one.verify(golden.delivery)
            assert one.identify(golden.delivery)
            assert one.topic(golden.delivery) == golden.expected["topic"]


@EACH_PLATFORM
def test_a_redelivery_is_known_again_and_another_body_is_not(platform: str) -> None:
    one = connector(platform, NO_CLIENT)
    mine = [golden.delivery for golden in GOLDENS if golden.platform == platform]
    for delivery in mine:
        again = replace(delivery, headers=dict(delivery.headers))
        assert one.identify(delivery) == one.identify(again) != ""
        other = replace(delivery, body=delivery.body + b" ")
        assert one.identify(other) != one.identify(delivery)
    assert len({one.identify(delivery) for delivery in mine}) == len({_bytes(delivery) for delivery in mine})


def _bytes(delivery: Delivery) -> tuple[str, bytes]:
    """What tells golden deliveries apart: they share a delivery id on purpose."""
    topics = ("x-wc-webhook-topic", "x-shopify-topic", "shopify-topic", "webhook-id")
    return "".join(delivery.header(name) for name in topics), delivery.body


@EACH_GOLDEN
def test_a_hostile_value_in_any_place_is_read_or_unreadable(golden: Golden) -> None:
    one = connector(golden.platform, NO_CLIENT)
    value = json.loads(golden.delivery.body)
    for place in _places(value):
        for hostile in _HOSTILE:
            body = json.dumps(_replaced(value, place, hostile)).encode()
            delivery = replace(golden.delivery, body=body)
            _fit_for_the_database(one.topic(delivery))
            said = read(one, delivery)
            if not isinstance(said, str):
                _fit_for_the_database(as_json(said))


@given(data=st.data())
@settings(_RELAXED, max_examples=150)
@EACH_PLATFORM
def test_any_json_in_place_of_any_value_is_read_or_unreadable(platform: str, data: st.DataObject) -> None:
    golden = data.draw(st.sampled_from([golden for golden in GOLDENS if golden.platform == platform]))
    value = json.loads(golden.delivery.body)
    places = list(_places(value))
    place = data.draw(st.sampled_from(places))
    changed = _replaced(value, place, data.draw(_JSON))
    body = json.dumps(changed).encode("utf-8", "surrogatepass")
    said = read(connector(platform, NO_CLIENT), replace(golden.delivery, body=body))
    if not isinstance(said, str):
        _fit_for_the_database(as_json(said))


@given(body=st.binary(max_size=60))
@_RELAXED
@EACH_GOLDEN
def test_any_bytes_are_read_or_unreadable(golden: Golden, body: bytes) -> None:
    one = connector(golden.platform, NO_CLIENT)
    read(one, replace(golden.delivery, body=body))
    assert isinstance(one.topic(replace(golden.delivery, body=body)), str)


@EACH_PLATFORM
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"total": NaN, "id": Infinity}',
        b'{"id": 1, "id": {"id": 2}, "type": "ping", "type": 7}',
        b'{"type": "cart.updated", "data": {"id": "\\ud800\\u0000", "lines": ['
        + b"[" * 900
        + b"]" * 900
        + b"]}}",
        b"\xff\xfe{}",
        b'"text"',
        b"null",
    ],
    ids=["lists", "objects", "long", "nan", "twice", "half", "utf16", "text", "null"],
)
def test_hostile_json_is_read_or_unreadable(platform: str, body: bytes) -> None:
    one = connector(platform, NO_CLIENT)
    for golden in GOLDENS:
        if golden.platform == platform:
            read(one, replace(golden.delivery, body=body))


@EACH_PLATFORM
def test_no_secret_shows_in_a_connector_or_in_what_it_says(platform: str) -> None:
    one = connector(platform, NO_CLIENT)
    shown = f"{one!r} {one} {_first(platform).delivery!r}"
    secrets = [
        SETTINGS[platform][name]
        for name, secret in settings_of(one.settings)
        if secret and name in SETTINGS[platform]
    ]
    assert secrets
    assert not [secret for secret in secrets if secret in shown]


@EACH_PLATFORM
def test_the_settings_are_read_by_their_schema_and_the_secret_must_be_there(platform: str) -> None:
    kind = connectors()[platform]
    schema = kind.settings()
    assert schema.load(dict(SETTINGS[platform])) == SETTINGS[platform]
    assert dict(settings_of(kind.settings))["secret"] is True
    for wrong in ({"secret": ""}, {"url": "not an address"}, {"url": "ftp://shop.example"}):
        assert schema.validate({**SETTINGS[platform], **wrong})


@EACH_GOLDEN
def test_a_signed_delivery_is_no_ping(golden: Golden) -> None:
    assert not connectors()[golden.platform].is_ping(golden.delivery)


@EACH_PLATFORM
@given(token=st.text(max_size=300) | st.from_regex(r"[0-9]{1,30}", fullmatch=True))
def test_a_name_that_could_be_guessed_speaks_for_no_basket(platform: str, token: str) -> None:
    """Whoever knows a token may speak for its basket: numbers and short words can be tried out."""
    names = connectors()[platform].basket_keys(token)
    assert isinstance(names, tuple)
    if token.isdecimal() or len(token) < 16:
        assert names == ()
    assert all(token.partition("?")[0] in name for name in names)


def test_woocommerces_hello_is_a_ping_in_exactly_its_own_form() -> None:
    kind = connectors()["woocommerce"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    hello = replace(_first("woocommerce").delivery, headers=form, body=b"webhook_id=13")
    assert kind.is_ping(hello)
    for body in (b"webhook_id=", b"webhook_id=13&a=b", b"webhook_id=x", b"webhook_id=13\n"):
        assert not kind.is_ping(replace(hello, body=body))
    assert not kind.is_ping(replace(hello, headers={"content-type": "application/json"}))
    assert not kind.is_ping(replace(hello, headers={**form, "x-wc-webhook-id": "13"}))


def test_two_orders_of_one_second_share_a_delivery_id_and_are_two() -> None:
    one = connector("woocommerce", NO_CLIENT)
    found = {golden.name: golden.delivery for golden in GOLDENS if golden.platform == "woocommerce"}
    first, second = found["order_failed"], found["order_on_hold"]
    assert first.header("x-wc-webhook-delivery-id") == second.header("x-wc-webhook-delivery-id")
    assert one.identify(first) != one.identify(second)


def test_created_and_updated_with_one_body_say_the_same() -> None:
    one = connector("woocommerce", NO_CLIENT)
    created = _named("woocommerce", "order_pending")
    headers = {**created.headers, "x-wc-webhook-topic": "order.updated", "x-wc-webhook-event": "updated"}
    updated = replace(created, headers=headers)
    assert one.parse(created) == one.parse(updated)
    assert one.identify(created) != one.identify(updated)


@pytest.mark.parametrize("kept", ["a&amp;b &#039;q&quot;", "a&b 'q\""])
def test_woocommerce_signs_with_the_secret_whose_entities_are_decoded(kept: str) -> None:
    golden = _named("woocommerce", "order_pending")
    from_shop = connector("woocommerce", NO_CLIENT, secret=kept)
    signed = {**golden.headers, "x-wc-webhook-signature": signed_base64(golden.body, "a&b 'q\"")}
    from_shop.verify(replace(golden, headers=signed))


def test_a_genuine_body_of_another_shopify_shop_is_refused() -> None:
    delivery = _named("shopify", "order_created")
    headers = {**delivery.headers, "x-shopify-shop-domain": "another.myshopify.com"}
    with pytest.raises(BadSignature):
        connector("shopify", NO_CLIENT).verify(replace(delivery, headers=headers))
    loopback = connector("shopify", NO_CLIENT, url="http://127.0.0.1:9/shop")
    loopback.verify(replace(delivery, headers=headers))


def test_standard_webhooks_are_refused_when_their_time_is_five_minutes_away() -> None:
    delivery = _named("custom", "cart")
    one = connector("custom", NO_CLIENT)
    for seconds, good in ((300, True), (301, False), (-300, True), (-301, False)):
        moved = replace(delivery, received_at=delivery.received_at + timedelta(seconds=seconds))
        with nullcontext() if good else pytest.raises(BadSignature):
            one.verify(moved)


def test_the_address_that_leads_back_to_a_basket_is_not_shown() -> None:
    for golden in GOLDENS:
        for event in _events(golden):
            if isinstance(event, CartChanged) and event.recovery_url:
                assert event.recovery_url not in repr(event)


def _events(golden: Golden) -> list[ShopEvent]:
    said = read(connector(golden.platform, NO_CLIENT), golden.delivery)
    return [] if isinstance(said, str) else said


def _first(platform: str) -> Golden:
    return next(golden for golden in GOLDENS if golden.platform == platform)


def _named(platform: str, name: str) -> Delivery:
    return next(one.delivery for one in GOLDENS if (one.platform, one.name) == (platform, name))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _places(inner, (*path, name))


def _replaced(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    if not place:
        return other
    changed = copy.deepcopy(value)
    target = changed
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = other
    return changed


def _fit_for_the_database(value: Any) -> None:
    """PostgreSQL refuses NUL and half characters, and a number beyond 64 bits."""
    match value:
        case dict():
            for inner in value.values():
                _fit_for_the_database(inner)
        case list():
            for inner in value:
                _fit_for_the_database(inner)
        case str():
            assert "\x00" not in value
            value.encode()
        case int():
            assert abs(value) < 2**63
