"""The demo's own shop in a real browser: what a person sees there of a plan, and after a declined payment."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests import storefront_story
from tests.flow.shop_process import PLUGIN_SECRET
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.plan_story import ACCOUNT
from tests.shop_story import Woo, connected_woo


@pytest.fixture
def woo(house: TestHouse, site: str, mails: Letterbox) -> Iterator[Woo]:
    with connected_woo(house, plugin_secret=PLUGIN_SECRET, sandbox=ACCOUNT, name="Boutique Luna") as made:
        front = site + storefront_story.base(house, made.shop)
        made.connect(webhooks=True, plugin_secret=PLUGIN_SECRET, storefront=front)
        yield made


def basket(browser: Browser, woo: Woo) -> Page:
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{woo.process.base}/woo/?lang=en")
    page.get_by_role("button", name="Add to basket").first.click()
    # What is pressed before the next page is there is pressed on the last one.
    page.wait_for_url("**/basket*")
    page.wait_for_load_state()
    return page


def works_until(page: Page, woo: Woo, seen: Callable[[], bool]) -> None:
    """The house's workers are at work while the page waits."""
    end = time.monotonic() + 20
    while not seen() and time.monotonic() < end:
        woo.house.rest(woo.shop)
        page.wait_for_timeout(50)


def test_the_basket_says_which_plan_there_is_and_a_button_leads_to_it(browser: Browser, woo: Woo) -> None:
    page = basket(browser, woo)
    page.keyboard.press("Tab")
    page.locator("[data-reprise] p", has_text="total").wait_for()
    page.get_by_role("button", name="Pay in parts").click()
    offer = f"{woo.house.settings.base_url}/o/"
    works_until(page, woo, lambda: page.url.startswith(offer))
    assert page.url.startswith(offer)


def test_after_a_declined_payment_the_plan_stands_in_the_same_page(browser: Browser, woo: Woo) -> None:
    page = basket(browser, woo)
    page.get_by_role("link", name="Go to checkout").click()
    page.get_by_label("E-mail address").fill("ana@example.test")
    page.get_by_label("First and last name").fill("Ana Ruiz")
    page.get_by_role("button", name="Pay with a card over its limit").click()
    works_until(page, woo, lambda: page.locator("[data-reprise-offer] a").count() > 0)
    page.get_by_role("status").get_by_role("link").click()
    page.wait_for_url(f"{woo.house.settings.base_url}/o/**")
