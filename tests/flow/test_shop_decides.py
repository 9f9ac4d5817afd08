"""The shop decides too, and its webhooks may be lost: what it did is found by asking, before anything is taken."""

import html
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.setups import Setup
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import STANDARD_SECRET, TestHouse
from tests.letterbox import Letterbox
from tests.shop_story import CONSENT, Woo, connected_woo

# A thing on the shelf of the shop, and what shops and baskets know it by.
THING, SKU = 11, "LAMP-1"


@pytest.fixture
def woo(house: TestHouse, gateway: SandboxProcess, mails: Letterbox, site: str) -> Iterator[Woo]:
    """A shop whose webhooks are gone."""
    with connected_woo(house, sandbox=gateway.settings(), name="Boutique Luna") as made:
        made.connect(webhooks=False)
        yield made


def offered(woo: Woo) -> tuple[str, Offer]:
    """A basket that was left and offered: its number, and the offer."""
    number = woo.leave("ana@example.test")
    woo.house.travel(woo.shop, minutes=11)
    woo.house.travel(woo.shop, hours=1, minutes=1)
    with woo.house.of(woo.shop) as session:
        return number, session.scalars(select(Offer)).one()


def reduce(woo: Woo, number: str, total: str) -> None:
    """The shop changes the price of the basket's only line."""
    (line,) = woo.api.ask("GET", f"orders/{number}").json()["line_items"]
    woo.change(number, line_items=[{"id": line["id"], "total": total}])


def left(woo: Woo, product: int, pieces: int) -> None:
    """So many pieces of a thing are left on the shop's shelf."""
    answer = woo.api.ask("PUT", f"products/{product}", {"stock_quantity": pieces})
    assert answer.status_code == 200


def test_a_price_that_changed_before_the_acceptance_is_shown_and_not_charged(woo: Woo) -> None:
    number, offer = offered(woo)
    reduce(woo, number, "30.00")
    path = story.accept(woo.house, woo.shop, offer)
    page = woo.house.client().get(path, query_string={"lang": "en"}).text
    assert "The offer has changed since you opened it" in page
    assert "€30.00" in page
    with woo.house.of(woo.shop) as session:
        assert list(session.scalars(select(Plan))) == []
        assert session.get_one(Offer, (woo.shop.id, offer.id)).state == "open"

    assert story.accept(woo.house, woo.shop, offer) == path
    with woo.house.of(woo.shop) as session:
        newest = session.scalars(select(Setup).order_by(Setup.created_at.desc())).first()
    assert newest is not None
    assert (newest.state, newest.shown_amount, newest.shown_currency) == ("waiting", 3000, "EUR")


def test_what_was_sold_out_before_the_acceptance_is_said_and_nothing_is_charged(woo: Woo) -> None:
    number, offer = offered(woo)
    (line,) = woo.api.ask("GET", f"orders/{number}").json()["line_items"]
    left(woo, line["product_id"], line["quantity"] - 1)
    path = story.accept(woo.house, woo.shop, offer)
    page = woo.house.client().get(path, query_string={"lang": "en"}).text
    assert "Sold out at the moment" in page
    assert html.escape(line["name"]) in page
    with woo.house.of(woo.shop) as session:
        assert list(session.scalars(select(Plan))) == []
        assert session.get_one(Offer, (woo.shop.id, offer.id)).state == "open"

    left(woo, line["product_id"], line["quantity"])
    story.accept(woo.house, woo.shop, offer, again=True)
    with woo.house.of(woo.shop) as session:
        newest = session.scalars(select(Setup).order_by(Setup.created_at.desc())).first()
        assert newest is not None
        assert newest.state == "waiting"
        assert session.scalars(select(Cart)).one().sold_out == []


@pytest.fixture
def by_plugin(house: TestHouse, gateway: SandboxProcess, mails: Letterbox, site: str) -> Iterator[Woo]:
    """A shop whose baskets become orders only when they are bought: our plugin alone tells of them."""
    with connected_woo(house, plugin_secret=STANDARD_SECRET, sandbox=gateway.settings()) as made:
        yield made


