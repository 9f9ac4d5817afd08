"""The fake shop as a process, its pages, and what goes wrong in it on request."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.flow.shop_process import (
    Receiver,
    ShopProcess,
    WooClient,
    command,
    connected,
    graphql,
    launch,
    receiver,
    running_shop,
    stop,
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


def test_it_stops_cleanly_when_it_is_told_to() -> None:
    process, _ = launch()
    assert stop(process) == 0


def test_it_listens_on_loopback_only() -> None:
    refused = subprocess.run(command("--port", "0", "--host", "0.0.0.0"), capture_output=True, text=True)
    assert refused.returncode == 2
    assert "loopback only" in refused.stderr


def test_orders_and_keys_outlive_the_process_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    with receiver() as hooks, running_shop("--data", str(file)) as shop:
        shop.control("connect", {"dialect": "woo", "webhook_url": hooks.url, "secret": "s" * 32})
        before = visit(shop, "buy")
        kept = shop.settle()["woo"]
    with running_shop("--data", str(file)) as shop:
        state = shop.state()["woo"]
    assert [str(order["id"]) for order in state["orders"]] == [before["order_id"]]
    assert [hook["id"] for hook in state["webhooks"]] == [hook["id"] for hook in kept["webhooks"]]


@pytest.mark.parametrize(("front", "lang", "words"), [("woo", "fr", "Panier"), ("shopify", "en", "Basket")])
def test_each_storefront_speaks_its_language_and_the_other(
    shop: ShopProcess, front: str, lang: str, words: str
) -> None:
    page = shop.http.get(f"{shop.base}/{front}/").text
    assert f'<html lang="{lang}">' in page and words in page
    other = {"fr": "en", "en": "fr"}[lang]
    assert f'<html lang="{other}">' in shop.http.get(f"{shop.base}/{front}/?lang={other}").text


@pytest.mark.parametrize(
    ("front", "button"), [("woo", "Modifier la quantité"), ("shopify", "Change quantity")]
)
def test_a_baskets_quantity_is_changed_by_a_button_that_says_so(
    shop: ShopProcess, front: str, button: str
) -> None:
    with httpx2.Client(trust_env=False, follow_redirects=True, base_url=f"{shop.base}/{front}/") as visitor:
        page = visitor.post("basket", data={"sku": "LAMP-1"}).text
    assert f">{button}</button>" in page
    assert "built-in" not in page


def test_a_mistyped_address_is_said_beside_the_field(shop: ShopProcess) -> None:
    with httpx2.Client(trust_env=False, base_url=f"{shop.base}/shopify/") as visitor:
        visitor.post("basket", data={"sku": "LAMP-1"})
        page = visitor.post(
            "checkout", data={"email": "ana", "name": "Ana", "country": "NO", "outcome": "buy"}
        )
    assert page.status_code == 422
    assert 'role="alert"' in page.text and 'aria-invalid="true"' in page.text


def test_the_link_in_a_message_brings_the_basket_back(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "leave", "shopify")
    link = hooks.of("checkouts/update")[0].json()["abandoned_checkout_url"]
    with httpx2.Client(trust_env=False, follow_redirects=True) as visitor:
        assert "Bedside lamp" in visitor.get(link).text


def test_the_log_page_shows_what_was_answered(shop: ShopProcess, hooks: Receiver) -> None:
    hooks.answer = lambda one: 418 if one.topic == "order.updated" else 200
    visit(shop, "leave")
    page = shop.http.get(f"{shop.base}/log").text
    assert "order.updated" in page and "<td>418</td>" in page


def test_a_lost_answer_was_acted_on_and_a_closed_door_was_not(shop: ShopProcess, woo: WooClient) -> None:
    lost = {"line_items": [{"product_id": 14}], "meta_data": [{"key": "k", "value": "lost-one"}]}
    closed = {"line_items": [{"product_id": 14}], "meta_data": [{"key": "k", "value": "closed-one"}]}
    for switch, body in (({"lost_answer": True}, lost), ({"down": "closed", "lost_answer": False}, closed)):
        shop.control("switches", switch)
        with pytest.raises(httpx2.TransportError):
            woo.ask("POST", "orders", body)
    shop.control("switches", {"down": ""})
    assert len(woo.ask("GET", "orders", search="lost-one").json()) == 1
    assert woo.ask("GET", "orders", search="closed-one").json() == []


def test_the_other_switches_do_what_they_say(shop: ShopProcess, woo: WooClient) -> None:
    shop.control("switches", {"total_drift": 250})
    drifted = woo.ask("POST", "orders", {"line_items": [{"product_id": 11}]}).json()
    assert (drifted["total"], drifted["fee_lines"][0]["total"]) == ("102.50", "2.50")
    shop.control("switches", {"total_drift": 0, "php_notice": True})
    assert woo.ask("GET", "orders").text.startswith("<br />\n<b>Notice</b>")
    shop.control("switches", {"php_notice": False, "html_instead_of_json": True})
    assert woo.ask("GET", "orders").headers["content-type"].startswith("text/html")
    shop.control("switches", {"html_instead_of_json": False, "throttle": True})
    assert woo.ask("GET", "orders").status_code == 429
    assert graphql(shop, "{ shop { name } }").json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    shop.control("switches", {"throttle": False, "down": "500"})
    assert woo.ask("GET", "orders").status_code == 500
    refused = shop.http.post(f"{shop.base}/_control/switches", json={"up": True})
    assert (refused.status_code, "up" in refused.json()["error"]) == (400, True)


def test_a_shop_that_moved_answers_with_a_redirect(shop: ShopProcess, woo: WooClient) -> None:
    shop.control("switches", {"redirect": True})
    moved = woo.ask("GET", "orders")
    assert (moved.status_code, moved.headers["location"]) == (302, "https://shop.elsewhere.example/")


def test_deliveries_are_late_doubled_and_turned_round_on_request(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "buy", "shopify")
    in_order = hooks.topics()
    hooks.clear()
    shop.control("switches", {"shuffled": True, "twice": True, "late": 0.2})
    visit(shop, "buy", "shopify")
    turned = hooks.topics()
    assert sorted(turned) == sorted(in_order * 2)
    assert turned[0] != in_order[0] and turned[0] == turned[1]
    first, second = hooks.received[:2]
    assert (first.body, first.headers) == (second.body, second.headers)


def test_what_is_dropped_counts_as_delivered_and_is_never_sent_again(
    shop: ShopProcess, hooks: Receiver
) -> None:
    shop.control("switches", {"dropped": True})
    visit(shop, "leave")
    shop.control("switches", {"dropped": False})
    state = shop.settle()["woo"]
    assert hooks.received == []
    assert {hook["failures"] for hook in state["webhooks"]} == {0}
    assert [sent["error"] for sent in state["deliveries"]][-1] == "lost on its way"


def test_woocommerce_signs_an_error_for_an_owner_who_lost_his_rights(
    shop: ShopProcess, hooks: Receiver
) -> None:
    shop.control("switches", {"error_bodies": True})
    visit(shop, "leave")
    body = hooks.of("order.updated")[0].json()
    assert body["code"] == "woocommerce_rest_cannot_view" and "id" not in body
