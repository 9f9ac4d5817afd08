"""The rescue whole: a shop's page in a real browser, the storefront script in it, and the house that answers."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from werkzeug import Request

from plugin_backend.domain import storefronts
from plugin_backend.domain.merchants import Shop, get_shop
from tests import storefront_story
from tests.browser import shop_page
from tests.browser.shop_page import CHECKOUT, OFFER_PLACE, PLACE, Place
from tests.house import TestHouse
from tests.storefront_story import cart, failed, signed, told


@dataclass
class Checkout:
    """A shop's checkout: its server signs what it says of the basket, and of the card that was declined."""

    house: TestHouse
    shop: Shop
    server: Place
    why: dict[str, Any]

    def basket(self, request: Request) -> dict[str, Any]:
        basket = cart(self.house, self.shop, email="")
        said = failed(basket, **self.why) if "declined" in request.args else told("cart.updated", basket)
        return {"message": signed(said, name=f"msg_{len(self.server.asked)}")}

    def visit(self, browser: Browser, body: str) -> Page:
        address = self.house.settings.base_url + storefront_story.base(self.house, self.shop).rstrip("/")
        self.server.answers["/"] = shop_page.page(
            address, body, consent="given", basket="/basket", refusals=".woocommerce-error"
        )
        page = browser.new_context(locale="en-GB").new_page()
        page.goto(f"{self.server.url}/", wait_until="networkidle")
        return page

    def works_until(self, page: Page, selector: str, seconds: float = 10) -> None:
        """The house's workers are at work while the page waits."""
        end = time.monotonic() + seconds
        while page.locator(selector).count() == 0 and time.monotonic() < end:
            self.house.rest(self.shop)
            page.wait_for_timeout(50)


@pytest.fixture
def checkout(house: TestHouse, site: str) -> Iterator[Checkout]:
    server = Place()
    shop = storefront_story.add_shop(house)
    with house.of(shop) as session:
        storefronts.allow(get_shop(session, shop.id), [server.url])
    made = Checkout(house, shop, server, {"gateway": "stripe", "reason": "insufficient_funds"})
    server.answers = {"/s.js": shop_page.SOURCE, "/basket": made.basket}
    with shop_page.serving(server):
        yield made


def decline(page: Page) -> None:
    page.locator("#order").click()
    page.evaluate(
        """document.querySelector("h1").insertAdjacentHTML("afterend", '<ul class="woocommerce-error"><li>Declined</li></ul>')"""
    )


def test_the_offer_stands_in_the_page_in_which_the_card_was_declined(
    browser: Browser, checkout: Checkout
) -> None:
    page = checkout.visit(browser, OFFER_PLACE + CHECKOUT)
    decline(page)
    checkout.works_until(page, "[data-reprise-offer] a")

    words = page.get_by_role("status").inner_text()
    assert "100.00" in words and "declin" not in words.lower() and "refus" not in words.lower()
    page.locator("[data-reprise-offer] a").click()
    page.wait_for_url(f"{checkout.house.settings.base_url}/o/**")


def test_nothing_is_ever_offered_after_a_stolen_card(browser: Browser, checkout: Checkout) -> None:
    checkout.why = {"gateway": "stripe", "reason": "Your card was reported stolen_card"}
    page = checkout.visit(browser, OFFER_PLACE + CHECKOUT)
    decline(page)
    checkout.works_until(page, "[data-reprise-offer] a", seconds=3)

    assert page.locator("[data-reprise-offer]").inner_html() == ""


def test_a_shopper_who_pays_in_parts_is_led_from_his_basket_to_the_offer(
    browser: Browser, checkout: Checkout
) -> None:
    page = checkout.visit(browser, PLACE)
    page.mouse.wheel(0, 50)
    page.locator("[data-reprise] p", has_text="100.00").wait_for()
    page.get_by_role("button", name="Pay in parts").click()
    end = time.monotonic() + 10
    while "/o/" not in page.url and time.monotonic() < end:
        checkout.house.rest(checkout.shop)
        page.wait_for_timeout(50)

    assert page.url.startswith(f"{checkout.house.settings.base_url}/o/")
