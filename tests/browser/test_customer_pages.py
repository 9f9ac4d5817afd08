"""Customers' pages in a real browser: by keyboard, without JavaScript, at 320 px, and before axe."""

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from tests import story
from tests.browser.conftest import violations
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse


def focus_on(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def test_an_order_is_placed_by_keyboard_alone_and_without_javascript(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, visit
) -> None:
    offer = story.leave_basket(house, paying_shop)
    page: Page = visit(story.link(house, paying_shop, "o", offer.id), javascript=False, locale="fr-FR")

    focus_on(page, "#mandate")
    page.keyboard.press("Space")
    focus_on(page, "button.main-act")
    page.keyboard.press("Enter")
    page.wait_for_url("**wait=1**")
    house.rest(paying_shop)
    page.wait_for_url("**/pay/**")
    for name, value in (("number", "4242424242424242"), ("expiry", "12/34"), ("code", "123")):
        focus_on(page, f"[name={name}]")
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    page.wait_for_url("**checking=1**")
    house.rest(paying_shop)
    page.get_by_role("heading", level=1, name="Merci").wait_for()

    assert story.captured(house, paying_shop, gateway) == [3334]


def test_a_plan_is_cancelled_in_three_clicks(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, visit
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    page: Page = visit(story.link(house, paying_shop, "p", plan.id), javascript=False, locale="fr-FR")

    page.get_by_role("link", name="Résilier votre contrat").click()
    page.get_by_role("button", name="Notifier la résiliation").click()

    assert page.get_by_role("status").count() == 1
    with house.of(paying_shop) as session:
        assert session.scalars(select(Plan)).one().state == "cancelled"


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_customers_pages_are_accessible_and_fit_a_narrow_screen(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, visit, language: str, scheme: str
) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.link(house, paying_shop, "o", offer.id)
    pages = [path]
    plan = story.begin_plan(house, paying_shop, gateway, number=20, email="bea@example.test")
    portal = story.link(house, paying_shop, "p", plan.id)
    pages += [portal, f"{portal}/cancel", f"{portal}/withdraw", f"{portal}/receipt/1", "/o/nowhere"]
    pages.append(story.link(house, paying_shop, "u", plan.customer_id))

    for url in pages:
        for width in (1280, 320):
            page: Page = visit(f"{url}?lang={language}", color_scheme=scheme, width=width)
            assert violations(page) == [], f"{url} at {width}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, url
            assert page.locator("html").get_attribute("lang") == language
