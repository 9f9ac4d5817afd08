"""The fake shop's WooCommerce: what it sends, byte for byte, and what its REST API does."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from standardwebhooks import Webhook

from plugin_backend.demo.shop.woo.hooks import delivery_id
from tests.flow.shop_process import (
    PLUGIN_SECRET,
    SHARED,
    WOO_KEY,
    WOO_SECRET,
    Receiver,
    ShopProcess,
    WooClient,
    connected,
    receiver,
    running_shop,
    signature,
    visit,
)


@pytest.fixture(scope="module")
def shop() -> Iterator[ShopProcess]:
    with running_shop() as process:
        yield process


@pytest.fixture
def hooks(shop: ShopProcess) -> Iterator[Receiver]:
    with connected(shop) as kept:
        yield kept


@pytest.fixture
def woo(shop: ShopProcess, hooks: Receiver) -> WooClient:
    return WooClient(shop, "ck_test", "cs_test")


def test_connecting_pings_every_webhook_before_it_answers(shop: ShopProcess) -> None:
    with receiver() as hooks:
        body = {
            "dialect": "woo",
            "webhook_url": hooks.url,
            "secret": WOO_SECRET,
            "plugin_secret": PLUGIN_SECRET,
        }
        made = shop.control("connect", body)["webhooks"]
        assert [one.body for one in hooks.received] == [f"webhook_id={hook['id']}".encode() for hook in made]
    ping = hooks.received[0]
    assert [name for name, _ in ping.headers] == [
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Connection",
        "Content-Length",
        "Content-Type",
    ]
    assert ping.header("Content-Type") == "application/x-www-form-urlencoded"


def test_a_visit_by_plain_forms_leaves_a_draft_and_tells_of_the_consent(
    shop: ShopProcess, hooks: Receiver
) -> None:
    with httpx2.Client(trust_env=False, base_url=f"{shop.base}/woo/", follow_redirects=False) as visitor:
        assert visitor.post("basket", data={"sku": "LAMP-1", "quantity": "1"}).status_code == 303
        assert "100,00\N{NO-BREAK SPACE}€" in visitor.get("checkout").text
        typed = {"email": "ana@example.test", "name": "Ana Müller", "country": "FR", "consent": "1"}
        ended = visitor.post("checkout", data=typed | {"outcome": "leave"})
        assert (ended.status_code, ended.headers["location"]) == (303, "/woo/ended/leave")
    shop.settle()
    assert hooks.topics()[-2:] == ["order.updated", "cart.updated"]
    draft = hooks.received[-2].json()
    assert (draft["status"], draft["total"], draft["currency"]) == ("checkout-draft", "100.00", "EUR")
    assert draft["billing"]["email"] == "ana@example.test"
    assert draft["date_modified_gmt"] and "Z" not in draft["date_modified_gmt"]
    cart = hooks.received[-1].json()
    assert cart["data"]["id"] == f"order:{draft['id']}"
    assert cart["data"]["consent"]["granted"] is True
    assert cart["data"]["consent"]["text_version"] == "rappel-2026-11-fr"
    assert cart["data"]["amount_minor"] == 10000


def test_the_headers_of_a_delivery_are_those_that_were_recorded(shop: ShopProcess, hooks: Receiver) -> None:
    recorded = SHARED / "fixtures/woocommerce/recorded/100-order.created.headers.json"
    if not recorded.exists():
        pytest.skip(f"no recorded deliveries at {recorded}")
    visit(shop, "leave")
    names = [name for name, _ in hooks.of("order.updated")[0].headers]
    assert names == [name for name, _ in json.loads(recorded.read_text())["headers"]]


def test_the_body_of_an_order_has_the_members_that_were_recorded(shop: ShopProcess, hooks: Receiver) -> None:
    recorded = SHARED / "fixtures/woocommerce/recorded/100-order.created.body"
    if not recorded.exists():
        pytest.skip(f"no recorded deliveries at {recorded}")
    visit(shop, "leave")
    ours, theirs = hooks.of("order.updated")[0].json(), json.loads(recorded.read_bytes())
    assert list(ours) == list(theirs)
    assert list(ours["line_items"][0]) == list(theirs["line_items"][0])
    assert list(ours["billing"]) == list(theirs["billing"])
    assert list(ours["shipping"]) == list(theirs["shipping"])


def test_a_delivery_is_signed_over_its_very_bytes_with_the_decoded_secret(
    shop: ShopProcess, hooks: Receiver
) -> None:
    visit(shop, "leave", lines=[{"sku": "CARAFE-1", "quantity": 2}])
    one = hooks.of("order.updated")[0]
    assert one.header("X-WC-Webhook-Signature") == signature(WOO_KEY, one.body)
    assert one.path.endswith("?x=1")
    assert one.body.isascii() and rb"\u00e9" in one.body and rb"http:\/\/" in one.body
    assert one.json()["line_items"][0]["name"] == "Carafe &amp; verres soufflés"
    assert json.dumps(one.json()).encode() != one.body


def test_the_plugin_signs_as_the_standard_says(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "declined")
    one = hooks.of("payment.failed")[0]
    lower = {name.lower(): value for name, value in one.headers}
    read = Webhook(PLUGIN_SECRET).verify(one.body, lower)
    assert read["data"]["decline"] == "limit"
    assert read["data"]["cart"]["customer"]["email"] == "ana@example.test"


def test_a_declined_card_leaves_a_failed_order(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "declined")
    assert hooks.topics()[-3:] == ["order.updated", "order.created", "payment.failed"]
    assert [one.json()["status"] for one in hooks.received[-3:-1]] == ["failed", "failed"]


def test_a_sale_is_updated_before_it_is_created_with_the_same_bytes(
    shop: ShopProcess, hooks: Receiver
) -> None:
    sold = visit(shop, "buy", email="first@example.test")
    topics = ["order.updated", "order.created", "customer.created", "customer.updated", "product.updated"]
    assert hooks.topics()[-5:] == topics
    updated, created = hooks.received[-5:-3]
    assert updated.body == created.body
    assert (created.json()["status"], str(created.json()["id"])) == ("processing", sold["order_id"])
    assert created.json()["line_items"][0]["meta_data"][0]["key"] == "_reduced_stock"


def test_two_deliveries_of_one_webhook_in_one_second_share_their_id() -> None:
    assert delivery_id("salt", 13, 1_795_000_000) == delivery_id("salt", 13, 1_795_000_000)
    assert delivery_id("salt", 13, 1_795_000_000) != delivery_id("salt", 14, 1_795_000_000)
    assert len(delivery_id("salt", 13, 1_795_000_000)) == 32


def test_a_ping_that_was_not_answered_200_is_repeated_after_every_delivery(shop: ShopProcess) -> None:
    with receiver() as hooks:
        hooks.answer = lambda _: 204
        shop.control("connect", {"dialect": "woo", "webhook_url": hooks.url, "secret": "s" * 32})
        hooks.clear()
        visit(shop, "leave")
    assert hooks.topics()[:2] == ["order.updated", "ping"]


def test_nothing_is_sent_twice_and_seven_failures_disable_the_webhook(
    shop: ShopProcess, hooks: Receiver, woo: WooClient
) -> None:
    order = woo.ask("POST", "orders", {"line_items": [{"product_id": 11}]}).json()
    shop.settle()
    hooks.clear()
    hooks.answer = lambda one: 500 if one.topic == "order.updated" else 200
    for number in range(9):
        woo.ask("PUT", f"orders/{order['id']}", {"meta_data": [{"key": "n", "value": number}]})
        shop.settle()
    assert len(hooks.of("order.updated")) == 7
    states = {hook["topic"]: hook["status"] for hook in shop.state()["woo"]["webhooks"]}
    assert (states["order.updated"], states["order.created"]) == ("disabled", "active")


def test_over_http_only_a_signature_opens_the_api(shop: ShopProcess, woo: WooClient) -> None:
    plain = shop.http.get(f"{shop.base}/woo/wp-json/wc/v3/orders")
    basic = shop.http.get(f"{shop.base}/woo/wp-json/wc/v3/orders", auth=("ck_test", "cs_test"))
    wrong = WooClient(shop, "ck_test", "cs_other").ask("GET", "orders")
    unknown = WooClient(shop, "ck_other", "cs_test").ask("GET", "orders")
    assert [one.status_code for one in (plain, basic, wrong, unknown)] == [401] * 4
    assert plain.json()["code"] == "woocommerce_rest_cannot_view"
    assert wrong.json()["code"] == "woocommerce_rest_authentication_error"
    assert wrong.json()["data"] == {"status": 401}


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_a_signature_is_good_once(shop: ShopProcess, woo: WooClient, method: str) -> None:
    url = WooClient(shop, "ck_test", "cs_test", method).signed(
        "GET", "orders", search="a b+c/é", per_page="5"
    )
    assert shop.http.get(url).status_code == 200
    again = shop.http.get(url)
    assert (again.status_code, "nonce" in again.json()["message"]) == (401, True)


def test_an_order_of_ours_is_found_again_and_comes_back_as_a_webhook(
    shop: ShopProcess, hooks: Receiver, woo: WooClient
) -> None:
    meta = [{"key": "_reprise_key", "value": "plan_7F"}]
    lines = [{"product_id": 11, "quantity": 1, "total": "100.00"}]
    made = woo.ask(
        "POST", "orders", {"line_items": lines, "meta_data": meta, "billing": {"email": "a@b.test"}}
    )
    assert (made.status_code, made.json()["status"], made.json()["total"]) == (201, "pending", "100.00")
    found = woo.ask("GET", "orders", search="plan_7F", status="any")
    assert [order["id"] for order in found.json()] == [made.json()["id"]]
    assert (found.headers["X-WP-Total"], found.headers["X-WP-TotalPages"]) == ("1", "1")
    shop.settle()
    assert hooks.topics() == ["order.created", "order.updated"]
    assert hooks.received[0].json()["meta_data"][0]["value"] == "plan_7F"


def test_paying_a_draft_makes_it_an_order_once(shop: ShopProcess, hooks: Receiver, woo: WooClient) -> None:
    number = visit(shop, "leave")["key"].removeprefix("order:")
    hooks.clear()
    reserved = woo.ask("PUT", f"orders/{number}", {"status": "pending"}).json()
    assert (reserved["status"], reserved["total"]) == ("pending", "100.00")
    shop.settle()
    assert hooks.topics() == ["order.updated", "order.created"]
    paid = {"set_paid": True, "transaction_id": "tx_1", "meta_data": [{"key": "_plan", "value": {"n": 3}}]}
    first = woo.ask("PUT", f"orders/{number}", paid).json()
    again = woo.ask("PUT", f"orders/{number}", paid).json()
    assert (first["status"], first["transaction_id"], first["needs_payment"]) == ("processing", "tx_1", False)
    assert again["date_paid_gmt"] == first["date_paid_gmt"]
    assert [meta["key"] for meta in again["meta_data"]] == ["_plan"]


def test_an_order_on_hold_is_not_paid_by_set_paid(woo: WooClient) -> None:
    held = woo.ask("POST", "orders", {"status": "on-hold", "line_items": [{"sku": "MUG-2"}]}).json()
    assert woo.ask("PUT", f"orders/{held['id']}", {"set_paid": True}).json()["status"] == "on-hold"
    assert woo.ask("PUT", f"orders/{held['id']}", {"status": "processing"}).json()["date_paid_gmt"]


def test_notes_are_kept_and_fire_nothing(shop: ShopProcess, hooks: Receiver, woo: WooClient) -> None:
    order = woo.ask("POST", "orders", {"line_items": [{"product_id": 12}]}).json()
    shop.settle()
    hooks.clear()
    assert woo.ask("POST", f"orders/{order['id']}/notes", {"note": "1/3 payé"}).status_code == 201
    assert woo.ask("GET", f"orders/{order['id']}/notes").json()[0]["note"] == "1/3 payé"
    shop.settle()
    assert hooks.received == []


def test_what_the_platform_refuses_is_refused(woo: WooClient) -> None:
    nameless = woo.ask("POST", "orders", {"line_items": [{"name": "Lamp", "total": "100.00"}]})
    status = woo.ask("POST", "orders", {"status": "sold"})
    missing = woo.ask("GET", "orders/999999")
    assert [one.status_code for one in (nameless, status, missing)] == [400, 400, 404]
    assert nameless.json()["code"] == "woocommerce_rest_required_product_reference"
    assert status.json()["code"] == "rest_invalid_param"
    assert missing.json()["code"] == "woocommerce_rest_shop_order_invalid_id"


def test_refunds_are_booked_by_hand_and_never_beyond_the_total(woo: WooClient) -> None:
    body = {"set_paid": True, "line_items": [{"product_id": 11}]}
    path = f"orders/{woo.ask('POST', 'orders', body).json()['id']}"
    assert woo.ask("POST", f"{path}/refunds", {"amount": "40.00"}).status_code == 500
    assert woo.ask("POST", f"{path}/refunds", {"amount": "40.00", "api_refund": False}).status_code == 201
    assert woo.ask("POST", f"{path}/refunds", {"amount": "60.01", "api_refund": False}).status_code == 400
    assert woo.ask("GET", path).json()["refunds"][0]["total"] == "-40.00"
    woo.ask("POST", f"{path}/refunds", {"amount": "60.00", "api_refund": False})
    assert woo.ask("GET", path).json()["status"] == "refunded"


def test_changes_are_listed_from_a_moment_on_a_page_at_a_time(woo: WooClient) -> None:
    for _ in range(3):
        woo.ask("POST", "orders", {"line_items": [{"product_id": 13}]})
    asked = {
        "modified_after": "2026-01-01T00:00:00",
        "dates_are_gmt": "true",
        "orderby": "id",
        "order": "asc",
    }
    first = woo.ask("GET", "orders", per_page="2", page="1", **asked)
    second = woo.ask("GET", "orders", per_page="2", page="2", **asked)
    assert int(first.headers["X-WP-Total"]) >= 3
    assert first.json()[-1]["id"] < second.json()[0]["id"]
    late = woo.ask("GET", "orders", modified_after="2999-01-01T00:00:00Z")
    assert late.json() == []


def test_webhooks_are_made_and_woken_through_the_api(hooks: Receiver, woo: WooClient) -> None:
    body = {"topic": "order.updated", "delivery_url": hooks.url, "secret": "abc"}
    made = woo.ask("POST", "webhooks", body).json()
    assert hooks.received[0].body == f"webhook_id={made['id']}".encode()
    assert "secret" not in made
    assert woo.ask("PUT", f"webhooks/{made['id']}", {"status": "disabled"}).json()["status"] == "disabled"
    hooks.clear()
    assert woo.ask("PUT", f"webhooks/{made['id']}", {"status": "active"}).json()["status"] == "active"
    assert hooks.topics() == ["ping"]
    assert made["id"] in [hook["id"] for hook in woo.ask("GET", "webhooks", per_page="100").json()]


def test_the_shop_says_who_it_is(shop: ShopProcess, woo: WooClient) -> None:
    index = shop.http.get(f"{shop.base}/woo/wp-json/").json()
    assert (index["name"], "wc/v3" in index["namespaces"]) == ("Boutique Luna", True)
    assert index["timezone_string"] == "Europe/Paris"
    assert woo.ask("GET", "system_status").json()["settings"]["currency"] == "EUR"
    general = {one["id"]: one["value"] for one in woo.ask("GET", "settings/general").json()}
    assert general["woocommerce_default_country"] == "FR"
