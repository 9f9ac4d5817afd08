"""What every answer carries, and what no request may bring: a card number."""

import json
import re
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from plugin_backend.core import log
from plugin_backend.core.db import transaction
from plugin_backend.core.i18n import LANGUAGES
from plugin_backend.domain import merchants
from plugin_backend.domain.merchants import Shop
from tests import plan_story
from tests.house import TestHouse
from tests.web.test_dashboard import signed_in

CARDS = [
    "4242424242424242",
    "4000 0566 5566 5556",
    "5555-5555-5555-4444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "3566002020360505",
    "6200000000000005",
]
CARD = CARDS[0]
JSON = {"Accept": "application/json"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "payment=()",
}
_PART = re.compile(r"<(?:[a-z]+:)?[a-z_]+>")


def doors(app: Flask) -> list[tuple[str, str]]:
    """Every method and path of the application, with something in the place of each variable."""
    found = []
    for rule in app.url_map.iter_rules():
        path = _PART.sub("1", rule.rule)
        found += [(method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return sorted(found)


def everywhere_in(admin_url: str, needle: str) -> list[str]:
    """The tables of which a row, written out as text, holds ``needle``."""
    with psycopg.connect(admin_url.replace("/postgres?", "/reprise?"), autocommit=True) as admin:
        tables = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return [
            table
            for (table,) in tables
            if admin.execute(
                f'SELECT 1 FROM "{table}" t WHERE t::text LIKE %s LIMIT 1', [f"%{needle}%"]
            ).fetchone()  # type: ignore[arg-type]
        ]


def assert_refused(answer: TestResponse, *, field: str = "") -> None:
    assert answer.status_code == 422, answer.text
    problem = answer.get_json()
    assert problem["status"] == 422
    assert answer.content_type == "application/problem+json"
    if field:
        assert problem["detail"] == f"the field {field} must not hold a card number"
    assert not any(card in answer.text for card in CARDS)


def test_the_application_has_doors_to_try(house: TestHouse) -> None:
    assert len(doors(house.web)) > 25


def test_no_door_takes_a_card_number_in_its_path_query_form_or_json(house: TestHouse) -> None:
    client = house.client()
    for method, path in doors(house.web):
        ask: Any = {"method": method, "headers": JSON}
        assert_refused(client.open(f"{path}?note={CARD}", **ask), field="note")
        assert_refused(client.open(f"{path}?a=1&{CARD}=x", **ask), field="(name)")
        if "1" in path:
            assert_refused(client.open(path.replace("1", CARD), **ask), field="(path)")
        if method != "GET":
            assert_refused(
                client.open(path, data={"a": "1", "reason": f"x {CARD} 12/28"}, **ask), field="reason"
            )
            assert_refused(client.open(path, json={"a": [{"deep": CARD}]}, **ask), field="deep")


@pytest.mark.parametrize("card", CARDS)
def test_every_kind_of_card_number_is_refused_in_every_kind_of_field(house: TestHouse, card: str) -> None:
    client = house.client()
    post: Any = {"method": "POST", "headers": JSON, "path": "/login"}
    assert_refused(client.open(data={"email": card}, **post), field="email")
    assert_refused(client.open(data={"email": "a", "password": f"my card {card}"}, **post), field="password")
    assert_refused(client.open(data={"unknown": ["x", card]}, **post), field="unknown")
    assert_refused(client.open(data={card: "x"}, **post), field="(name)")
    assert_refused(client.open(json=[[card]], **post), field="(body)")
    assert_refused(client.open(json={"email": {card: 1}}, **post), field="(name)")
    assert_refused(client.open(json={card: card}, **post), field="(name)")
    assert_refused(client.open(json=card, **post), field="(body)")
    assert_refused(client.open(query_string={"x": card}, **post), field="x")
    plain = card.replace(" ", "").replace("-", "")
    assert_refused(client.open(json={"n": int(plain)}, **post), field="n")
    assert_refused(client.open(data={"n": plain}, content_type="multipart/form-data", **post), field="n")


def test_a_card_number_is_neither_kept_nor_logged(
    house: TestHouse, postgres_admin_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = plan_story.add_paying_shop(house)
    operator = signed_in(house, shop.merchant_id)
    log.configure("DEBUG")
    try:
        for card in CARDS:
            for method, path in doors(house.web):
                form = {"note": card} if method != "GET" else None
                assert operator.client.open(f"{path}?q={card}", method=method, data=form).status_code == 422
            operator.client.get(
                "/login", headers={"User-Agent": card, "Referer": card, "Cookie": f"x={card}"}
            )
            house.client().post("/hooks/" + "a" * 32 + f"?q={card}", data=card)
    finally:
        log.configure("ERROR")
    captured = capsys.readouterr()
    for card in CARDS:
        assert card not in captured.err + captured.out
        assert everywhere_in(postgres_admin_url, card) == []
    assert everywhere_in(postgres_admin_url, operator.email) == ["users"]


def test_what_only_looks_like_a_card_number_is_let_in(house: TestHouse) -> None:
    for text in ("4242424242424243", "20261122100005", "12345678901234567890", "+33 6 12 34 56 78", "true"):
        assert house.client().get("/login", query_string={"x": text}).status_code == 200


def test_a_body_that_is_no_json_although_it_says_so_is_let_through_to_its_page(house: TestHouse) -> None:
    answer = house.client().post("/login", data=b'{"x": ', content_type="application/json")
    assert answer.status_code in (400, 403, 422)


def assert_safe(answer: TestResponse) -> None:
    for name, part in HEADERS.items():
        assert part in answer.headers.get(name, ""), (answer.request.path, name)
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for directive in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert directive in policy
    assert "Server" not in answer.headers


def test_every_answer_carries_the_headers_that_keep_a_browser_safe(house: TestHouse, shop: Shop) -> None:
    operator = signed_in(house, shop.merchant_id)
    for client in (house.client(), operator.client):
        for method, path in doors(house.web):
            for headers in ({}, JSON):
                answer = client.open(path, method=method, headers=headers)
                assert answer.status_code < 500, (method, path)
                assert_safe(answer)
    for path in ("/nowhere", f"/o/{CARD}", "/static/nothing.css", "/static/../setup.cfg"):
        assert_safe(house.client().get(path))


def test_strict_transport_is_asked_for_behind_https_only(house: TestHouse) -> None:
    plain = house.client().get("/login")
    secure = house.client().get("/login", base_url="https://reprise.test")
    assert "Strict-Transport-Security" not in plain.headers
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("text/html", "text/html"),
        ("*/*", "application/problem+json"),
        ("", "text/html"),
        ("text/html;q=0.5, application/json", "application/problem+json"),
        ("image/png", "text/html"),
    ],
)
def test_what_goes_wrong_is_told_in_the_form_that_was_asked_for(
    house: TestHouse, accept: str, kind: str
) -> None:
    answer = house.client().get("/nowhere", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, kind)
    if kind != "text/html":
        assert answer.get_json() == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": answer.get_json()["detail"],
        }


