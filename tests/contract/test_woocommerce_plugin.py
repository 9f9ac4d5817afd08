"""The WooCommerce plugin, run by PHP. What it sends is verified by the Standard Webhooks library and read by our connector."""

import json
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from connectors.woocommerce import CONNECTOR
from plugin_backend.sdk.connector import (
    CartChanged,
    CustomerDataRequested,
    CustomerRedacted,
    PaymentFailed,
    ShopEvent,
)
from plugin_backend.sdk.http import Delivery, HttpClient
from plugin_backend.sdk.money import Money
from tests.php import CONNECTION, INTERPRETERS, PLUGIN, SECRET, interpreter, tell

TEA = {"title": "Thé <i>vert</i>", "sku": "TEA", "price": 40.0, "quantity": 2}
POT = {"title": "Pot", "sku": "POT", "price": 20.5, "quantity": 1}
ZOE = "zoe@example.test"


@pytest.fixture(params=sorted(INTERPRETERS))
def php(request: pytest.FixtureRequest) -> Sequence[str]:
    return interpreter(request.param)


def delivery(request: dict[str, Any]) -> Delivery:
    headers = {name.lower(): value for name, value in request["headers"].items()}
    return Delivery(headers, request["body"].encode(), datetime.now(UTC))


def events(request: dict[str, Any]) -> list[ShopEvent]:
    """What our connector reads in it, after the library and the connector have verified it."""
    assert request["url"] == CONNECTION["hook"]
    assert request["redirection"] == 0
    sent = delivery(request)
    standardwebhooks.Webhook(SECRET).verify(sent.body, dict(sent.headers))
    connector = CONNECTOR(
        {"url": "https://shop.example", "secret": "x" * 32, "plugin_secret": SECRET}, HttpClient()
    )
    connector.verify(sent)
    return connector.parse(sent)


def only(requests: list[dict[str, Any]]) -> Any:
    """The event of the one delivery that is not the plugin's hello."""
    found = [event for request in requests for event in events(request)]
    assert len(found) == 1, found
    return found[0]


