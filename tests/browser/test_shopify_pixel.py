"""The custom pixel, in a sandboxed frame as Shopify runs it, with Shopify's side of its interface; what it tells reaches the
house."""

import json
from typing import Any

from playwright.sync_api import Browser
from sqlalchemy import select

from plugin_backend.core import shop_parts
from plugin_backend.domain.inquiries import Inquiry
from plugin_backend.domain.merchants import Shop
from tests import storefront_story
from tests.browser import shop_page
from tests.browser.shop_page import Place
from tests.house import TestHouse
from tests.unit.test_shop_parts import contents

TOKEN = "Z2NwLWV1cm9wZS13ZXN0NDowMUpBQkNERUZHSEpLTU5Q"
SHOPIFYS_SIDE = """
const heard = {}, stored = {};
const analytics = { subscribe: (name, listener) => { heard[name] = listener; } };
const browser = { sessionStorage: {
  setItem: async (name, value) => { stored[name] = value; },
  removeItem: async (name) => { delete stored[name]; },
} };
addEventListener("message", ({ data, source }) => {
  heard[data.name]?.(data.event);
  setTimeout(() => source.postMessage(stored, "*"), 500);
});
"""


def frame(pixel: str) -> str:
    escaped = (SHOPIFYS_SIDE + pixel).replace("&", "&amp;").replace('"', "&quot;")
    return (
        "<!doctype html><html lang='en'><title>Checkout</title>"
        f'<iframe sandbox="allow-scripts" srcdoc="<script>{escaped}</script>"></iframe></html>'
    )


EMIT = """([name, event]) => new Promise((done) => {
  addEventListener("message", ({ data }) => done(data), { once: true });
  document.querySelector("iframe").contentWindow.postMessage({ name, event }, "*");
})"""


def asked(house: TestHouse, shop: Shop) -> list[tuple[list[str], bool]]:
    with house.of(shop) as session:
        return [(sorted(row.names), row.declined) for row in session.scalars(select(Inquiry))]


def test_the_pixel_tells_of_a_declined_payment_and_of_nothing_else(
    browser: Browser, house: TestHouse, site: str
) -> None:
    shop = storefront_story.add_shop(house, "shopify")
    key = storefront_story.base(house, shop).strip("/").rpartition("/")[2]
    part = contents(shop_parts.packed("shopify", {"HOUSE": site, "SHOP": key}))
    checkout = Place(answers={"/": frame(part["pixel.js"])})

    with shop_page.serving(checkout):
        page = browser.new_context().new_page()
        page.goto(checkout.url, wait_until="networkidle")

        def emit(name: str, event: dict[str, Any]) -> dict[str, str]:
            return dict(page.evaluate(EMIT, [name, event]))

        alert = {
            "type": "PAYMENT_ERROR",
            "message": "Card 4242 4242 4242 4242 was declined",
            "target": "",
            "value": None,
        }
        assert emit("alert_displayed", {"data": {"alert": alert}}) == {}, "it knows of no checkout yet"
        emit("payment_info_submitted", {"data": {"checkout": {"token": TOKEN, "email": "ana@example.test"}}})
        emit("alert_displayed", {"data": {"alert": {**alert, "type": "INPUT_INVALID"}}})
        assert asked(house, shop) == []

        assert emit("alert_displayed", {"data": {"alert": alert}}) == {"reprise-declined": "yes"}
        assert asked(house, shop) == [([f"cart:{TOKEN}", f"checkout:{TOKEN}"], True)]
        assert emit("checkout_completed", {"data": {}}) == {}
        assert "4242" not in json.dumps(asked(house, shop))
