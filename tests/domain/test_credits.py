"""A credit is shown, then done exactly so, once: the schedule shrinks, the card gets back what exceeds it, and whatever
is under way is left alone."""

import threading
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from plugin_backend.domain import billing, ledger, plans
from plugin_backend.domain.billing import CreditNote, Refund
from plugin_backend.domain.cases import Case
from plugin_backend.domain.credits import Impossible, Wish
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from tests import plan_story, story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def paying(house: TestHouse) -> Shop:
    return plan_story.add_paying_shop(house)


@pytest.fixture
def plan_id(house: TestHouse, paying: Shop) -> str:
    """A plan of 100.00 in three, whose first payment was captured."""
    with house.of(paying) as session:
        plan = plan_story.accepted_plan(session, paying, eur(10000))
        plan_story.charged(session, paying, plan.id, 1)
        return plan.id


def shown(session: Any, shop: Shop, plan_id: str, amount: Money, **wish: Any) -> tuple[Wish, str]:
    wanted = Wish(amount, **wish)
    return wanted, billing.standing(session, plans.locked(session, shop.id, plan_id)).shown(wanted)[1]


def schedule(house: TestHouse, shop: Shop) -> list[tuple[int, str]]:
    return [(row.amount, row.state) for row in story.collections(house, shop)]


def refunds(house: TestHouse, shop: Shop) -> list[tuple[int, str]]:
    with house.of(shop) as session:
        found = session.scalars(select(Refund).order_by(Refund.created_at, Refund.id))
        return [(row.amount, row.state) for row in found]