def test_every_file_of_the_plugin_is_php_that_its_interpreter_accepts(php: Sequence[str]) -> None:
    files = sorted(PLUGIN.rglob("*.php"))
    assert len(files) > 10
    for file in files:
        done = subprocess.run(
            [*php, "-l", str(file)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_basket_is_told_whole_and_the_same_again_is_not(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(php, tmp_path, ["hold", [TEA, POT]], ["page"], ["deliver"], ["hold", [TEA, POT]], ["page"])

    cart = only(told[2])
    assert isinstance(cart, CartChanged)
    assert cart.total == Money(10090, "EUR")
    assert [(line.title, line.sku, line.quantity, line.total) for line in cart.lines] == [
        ("Thé vert", "TEA", "2", Money(8020, "EUR")),
        ("Pot", "POT", "1", Money(2070, "EUR")),
    ]
    assert told[4]["waiting"] == 0


def test_a_guests_address_is_told_when_the_box_is_ticked_and_not_before(
    php: Sequence[str], tmp_path: Path
) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["tick", False, ZOE],
        ["page"],
        ["deliver"],
        ["tick", True, ZOE],
        ["page"],
        ["deliver"],
        ["tick", False, ZOE],
        ["page"],
        ["deliver"],
    )

    unasked, allowed, taken_back = only(told[3]), only(told[6]), only(told[9])
    assert unasked.person.email == "" and unasked.consent is None
    assert allowed.person.email == ZOE and allowed.consent.granted
    assert allowed.consent.source == "checkout" and allowed.consent.text_version == "2026-11/fr_FR"
    assert taken_back.person.email == ZOE and not taken_back.consent.granted
    assert unasked.key == allowed.key == taken_back.key
    assert unasked.updated_at < allowed.updated_at < taken_back.updated_at


def test_a_shopper_who_signs_in_brings_his_basket_along(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(
        php,
        tmp_path,
        ["sign_in", ZOE],
        ["hold", [TEA]],
        ["page"],
        ["deliver"],
        ["other_session"],
        ["hold", [TEA, POT]],
        ["page"],
        ["deliver"],
    )

    before, after = only(told[3]), json.loads(told[7][0]["body"])["data"]
    assert before.person.email == ZOE and before.person.platform_id == "7"
    assert after["id"] != before.key.removeprefix("cart:")
    assert after["aliases"] == [before.key.removeprefix("cart:")]


def test_an_order_keeps_its_baskets_name_and_the_answer_to_the_box(
    php: Sequence[str], tmp_path: Path
) -> None:
    classic = tell(
        php, tmp_path, ["hold", [TEA]], ["order", 19, {"reprise-reminders": 1}], ["page"], ["deliver"]
    )
    block = tell(
        php, tmp_path, ["hold", [TEA]], ["block_order", 20, True], ["metas", 20], ["page"], ["deliver"]
    )

    for meta, sent, order in ((classic[1], classic[3], "order:19"), (block[2], block[4], "order:20")):
        cart = only(sent)
        assert cart.key == f"cart:{meta['_reprise_cart']}"
        assert cart.aliases == (order,)
        assert cart.consent.granted and cart.person.email == ZOE
        assert meta["_reprise_consent"]["granted"] is True
        assert "email" not in meta["_reprise_consent"] and "known" not in meta["_reprise_consent"]


def test_a_box_left_unticked_is_kept_with_the_order_and_tells_no_address(
    php: Sequence[str], tmp_path: Path
) -> None:
    told = tell(
        php, tmp_path, ["hold", [TEA]], ["order", 19, {"reprise-reminders": ""}], ["page"], ["deliver"]
    )

    assert told[1]["_reprise_consent"]["granted"] is False
    assert only(told[3]).person.email == ""


def test_a_declined_payment_is_told_as_the_gateway_put_it(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["order", 19, {"reprise-reminders": 1}],
        ["decline", 19, "Payment of 4242 4242 4242 4242", "<b>Your card has insufficient funds.</b>"],
        ["page"],
        ["deliver"],
        ["metas", 19],
    )

    cart, failed = (event for request in told[4] for event in events(request))
    assert isinstance(cart, CartChanged) and isinstance(failed, PaymentFailed)
    assert failed.key == cart.key
    assert failed.cart is not None and failed.cart.total == Money(8020, "EUR")
    assert failed.cart.aliases == ("order:19",)
    assert failed.at >= cart.updated_at, "a state that is newer than the refusal would undo it"
    said = json.loads(told[4][-1]["body"])["data"]
    assert said["gateway"] == "stripe"
    assert said["reason"] == "Your card has insufficient funds. | Payment of …"
    assert told[5]["_reprise_decline"] == said["reason"]


def test_the_page_is_given_the_message_of_its_own_refusal_and_no_other(
    php: Sequence[str], tmp_path: Path
) -> None:
    told = tell(
        php,
        tmp_path,
        ["ask", {"nonce": "a-nonce"}],
        ["hold", [TEA]],
        ["ask", {"nonce": "a-nonce"}],
        ["ask", {"nonce": "a-nonce", "declined": "1"}],
        ["order", 19, {}],
        ["decline", 19, "", "card_declined"],
        ["page"],
        ["ask", {"nonce": "a-nonce", "declined": "1"}],
        ["ask", {"nonce": "another"}],
        ["waiting"],
    )

    empty, _, basket, not_declined, _, _, _, declined, stranger, waiting = told
    assert empty == not_declined == 204
    assert stranger == 403
    webhook = next(row for row in waiting if row["subject"] == "failed:19")
    assert declined["message"]["id"] == webhook["message_id"]
    assert declined["message"]["body"] == webhook["body"]
    for answer in (basket, declined):
        message = answer["message"]
        headers = {f"webhook-{name}": message[name] for name in ("id", "timestamp", "signature")}
        standardwebhooks.Webhook(SECRET).verify(message["body"], headers)


def test_a_bought_basket_is_over_and_the_next_one_has_a_name_of_its_own(
    php: Sequence[str], tmp_path: Path
) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["order", 19, {}],
        ["page"],
        ["deliver"],
        ["pay", 19],
        ["page"],
        ["hold", [POT]],
        ["page"],
        ["deliver"],
    )

    assert told[5]["waiting"] == 0, "that it is empty now means nothing: it was bought"
    assert only(told[3]).key != only(told[8]).key


def test_a_basket_that_was_emptied_by_hand_is_told_empty(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["order", 19, {}],
        ["decline", 19, "", ""],
        ["page"],
        ["deliver"],
        ["hold", []],
        ["page"],
        ["deliver"],
    )

    assert only(told[7]).empty


def test_what_is_not_taken_is_sent_again_as_the_same_message_later_and_later(
    php: Sequence[str], tmp_path: Path
) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["page"],
        ["deliver"],
        ["hold", [TEA, POT]],
        ["answer", 503],
        ["page"],
        ["deliver"],
        ["deliver"],
        ["later", 31],
        ["deliver"],
        ["waiting"],
        ["answer", 200],
        ["later", 61],
        ["deliver"],
        ["waiting"],
    )

    first, at_once, second, kept, third = told[6], told[7], told[9], told[10], told[13]
    assert [request["headers"]["webhook-id"] for request in (*first, *second, *third)] == [
        kept[0]["message_id"]
    ] * 3
    assert at_once == []
    assert kept[0]["tries"] == 2
    assert told[14] == []


def test_a_message_that_nobody_takes_is_given_up_after_days_and_the_shops_log_says_so(
    php: Sequence[str], tmp_path: Path
) -> None:
    rounds = [step for _ in range(20) for step in (["later", 50_000], ["deliver"])]
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["page"],
        ["deliver"],
        ["hold", [POT]],
        ["answer", 500],
        ["page"],
        *rounds,
        ["waiting"],
        ["log"],
    )

    assert told[-2] == []
    assert told[-1] == ["given up after 14 tries, the last answer was 500"]


