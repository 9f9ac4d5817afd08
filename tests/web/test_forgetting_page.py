"""Forgetting a customer in the dashboard: shown first, confirmed by a form, and refused while his money is on its way."""

from sqlalchemy import select

from plugin_backend.domain import cases
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk.money import Money
from tests import plan_story as story
from tests.house import TestHouse
from tests.web.test_dashboard import signed_in


def running_plan(house: TestHouse, shop: Shop) -> Plan:
    with house.of(shop) as session:
        plan = story.accepted_plan(session, shop, Money(10000, "EUR"))
        story.charged(session, shop, plan.id, 1)
        return plan


def erasures(house: TestHouse, shop: Shop) -> list[Erasure]:
    with house.of(shop) as session:
        return list(session.scalars(select(Erasure)))


def test_the_plan_leads_to_a_page_that_says_what_it_means_and_does_nothing_by_itself(
    house: TestHouse,
) -> None:
    shop = story.add_paying_shop(house)
    plan, operator = running_plan(house, shop), signed_in(house, shop.merchant_id)
    page = f"/shops/{shop.id}/customers/{plan.customer_id}/erase"

    assert page in operator.get(f"/shops/{shop.id}/plans/{plan.id}").text
    shown = operator.get(page).text

    assert "ana@example.test" in shown
    assert "This cannot be undone." in shown
    assert "Cancel the plan first" in shown
    assert "C’est irréversible." in operator.get(f"{page}?lang=fr").text
    assert erasures(house, shop) == []


def test_a_running_plan_is_cancelled_only_where_that_was_ticked(house: TestHouse) -> None:
    shop = story.add_paying_shop(house)
    plan, operator = running_plan(house, shop), signed_in(house, shop.merchant_id)
    page = f"/shops/{shop.id}/customers/{plan.customer_id}/erase"

    refused = operator.post(page)
    assert refused.status_code == 409
    assert "it must be cancelled first" in refused.text
    assert erasures(house, shop) == []

    for _ in range(2):
        done = operator.post(page, cancel_plans="yes")
        assert done.status_code == 303
    (row,) = erasures(house, shop)
    assert row.asked_by == operator.email
    assert "is being forgotten" in operator.get(done.headers["Location"]).text
    assert row.id in operator.get(f"/shops/{shop.id}/erasures").text


def test_a_form_without_its_token_and_another_merchants_shop_forget_nobody(house: TestHouse) -> None:
    shop, other = story.add_paying_shop(house), house.add_shop()
    plan, operator = running_plan(house, shop), signed_in(house, shop.merchant_id)
    forged = operator.client.post(
        f"/shops/{shop.id}/customers/{plan.customer_id}/erase", data={"cancel_plans": "yes"}
    )
    assert forged.status_code in (400, 403)
    assert operator.post(f"/shops/{other.id}/customers/{plan.customer_id}/erase").status_code == 404
    assert erasures(house, shop) == []


def test_a_platforms_wish_that_waits_for_a_person_leads_there(house: TestHouse) -> None:
    shop = story.add_paying_shop(house)
    plan, operator = running_plan(house, shop), signed_in(house, shop.merchant_id)
    with house.of(shop) as session:
        case = cases.open_case(
            session, shop.id, "customer_redacted", plan.customer_id, reason="plan_running"
        ).id
    shown = operator.get(f"/shops/{shop.id}/cases/{case}").text
    assert f"/shops/{shop.id}/customers/{plan.customer_id}/erase" in shown


def test_who_is_forgotten_has_no_such_page_any_more(house: TestHouse) -> None:
    shop = story.add_paying_shop(house)
    plan, operator = running_plan(house, shop), signed_in(house, shop.merchant_id)
    with house.of(shop) as session:
        session.get_one(Customer, (shop.id, plan.customer_id)).email = ""
    assert operator.get(f"/shops/{shop.id}/customers/{plan.customer_id}/erase").status_code == 404
    assert "Forget the customer" not in operator.get(f"/shops/{shop.id}/plans/{plan.id}").text
