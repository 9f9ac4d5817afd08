"""The dashboard in a real browser: every page before axe, at 320 px, and signed in as an operator does."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.gateway import Decline, Declined
from plugin_backend.sdk.money import Money
from tests import plan_story as story
from tests.browser.conftest import violations
from tests.house import TestHouse
from tests.web.test_dashboard import PASSWORD, TABS, add_user


def sign_in(house: TestHouse, shop: Shop, page: Page) -> None:
    page.get_by_label(re.compile("E-mail")).fill(add_user(house, shop.merchant_id))
    page.get_by_label(re.compile("Password|Mot de passe")).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/shops")


@pytest.fixture
def busy(house: TestHouse) -> Shop:
    """A shop with a plan that was paid once and refused once, and what follows from both."""
    shop = story.add_paying_shop(house)
    with house.of(shop) as session:
        plan = story.accepted_plan(session, shop, Money(10000, "EUR"), "ana@example.test")
        story.charged(session, shop, plan.id, 1)
        story.charged(session, shop, plan.id, 2, Declined(Decline.NEVER, "14"))
    return shop


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_the_dashboards_pages_are_accessible_and_fit_a_narrow_screen(
    house: TestHouse, busy: Shop, visit: Any, scheme: str, width: int
) -> None:
    page: Page = visit("/login", color_scheme=scheme, width=width)
    assert violations(page) == [], "login"
    sign_in(house, busy, page)
    site = page.url.removesuffix("/shops")
    paths = [f"/shops/{busy.id}/{tab}" for tab in ("", *TABS, "run", "connection", "settings")]
    for path in ["/shops", *paths, *first_details(page, site, busy)]:
        page.goto(f"{site}{path}")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def first_details(page: Page, site: str, shop: Shop) -> list[str]:
    """The first object of each list, and what can be asked of a plan."""
    found = []
    for tab in TABS:
        page.goto(f"{site}/shops/{shop.id}/{tab}")
        link = page.locator("table.list tbody th a").first
        if link.count():
            found.append(str(link.get_attribute("href")))
    plans = [path for path in found if "/plans/" in path]
    return [*found, *(f"{path}/credit?amount=20" for path in plans)]
