"""A shop is connected on the dashboard: the address typed, the platform recognised, the keys handed over or typed, tried at
the very shop that was typed, and never kept in a form that the web process could open."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.core.db import transaction
from plugin_backend.domain import handovers, invariants, merchants, onboarding
from plugin_backend.domain.handovers import Handover
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Response
from tests.conftest import close
from tests.connecting_story import (
    APP,
    KEYS,
    MYSHOPIFY,
    Shopify,
    Woo,
    approved_query,
    on_the_wire,
    query_of,
    settings_of,
)
from tests.house import TestHouse
from tests.unit.html_checks import text_of
from tests.web.test_dashboard import PASSWORD, Operator, add_user
from tests.web.test_guard import everywhere_in

BASE = "https://reprise.test"


@pytest.fixture(scope="module")
def apps(settings: Config) -> Iterator[tuple[Flask, Flask]]:
    """Web and worker as they are behind https, which WooCommerce asks for before it hands keys over."""
    behind_https = replace(settings, base_url=BASE)
    web, worker = create_app(behind_https, part="web"), create_app(behind_https, part="worker")
    yield web, worker
    close(web)
    close(worker)


@pytest.fixture
def secure(apps: tuple[Flask, Flask], settings: Config) -> Iterator[TestHouse]:
    made = TestHouse(*apps, replace(settings, base_url=BASE))
    yield made
    made.close()
    with made.worker.app_context():
        for shop_id in made.shops:
            with transaction(shop_id) as session:
                assert invariants.broken(session) == []


@pytest.fixture
def operator(secure: TestHouse) -> Operator:
    with secure.worker.app_context(), transaction(None) as session:
        merchant = onboarding.the_merchant(session).id
    client = secure.web.test_client()
    found = Operator(add_user(secure, merchant), _Https(client))  # type: ignore[arg-type]
    assert found.client.post("/login", data={"email": found.email, "password": PASSWORD}).status_code == 303
    return found


class _Https:
    """A browser that is at ``https://reprise.test``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def at_home(path: str, **more: Any) -> Any:
            return call(path, base_url=BASE, **more)

        return at_home


def typed(secure: TestHouse, operator: Operator, address: str, mode: str = "live") -> Shop:
    """The address is typed; the shop that stands for it."""
    answer = operator.post("/connect", address=address, mode=mode)
    assert answer.status_code == 303, text_of(answer.text)
    shop_id = answer.headers["Location"].split("/")[2]
    secure.shops.append(shop_id)
    with secure.worker.app_context():
        return merchants.load_shop(shop_id)


def page(operator: Operator, shop: Shop) -> str:
    return text_of(operator.get(f"/shops/{shop.id}/connection").text)


def handover(secure: TestHouse, shop: Shop) -> Handover:
    with secure.of(shop) as session:
        return session.scalars(select(Handover).order_by(Handover.id.desc()).limit(1)).one()


def now(secure: TestHouse, shop: Shop) -> Shop:
    with secure.worker.app_context():
        return merchants.load_shop(shop.id)


def link_to_the_shop(operator: Operator, shop: Shop) -> str:
    source = operator.get(f"/shops/{shop.id}/connection").text
    found = re.search(r'<a class="button" href="([^"]+)" rel="noreferrer">', source)
    assert found, text_of(source)
    return html.unescape(found[1])


def approved(link: str, **changes: Any) -> dict[str, Any]:
    """What WordPress posts when the owner approves."""
    asked = query_of(link)
    return {"key_id": 2, "user_id": asked["user_id"], "key_permissions": "read_write", **KEYS, **changes}


def hand_over(secure: TestHouse, link: str, body: dict[str, Any]) -> int:
    """WordPress' own server posts the keys: no cookie, no signature."""
    path = query_of(link)["callback_url"].removeprefix(BASE)
    answer = secure.web.test_client().post(
        path,
        data=json.dumps(body),
        content_type="application/json;charset=UTF-8",
        headers={"User-Agent": "WordPress/7.1; https://evil.example"},
        base_url=BASE,
    )
    return answer.status_code


