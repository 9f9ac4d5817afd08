"""The storefront script in a real browser: what it asks, when, and what it never touches."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import shop_page
from tests.browser.conftest import violations
from tests.browser.shop_page import CHECKOUT, KEY, MESSAGE, OFFER_PLACE, PLACE, WORDS, Place

CALL = f"/storefront/{KEY}"
REFUSALS = ".woocommerce-error"


class Stage:
    """A shop, a house, and a browser that is a fresh visitor each time."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.shop = Place()
        self.house = shop_page.house_for(self.shop)
        self.shop.answers = {
            "/s.js": shop_page.SOURCE,
            "/basket": {"message": MESSAGE},
            "/cart.js": {"token": "abc?key=1"},
        }
        self.errors: list[str] = []

    def visit(self, body: str, **told: str) -> Page:
        self.shop.answers["/"] = shop_page.page(f"{self.house.url}{CALL}", body, **told)
        page = self._browser.new_context().new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{self.shop.url}/", wait_until="networkidle")
        return page

    def refuse(self, page: Page) -> float:
        """The shop's checkout shows that it could not place the order. Gives back when."""
        page.evaluate(
            """document.querySelector("h1").insertAdjacentHTML("afterend", '<ul class="woocommerce-error"><li>Declined</li></ul>')"""
        )
        return time.monotonic()


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    stage = Stage(browser)
    with shop_page.serving(stage.shop, stage.house):
        yield stage
    assert stage.errors == []


