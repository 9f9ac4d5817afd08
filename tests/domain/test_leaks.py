"""Card numbers in deliveries leave nothing behind; and the search for what lies open finds it."""

import base64
import json
import re
import zlib
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from redis import Redis
from rq.serializers import JSONSerializer
from sqlalchemy import func, select

from plugin_backend.cli.processes import BellWorker
from plugin_backend.core import log, queue
from plugin_backend.demo import leaks
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.worker import jobs
from tests import plan_story
from tests.contract.connector_golden import goldens
from tests.house import STANDARD_SECRET, TestHouse
from tests.leaking import PLAIN, WRITTEN, assert_nowhere
from tests.letterbox import Letterbox
from tests.web.test_guard import CARDS


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from leaves(inner, (*path, name))
        case list():
            for number, inner in enumerate(value):
                yield from leaves(inner, (*path, number))
        case _:
            yield path


def exempt(path: tuple[Any, ...]) -> bool:
    """What a shop calls an id or a token is left alone: two ids that both were masked would be one."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    return bool(re.search(r"(^|_)(id|ids|token|tokens|key|gid|hash)$", name, re.IGNORECASE))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def spoiled(body: Any, card: str) -> Iterator[Any]:
    """The body with the number in the place of each of its values, once as text and once as a number, and as a name."""
    for path in leaves(body):
        if path and not exempt(path):
            yield replaced(body, path, f"my card: {card} 12/28")
            yield replaced(body, path, int(PLAIN[card]))
    if isinstance(body, dict):
        yield {**body, card: "x", "meta_data": [{"id": 1, "value": {"more": [card, int(PLAIN[card])]}}]}


@pytest.mark.parametrize("platform", ["woocommerce", "shopify", "custom"])
def test_no_delivery_of_a_shop_leaves_a_card_number_behind(
    house: TestHouse,
    mails: Letterbox,
    platform: str,
    postgres_admin_url: str,
    redis_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = {"secret": STANDARD_SECRET} if platform == "custom" else {}
    shop = house.add_shop(platform, settings=secret)
    log.configure("DEBUG")
    cards, kept = cycle(WRITTEN), 0
    for golden in goldens():
        topic = golden.delivery.header(f"x-{'wc-webhook' if platform == 'woocommerce' else platform}-topic")
        if (
            golden.platform != platform
            or (platform != "custom" and not topic)
            or not is_json(golden.delivery.body)
        ):
            continue
        for body in spoiled(json.loads(golden.delivery.body), next(cards)):
            kept += 1
            assert sent(house, shop, topic, body, kept) == 200
    for card in WRITTEN:
        assert house.client().post(f"{house.hook(shop)}?a={card}", data=card).status_code == 401
        assert house.client().get(f"/hooks/{card}").status_code == 405
    house.rest(shop)
    assert kept > 100
    assert_nowhere(postgres_admin_url, redis_url, mails, "".join(capsys.readouterr()))
    log.configure("ERROR")


def is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict | list)
    except ValueError:
        return False


def sent(house: TestHouse, shop: Shop, topic: str, body: Any, number: int) -> int:
    match shop.platform:
        case "woocommerce":
            return house.woo(
                shop, topic, json.dumps(body).encode(), **{"X-WC-Webhook-Delivery-ID": f"d{number}"}
            )
        case "shopify":
            return house.shopify(shop, topic, body, delivery=f"d{number}")
        case _:
            return house.standard(shop, body, delivery=f"msg_{number}")


def test_no_header_query_or_form_of_a_delivery_leaves_a_card_number_behind(
    house: TestHouse, mails: Letterbox, shop: Shop, postgres_admin_url: str, redis_url: str
) -> None:
    names = ("X-WC-Webhook-Topic", "X-WC-Webhook-ID", "X-WC-Webhook-Delivery-ID", "User-Agent", "X-Note")
    for number, card in enumerate(WRITTEN):
        for name in names if card.isascii() else ():
            # Each another body: the same again is not kept, and its headers neither.
            body = json.dumps({"id": number, "note": name}).encode()
            assert house.woo(shop, "order.updated", body, **{name: card}) == 200
        for text in (f"card={card}", f"<card>{card}</card>", json.dumps(card), f"\n[{json.dumps(card)}]"):
            assert house.woo(shop, "order.updated", text.encode()) == 200
    house.rest(shop)
    with house.of(shop) as session:
        kept = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.shop_id == shop.id)
        assert session.scalars(kept).one() > 5 * sum(card.isascii() for card in WRITTEN)
    assert_nowhere(postgres_admin_url, redis_url, mails, "")


def test_no_callback_of_a_gateway_leaves_a_card_number_behind(
    house: TestHouse,
    mails: Letterbox,
    postgres_admin_url: str,
    redis_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = plan_story.add_paying_shop(house)
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount.id)).one()
    log.configure("DEBUG")
    for card in WRITTEN:
        for told in (
            {"type": "charge.captured", "data": {"reference": card, "id": "ch_1", "state": "captured"}},
            {"type": card, "data": {"reference": "r", "id": "i"}},
            {"type": "card.updated", "data": {"number": card}},
            {card: int(PLAIN[card])},
        ):
            assert house.callback(shop, account, plan_story.ACCOUNT["api_key"], told) == 200
    house.rest(shop)
    assert_nowhere(postgres_admin_url, redis_url, mails, "".join(capsys.readouterr()))
    log.configure("ERROR")


def test_who_looks_finds_what_lies_open(
    house: TestHouse, shop: Shop, postgres_admin_url: str, redis_url: str
) -> None:
    """The search itself can fail: what is put into a text, JSON and bytes of a row is found in each."""
    conninfo = make_conninfo(postgres_admin_url, dbname="reprise")
    canary, spelled = b"tok_canary\xff0", "tok_canary"
    with psycopg.connect(conninfo, autocommit=True) as admin:
        for column, value in (
            ("reason", spelled),
            ("headers", json.dumps({"a": [spelled]})),
            ("body", spelled.encode()),
        ):
            admin.execute("DELETE FROM deliveries WHERE shop_id = %s", [shop.id])
            assert house.woo(shop, "order.updated", b"{}") == 200
            admin.execute(f"UPDATE deliveries SET {column} = %s WHERE shop_id = %s", [value, shop.id])
            assert leaks.found({"it": b"tok_canary"}, leaks.in_database(conninfo)) == [
                "it in the table deliveries"
            ]
        admin.execute("DELETE FROM deliveries WHERE shop_id = %s", [shop.id])
    assert leaks.found({"it": canary}, [("a dump", canary.hex().encode())]) == ["it in a dump"]


def test_who_looks_finds_what_lies_in_redis_whatever_holds_it(redis_url: str, house: TestHouse) -> None:
    canary = b"tok_canary_in_redis"
    with Redis.from_url(redis_url) as redis:
        for put in (
            lambda: redis.set("leak", canary),
            lambda: redis.rpush("leak", canary),
            lambda: redis.sadd("leak", canary),
            lambda: redis.zadd("leak", {canary: 1}),
            lambda: redis.hset("leak", "data", zlib.compress(canary)),
            lambda: redis.xadd("leak", {"exc_string": base64.b64encode(zlib.compress(canary))}),
        ):
            put()
            assert leaks.found({"it": canary}, leaks.in_redis(redis_url)) == ["it in leak of Redis"]
            redis.delete("leak")
        assert leaks.found({"it": canary}, leaks.in_redis(redis_url)) == []


def test_what_went_wrong_in_a_job_is_kept_in_redis_without_secrets(
    redis_url: str, house: TestHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(bell: str, shop_id: str) -> None:
        raise ValueError(f"token=tok_canary_of_a_job of {CARDS[0]} at {bell}")

    monkeypatch.setattr(jobs, "drain", fails)
    with Redis.from_url(redis_url) as redis:
        bells = queue.queue(redis, queue.DEFAULT)
        bells.empty()
        job = bells.enqueue_call(queue.DRAIN, args=("read", "shop_x"), failure_ttl=60)
        BellWorker([bells], connection=redis, job_class=queue.BellJob, serializer=JSONSerializer).work(
            burst=True
        )
        kept = job.latest_result()
        assert kept is not None
        assert "ValueError" in str(kept.exc_string)
        wanted = {"token": b"tok_canary_of_a_job", "card": CARDS[0].encode()}
        assert leaks.found(wanted, leaks.in_redis(redis_url)) == []
        job.delete()