def test_a_shop_on_woocommerce_is_connected_by_one_approval(secure: TestHouse, operator: Operator) -> None:
    with on_the_wire(secure.worker, Woo()) as woo:
        shop = typed(secure, operator, "shop.example/")
        assert (shop.state, shop.mode, shop.address) == ("connecting", "live", "https://shop.example")
        waiting = operator.get(f"/shops/{shop.id}/connection")
        assert waiting.headers["Refresh"].startswith("2; url=/shops/")
        secure.rest(shop)
        assert "runs on WooCommerce" in page(operator, shop)
        assert "its permalinks are plain" in page(operator, shop)

        operator.post(f"/shops/{shop.id}/connection/approve")
        link = link_to_the_shop(operator, shop)
        asked = query_of(link)
        assert link.startswith("https://shop.example/wc-auth/v1/authorize?")
        assert re.fullmatch(r"[A-Za-z0-9_-]{16,128}", asked["user_id"])
        assert (asked["scope"], asked["return_url"]) == ("read_write", f"{BASE}/shops/{shop.id}/connection")

        assert hand_over(secure, link, approved(link)) == 200
        secure.rest(shop)

        found = now(secure, shop)
        assert (found.state, found.platform, found.name) == ("watch_only", "woocommerce", "Atelier Brume")
        assert (found.currency, found.country, found.timezone) == ("NOK", "NO", "Europe/Lisbon")
        kept = settings_of(secure, shop)
        assert {name: kept[name] for name in KEYS} == KEYS
        assert re.fullmatch(r"[0-9a-f]{48}", kept["secret"]) and kept["plugin_secret"].startswith("whsec_")
        # The keys were tried at the address that was typed, whatever the sender calls itself, and webhooks were made.
        assert {request.url.split("/")[2] for request in woo.requests} == {"shop.example"}
        assert {hook["secret"] for hook in woo.webhooks} == {kept["secret"]}
        assert {hook["topic"] for hook in woo.webhooks} >= {"order.created", "order.updated"}
        assert "The shop answers: ✓ Good" in page(operator, shop)


def test_who_approves_twice_brings_a_second_pair_that_is_answered_and_not_kept(
    secure: TestHouse, operator: Operator
) -> None:
    with on_the_wire(secure.worker, Woo()) as woo:
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve")
        link = link_to_the_shop(operator, shop)
        second = {"consumer_key": "ck_" + "e5" * 20, "consumer_secret": "cs_" + "f6" * 20}
        woo.keys.append(second)

        assert hand_over(secure, link, approved(link)) == 200
        assert hand_over(secure, link, approved(link, **second)) == 200
        secure.rest(shop)
        assert hand_over(secure, link, approved(link, **second)) == 200
        secure.rest(shop)

        assert settings_of(secure, shop)["consumer_key"] == KEYS["consumer_key"]
        assert handover(secure, shop).spare == 2
        assert "2 times more than needed" in page(operator, shop)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user_id": "another-nonce-0123456789"}, "belong to no hand-over"),
        ({"consumer_key": "ck_" + "0f" * 20}, "refused with 401"),
        ({"key_permissions": "read"}, "may not write"),
        ({"consumer_key": "<b>"}, "not a key"),
    ],
)
def test_keys_that_do_not_work_are_not_kept(
    secure: TestHouse, operator: Operator, changes: dict[str, str], said: str
) -> None:
    with on_the_wire(secure.worker, Woo()):
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve")
        link = link_to_the_shop(operator, shop)

        assert hand_over(secure, link, approved(link, **changes)) == 200
        secure.rest(shop)

    assert said in page(operator, shop)
    assert now(secure, shop).state == "connecting"
    assert handover(secure, shop).brought is None
    # A nonce is good for one approval: what comes now is told to be gone, and WordPress deletes the key.
    assert hand_over(secure, link, approved(link)) == 410