def accepted_by_plugin(woo: Woo, gateway: SandboxProcess, *, stock: int, total: int = 10000) -> str:
    """A basket that no order holds is offered and accepted, when so many of it are left; the path of the offer's page."""
    line = {"id": "1", "sku": SKU, "title": "Lamp", "quantity": "2", "unit_amount_minor": total // 2}
    basket = {
        "id": "cart:w1",
        "version": 1,
        "updated_at": datetime.now(UTC).isoformat(),
        "currency": "EUR",
        "amount_minor": total,
        "lines": [{**line, "total_amount_minor": total, "tax_minor": 0}],
        "customer": {"email": "ana@example.test", "name": "Ana Ruiz", "locale": "en", "country": "FR"},
        "consent": {**CONSENT, "at": datetime.now(UTC).isoformat()},
    }
    assert woo.house.standard(woo.shop, {"type": "cart.updated", "data": basket}) == 200
    woo.house.travel(woo.shop, hours=1, minutes=1)
    left(woo, THING, stock)
    with woo.house.of(woo.shop) as session:
        offer = session.scalars(select(Offer)).one()
    path = story.accept(woo.house, woo.shop, offer)
    story.give_card(woo.house, woo.shop, gateway, path)
    return path


def test_what_no_order_held_and_is_sold_out_is_named_and_taken_when_it_is_there_again(
    by_plugin: Woo, gateway: SandboxProcess
) -> None:
    woo = by_plugin
    path = accepted_by_plugin(woo, gateway, stock=1)
    page = woo.house.client().get(path, query_string={"lang": "en"}).text
    assert "Sold out at the moment" in page and "Lamp" in page
    assert story.states(woo.house, woo.shop) == ["scheduled"] * 3
    assert story.captured(woo.house, woo.shop, gateway) == []
    assert woo.cases() == []

    assert woo.house.client().post(f"{path}/again").status_code == 303
    woo.house.rest(woo.shop)
    assert "Sold out at the moment" in woo.house.client().get(path, query_string={"lang": "en"}).text

    left(woo, THING, 2)
    assert woo.house.client().post(f"{path}/again").status_code == 303
    woo.house.rest(woo.shop)
    assert story.states(woo.house, woo.shop) == ["paid", "scheduled", "scheduled"]


def test_what_stays_sold_out_comes_to_nothing_after_a_day(by_plugin: Woo, gateway: SandboxProcess) -> None:
    accepted_by_plugin(by_plugin, gateway, stock=0)
    by_plugin.house.travel(by_plugin.shop, hours=25)
    assert story.states(by_plugin.house, by_plugin.shop) == ["void"] * 3
    assert story.plan_of(by_plugin.house, by_plugin.shop).reason == "never paid"
    assert story.captured(by_plugin.house, by_plugin.shop, gateway) == []


def test_an_order_that_the_shop_sold_before_it_was_held_ends_the_plan(
    woo: Woo, gateway: SandboxProcess
) -> None:
    number, offer = offered(woo)
    path = story.accept(woo.house, woo.shop, offer)
    woo.change(number, status="processing")
    story.give_card(woo.house, woo.shop, gateway, path)
    assert story.plan_of(woo.house, woo.shop).reason == "bought in the shop"
    assert story.states(woo.house, woo.shop) == ["void"] * 3
    assert story.captured(woo.house, woo.shop, gateway) == []
    assert woo.cases() == []
    assert woo.house.client().get(path).status_code == 200


def test_a_basket_of_which_something_is_sold_out_is_not_offered(woo: Woo) -> None:
    number = woo.leave("ana@example.test")
    (line,) = woo.api.ask("GET", f"orders/{number}").json()["line_items"]
    left(woo, line["product_id"], 0)
    woo.house.travel(woo.shop, minutes=11)
    woo.house.travel(woo.shop, hours=1, minutes=1)
    with woo.house.of(woo.shop) as session:
        offer = session.scalars(select(Offer)).one()
        assert (offer.state, offer.reason) == ("not_sent", "sold_out")
        assert list(session.scalars(select(Message))) == []


def test_a_basket_in_the_trash_is_offered_no_longer(woo: Woo) -> None:
    number, offer = offered(woo)
    woo.change(number, status="trash")
    woo.house.travel(woo.shop, minutes=11)
    with woo.house.of(woo.shop) as session:
        after = session.get_one(Offer, (woo.shop.id, offer.id))
    assert (after.state, after.reason) == ("withdrawn", "removed in the shop")


@pytest.mark.parametrize(
    ("status", "reason"), [("cancelled", "cancelled in the shop"), ("trash", "trashed in the shop")]
)
def test_an_order_that_the_shop_stops_is_found_by_asking_and_collected_no_further(
    woo: Woo, gateway: SandboxProcess, status: str, reason: str
) -> None:
    number, offer = offered(woo)
    story.give_card(woo.house, woo.shop, gateway, story.accept(woo.house, woo.shop, offer))
    assert story.states(woo.house, woo.shop) == ["paid", "scheduled", "scheduled"]
    woo.change(number, status=status)
    woo.house.travel(woo.shop, minutes=11)
    assert story.states(woo.house, woo.shop) == ["paid", "void", "void"]
    with woo.house.of(woo.shop) as session:
        stopped = session.scalars(select(Case).where(Case.kind == "order_stopped")).one()
    assert stopped.facts["reason"] == reason