def settled(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(100)


def test_nothing_is_asked_before_the_shopper_does_something(stage: Stage) -> None:
    page = stage.visit(PLACE + OFFER_PLACE, consent="given", basket="/basket", refusals=REFUSALS)
    page.wait_for_timeout(300)

    assert stage.house.asked == []
    assert [path for _, path, _ in stage.shop.asked if path not in ("/", "/s.js", "/favicon.ico")] == []
    assert page.locator("[data-reprise]").is_hidden()


@pytest.mark.parametrize("act", ["pointer", "key", "wheel"])
def test_the_first_thing_a_shopper_does_draws_the_plan(stage: Stage, act: str) -> None:
    page = stage.visit(PLACE, consent="given")
    {
        "pointer": lambda: page.mouse.click(5, 5),
        "key": lambda: page.keyboard.press("Tab"),
        "wheel": lambda: page.mouse.wheel(0, 300),
    }[act]()
    page.get_by_text(WORDS).wait_for()

    assert [(method, path) for method, path, _ in stage.house.asked] == [
        ("GET", f"{CALL}/plans?amount=100.00&currency=EUR&lang=en")
    ]
    assert page.get_by_role("button", name="Pay in parts").is_hidden(), "there is no basket here to pay"


def test_without_consent_there_is_a_button_and_pressing_it_is_asking(stage: Stage) -> None:
    page = stage.visit(PLACE, consent="required")
    page.mouse.wheel(0, 50)
    settled(page)
    assert stage.house.asked == []

    page.get_by_role("button", name="Pay in parts").click()
    page.get_by_text(WORDS).wait_for()


def test_consent_of_the_shops_banner_is_waited_for_and_a_no_is_one(stage: Stage) -> None:
    page = stage.visit(PLACE)
    page.mouse.wheel(0, 50)
    page.evaluate("document.dispatchEvent(new CustomEvent('reprise:consent', {detail: false}))")
    settled(page)
    assert stage.house.asked == []

    page.evaluate("document.dispatchEvent(new CustomEvent('reprise:consent'))")
    page.get_by_text(WORDS).wait_for()


@pytest.mark.parametrize(
    "platform",
    [
        "window.wp_has_consent = (kind) => kind === 'preferences'; document.dispatchEvent(new Event('wp_listen_for_consent_change'))",
        "window.Shopify = {customerPrivacy: {preferencesProcessingAllowed: () => true}};"
        " document.dispatchEvent(new Event('visitorConsentCollected'))",
    ],
    ids=["wordpress", "shopify"],
)
def test_the_platforms_own_consent_is_understood(stage: Stage, platform: str) -> None:
    page = stage.visit(PLACE)
    page.mouse.wheel(0, 50)
    page.evaluate(platform)

    page.get_by_text(WORDS).wait_for()


def test_paying_in_parts_leads_to_the_offer_with_the_basket_the_shop_signed(stage: Stage) -> None:
    page = stage.visit(PLACE, consent="given", basket="/basket")
    page.mouse.wheel(0, 50)
    page.get_by_role("button", name="Pay in parts").click()
    page.wait_for_url(f"{stage.house.url}/o/secret")

    [body] = stage.house.calls(f"{CALL}/inquiries")[:1]
    assert json.loads(body) == {"message": MESSAGE, "lang": "en", "declined": False}


def test_a_basket_without_a_plan_takes_the_button_away_and_says_nothing(stage: Stage) -> None:
    stage.house.answers[f"{CALL}/inquiries"] = (202, {"state": "none", "poll": "", "wait_ms": 300})
    page = stage.visit(PLACE, consent="given", basket="/basket")
    page.mouse.wheel(0, 50)
    page.get_by_role("button", name="Pay in parts").click()

    page.locator("[data-reprise]").wait_for(state="detached")


def test_after_a_declined_card_the_offer_stands_in_the_same_page_within_three_seconds(stage: Stage) -> None:
    page = stage.visit(OFFER_PLACE + CHECKOUT, consent="given", basket="/basket", refusals=REFUSALS)
    page.locator("#order").click()
    refused = stage.refuse(page)
    page.get_by_role("link", name="See the payment plan").wait_for()

    assert time.monotonic() - refused < 3
    status = page.get_by_role("status")
    assert status.inner_text().split("\n")[0] == "Pay in 3 parts"
    assert WORDS in status.inner_text()
    assert page.get_by_role("link").get_attribute("href") == f"{stage.house.url}/o/secret"
    assert ("GET", "/basket?declined=1", "") in stage.shop.asked
    assert json.loads(stage.house.calls(f"{CALL}/inquiries")[0])["declined"] is True
    assert violations(page) == []


def test_a_form_that_was_filled_in_wrongly_is_no_declined_card(stage: Stage) -> None:
    stage.shop.answers["/basket"] = (204, "")
    page = stage.visit(OFFER_PLACE + CHECKOUT, consent="given", basket="/basket", refusals=REFUSALS)
    page.locator("#order").click()
    stage.refuse(page)
    page.wait_for_timeout(1000)
    page.evaluate("document.body.append('another change of the page')")
    settled(page)

    assert stage.house.asked == []
    assert len(stage.shop.calls("/basket")) == 2, (
        "it is looked twice for one refusal, and no more for other changes"
    )


def test_a_page_that_is_shown_after_a_declined_payment_offers_at_once(stage: Stage) -> None:
    page = stage.visit(OFFER_PLACE, consent="given", basket="/basket", declined="yes")

    page.get_by_role("link", name="See the payment plan").wait_for()


def test_a_decline_that_the_pixel_noted_is_answered_when_the_shopper_is_back(stage: Stage) -> None:
    page = stage.visit(OFFER_PLACE, consent="given", basket="/cart.js", declined="remembered")
    page.evaluate("sessionStorage.setItem('reprise-declined', 'yes')")
    page.reload()
    assert stage.house.asked == []
    page.keyboard.press("Tab")
    page.get_by_role("link", name="See the payment plan").wait_for()

    assert json.loads(stage.house.calls(f"{CALL}/inquiries")[0]) == {
        "token": "abc?key=1",
        "lang": "en",
        "declined": True,
    }


def test_a_decline_offers_nothing_before_the_shopper_agreed(stage: Stage) -> None:
    page = stage.visit(OFFER_PLACE + CHECKOUT, basket="/basket", refusals=REFUSALS, declined="yes")
    page.locator("#order").click()
    stage.refuse(page)
    page.evaluate("document.dispatchEvent(new Event('reprise:declined'))")
    settled(page)

    assert stage.house.asked == [] and stage.shop.calls("/basket") == []


def test_an_address_goes_to_the_shop_once_its_box_is_ticked_and_nothing_else_ever(stage: Stage) -> None:
    page = stage.visit(CHECKOUT, consent="given", basket="/basket")
    page.locator("#billing_email").fill("ana@example.test")
    page.locator("#billing_email").blur()
    page.locator("#account_password").fill("secret2")
    page.locator("#card").fill("4000056655665556")
    page.locator("#news").fill("other@example.test")
    page.locator("#news").blur()
    settled(page)
    assert stage.shop.calls("/basket") == []

    page.locator("#reprise-reminders").check()
    settled(page)
    page.locator("#billing_email").fill("bea@example.test")
    page.locator("#billing_email").blur()
    settled(page)
    page.locator("#reprise-reminders").uncheck()
    settled(page)

    assert [json.loads(body) for body in stage.shop.calls("/basket")] == [
        {"email": "ana@example.test", "granted": True},
        {"email": "bea@example.test", "granted": True},
        {"email": "bea@example.test", "granted": False},
    ]
    sent = json.dumps([*stage.shop.asked, *stage.house.asked])
    assert "secret2" not in sent and "hunter2" not in sent and "5556" not in sent and "other@" not in sent
    assert [path for _, path, _ in stage.house.asked if "ana" in path or "bea" in path] == []


def test_a_reminder_that_is_asked_for_goes_to_the_house_with_the_basket(stage: Stage) -> None:
    form = '<form data-reprise-reminder data-thanks="Look into your mailbox"><label>E-mail <input type="email" required></label><button>Send</button></form>'
    page = stage.visit(form, basket="/cart.js")
    page.locator("[data-reprise-reminder] input").fill("ana@example.test")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Look into your mailbox").wait_for()

    assert json.loads(stage.house.calls(f"{CALL}/reminders")[0]) == {
        "token": "abc?key=1",
        "lang": "en",
        "email": "ana@example.test",
    }
    assert page.url == f"{stage.shop.url}/"


@pytest.mark.parametrize("answer", [(500, "no"), (200, "<html>"), (429, {}), (200, {"plans": []})])
def test_a_house_that_does_not_answer_leaves_the_page_as_it_is(stage: Stage, answer: Any) -> None:
    stage.house.answers[f"{CALL}/plans"] = answer
    page = stage.visit(PLACE, consent="given", basket="/basket")
    page.mouse.wheel(0, 50)
    settled(page)

    assert page.locator("[data-reprise]").is_hidden()


def test_nothing_is_left_in_the_browser(stage: Stage) -> None:
    page = stage.visit(PLACE + OFFER_PLACE + CHECKOUT, consent="given", basket="/basket", refusals=REFUSALS)
    page.locator("#billing_email").fill("ana@example.test")
    page.locator("#reprise-reminders").check()
    stage.refuse(page)
    page.get_by_role("link", name="See the payment plan").wait_for()

    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_what_the_house_says_is_text_and_never_markup(stage: Stage) -> None:
    stage.house.answers[f"{CALL}/plans"] = {"plans": [{"words": "<img src=x onerror='document.title=1'>"}]}
    page = stage.visit(PLACE, consent="given")
    page.mouse.wheel(0, 50)
    page.get_by_text("<img src=x").wait_for()

    assert page.locator("img").count() == 0