def test_an_approval_that_comes_too_late_is_gone(secure: TestHouse, operator: Operator) -> None:
    with on_the_wire(secure.worker, Woo()):
        shop = typed(secure, operator, "shop.example", mode="test")
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve")
        link = link_to_the_shop(operator, shop)
        secure.travel(shop, hours=1, minutes=1)

    assert hand_over(secure, link, approved(link)) == 410
    assert "Nobody approved in the shop within an hour" in page(operator, shop)


def test_nobody_brings_keys_to_a_path_that_leads_nowhere(secure: TestHouse) -> None:
    for path in ("/handover/" + "a" * 32, "/handover/x"):
        assert secure.web.test_client().post(path, json={}).status_code == 404


def test_keys_are_typed_as_well_and_tried_before_they_are_kept(secure: TestHouse, operator: Operator) -> None:
    with on_the_wire(secure.worker, Woo()):
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        wrong = KEYS | {"consumer_secret": "cs_" + "00" * 20}
        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **wrong)
        secure.rest(shop)
        assert "The shop refused the keys" in page(operator, shop)
        assert now(secure, shop).state == "connecting"

        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **KEYS)
        secure.rest(shop)
    assert now(secure, shop).state == "watch_only"
    assert settings_of(secure, shop)["consumer_key"] == KEYS["consumer_key"]


def test_what_is_typed_lies_in_the_database_for_nobody_to_read(
    secure: TestHouse, operator: Operator, postgres_admin_url: str
) -> None:
    with on_the_wire(secure.worker, Woo()):
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **KEYS)
        for needle in KEYS.values():
            assert everywhere_in(postgres_admin_url, needle) == []
            assert everywhere_in(postgres_admin_url, needle.encode().hex()) == []
        secure.rest(shop)
    for needle in KEYS.values():
        assert everywhere_in(postgres_admin_url, needle.encode().hex()) == []


def test_a_shop_on_shopify_is_connected_by_the_owners_own_app(secure: TestHouse, operator: Operator) -> None:
    with on_the_wire(secure.worker, Shopify()) as shopify:
        shop = typed(secure, operator, "https://www.fjordlys.example")
        secure.rest(shop)
        told = page(operator, shop)
        assert "custom app of your own, not an app of the App Store" in told
        assert "read_orders, write_orders, read_customers, read_products" in told
        with secure.web.app_context():
            callback = BASE + handovers.door_path(shop.id)
        assert callback in told
        address = f"https://{MYSHOPIFY}"
        assert f'value="{address}"' in operator.get(f"/shops/{shop.id}/connection").text

        operator.post(f"/shops/{shop.id}/connection/approve", url=address, **APP)
        link = link_to_the_shop(operator, shop)
        asked = query_of(link)
        assert link.startswith(f"{address}/admin/oauth/authorize?")
        assert (asked["client_id"], asked["redirect_uri"]) == (APP["client_id"], callback)
        assert APP["secret"] not in operator.get(f"/shops/{shop.id}/connection").text

        query = approved_query(
            APP["secret"],
            code="code-1",
            host="YWRtaW4",
            shop=MYSHOPIFY,
            state=asked["state"],
            timestamp=str(int(clock.real_now().timestamp())),
        )
        back = operator.client.get(f"{callback.removeprefix(BASE)}?{query}")
        assert back.headers["Location"] == f"/shops/{shop.id}/connection"
        secure.rest(shop)

        kept = settings_of(secure, shop)
        assert (kept["access_token"], kept["client_id"]) == (shopify.tokens[0], APP["client_id"])
        assert kept["url"] == address
        assert now(secure, shop).state == "watch_only"
        assert {hook["topic"] for hook in shopify.subscriptions} >= {"CARTS_UPDATE", "ORDERS_PAID"}
        # Used up: the same query brings nothing any more.
        operator.client.get(f"{callback.removeprefix(BASE)}?{query}")
        secure.rest(shop)
        assert len(shopify.tokens) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "another-state-0123456789"}, "belongs to no hand-over"),
        ({"shop": "evil.myshopify.com"}, "another shop"),
        ({"timestamp": "1700000000"}, "time is too far"),
    ],
)
def test_what_shopify_did_not_sign_for_this_shop_brings_nothing(
    secure: TestHouse, operator: Operator, changes: dict[str, str], said: str
) -> None:
    with on_the_wire(secure.worker, Shopify()) as shopify:
        shop = typed(secure, operator, MYSHOPIFY)
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve", url=f"https://{MYSHOPIFY}", **APP)
        asked = query_of(link_to_the_shop(operator, shop))
        path = asked["redirect_uri"].removeprefix(BASE)
        values = {"code": "code-1", "shop": MYSHOPIFY, "state": asked["state"]}
        values["timestamp"] = str(int(clock.real_now().timestamp()))
        operator.client.get(f"{path}?{approved_query(APP['secret'], **{**values, **changes})}")
        secure.rest(shop)

        assert said in page(operator, shop)
        assert shopify.tokens == []


