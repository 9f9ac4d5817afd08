"""What a card's scheme still allows is counted over every plan that the card pays, from the attempts themselves."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from plugin_backend.domain import billing, plans, vault
from plugin_backend.domain.billing import budgets
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import CardStored, Decline, Declined
from plugin_backend.sdk.money import Money
from tests import plan_story as story
from tests.house import TestHouse

TOTAL = Money(10000, "EUR")


@pytest.fixture
def paying(house: TestHouse) -> Shop:
    return story.add_paying_shop(house)


def two_plans(session: Any, shop: Shop, *, brand: str = "Visa", fingerprint: str = "fp") -> list[Plan]:
    """Plans of two customers, each paid with the same card as it was stored for him."""
    made = []
    for number, email in enumerate(("ana@example.test", "bo@example.test")):
        plan = story.accepted_plan(session, shop, TOTAL, email)
        card = CardStored(f"tok_{number}", brand, "4242", 11, 2038, fingerprint=fingerprint)
        plan.method_id = vault.keep(session, shop.id, plan.customer_id, plan.account_id, card).id
        story.charged(session, shop, plan.id, 1)
        made.append(plan)
    return made


def refused(session: Any, shop: Shop, plan: Plan, times: int) -> None:
    """The plan's second payment was refused so many times, at this very moment."""
    row = plans.collection(session, shop.id, plan.id, 2)
    for _ in range(times):
        story.charged(session, shop, plan.id, 2, Declined(Decline.FUNDS, "51"))
        row.declines = 0
    session.flush()


def method_of(session: Any, plan: Plan) -> PaymentMethod:
    found: PaymentMethod = session.get_one(PaymentMethod, (plan.shop_id, plan.method_id))
    return found


def test_refusals_of_one_card_count_for_every_plan_that_it_pays(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        ana, bo = two_plans(session, paying)
        refused(session, paying, ana, 8)
        refused(session, paying, bo, 6)
        card, now = method_of(session, ana), clock.now()
        assert budgets.allowed_at(session, paying, card, TOTAL, now) is None

        refused(session, paying, bo, 1)
        full = budgets.allowed_at(session, paying, card, TOTAL, now)
        assert full is not None
        assert now + timedelta(days=29, hours=23) < full < now + timedelta(days=31)
        assert budgets.allowed_at(session, paying, card, TOTAL, full) is None


def test_without_a_mark_of_the_card_each_stored_method_counts_for_itself(
    house: TestHouse, paying: Shop
) -> None:
    with house.of(paying) as session:
        ana, bo = two_plans(session, paying, brand="mastercard", fingerprint="")
        refused(session, paying, ana, 10)
        now = clock.now()
        assert budgets.allowed_at(session, paying, method_of(session, ana), TOTAL, now) is not None
        assert budgets.allowed_at(session, paying, method_of(session, bo), TOTAL, now) is None


def test_a_batch_counts_what_it_tries_itself(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        ana, bo = two_plans(session, paying, brand="mastercard")
        refused(session, paying, ana, 8)
        cards, now = [method_of(session, plan) for plan in (ana, bo)], clock.now()
        spent = budgets.spent(session, paying, cards)
        tried = []
        for card in cards * 2:
            tried.append(spent.allowed_at(card, TOTAL, now) is None)
            spent.note(card, TOTAL, now)
        assert tried == [True, True, False, False]


def test_a_card_whose_scheme_allows_no_more_is_not_tried_until_it_does(
    house: TestHouse, paying: Shop
) -> None:
    with house.of(paying) as session:
        ana, bo = two_plans(session, paying)
        refused(session, paying, ana, 14)
        row = plans.collection(session, paying.id, bo.id, 2)
        assert billing.prepare(session, paying, row.id, initiator="merchant") is not None
        session.rollback()
    with house.of(paying) as session:
        ana, bo = two_plans(session, paying)
        refused(session, paying, ana, 15)
        row = plans.collection(session, paying.id, bo.id, 2)
        assert billing.prepare(session, paying, row.id, initiator="merchant") is None
        assert row.held == "card_budget"
        assert row.due_at is not None
        assert row.due_at > clock.now() + timedelta(days=29, hours=23)


def test_captured_payments_and_old_refusals_count_for_nothing(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        ana, _ = two_plans(session, paying, brand="mastercard")
        refused(session, paying, ana, 10)
        card, now = method_of(session, ana), clock.now()
        session.execute(
            text(
                "UPDATE attempts SET first_sent_at = first_sent_at - interval '1 day' WHERE shop_id = :shop"
            ),
            {"shop": paying.id},
        )
        assert budgets.allowed_at(session, paying, card, TOTAL, now) is None
