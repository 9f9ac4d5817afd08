"""The webhook door: verify the raw bytes, keep them once, answer; and tell a stranger nothing."""

import base64
import hashlib
import hmac
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse, run_wsgi_app

from connectors.woocommerce import WooCommerce
from plugin_backend.domain import inbox
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.web import webhooks
from tests import story
from tests.house import SECRET, STANDARD_SECRET, TestHouse

NOWHERE = "/hooks/" + "a" * 32
CARD = "4242424242424242"


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def post(house: TestHouse, path: str, body: bytes, signed: str | None = None, **headers: str) -> TestResponse:
    sent = {
        "X-WC-Webhook-Topic": "order.updated",
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": "d1",
        "X-WC-Webhook-Signature": signature(body) if signed is None else signed,
        **headers,
    }
    return house.client().post(path, data=body, headers=sent, content_type="application/json")


def kept(house: TestHouse, shop: Shop) -> list[DeliveryRow]:
    with house.of(shop) as session:
        return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.received_at, DeliveryRow.id)))


def carts(house: TestHouse, shop: Shop) -> list[tuple[str, str, int | None]]:
    with house.of(shop) as session:
        return [(c.key, c.state, c.amount) for c in session.scalars(select(Cart).order_by(Cart.key))]


def order(**changes: Any) -> bytes:
    return json.dumps(story.draft(**changes)).encode()


def test_a_signed_delivery_is_kept_and_read(house: TestHouse, shop: Shop) -> None:
    answer = post(house, house.hook(shop), order())
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"{}", "application/json")
    (row,) = kept(house, shop)
    assert (row.state, row.topic, row.body) == ("received", "", order())
    assert row.sha256 == hashlib.sha256(order()).hexdigest()
    house.rest(shop)
    assert carts(house, shop) == [("order:19", "active", 10000)]
    assert [row.topic for row in kept(house, shop)] == ["order.updated"]


def test_what_a_delivery_is_about_is_read_by_the_worker_and_not_at_the_door(house: TestHouse) -> None:
    shop = house.add_shop("custom", settings={"secret": STANDARD_SECRET})
    assert house.standard(shop, {"type": "nothing.known", "data": {}}) == 200
    assert [(row.state, row.topic) for row in kept(house, shop)] == [("received", "")]
    house.rest(shop)
    assert [(row.state, row.topic) for row in kept(house, shop)] == [("unreadable", "nothing.known")]


@pytest.mark.parametrize("body", [b"", b"{}", order(), b"\xff\xfe", b"x" * 1025])
def test_a_stranger_cannot_tell_an_unknown_path_from_a_wrong_signature(
    house: TestHouse, shop: Shop, body: bytes
) -> None:
    hook = house.hook(shop)
    wrong = [
        post(house, path, body, signed)
        for path in (hook, NOWHERE)
        for signed in ("", "x", signature(b"other"))
    ]
    assert {answer.status_code for answer in wrong} == {401}
    assert len({answer.data for answer in wrong}) == 1
    assert len({str(answer.headers) for answer in wrong}) == 1
    assert kept(house, shop) == []


def test_one_changed_or_missing_byte_is_refused(house: TestHouse, shop: Shop) -> None:
    body, hook = order(), house.hook(shop)
    signed = signature(body)
    for at in (0, 1, len(body) // 2, len(body) - 1):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert post(house, hook, changed, signed).status_code == 401
    assert post(house, hook, body[:-1], signed).status_code == 401
    assert post(house, hook, body + b"\n", signed).status_code == 401
    assert post(house, hook, body, signature(body, "another")).status_code == 401
    assert post(house, hook, body, signature(body, "")).status_code == 401
    assert kept(house, shop) == []


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/",
        "/hooks/x",
        "/hooks/" + "A" * 32,
        NOWHERE + "/more",
        "/hooks/" + "a" * 31,
        NOWHERE + "\n",
        "/hooks/%00",
    ],
)
def test_every_path_that_leads_nowhere_answers_alike(house: TestHouse, path: str) -> None:
    answer = post(house, path, b"{}")
    assert answer.status_code == 401
    assert answer.data == post(house, NOWHERE, b"{}").data