def test_a_wrong_method_is_told_with_the_right_ones(house: TestHouse) -> None:
    for headers in ({}, JSON):
        answer = house.client().delete("/login", headers=headers)
        assert answer.status_code == 405
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/nowhere", "/login"])
def test_error_pages_are_in_the_readers_language(house: TestHouse, path: str) -> None:
    pages = {}
    for language in LANGUAGES:
        answer = house.client().delete(path, headers={"Accept-Language": language})
        assert answer.headers["Content-Language"] == language
        assert f'lang="{language}"' in answer.text
        pages[language] = re.sub(r'lang="[a-z]+"', "", answer.text)
    assert len(set(pages.values())) == len(pages) >= 2


def test_a_link_that_leads_nowhere_says_the_same_whatever_it_looks_like(house: TestHouse) -> None:
    for page in ("o", "p", "u"):
        answers = {
            (answer.status_code, answer.text)
            for secret in ("a" * 32, "x", "A" * 32, "%00", "a" * 5000, "\u00e9")
            for answer in [house.client().get(f"/{page}/{secret}")]
        }
        assert len(answers) == 1, page
        assert next(iter(answers))[0] == 404


def test_an_error_of_ours_shows_a_reference_and_the_log_holds_no_link(
    house: TestHouse, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """A door that leads to a row that is not there: it cannot be, and so it is an error."""
    secret = "b" * 32
    with house.worker.app_context(), transaction(shop.id) as session:
        merchants.open_door(session, "offer", secret, shop.id, "off_gone")
    log.configure("ERROR")
    answer = house.client().get(f"/o/{secret}?lang=fr", headers=JSON)
    page = house.client().get(f"/o/{secret}")
    logged = capsys.readouterr().err
    assert answer.status_code == page.status_code == 500
    reference = answer.get_json()["reference"]
    assert reference in logged
    assert secret not in logged
    assert "off_gone" not in answer.text
    assert "Traceback" not in page.text
    assert all(json.loads(line) for line in logged.splitlines())
    assert_safe(answer)


@pytest.mark.parametrize(
    "key",
    ["ck_" + "a4242424242424242b" + "0f" * 11, "a4242424242424242b" + "0f" * 11],
    ids=["with a prefix", "without"],
)
def test_an_api_key_that_holds_a_cards_digits_by_chance_is_taken(house: TestHouse, key: str) -> None:
    answer = house.client().post("/handover/" + "a" * 32, json={"consumer_key": key}, headers=JSON)
    assert answer.status_code == 404
    for not_a_key in (f"{key} {CARD}", CARD * 2, f"x{CARD}", key[:20]):
        refused = house.client().post("/handover/" + "a" * 32, json={"consumer_key": not_a_key}, headers=JSON)
        assert refused.status_code in (404, 422)
    assert house.client().post("/handover/" + "a" * 32, json={"k": f"{key} {CARD}"}).status_code == 422
