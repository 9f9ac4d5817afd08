"""Card numbers are sent into everything that takes anything, and are looked for in everything that keeps anything."""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from plugin_backend.core import log
from plugin_backend.core.db import transaction
from plugin_backend.demo import leaks
from plugin_backend.domain import messages, objects, staff
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.staff import User
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.contract.connector_golden import goldens
from tests.house import STANDARD_SECRET, TestHouse
from tests.letterbox import Letterbox
from tests.web.test_dashboard import Operator, busy, signed_in
from tests.web.test_guard import CARDS, JSON

__all__ = ["busy"]

# As people and programs write them.
WRITTEN = [
    *CARDS,
    "４２４２４２４２４２４２４２４２",
    "5555\u00a05555\u00a05555\u00a04444",
    "3782 - 822463 - 10005",
    "6011\u20131111\u20131111\u20131117",
]
PLAIN = {card: "".join(str(int(char)) for char in card if char.isdecimal()) for card in WRITTEN}
HEADERS = [
    *("User-Agent", "Referer", "Accept", "Accept-Language", "Authorization", "Cookie", "Origin", "X-Note"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id", "If-None-Match", "Range"),
    *("Sec-Fetch-Site", "Content-Language", "Forwarded"),
]
_FORM = re.compile(r'<form[^>]*?action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_FIELD = re.compile(r'<(?:input|select|textarea|button)[^>]*?\bname="([^"]+)"')

_REFUSED = re.compile(r"the field [()a-z ]+ must not hold a card number")


@dataclass(frozen=True, slots=True)
class Ways:
    """What stands in the place of each variable of an address, so that it leads to something."""

    operator: Operator
    shop: Shop
    links: dict[str, str]
    rows: dict[str, str]
    account: str
    sign_in: str

    def to(self, rule: Rule) -> str:
        """The address, filled. Fails for a variable that has nothing to stand for it: a new route is covered by itself,
        or not at all."""
        path = rule.rule
        for name in sorted(rule.arguments):
            path = re.sub(rf"<(?:[a-z]+:)?{name}>", self._value(rule, name), path)
        return path

    def _value(self, rule: Rule, name: str) -> str:
        page = rule.rule.split("/")[1]
        values: dict[str, Callable[[], str]] = {
            "secret": lambda: self.sign_in if page == "login" else self.links[page],
            "filename": lambda: "reprise.css",
            "shop_id": lambda: self.shop.id,
            "noun": lambda: "plans",
            "row_id": lambda: self.rows[
                "plans" if "<noun>" in rule.rule else rule.rule.split("/<row_id>")[0].rpartition("/")[2]
            ],
            "account_id": lambda: self.account,
            "customer_id": lambda: self.rows["customers"],
            "number": lambda: "1",
            "verb": lambda: "pause",
            "decision": lambda: "resolve",
        }
        if name not in values:
            pytest.fail(
                f"nothing is known to stand for <{name}> of {rule.rule}: add it, so that it is covered"
            )
        return values[name]()


@pytest.fixture
def ways(house: TestHouse, busy: Shop) -> Ways:
    operator = signed_in(house, busy.merchant_id)
    with house.of(busy) as session:
        waiting = plan_story.open_offer(session, busy, Money(8000, "EUR"), "zoe@example.test")
        rows = {}
        for noun, (model, _) in {
            **objects.NOUNS,
            "outbox": (Out, None),
            "customers": (Customer, None),
        }.items():
            found = session.scalars(select(model.id).where(model.shop_id == busy.id).limit(1)).first()
            rows[noun] = str(found)
        sent = " ".join(session.scalars(select(Message.text)))
        about = dict(re.findall(r"/([opu])/~([a-z]+_[0-9a-z]{26})", sent))
        about |= {"p": rows["plans"], "o": waiting.id}
        for page in about:
            messages.link(session, page, busy.id, about[page])
        links = {
            page: messages.secret_path(page, busy.id, row).rpartition("/")[2] for page, row in about.items()
        }
        account = session.scalars(select(GatewayAccount.id)).one()
    with house.worker.app_context(), transaction(None) as session:
        user = session.scalars(select(User).where(User.email == operator.email)).one()
        sign_in = staff.sign_in_link(session, user).rpartition("/")[2]
    return Ways(operator, busy, links, rows, account, sign_in)


def rules(house: TestHouse) -> Iterator[tuple[str, Rule]]:
    for rule in house.web.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule


def carried(card: str, method: str) -> Iterator[dict[str, Any]]:
    """Every way in which a request can bring it but for headers."""
    yield {"query_string": {"note": card}}
    yield {"query_string": {card: "x"}}
    yield {"query_string": {"lang": ["fr", f"my card {card}, 12/28"]}}
    yield {"json": {"a": [{"deep": {"er": card}}]}}
    yield {"json": {"n": int(PLAIN[card])}}
    yield {"json": {card: 1}}
    if method != "GET":
        yield {"data": {"reason": f"x {card} y"}}
        yield {"data": {card: "x"}}
        yield {"data": {"a": ["1", card]}}
        yield {"data": {"n": card}, "content_type": "multipart/form-data"}
        yield {"data": {"f": (io.BytesIO(card.encode()), "note.txt")}}
        yield {"data": {"f": (io.BytesIO(b"x"), f"{card}.pdf")}}
        yield {"data": {card: (io.BytesIO(b"x"), "note.txt")}}