class Unread(io.RawIOBase):
    """A request's body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("length", [webhooks.LARGEST + 1, 10**12])
def test_a_body_that_says_it_is_too_large_is_not_read(house: TestHouse, shop: Shop, length: int) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": house.hook(shop),
        "CONTENT_LENGTH": str(length),
        "wsgi.input": Unread(),
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "reprise.test",
        "SERVER_PORT": "80",
    }
    chunks, status, headers = run_wsgi_app(house.web.wsgi_app, environ)
    assert status == "413 Content Too Large"
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(b"".join(chunks))["status"] == 413


@pytest.mark.parametrize("declared", ["", "-1", "many"])
def test_a_body_of_unknown_length_is_read_up_to_the_limit(
    house: TestHouse, shop: Shop, declared: str
) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": house.hook(shop),
        "CONTENT_LENGTH": declared,
        "wsgi.input": io.BytesIO(b"x" * (webhooks.LARGEST + 2)),
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "reprise.test",
        "SERVER_PORT": "80",
    }
    _, status, _ = run_wsgi_app(house.web.wsgi_app, environ)
    assert status == "413 Content Too Large"


def test_the_largest_body_is_taken(house: TestHouse, shop: Shop) -> None:
    body = b'{"id": 1, "pad": "' + b"x" * (webhooks.LARGEST - 20) + b'"}'
    assert len(body) == webhooks.LARGEST
    assert post(house, house.hook(shop), body).status_code == 200


def test_a_platforms_unsigned_hello_is_answered_alike_on_every_path(house: TestHouse, shop: Shop) -> None:
    for path in (house.hook(shop), NOWHERE, "/hooks/x"):
        answer = house.client().post(
            path, data=b"webhook_id=13", content_type="application/x-www-form-urlencoded"
        )
        assert (answer.status_code, answer.data) == (200, b"{}")
    longer = house.client().post(
        house.hook(shop), data=b"webhook_id=13&x=1", content_type="application/x-www-form-urlencoded"
    )
    assert longer.status_code == 401
    assert kept(house, shop) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_allowed_and_the_answer_says_so(house: TestHouse, shop: Shop, method: str) -> None:
    for path in (house.hook(shop), NOWHERE):
        answer = house.client().open(path, method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/xml; charset=x", "multipart/form-data", "\xff"]
)
def test_the_content_type_does_not_matter_where_the_signature_fits(
    house: TestHouse, shop: Shop, content_type: str
) -> None:
    body = order()
    answer = house.client().post(
        house.hook(shop),
        data=body,
        headers={"X-WC-Webhook-Signature": signature(body), "X-WC-Webhook-Topic": "order.updated"},
        content_type=content_type,
    )
    assert answer.status_code == 200
    house.rest(shop)
    assert carts(house, shop) == [("order:19", "active", 10000)]


def test_a_redelivery_is_kept_once_even_sixteen_at_a_time(house: TestHouse, shop: Shop) -> None:
    hook = house.hook(shop)
    with ThreadPoolExecutor(16) as senders:
        answers = list(senders.map(lambda _: post(house, hook, order()).status_code, range(16)))
    assert answers == [200] * 16
    assert len(kept(house, shop)) == 1
    house.rest(shop)
    assert post(house, hook, order()).status_code == 200
    house.rest(shop)
    assert [row.state for row in kept(house, shop)] == ["read"]


def test_one_delivery_id_with_different_bodies_is_two_deliveries(house: TestHouse, shop: Shop) -> None:
    for total in ("100.00", "120.00"):
        assert post(house, house.hook(shop), order(total=total)).status_code == 200
    assert len(kept(house, shop)) == 2


def test_one_body_under_two_topics_is_two_deliveries(house: TestHouse, shop: Shop) -> None:
    for topic in ("order.created", "order.updated"):
        assert post(house, house.hook(shop), order(), **{"X-WC-Webhook-Topic": topic}).status_code == 200
    house.rest(shop)
    assert [row.state for row in kept(house, shop)] == ["read", "read"]
    assert carts(house, shop) == [("order:19", "active", 10000)]


def test_two_shops_keep_the_same_delivery_each(house: TestHouse, shop: Shop) -> None:
    other = house.add_shop()
    for one in (shop, other):
        assert post(house, house.hook(one), order()).status_code == 200
        house.rest(one)
    assert carts(house, shop) == carts(house, other)


def test_zeros_in_texts_and_headers_are_kept_and_read(house: TestHouse, shop: Shop) -> None:
    meta = [
        {"id": 1, "key": "note\0", "value": "a\0b"},
        {"id": 2, "key": "_reprise_cart", "value": "c\0art-1"},
    ]
    odd = {"X-Odd": "\\u0000", "X-Latin": "caf\xe9", "User-Agent": "\xff\xfe"}
    body = order(
        meta_data=meta, billing={"email": "ana@example.test", "first_name": "A\0na", "country": "FR"}
    )
    assert b"\\u0000" in body
    assert post(house, house.hook(shop), body, **odd).status_code == 200
    house.rest(shop)
    (row,) = kept(house, shop)
    assert (row.state, row.reason, row.body) == ("read", "", body)
    assert row.headers["x-odd"] == "\\u0000"
    assert row.headers["x-latin"] == "caf\xe9"


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}',
        b"[]",
        b"",
        b"null",
        b"5",
        b'"text"',
        b"{}",
        b'{"id": 19',
        b"\xff\xfe\x00",
        b"{" * 5000,
        b"[" * 100_000,
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"id":19,"status":"pending","date_modified_gmt":"soon"}',
        b'{"id":19,"id":20,"status":null}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_a_signed_body_that_says_nothing_is_kept_unreadable_with_a_reason(
    house: TestHouse, shop: Shop, body: bytes
) -> None:
    assert post(house, house.hook(shop), body).status_code == 200
    house.rest(shop)
    (row,) = kept(house, shop)
    assert row.state == "unreadable"
    assert row.reason
    assert row.body == body
    assert carts(house, shop) == []


def test_an_unreadable_delivery_is_read_again_once_the_reader_can(
    house: TestHouse, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop wraps its orders, as a plugin of its might; the reader that knows the wrapping comes later."""
    twin = house.add_shop()
    wrapped = json.dumps({"order": story.draft()}).encode()
    assert post(house, house.hook(shop), wrapped).status_code == 200
    assert post(house, house.hook(twin), order()).status_code == 200
    house.rest(shop)
    house.rest(twin)
    assert [row.state for row in kept(house, shop)] == ["unreadable"]
    old = WooCommerce.parse

    def unwrapping(self: WooCommerce, delivery: Any) -> Any:
        return old(self, replace(delivery, body=json.dumps(json.loads(delivery.body)["order"]).encode()))

    monkeypatch.setattr(WooCommerce, "parse", unwrapping)
    with house.of(shop) as session:
        inbox.replay(session, session.scalars(select(DeliveryRow)).one(), clock.now())
    house.rest(shop)
    assert [row.state for row in kept(house, shop)] == ["read"]
    assert carts(house, shop) == carts(house, twin)


