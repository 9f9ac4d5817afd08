"""Connecting a shop in a real browser: every page before axe, at 320 px, without JavaScript and by keyboard."""

from typing import Any

import pytest
from playwright.sync_api import Page

from plugin_backend.core.db import transaction
from plugin_backend.domain import merchants, onboarding
from plugin_backend.domain.merchants import Shop
from tests.browser.conftest import violations
from tests.browser.test_customer_pages import focus_on
from tests.browser.test_dashboard_pages import sign_in
from tests.connecting_story import KEYS, Shopify, Woo, on_the_wire
from tests.house import TestHouse


@pytest.fixture
def merchant(house: TestHouse) -> Shop:
    """Any shop of the merchant whose users sign in."""
    with house.worker.app_context(), transaction(None) as session:
        onboarding.the_merchant(session)
    return house.add_shop()


def looked_at(page: Page, width: int, what: str) -> None:
    assert violations(page) == [], what
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what


def connecting(house: TestHouse, page: Page) -> Shop:
    shop_id = page.url.split("/shops/")[1].split("/")[0]
    house.shops.append(shop_id)
    with house.worker.app_context():
        return merchants.load_shop(shop_id)


def test_a_shop_is_connected_by_keyboard_alone_and_without_javascript(
    house: TestHouse, merchant: Shop, visit: Any
) -> None:
    page: Page = visit("/login", javascript=False, width=320)
    sign_in(house, merchant, page)
    page.get_by_role("link", name="Connect a shop").click()
    with on_the_wire(house.worker, Woo()):
        focus_on(page, "#address")
        page.keyboard.type("shop.example")
        page.keyboard.press("Enter")
        page.wait_for_url("**/connection")
        shop = connecting(house, page)
        house.rest(shop)
        page.get_by_text("runs on WooCommerce").wait_for()
        for name, value in KEYS.items():
            focus_on(page, f"#paste-{name}")
            page.keyboard.type(value)
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()
        house.rest(shop)
        page.get_by_role("heading", name="Six live checks").wait_for()
        # Nothing was asked to be sent: a new live shop watches.
        assert page.get_by_text("The shop only watches").count() == 1


@pytest.mark.parametrize(("scheme", "width", "language"), [("light", 1280, "fr"), ("dark", 320, "en")])
def test_the_pages_of_a_connection_are_accessible_and_fit_a_narrow_screen(
    house: TestHouse, merchant: Shop, visit: Any, scheme: str, width: int, language: str
) -> None:
    page: Page = visit("/login", color_scheme=scheme, width=width)
    sign_in(house, merchant, page)
    site = page.url.removesuffix("/shops")
    page.goto(f"{site}/connect?lang={language}")
    looked_at(page, width, "connect")
    page.locator("#address").fill("https://a:b@shop.example")
    page.locator("main button").click()
    looked_at(page, width, "a mistyped address")

    with on_the_wire(house.worker, Shopify()):
        page.locator("#address").fill("www.fjordlys.example")
        page.locator("main button").click()
        page.wait_for_url("**/connection")
        looked_at(page, width, "being recognised")
        shop = connecting(house, page)
        house.rest(shop)
        page.goto(f"{site}/shops/{shop.id}/connection")
        looked_at(page, width, "recognised")
        page.locator("#approve-client_id").fill("c" * 32)
        page.locator("#approve-secret").fill("s" * 32)
        page.locator("form[action$=approve] button").click()
        page.locator("a.button").wait_for()
        looked_at(page, width, "waiting for the approval")

    woo = Woo()
    woo.spoken = lambda request: (200, b"<html>nonsense</html>")
    with on_the_wire(house.worker, woo):
        page.goto(f"{site}/connect")
        page.locator("#address").fill("shop.example")
        page.locator("main button").click()
        page.wait_for_url("**/connection")
        shop = connecting(house, page)
        house.rest(shop)
        page.goto(f"{site}/shops/{shop.id}/connection")
        looked_at(page, width, "not recognised, with what was said")
        woo.spoken = lambda request: None
        page.locator("#address").fill("shop.example")
        page.locator("form[action$=address] button").last.click()
        house.rest(shop)
        page.goto(f"{site}/shops/{shop.id}/connection")
        for name, value in KEYS.items():
            page.locator(f"#paste-{name}").fill(value)
        page.locator("form[action$=paste] button").click()
        page.get_by_role("status").wait_for()
        house.rest(shop)
        for path in ("connection", "connection/mail/" + "a" * 32):
            page.goto(f"{site}/shops/{shop.id}/{path}")
            looked_at(page, width, path)