def kinds_of_mail(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return list(session.scalars(select(Message.kind).order_by(Message.created_at, Message.id)))


@pytest.mark.parametrize(
    ("wish", "left", "back"),
    [
        ({}, [3334, 3333, 1333], []),
        ({"rest": "spread"}, [3334, 2333, 2333], []),
        ({"first": "card"}, [3334, 3333, 3333], [2000]),
    ],
)
def test_an_item_of_20_comes_back(
    house: TestHouse, paying: Shop, plan_id: str, wish: dict[str, Any], left: list[int], back: list[int]
) -> None:
    with house.of(paying) as session:
        plan_story.credited(session, paying, plan_id, eur(2000), **wish)

    assert [amount for amount, _ in schedule(house, paying)] == left
    assert [amount for amount, _ in refunds(house, paying)] == back
    with house.of(paying) as session:
        plan = session.get_one(Plan, (paying.id, plan_id))
        assert (plan.amount, plan.state) == (10000, "active")
        assert plans.to_pay(session, plan) == eur(sum(left))


def test_what_exceeds_the_rest_goes_back_and_the_plan_is_complete(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        plan_story.credited(session, paying, plan_id, eur(8000))
        told = session.scalars(select(Out).where(Out.kind == "write_back", Out.what.startswith("crn_"))).all()

    assert schedule(house, paying) == [(3334, "paid"), (0, "void"), (0, "void")]
    assert refunds(house, paying) == [(1334, "due")]
    assert len(told) == 1
    with house.of(paying) as session:
        assert session.get_one(Plan, (paying.id, plan_id)).state == "completed"
    assert kinds_of_mail(house, paying).count("plan_credited") == 1


def test_a_lowered_plan_is_complete_with_its_last_payment(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        plan_story.credited(session, paying, plan_id, eur(4000))
        plan_story.charged(session, paying, plan_id, 2)
        assert session.get_one(Plan, (paying.id, plan_id)).state == "completed"
        assert ledger.of_plan(session, paying.id, plan_id, "EUR").received == eur(6000)


def test_clicked_twice_it_is_done_once(house: TestHouse, paying: Shop, plan_id: str) -> None:
    with house.of(paying) as session:
        wish, fingerprint = shown(session, paying, plan_id, eur(8000))
    for _ in range(2):
        with house.of(paying) as session:
            billing.credit(session, paying, plan_id, wish, fingerprint)

    assert refunds(house, paying) == [(1334, "due")]
    with house.of(paying) as session:
        assert len(session.scalars(select(CreditNote)).all()) == 1


def test_two_clicks_at_once_are_one_credit_and_two_different_ones_never_give_back_twice(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        same = shown(session, paying, plan_id, eur(9000))
        other = shown(session, paying, plan_id, eur(9001))
    barrier, outcomes = threading.Barrier(4), list[str]()

    def click(wish: Wish, fingerprint: str) -> None:
        barrier.wait(10)
        try:
            with house.of(paying) as session:
                billing.credit(session, paying, plan_id, wish, fingerprint)
            outcomes.append("done")
        except (billing.PlanChanged, Impossible) as error:
            outcomes.append(type(error).__name__)

    clicks = [threading.Thread(target=click, args=asked) for asked in (same, same, other, other)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join(30)

    assert outcomes.count("done") == 2, outcomes
    assert len(refunds(house, paying)) == 1
    with house.of(paying) as session:
        assert len(session.scalars(select(CreditNote)).all()) == 1


def test_a_plan_that_changed_since_it_was_shown_is_not_credited(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        wish, fingerprint = shown(session, paying, plan_id, eur(8000))
    with house.of(paying) as session:
        billing.stop(session, paying, plan_id, "cancelled", "cancelled_by_merchant")
    with house.of(paying) as session, pytest.raises(Impossible):
        billing.credit(session, paying, plan_id, wish, fingerprint)
    assert refunds(house, paying) == []

    with house.of(paying) as session:
        wish, fingerprint = shown(session, paying, plan_id, eur(2000))
        plan_story.credited(session, paying, plan_id, eur(1000))
    with house.of(paying) as session, pytest.raises(billing.PlanChanged):
        billing.credit(session, paying, plan_id, wish, fingerprint)


@pytest.mark.parametrize(
    "outcome",
    [sdk.Pending("gw"), sdk.InDoubt("no answer"), sdk.RequiresAction("https://bank.test/3ds", "gw")],
    ids=["in_flight", "in_doubt", "requires_action"],
)
def test_a_payment_under_way_is_never_touched(
    house: TestHouse, paying: Shop, plan_id: str, outcome: sdk.Outcome
) -> None:
    with house.of(paying) as session:
        plan_story.charged(session, paying, plan_id, 2, outcome)
        standing = billing.standing(session, plans.locked(session, paying.id, plan_id))
        assert (standing.most, standing.under_way) == (eur(3334 + 3333), True)
        plan_story.credited(session, paying, plan_id, eur(6667), rest="spread")

    assert [amount for amount, _ in schedule(house, paying)] == [3334, 3333, 0]
    with house.of(paying) as session:
        assert session.get_one(Plan, (paying.id, plan_id)).state == "active"


def test_a_refused_payment_that_is_credited_away_needs_nobody_any_more(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        plan_story.charged(session, paying, plan_id, 2, sdk.Declined(sdk.Decline.FRAUD, "59"))
        assert session.scalars(select(Case.state).where(Case.kind == "collection_exhausted")).all() == [
            "open"
        ]
        plan_story.credited(session, paying, plan_id, eur(6666))
        assert session.scalars(select(Case.state).where(Case.kind == "collection_exhausted")).all() == [
            "resolved"
        ]
        assert session.get_one(Plan, (paying.id, plan_id)).state == "completed"


def test_the_database_refuses_a_schedule_that_does_not_sum_to_what_was_agreed(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with pytest.raises(DBAPIError, match="do not sum to what was agreed"), house.of(paying) as session:
        session.scalars(select(Collection).where(Collection.number == 3)).one().amount -= 1


def test_the_database_refuses_to_give_back_more_than_was_captured(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        billing.give_back(session, paying, plan_id)
    with (
        pytest.raises(DBAPIError, match="more would go back"),
        house.of(paying) as session,
    ):
        row = session.scalars(select(Refund)).one()
        row.amount += 1
        session.flush()


def test_of_a_subscription_only_what_was_captured_is_given_back(
    house: TestHouse, gateway: SandboxProcess, mails: object
) -> None:
    shop = house.add_shop(sandbox=gateway.settings(), kind="subscription")
    plan = story.begin_plan(house, shop, gateway)
    with house.of(shop) as session:
        assert billing.standing(session, session.get_one(Plan, (shop.id, plan.id))).most == eur(10000)
        plan_story.credited(session, shop, plan.id, eur(2500))
    house.rest(shop)

    assert refunds(house, shop) == [(2500, "succeeded")]
    assert story.states(house, shop) == ["paid", "scheduled"]
    assert story.collections(house, shop)[1].amount == 10000


def test_the_card_the_customer_and_the_books_hear_of_it(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        plan_story.credited(session, paying_shop, plan.id, eur(7000))
    house.rest(paying_shop)

    with house.of(paying_shop) as session:
        (row,) = session.scalars(select(Refund))
        assert gateway.refunded(row.reference) == [eur(334)]
        books = ledger.of_plan(session, paying_shop.id, plan.id, "EUR")
        assert (books.captured, books.refunded, books.received) == (eur(3334), eur(334), eur(3000))
        assert ledger.of_customer(session, paying_shop.id, plan.customer_id) == [books]
        [mail] = session.scalars(select(Message).where(Message.kind == "refund_made"))
        assert "3.34" in mail.text.replace(",", ".")
        assert mail.html.startswith("<!doctype html>")
    page = house.client().get(story.link(house, paying_shop, "p", plan.id)).get_data(as_text=True)
    assert "66.66" in page.replace(",", "."), "what was taken off"
    schedule_shown = page.partition("</table>")[0].replace(",", ".")
    assert "33.34" in schedule_shown
    assert "33.33" not in schedule_shown, "payments that are gone are not shown"
