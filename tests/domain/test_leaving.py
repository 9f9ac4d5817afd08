"""What platforms ask for their customers and shops: told, forgotten, left; and carried out as soon as it may be."""

from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, merchants, portability
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.polls import Poll
from plugin_backend.domain.vault import Use
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs, reading
from tests import plan_story
from tests.house import STANDARD_SECRET, TestHouse
from tests.offer_story import leave

ANA = "ana@example.test"


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    keys = {"secret": STANDARD_SECRET, "callback_url": "http://127.0.0.1:9/callback"}
    return house.add_shop("custom", settings=keys, sandbox=plan_story.ACCOUNT)


def tell(house: TestHouse, shop: Shop, event: sdk.ShopEvent) -> None:
    with house.of(shop) as session:
        reading.take_in(session, merchants.get_shop(session, shop.id), event, clock.now(), told_by="dlv_told")


def open_cases(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        found = session.scalars(select(Case).where(Case.state == "open").order_by(Case.kind, Case.subject))
        return [(case.kind, case.subject.partition("_")[0]) for case in found]


def people(house: TestHouse, shop: Shop) -> set[str]:
    with house.of(shop) as session:
        return set(session.scalars(select(Customer.email))) - {""}


def test_a_customer_who_asks_is_told_all_that_is_kept_of_him_and_no_one_elses(
    house: TestHouse, shop: Shop
) -> None:
    leave(house, shop, key="order:1", email=ANA)
    leave(house, shop, key="order:2", email="bob@example.test")
    with house.of(shop) as session:
        plan_story.accepted_plan(session, shop, Money(10000, "EUR"), ANA)
    tell(house, shop, sdk.CustomerDataRequested(ANA))
    with house.of(shop) as session:
        (case,) = session.scalars(select(Case).where(Case.kind == "data_requested"))
        customer = session.get_one(Customer, (shop.id, case.subject))
        told = portability.everything_about(session, shop, customer)
    assert (told["customer"]["email"], customer.email) == (ANA, ANA)
    assert [len(told[noun]) for noun in ("offers", "plans")] == [1, 1]
    assert {answer["granted"] for answer in told["answers_about_reminders"]} == {True}
    assert {cart["key"] for cart in told["carts"]} == {"order:1", f"order:{ANA}"}
    assert told["plans"][0]["mandate"]["text"]
    assert "bob@example.test" not in str(told)
    assert plan_story.TOKEN not in str(told)


def test_of_one_who_is_not_known_a_person_tells_that_nothing_is_kept(house: TestHouse, shop: Shop) -> None:
    tell(house, shop, sdk.CustomerDataRequested("nobody@example.test", "77"))
    with house.of(shop) as session:
        (case,) = session.scalars(select(Case))
        assert (case.kind, case.subject, case.facts) == (
            "data_requested",
            "dlv_told",
            {"reason": "nothing_kept"},
        )


def test_a_customer_is_forgotten_by_the_number_that_the_platform_has_for_him(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        person = sdk.Person(email=ANA, platform_id="41")
        event = sdk.CartChanged("order:1", Money(5000, "EUR"), clock.now(), (sdk.Line("Lamp"),), person)
        reading.take_in(session, shop, event, clock.now(), told_by="dlv_told")
    tell(house, shop, sdk.CustomerRedacted("", "41"))
    house.rest(shop)
    assert people(house, shop) == set()
    assert open_cases(house, shop) == []


def test_who_has_a_running_plan_is_forgotten_as_soon_as_it_has_ended(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(10000, "EUR"), ANA)
        plan_story.charged(session, shop, plan.id, 1)
        plan_id = plan.id
    tell(house, shop, sdk.CustomerRedacted(ANA))
    assert open_cases(house, shop) == [("customer_redacted", "cus")]
    with house.of(shop) as session:
        billing.stop(session, shop, plan_id, "cancelled", "by the customer")
        due = session.scalars(select(Connection)).one()
        due.rest(clock.now())
    with house.worker.app_context(), house.in_time(shop):
        jobs.tidy(shop)
    with house.of(shop) as session:
        assert session.scalars(select(Erasure.state)).all() == ["asked"]
    assert ("customer_redacted", "cus") not in open_cases(house, shop)


def test_a_shop_that_removed_us_keeps_its_plans_and_offers_nothing_more(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(10000, "EUR"), ANA)
        plan_story.open_offer(session, shop, Money(4000, "EUR"), "bob@example.test")
        plan_id = plan.id
    tell(house, shop, sdk.ShopDisconnected())
    with house.of(shop) as session:
        assert session.get_one(Plan, (shop.id, plan_id)).state == "pending"
        assert set(session.scalars(select(Offer.state))) == {"accepted", "withdrawn"}
        assert session.scalars(select(Poll.due_at)).one() is None
        connection = session.scalars(select(Connection)).one()
        left = merchants.connector_of(session, shop, connection, Use("shop_call", connection.id))
        assert not left.can_write
    assert ("disconnected", "shop") in open_cases(house, shop)
    assert house.standard(shop, {"type": "shop.disconnected", "data": {"redact": True}}) in (200, 204)


def test_a_shop_that_is_to_be_forgotten_has_every_customer_forgotten(house: TestHouse, shop: Shop) -> None:
    for number in range(30):
        leave(house, shop, key=f"order:{number}", email=f"shopper{number}@example.test")
    stranger = sdk.CartChanged("cart:x", Money(900, "EUR"), clock.now(), (sdk.Line("Secret lamp"),))
    tell(house, shop, stranger)
    body: dict[str, Any] = {"type": "shop.disconnected", "data": {"redact": True}}
    house.standard(shop, body)
    house.rest(shop)
    assert people(house, shop) == set()
    with house.of(shop) as session:
        assert merchants.get_shop(session, shop.id).state == "redacted"
        assert {str(lines) for lines in session.scalars(select(Cart.lines))} == {"[]"}
        said = b"".join(filter(None, session.scalars(select(DeliveryRow.body))))
    assert b"shopper" not in said
