"""The contract of a connector, for every connector that is there: how its shop is connected, and stays so."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_backend.core.registry import connectors
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector, Install
from plugin_backend.sdk.errors import BadSignature, NoAnswer, NotSent, RepriseError
from plugin_backend.sdk.http import Delivery, Response
from tests.contract.connector_golden import RECEIVED_AT, SETTINGS, connector
from tests.contract.connector_rigs import SHOPS
from tests.contract.connector_shops import Answers, WooShop

EACH_PLATFORM = pytest.mark.parametrize("platform", sorted(connectors()))
INSTALL = Install(
    "https://shop.example", "n0nce-0123456789", "https://us.example/keys", "https://us.example/back"
)


@EACH_PLATFORM
def test_webhooks_are_made_once_and_then_stand(platform: str) -> None:
    shop = SHOPS[platform]()
    one = connector(platform, shop)
    made = one.ensure_webhooks("https://us.example/hook")
    again = one.ensure_webhooks("https://us.example/hook")
    assert {state.state for state in made} <= {"created"}
    assert {state.state for state in again} <= {"active"}
    assert bool(made) is one.capabilities.webhooks_api


def test_a_webhook_that_woocommerce_switched_off_is_switched_on() -> None:
    shop = WooShop()
    one = connector("woocommerce", shop)
    one.ensure_webhooks("https://us.example/hook")
    shop.webhooks[1]["status"] = "disabled"
    states = [state.state for state in one.ensure_webhooks("https://us.example/hook")]
    assert states == ["active", "repaired", "active", "active"]
    assert all(hook["secret"] == SETTINGS["woocommerce"]["secret"] for hook in shop.webhooks)


def test_a_new_secret_is_told_to_the_webhooks_that_are_there() -> None:
    shop = WooShop()
    connector("woocommerce", shop).ensure_webhooks("https://us.example/hook")
    renewed = connector("woocommerce", shop, secret="another-secret")
    assert [state.state for state in renewed.ensure_webhooks("https://us.example/hook")] == ["active"] * 4
    states = renewed.ensure_webhooks("https://us.example/hook", resign=True)
    assert [state.state for state in states] == ["repaired"] * 4
    assert {hook["secret"] for hook in shop.webhooks} == {"another-secret"}


@pytest.mark.parametrize(
    ("address", "body", "home"),
    [
        ("https://shop.example", b'{"myshopify_domain": "Lys.myshopify.com"}', "https://lys.myshopify.com"),
        ("https://lys.myshopify.com/", b"<html>password</html>", "https://lys.myshopify.com"),
        ("https://shop.example", b'{"myshopify_domain": "evil.example"}', ""),
        ("https://shop.example", b'{"myshopify_domain": "lys.myshopify.com.evil.example"}', ""),
        ("https://shop.example", b"<html>", ""),
    ],
)
def test_a_shop_on_shopify_is_known_by_its_permanent_name(address: str, body: bytes, home: str) -> None:
    assert connectors()["shopify"].recognise(address, Answers(Response(200, {}, body))) == home


def test_what_answers_at_a_test_address_is_not_taken_for_a_shop() -> None:
    for platform in connectors().values():
        assert platform.recognise("https://shop.example", Answers(Response(200, {}, b"<html>"))) == ""
        assert platform.recognise("https://shop.example", Answers(NoAnswer("timed out"))) == ""


@EACH_PLATFORM
def test_a_guide_names_settings_that_there_are(platform: str) -> None:
    one = connectors()[platform]
    fields, guide = one.settings().fields, one.guide
    named = {*(guide.handover or ()), *guide.paste, *guide.optional, *guide.made, guide.signs}
    assert named <= set(fields)
    assert {*(guide.handover or ()), *guide.paste} <= set(guide.labels)
    assert {name for name, field in fields.items() if field.required} <= {*guide.paste, *guide.made}
    assert set(guide.choices) <= {*(guide.handover or ()), *guide.paste}
    for name, told in guide.choices.items():
        assert not any(one.settings(partial=True).validate({name: value}) for value in told)
        assert one.settings(partial=True).validate({name: "something else"})
    assert set(guide.made.values()) <= {"letters", "standard"}


@EACH_PLATFORM
def test_checks_go_by_three_names_and_say_what_to_do(platform: str) -> None:
    for client in (SHOPS[platform](), Answers(NoAnswer("timed out")), Answers(Response(401, {}, b"{}"))):
        found = connector(platform, client).checks()
        assert [check.name for check in found] in (["reach", "rights", "webhooks"], ["reach", "rights"])
        assert all(check.good is not bool(check.remedy) for check in found)


def test_tokens_are_renewed_ten_minutes_before_they_end_and_never_sent_after() -> None:
    def ends(**span: float) -> Connector:
        at = clock.real_now() + timedelta(**span)
        more = {"refresh_token": "r", "client_id": "c", "token_expires_at": at.isoformat()}
        return connector("shopify", Answers(Response(200, {}, b"{}")), **more)

    early = ends(hours=1).renew_at
    assert early is not None
    assert abs(early - clock.real_now() - timedelta(minutes=50)) < timedelta(seconds=5)
    assert ends(hours=1).refresh() == {}
    with pytest.raises(NotSent):
        ends(seconds=-1).facts()
    assert connector("shopify", Answers(NotSent("x"))).renew_at is None


def test_keys_that_woocommerce_hands_over_are_tried_at_the_shop_that_was_typed() -> None:
    shop = WooShop()
    one = connector("woocommerce", shop)
    body = {"user_id": INSTALL.nonce, "consumer_key": "ck_0123456789", "consumer_secret": "cs_0123456789"}
    body["key_permissions"] = "read_write"
    taken = one.complete_install(INSTALL, _posted(json.dumps(body).encode()))
    assert taken == {
        "url": INSTALL.address,
        "consumer_key": "ck_0123456789",
        "consumer_secret": "cs_0123456789",
    }
    assert {request.url.partition("/wp-json")[0] for request in shop.requests} == {INSTALL.address}
    with pytest.raises(BadSignature):
        one.complete_install(INSTALL, _posted(json.dumps({**body, "user_id": "another"}).encode()))


@EACH_PLATFORM
@given(body=st.binary(max_size=60), query=st.text(max_size=60))
@settings(deadline=None, max_examples=30)
def test_a_hand_over_of_nonsense_raises_nothing_but_our_errors(
    platform: str, body: bytes, query: str
) -> None:
    one = connector(platform, SHOPS[platform]())
    with pytest.raises(RepriseError):
        one.complete_install(INSTALL, replace(_posted(body), query=query))


def _posted(body: bytes) -> Delivery:
    return Delivery(headers={}, body=body, received_at=RECEIVED_AT)
