"""What a shop lost, counted; and how a shop looks from outside."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plugin_backend.core import storefronts
from plugin_backend.core.render import previews
from plugin_backend.core.storefronts import Look
from plugin_backend.core.views import ShopView
from plugin_backend.domain import hindsight
from plugin_backend.domain.hindsight import Memory, Report, Rules
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import NotSent
from plugin_backend.sdk.http import Request, Response
from plugin_backend.sdk.money import Money

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RULES = Rules((0, 25, 50), "small", "FR", "EUR", 2000)


def basket(key: str, minor: int = 5000, email: str = "ana@example.test", **more: Any) -> sdk.CartChanged:
    person = sdk.Person(email=email, country=more.pop("country", "FR"))
    total = Money(minor, more.pop("currency", "EUR"))
    return sdk.CartChanged(key, total, NOON, (sdk.Line("Lamp <b>", total=total),), person, **more)


def sale(key: str, hours: int, email: str = "ana@example.test", *carts: str) -> sdk.OrderPlaced:
    return sdk.OrderPlaced(key, NOON + timedelta(hours=hours), carts, person=sdk.Person(email=email))


def looked(*pages: list[sdk.ShopEvent], rules: Rules = RULES) -> Report:
    """Through JSON after each page, as between two turns of a worker."""
    memory = Memory(b"k")
    for page in pages:
        memory.see(page)
        memory = Memory(b"k", json.loads(json.dumps(memory.state)))
    return hindsight.report(memory.baskets(), rules)


def test_unpaid_orders_are_counted_and_summed_each_currency_by_itself() -> None:
    found = looked(
        [
            basket("order:1"),
            sdk.PaymentFailed("order:2", NOON, "limit", basket("order:2", 7000)),
            basket("order:3", 900, currency="JPY", email="bob@example.test"),
        ]
    )
    assert (found.unpaid, found.declined) == (3, 1)
    assert found.amounts == (Money(12000, "EUR"), Money(900, "JPY"))


def test_a_basket_that_was_bought_is_not_lost() -> None:
    found = looked([basket("order:1", aliases=("cart:x",))], [sale("order:9", -1, "", "cart:x")])
    assert (found.unpaid, found.last) == (0, None)


def test_who_bought_afterwards_would_not_have_been_offered_anything() -> None:
    found = looked([basket("order:1"), basket("order:2", email="bob@example.test")], [sale("order:9", 1)])
    assert (found.unpaid, found.offerable) == (2, 1)
    assert found.last is not None
    assert found.last.key == "order:2"


@pytest.mark.parametrize(
    ("one", "offerable"),
    [
        (basket("order:1", 1999), 0),
        (basket("order:1", 2000), 1),
        (basket("order:1", country="BR"), 0),
        (basket("order:1", country=""), 1),
        (basket("order:1", email=""), 1),
    ],
)
def test_only_what_is_lawful_and_worth_it_counts_as_to_be_offered(
    one: sdk.CartChanged, offerable: int
) -> None:
    assert looked([one]).offerable == offerable


def test_a_large_company_may_not_defer_for_as_long() -> None:
    assert looked([basket("order:1")], rules=Rules((0, 25, 50), "large", "FR", "EUR", 2000)).offerable == 0


@pytest.mark.parametrize(
    ("event", "before", "by_mail"),
    [
        (basket("order:1"), [], 0),
        (basket("order:1"), [sale("order:9", -1)], 1),
        (basket("order:1", consent=sdk.Consent(True, "checkout")), [], 1),
        (basket("order:1", consent=sdk.Consent(False, "checkout")), [sale("order:9", -1)], 0),
        (sdk.PaymentFailed("order:1", NOON, "limit", basket("order:1")), [], 1),
        (basket("order:1", email=""), [], 0),
    ],
)
def test_a_mail_needs_an_address_and_consent_a_former_sale_or_a_refused_payment(
    event: sdk.ShopEvent, before: list[sdk.ShopEvent], by_mail: int
) -> None:
    assert looked([event], before).by_mail == by_mail


def test_no_address_is_remembered() -> None:
    memory = Memory(b"k")
    memory.see([basket("order:1"), sale("order:9", 1)])
    assert "example.test" not in json.dumps(memory.state)


def test_the_last_basket_is_drawn_as_page_and_mail_with_the_look_of_the_shop() -> None:
    last = looked([basket("order:1", 10000)]).last
    assert last is not None
    offer = hindsight.offer_for(last, RULES, ZoneInfo("Europe/Paris"), NOON, NOON + timedelta(days=7))
    assert [part.amount.minor for part in offer.parts] == [3334, 3333, 3333]
    shop = ShopView("Luna", "fr", "Europe/Paris", "https://luna.test/logo.png", "#aa3355")
    drawn = previews.draw(shop, offer, "offer", "fr", "FR")
    for told in (drawn.page, drawn.mail.html):
        assert "Lamp &lt;b&gt;" in told
        assert "Luna" in told
    assert "#aa3355" in drawn.page
    assert "https://luna.test/logo.png" in drawn.page
    assert "<style>" in drawn.page
    assert "/static/" not in drawn.page


PAGE = """<html><head><meta name="theme-color" content="#123abc"><meta property="og:site_name" content="Luna &amp; Co">
<link rel="icon" href="/favicon.png"></head><body><img class="custom-logo" src="/logo.svg" alt="Luna"></body></html>"""


@pytest.mark.parametrize(
    ("html", "look"),
    [
        (PAGE, Look("Luna & Co", "https://luna.test/logo.svg", "#123abc")),
        (PAGE.replace("custom-logo", "photo"), Look("Luna & Co", "https://luna.test/favicon.png", "#123abc")),
        ("<style>:root{--wp--preset--color--primary: #00ff00}</style>", Look("", "", "#00ff00")),
        ('<meta name="theme-color" content="red;}body{x:y">', Look()),
        ('<img class="logo" src="javascript:alert(1)">', Look()),
        ('<img class="logo" src="http://[">', Look()),
        ("", Look()),
    ],
)
def test_a_front_page_tells_name_logo_and_colour(html: str, look: Look) -> None:
    assert storefronts.read(html, "https://luna.test") == look


class Door:
    def __init__(self, answer: Response | None) -> None:
        self.answer = answer

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        if self.answer is None:
            raise NotSent("no address")
        return self.answer


@pytest.mark.parametrize(
    "answer", [None, Response(301, {"location": "https://elsewhere"}, PAGE.encode()), Response(503)]
)
def test_a_shop_that_does_not_show_itself_has_no_look(answer: Response | None) -> None:
    assert storefronts.look_at("https://luna.test", Door(answer)) == Look()