def test_only_the_newest_state_of_a_basket_waits(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(php, tmp_path, ["hold", [TEA]], ["page"], ["hold", [TEA, POT]], ["page"], ["deliver"])

    assert only(told[4]).total == Money(10090, "EUR")


def test_wordpress_tools_for_personal_data_reach_reprise(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["order", 19, {"reprise-reminders": 1}],
        ["page"],
        ["deliver"],
        ["export", ZOE],
        ["deliver"],
        ["hold", [TEA, POT]],
        ["page"],
        ["erase", ZOE],
        ["metas", 19],
        ["deliver"],
    )

    exported, asked, erased, metas, forgotten = told[4], told[5], told[8], told[9], told[10]
    assert exported["done"] and any("checkout" in json.dumps(item) for item in exported["data"])
    assert only(asked) == CustomerDataRequested(ZOE)
    assert erased["items_removed"] and not erased["items_retained"] and len(erased["messages"]) == 1
    assert "_reprise_consent" not in metas
    assert only(forgotten) == CustomerRedacted(ZOE), "the basket that waited to be told is not told any more"


def test_the_page_of_a_plan_is_reached_by_the_orders_key_and_a_way_signed_anew(
    php: Sequence[str], tmp_path: Path
) -> None:
    key = {"order": "19", "key": "wc_order_key"}
    told = tell(
        php,
        tmp_path,
        ["hold", [TEA]],
        ["order", 19, {}],
        ["shown", "woocommerce_order_details_after_order_table", {"order": 19}],
        ["open_plan", key],
        ["meta", 19, "_reprise_plan", "pln_1"],
        ["shown", "woocommerce_order_details_after_order_table", {"order": 19}],
        ["shown", "woocommerce_email_after_order_table", {"order": 19}, False, True],
        ["shown", "woocommerce_email_after_order_table", {"order": 19}, True, True],
        ["open_plan", {**key, "key": "wc_order_guess"}],
        ["open_plan", key],
    )

    _, _, no_link, no_plan, _, link, mail, to_the_shop, guessed, way = told
    assert no_link == to_the_shop == ""
    assert "wc-api/reprise_plan/?order=19" in link and "wc-api/reprise_plan/?order=19" in mail
    assert no_plan == guessed == 404
    assert way.startswith(f"https://reprise.example/storefront/{CONNECTION['shop']}/plan?id=msg_")


def test_reminders_are_stopped_in_the_customers_account(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(
        php,
        tmp_path,
        ["sign_in", ZOE],
        ["filtered", "woocommerce_get_default_value_for_reprise/reminders", False],
        ["saves_account", False],
        ["page"],
        ["deliver"],
        ["saves_account", True],
        ["page"],
        ["deliver"],
        ["filtered", "woocommerce_get_default_value_for_reprise/reminders", False],
        ["saves_account", False],
        ["page"],
        ["deliver"],
    )

    assert (told[1], told[8]) == (False, True)
    assert [event for request in told[4] for event in events(request)] == [], (
        "a box never ticked is no answer"
    )
    assert only(told[7]).consent.granted and only(told[7]).person.email == ZOE
    assert only(told[11]).consent.granted is False


def test_a_checkout_without_the_box_asked_nothing(php: Sequence[str], tmp_path: Path) -> None:
    told = tell(php, tmp_path, ["hold", [TEA]], ["order", 19, {"billing_email": ZOE}], ["page"], ["deliver"])

    assert "_reprise_consent" not in told[1]
    assert only(told[3]).consent is None


def test_the_script_is_told_what_it_needs_by_its_own_tag(php: Sequence[str], tmp_path: Path) -> None:
    tag = '<script src="https://shop.example/s.js" defer></script>'
    told = tell(
        php,
        tmp_path,
        ["filtered", "script_loader_tag", tag, "reprise-storefront"],
        ["filtered", "script_loader_tag", tag, "another"],
        ["hold", [TEA]],
        ["order", 19, {}],
        ["decline", 19, "", ""],
        ["page"],
        ["filtered", "script_loader_tag", tag, "reprise-storefront"],
    )

    assert f'data-reprise-house="https://reprise.example/storefront/{CONNECTION["shop"]}"' in told[0]
    assert 'data-basket="/?wc-ajax=reprise_basket&amp;nonce=a-nonce"' in told[0]
    assert "data-declined" not in told[0] and 'data-declined="yes"' in told[6]
    assert told[1] == tag
    assert re.search(r"secret|cGx1Z2lu", told[0]) is None


def test_the_plugin_says_hello_once_it_is_connected_and_nothing_where_it_is_not(
    php: Sequence[str], tmp_path: Path
) -> None:
    hello = tell(php, tmp_path, ["page"], ["deliver"])[1]
    alone = tell(php, tmp_path, ["hold", [TEA]], ["page"], ["deliver"], connected=False)[2]

    assert [json.loads(request["body"])["type"] for request in hello] == ["ping"]
    assert events(hello[0]) == []
    assert alone == []


@pytest.mark.parametrize(("currency", "decimals", "minor"), [("JPY", 0, 80), ("TND", 3, 80200)])
def test_amounts_are_told_as_the_shop_rounds_them(
    php: Sequence[str], tmp_path: Path, currency: str, decimals: int, minor: int
) -> None:
    told = tell(
        php,
        tmp_path,
        ["set", "currency", currency],
        ["set", "decimals", decimals],
        ["hold", [TEA]],
        ["page"],
        ["deliver"],
    )

    assert only(told[4]).total == Money(minor, currency)