def assert_unsaid(answer: TestResponse, card: str) -> None:
    said = answer.text + str(answer.headers)
    assert card not in said
    assert PLAIN[card] not in said


def assert_nowhere(admin_url: str, redis_url: str, mails: Letterbox, logged: str) -> None:
    pieces = [
        *leaks.in_database(make_conninfo(admin_url, dbname="reprise")),
        *leaks.in_redis(redis_url),
        *((f"the mail {mail['Subject']!r}", mail.as_bytes()) for mail in mails.messages),
        ("the log", logged.encode()),
    ]
    wanted = {f"{card} as {form}": text.encode() for card in WRITTEN for form, text in forms(card).items()}
    assert leaks.found(wanted, pieces) == []


def forms(card: str) -> dict[str, str]:
    return {"it was written": card, "JSON": json.dumps(card)[1:-1], "digits": PLAIN[card]}


def test_no_route_takes_a_card_number_however_it_is_brought(
    house: TestHouse,
    ways: Ways,
    mails: Letterbox,
    postgres_admin_url: str,
    redis_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cards = cycle(WRITTEN)
    log.configure("DEBUG")
    client, asked = ways.operator.client, 0
    for method, rule in rules(house):
        path = ways.to(rule)
        if method == "GET":
            assert client.get(path, buffered=True).status_code != 404, (
                f"{path} leads nowhere: {rule.rule} is not covered"
            )
        for headers in (JSON, {}):
            card = next(cards)
            for request in carried(card, method):
                answer = client.open(path, method=method, headers=headers, **request)
                asked += 1
                assert answer.status_code == 422, (method, path, request)
                assert_unsaid(answer, card)
                if headers:
                    assert _REFUSED.fullmatch(answer.get_json()["detail"])
        for name in HEADERS:
            card = next(cards)
            if card.isascii():
                session = {"Cookie": f"x={card}"} if name == "Cookie" else {name: card}
                answer = client.open(
                    path if method == "GET" else "/login", method=method, headers=session, buffered=True
                )
                assert answer.status_code < 500, (path, name)
                assert_unsaid(answer, card)
    assert asked > 500
    assert_nowhere(postgres_admin_url, redis_url, mails, "".join(capsys.readouterr()))
    log.configure("ERROR")


def test_no_field_of_any_page_takes_a_card_number(house: TestHouse, ways: Ways) -> None:
    """The fields that people fill, as the pages name them."""
    client, cards, tried = ways.operator.client, cycle(WRITTEN), set()
    for method, rule in rules(house):
        if method != "GET":
            continue
        for action, inside in _FORM.findall(client.get(ways.to(rule), buffered=True).text):
            fields = set(_FIELD.findall(inside))
            for field in fields:
                card = next(cards)
                sent = dict.fromkeys(fields, "1") | {field: card}
                answer = client.post(action or ways.to(rule), data=sent, headers=JSON)
                assert (answer.status_code, answer.get_json()["detail"]) == (
                    422,
                    f"the field {field} must not hold a card number",
                )
                tried.add(field)
    assert {"csrf", "email", "password", "step", "terms"} <= tried, tried


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


@pytest.mark.parametrize("card", WRITTEN)
def test_no_header_query_or_form_of_a_delivery_leaves_a_card_number_behind(
    house: TestHouse, mails: Letterbox, shop: Shop, card: str, postgres_admin_url: str, redis_url: str
) -> None:
    ascii_only = card if card.isascii() else CARDS[0]
    for name in ("X-WC-Webhook-Topic", "X-WC-Webhook-ID", "X-WC-Webhook-Delivery-ID", "User-Agent", "X-Note"):
        assert house.woo(shop, "order.updated", b"{}", **{name: ascii_only}) == 200
    for body in (f"card={card}", f"<card>{card}</card>", json.dumps(card), f"\n[{json.dumps(card)}]"):
        assert house.woo(shop, "order.updated", body.encode()) == 200
    house.rest(shop)
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
    with psycopg.connect(conninfo) as admin:
        for column, value in (
            ("reason", spelled),
            ("headers", json.dumps({"a": [spelled]})),
            ("body", spelled.encode()),
        ):
            admin.execute("DELETE FROM deliveries WHERE shop_id = %s", [shop.id])
            assert house.woo(shop, "order.updated", b"{}") == 200
            admin.commit()
            admin.execute(f"UPDATE deliveries SET {column} = %s WHERE shop_id = %s", [value, shop.id])
            admin.commit()
            assert leaks.found({"it": b"tok_canary"}, leaks.in_database(conninfo)) == [
                "it in the table deliveries"
            ]
        admin.execute("DELETE FROM deliveries WHERE shop_id = %s", [shop.id])
    assert leaks.found({"it": canary}, [("a dump", canary.hex().encode())]) == ["it in a dump"]