def test_another_browser_cannot_bring_what_this_one_was_sent_for(
    secure: TestHouse, operator: Operator
) -> None:
    with on_the_wire(secure.worker, Shopify()):
        shop = typed(secure, operator, MYSHOPIFY)
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve", url=f"https://{MYSHOPIFY}", **APP)
        path = query_of(link_to_the_shop(operator, shop))["redirect_uri"].removeprefix(BASE)

        stranger = secure.web.test_client().get(f"{path}?code=code-1&state=x", base_url=BASE)

    assert stranger.status_code == 400
    assert handover(secure, shop).state == "waiting"


def test_an_owner_is_not_sent_to_a_host_that_is_no_shopify(secure: TestHouse, operator: Operator) -> None:
    with on_the_wire(secure.worker, Shopify()):
        shop = typed(secure, operator, MYSHOPIFY)
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/approve", url="https://myshopify.com.evil.example", **APP)

    source = operator.get(f"/shops/{shop.id}/connection").text
    assert "the address is not that of a shop at myshopify.com" in text_of(source)
    assert "oauth/authorize" not in source


def test_a_shop_of_ones_own_is_connected_by_a_secret_that_is_shown_once(
    secure: TestHouse, operator: Operator
) -> None:
    class Nothing:
        def send(self, request: Any) -> Any:
            return Response(200, {}, b"<html>my own shop</html>")

    with on_the_wire(secure.worker, Nothing()):
        shop = typed(secure, operator, "kiosk.example")
        secure.rest(shop)
        assert "We do not recognise what kiosk.example runs on" in page(operator, shop).replace(
            "https://", ""
        )
        operator.post(f"/shops/{shop.id}/connection/platform", platform="custom")
        source = operator.get(f"/shops/{shop.id}/connection").text
        made = re.search(r'value="(whsec_[^"]+)"', source)
        assert made
        operator.post(
            f"/shops/{shop.id}/connection/paste", url="https://kiosk.example", secret=html.unescape(made[1])
        )
        secure.rest(shop)

    assert settings_of(secure, shop)["secret"] == html.unescape(made[1])
    assert made[1] not in operator.get(f"/shops/{shop.id}/connection").text


def test_a_shop_that_sends_its_visitors_elsewhere_is_not_followed_but_told(
    secure: TestHouse, operator: Operator
) -> None:
    class Moved(Woo):
        def send(self, request: Any, *, timeout: float | None = None) -> Any:
            if "//shop.example" in request.url:
                return super().send(request, timeout=timeout)
            return Response(301, {"location": request.url.replace("old.example", "shop.example")}, b"")

    with on_the_wire(secure.worker, Moved()) as woo:
        shop = typed(secure, operator, "old.example")
        secure.rest(shop)
        assert "It sends its visitors to https://shop.example" in page(operator, shop)
        assert woo.requests == []

        operator.post(f"/shops/{shop.id}/connection/address", address="https://shop.example")
        secure.rest(shop)
    assert "https://shop.example runs on WooCommerce" in page(operator, shop)


