"""Card numbers are sent into every route, and are looked for in everything that keeps anything."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from plugin_backend.core import log
from plugin_backend.core.db import transaction
from plugin_backend.core.ids import new_id
from plugin_backend.domain import (
    enrolments,
    handovers,
    inquiries,
    messages,
    objects,
    optins,
    staff,
    storefronts,
)
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.lookbacks import Lookback
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.staff import User
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.house import TestHouse
from tests.leaking import PLAIN, WRITTEN, assert_nowhere
from tests.letterbox import Letterbox
from tests.web.test_dashboard import Operator, busy, signed_in
from tests.web.test_guard import JSON

__all__ = ["busy"]

# Those that decide what is answered come by themselves, all others together.
HEADERS: list[tuple[str, ...]] = [
    *(
        ("Authorization",),
        ("Cookie",),
        ("Range",),
        ("If-None-Match",),
        ("X-Forwarded-Host",),
        ("Sec-Fetch-Site",),
    ),
    ("User-Agent", "Referer", "Accept", "Accept-Language", "Origin", "X-Note", "X-Request-Id", "Forwarded"),
    ("X-Forwarded-For", "X-Forwarded-Proto", "Content-Language"),
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
            "key": lambda: self.links["key"],
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
        asked = inquiries.ask(
            session, busy, ("order:2",), delivery_id=None, declined=False, locale="", visitor=""
        )
        wanted = optins.ask(session, busy, ("order:2",), "ida@example.test", locale="fr", visitor="")
        assert wanted is not None
        about |= {"p": rows["plans"], "o": waiting.id, "c": wanted.id}
        for page in about:
            messages.link(session, page, busy.id, about[page])
        links = {
            page: messages.secret_path(page, busy.id, row).rpartition("/")[2] for page, row in about.items()
        }
        links |= {"storefront": inquiries.secret(asked), "key": storefronts.key(busy.id)}
        account = session.scalars(select(GatewayAccount.id)).one()
        session.add(looked_back(busy))
    with house.of(busy) as session:
        handovers.again(session, session.get_one(Shop, busy.id))
        enrolments.begin(session, session.get_one(Shop, busy.id), "sandbox")
    with house.worker.app_context():
        links["handover"] = handovers.door_path(busy.id).rpartition("/")[2]
        links["shops"] = "a" * 32
    with house.worker.app_context(), transaction(None) as session:
        user = session.scalars(select(User).where(User.email == operator.email)).one()
        sign_in = staff.sign_in_link(session, user).rpartition("/")[2]
    return Ways(operator, busy, links, rows, account, sign_in)


def looked_back(shop: Shop) -> Lookback:
    """What a look at the shop's last days came to, so that its pages lead somewhere."""
    last = {"key": "order:1", "country": "FR", "known": True, "declined": "", "granted": None}
    last |= {"since": False, "before": False, "at": clock.now().isoformat(), "lines": [["Lamp", "1", None]]}
    money = {"amount": 9000, "currency": "EUR"}
    counts = {"unpaid": 1, "declined": 0, "offerable": 1, "by_mail": 0}
    found = {"amounts": [money], "offerable_amounts": [money], "last": last | {"total": money}, "look": {}}
    return Lookback(
        shop_id=shop.id,
        id=new_id("lbk"),
        since=clock.now(),
        kind="orders",
        secret=b"",
        seen={},
        found=counts | found,
    )


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
        for names in HEADERS:
            card = next(card for card in cards if card.isascii())
            sent = {name: f"x={card}" if name == "Cookie" else card for name in names}
            answer = client.open(
                path if method == "GET" else "/login", method=method, headers=sent, buffered=True
            )
            assert answer.status_code < 500, (path, names)
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
