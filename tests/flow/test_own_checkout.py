"""A shop on Shopify that takes payments at its own checkout only: its shoppers are led back there, and nothing is charged."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from sqlalchemy import select

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.setups import Setup
from tests import story
from tests.flow.shop_process import CLIENT_SECRET, TOKEN, ShopProcess, graphql, running_shop, visit
from tests.house import TestHouse
from tests.letterbox import Letterbox, text_of

EMAIL = "ana@example.test"
COMPLETE = "mutation C($id: ID!) { draftOrderComplete(id: $id) { draftOrder { id } userErrors { message } } }"


@dataclass(frozen=True)
class Shopify:
    house: TestHouse
    shop: Shop
    process: ShopProcess

    def offered(self) -> Offer:
        visit(self.process, "leave", "shopify", email=EMAIL)
        self.house.rest(self.shop)
        self.house.travel(self.shop, hours=1, minutes=1)
        return self.offer()

    def offer(self) -> Offer:
        with self.house.of(self.shop) as session:
            return session.scalars(select(Offer)).one()

    def cart(self) -> Cart:
        with self.house.of(self.shop) as session:
            return session.scalars(select(Cart).order_by(Cart.created_at)).first()

    def way(self, offer: Offer) -> str:
        """Follow the mail's link to the shop's checkout; its address."""
        path = story.link(self.house, self.shop, "o", offer.id)
        page = self.house.client().get(path, query_string={"lang": "en"}).text
        assert "Go to the checkout" in page and "mandate" not in page
        assert self.house.client().post(f"{path}/accept").status_code == 303
        self.house.rest(self.shop)
        led = self.house.client().get(path)
        assert led.status_code == 303, led.text
        return str(led.headers["Location"])


@pytest.fixture(params=["checkout_link", "draft_order_invoice"])
def shopify(
    house: TestHouse, mails: Letterbox, site: str, request: pytest.FixtureRequest
) -> Iterator[Shopify]:
    with running_shop() as process:
        keys = {"secret": CLIENT_SECRET, "access_token": TOKEN}
        settings = {"url": f"{process.base}/shopify", "write_mode": request.param, **keys}
        shop = house.add_shop("shopify", settings=settings, name="Nordlys")
        hook = house.settings.base_url + house.hook(shop)
        process.control("connect", {"dialect": "shopify", "webhook_url": hook, **keys})
        yield Shopify(house, shop, process)


def buy(shopify: Shopify, way: str) -> None:
    """Pay at the shop's own checkout, where the way led."""
    if "/invoices/" in way:
        number = int(way.rpartition("/")[2], 16)
        done = graphql(shopify.process, COMPLETE, id=f"gid://shopify/DraftOrder/{number}").json()
        assert done["data"]["draftOrderComplete"]["userErrors"] == []
    else:
        with httpx2.Client(trust_env=False, follow_redirects=True) as shopper:
            assert shopper.get(way).status_code == 200
            form = {"email": EMAIL, "name": "Ana", "country": "FR", "outcome": "buy"}
            bought = shopper.post(f"{shopify.process.base}/shopify/checkout", data=form)
            assert bought.status_code == 200, bought.text
    shopify.process.settle()
    shopify.house.rest(shopify.shop)


def test_a_shopper_is_led_back_and_his_purchase_ends_the_offer(shopify: Shopify, mails: Letterbox) -> None:
    offer = shopify.offered()
    assert (offer.kind, offer.state, offer.days) == ("checkout", "open", [0])
    (mail,) = mails.messages
    assert re.search(r"/o/[a-z2-7]+", text_of(mail)) and "×" not in text_of(mail)
    way = shopify.way(offer)
    assert way.startswith(f"{shopify.process.base}/shopify/")
    assert shopify.offer().state == "accepting"
    buy(shopify, way)
    after = shopify.offer()
    assert (after.state, after.reason, shopify.cart().state) == ("withdrawn", "bought", "ordered")
    with shopify.house.of(shopify.shop) as session:
        assert list(session.scalars(select(Plan))) == []


def test_who_does_not_buy_has_his_offer_again(shopify: Shopify) -> None:
    offer = shopify.offered()
    shopify.way(offer)
    shopify.house.travel(shopify.shop, hours=2, minutes=1)
    assert shopify.offer().state == "open"
    with shopify.house.of(shopify.shop) as session:
        (asked,) = session.scalars(select(Setup))
    assert (asked.state, asked.url) == ("expired", "")


def test_a_shop_that_does_not_answer_is_asked_again_when_its_shopper_wants(shopify: Shopify) -> None:
    offer = shopify.offered()
    shopify.process.control("switches", {"throttle": True})
    path = story.link(shopify.house, shopify.shop, "o", offer.id)
    assert shopify.house.client().post(f"{path}/accept").status_code == 303
    shopify.house.rest(shopify.shop)
    page = shopify.house.client().get(path, query_string={"lang": "en"}).text
    assert "Please try again" in page
    assert shopify.offer().state == "open"