@pytest.mark.parametrize(
    ("address", "mode", "said"),
    [
        ("https://lea:pw@shop.example", "live", "must not hold a user name"),
        ("https://shop.example:6379", "live", "on a usual port"),
        ("https://127.0.0.1", "live", "by its name"),
        ("https://[::1]", "live", "by its name"),
        ("ftp://shop.example", "live", "not the address of a shop"),
        ("https://", "live", "not the address of a shop"),
        ("a b", "live", "not the address of a shop"),
        ("https://shop.example:port", "test", "not the address of a shop"),
        ("file:///etc/passwd", "test", "not the address of a shop"),
    ],
)
def test_an_address_that_cannot_be_a_shops_is_told_at_once(
    secure: TestHouse, operator: Operator, address: str, mode: str, said: str
) -> None:
    answer = operator.post("/connect", address=address, mode=mode)

    assert answer.status_code == 422
    assert said in text_of(answer.text)


def test_a_shop_that_answers_nonsense_shows_it_scrubbed_and_stops_nobody(
    secure: TestHouse, operator: Operator
) -> None:
    woo = Woo()
    junk = b"<br /><b>Fatal error</b>: token=abcdef123 for ana@example.test, 4242 4242 4242 4242\0\xff"
    woo.spoken = lambda request: (200, junk)
    with on_the_wire(secure.worker, woo):
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        told = page(operator, shop)
        assert "We do not recognise" in told
        assert "Fatal error" in told and "> GET https://shop.example/" in told
        for secret in ("abcdef123", "ana@example.test", "4242 4242"):
            assert secret not in told

        woo.spoken = lambda request: None
        other = typed(secure, operator, "shop.example")
        secure.rest(other)
    assert "runs on WooCommerce" in page(operator, other)
    assert "Fatal error" not in page(operator, other)


def test_an_owner_may_paste_the_address_of_any_page_of_his_shop(
    secure: TestHouse, operator: Operator
) -> None:
    with on_the_wire(secure.worker, Woo()):
        shop = typed(secure, operator, "https://shop.example/product/lamp/?utm=x#y")
        secure.rest(shop)
    assert handover(secure, shop).home == "https://shop.example"


def test_nothing_is_done_with_a_connection_that_is_not_there(secure: TestHouse, operator: Operator) -> None:
    shop = typed(secure, operator, "shop.example")
    for verb in ("check", "mail", "secret", "part", "nonsense"):
        assert operator.post(f"/shops/{shop.id}/connection/{verb}").status_code == 404
    assert operator.post(f"/shops/{shop.id}/connection/switch", to="on").status_code == 409
    assert operator.post(f"/shops/{shop.id}/connection/again").status_code == 303
    assert handover(secure, shop).state == "recognising"


def test_another_merchants_shop_is_not_there(secure: TestHouse, operator: Operator) -> None:
    nowhere = "/shops/shop_00000000000000000000000000/connection"
    assert operator.get(nowhere).status_code == 404
    for verb in ("approve", "paste", "check", "switch", "secret", "again"):
        assert operator.post(f"{nowhere}/{verb}").status_code == 404
    assert secure.web.test_client().get("/connect", base_url=BASE).status_code == 303


def test_keys_are_replaced_and_the_secret_of_the_webhooks_stays(
    secure: TestHouse, operator: Operator
) -> None:
    with on_the_wire(secure.worker, Woo()) as woo:
        shop = typed(secure, operator, "shop.example")
        secure.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **KEYS)
        secure.rest(shop)
        before = settings_of(secure, shop)
        others = {"consumer_key": "ck_" + "e5" * 20, "consumer_secret": "cs_" + "f6" * 20}
        woo.keys = [others]

        operator.post(f"/shops/{shop.id}/connection/again")
        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **others)
        secure.rest(shop)

    assert settings_of(secure, shop) == before | others
    with secure.of(shop) as session:
        assert session.scalar(text("SELECT count(*) FROM connections")) == 1