def test_a_delivery_replayed_changes_nothing(house: TestHouse, shop: Shop) -> None:
    for total, at in (("100.00", "10:00:00"), ("90.00", "10:05:00")):
        post(house, house.hook(shop), order(total=total, date_modified_gmt=f"2026-11-22T{at}"))
    house.rest(shop)
    before = carts(house, shop)
    with house.of(shop) as session:
        for row in session.scalars(select(DeliveryRow)):
            inbox.replay(session, row, clock.now())
    house.rest(shop)
    assert carts(house, shop) == before == [("order:19", "active", 9000)]


def test_a_topic_of_no_interest_is_kept_and_ignored(house: TestHouse, shop: Shop) -> None:
    for topic in ("product.updated", "order.exploded", "", "action.woocommerce_add_to_cart"):
        assert post(house, house.hook(shop), b'{"id": 5}', **{"X-WC-Webhook-Topic": topic}).status_code == 200
    house.rest(shop)
    assert {row.state for row in kept(house, shop)} <= {"ignored", "unreadable"}
    assert carts(house, shop) == []


def test_card_numbers_are_masked_before_anything_is_kept(house: TestHouse, shop: Shop) -> None:
    body = order(
        meta_data=[{"id": 1, "key": "note", "value": f"{CARD} 12/28"}], customer_note="4242-4242-4242-4242"
    )
    answer = post(house, house.hook(shop) + f"?note={CARD}", body, **{"X-Note": CARD})
    assert answer.status_code == 200
    house.rest(shop)
    (row,) = kept(house, shop)
    assert row.state == "read"
    assert row.body is not None
    everything = row.body.decode() + json.dumps(row.headers) + row.query
    assert CARD not in everything
    assert "4242-4242" not in everything
    assert json.loads(row.body)["meta_data"][0]["value"] == "**************** 12/28"
    assert row.sha256 == hashlib.sha256(row.body).hexdigest()


def test_no_hash_tells_a_masked_number_to_who_tries_them_all(house: TestHouse, shop: Shop) -> None:
    """Two deliveries of which only the card number is another are one: nothing that is kept depends on it."""
    for card in (CARD, CARD, "5555555555554444"):
        body = order(customer_note=f"charge {card} please")
        assert post(house, house.hook(shop), body).status_code == 200
    (row,) = kept(house, shop)
    assert row.sha256 != hashlib.sha256(body).hexdigest()


def test_bodies_are_forgotten_after_thirty_days_and_what_they_did_stays(house: TestHouse, shop: Shop) -> None:
    post(house, house.hook(shop), order())
    house.rest(shop)
    post(house, house.hook(shop), order(total="120.00"))
    now = clock.real_now()
    with house.of(shop) as session:
        inbox.purge_bodies(session, shop.id, now + timedelta(days=29))
    assert all(row.body is not None for row in kept(house, shop))
    with house.of(shop) as session:
        inbox.purge_bodies(session, shop.id, now + timedelta(days=31))
    read, waiting = sorted(kept(house, shop), key=lambda row: row.body is not None)
    assert (read.state, read.body, read.headers, read.query) == ("read", None, {}, "")
    assert read.effect == ["CartChanged"]
    assert waiting.state == "received"
    assert waiting.body is not None
    with house.of(shop) as session, pytest.raises(ValueError, match="purged"):
        inbox.replay(session, session.get_one(DeliveryRow, (shop.id, read.id)), clock.now())
    assert post(house, house.hook(shop), order()).status_code == 200
    assert len(kept(house, shop)) == 2
    house.rest(shop)
