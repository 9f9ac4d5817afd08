"""Disputes are entered as gateways tell them, once each and forward only; what does not fit changes nothing."""

import time
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, inbox, ledger, plans
from plugin_backend.domain.billing import Attempt, Dispute, Refund
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.ledger import Journal
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.vault import PaymentMethod
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
    with house.of(paying) as session:
        plan = plan_story.accepted_plan(session, paying, eur(10000))
        plan_story.charged(session, paying, plan.id, 1)
        return plan.id


def standing(house: TestHouse, shop: Shop) -> tuple[str, str, str, int]:
    """The dispute, the first collection, the plan, and what is left with the merchant."""
    with house.of(shop) as session:
        plan = session.scalars(select(Plan)).one()
        states = session.scalars(select(Dispute.state)).all()
        left = ledger.received(session, shop.id, plan.id)
        return (*states, story.states(house, shop)[0], plan.state, left)  # type: ignore[return-value]


def booked(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(session.scalars(select(Journal.kind)))


def open_cases(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(session.scalars(select(Case.kind).where(Case.state == "open")))


def say(house: TestHouse, shop: Shop, plan_id: str, *states: str, **told: Any) -> None:
    for state in states:
        with house.of(shop) as session:
            plan_story.disputed(session, shop, plan_id, state, **told)


def test_a_dispute_takes_the_money_back_and_stops_the_plan(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    say(house, paying, plan_id, "open", "open")

    assert standing(house, paying) == ("open", "disputed", "paused", 0)
    assert booked(house, paying) == ["capture", "chargeback"]
    assert open_cases(house, paying) == ["dispute_open"]


def test_a_dispute_that_is_won_brings_the_money_back_and_the_plan_goes_on(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    say(house, paying, plan_id, "open", "won", "won", "open")

    assert standing(house, paying) == ("won", "paid", "active", 3334)
    assert booked(house, paying) == ["capture", "chargeback", "chargeback_won"]
    assert open_cases(house, paying) == []


def test_a_dispute_that_is_lost_is_lost_and_a_person_decides_about_the_rest(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    say(house, paying, plan_id, "open", "lost", "lost")

    assert standing(house, paying) == ("lost", "lost", "paused", 0)
    assert booked(house, paying) == ["capture", "chargeback"]
    assert open_cases(house, paying) == ["dispute_lost"]


@pytest.mark.parametrize(("end", "left"), [("won", 3334), ("lost", 0)])
def test_an_end_that_comes_before_its_beginning_is_the_end(
    house: TestHouse, paying: Shop, plan_id: str, end: str, left: int
) -> None:
    say(house, paying, plan_id, end, "open")

    assert standing(house, paying)[0::3] == (end, left)


def test_another_card_takes_up_no_plan_that_is_disputed(house: TestHouse, paying: Shop, plan_id: str) -> None:
    with house.of(paying) as session:
        plan_story.charged(session, paying, plan_id, 2, sdk.Declined(sdk.Decline.NEW_DATA, "54"))
    say(house, paying, plan_id, "open")
    with house.of(paying) as session:
        plan = plans.locked(session, paying.id, plan_id)
        billing.change_card(session, plan, session.get_one(PaymentMethod, (paying.id, plan.method_id)))
    assert standing(house, paying)[2] == "paused"
    say(house, paying, plan_id, "won")
    assert standing(house, paying)[2] == "active"


def test_a_plan_that_waits_for_a_card_waits_on_when_the_dispute_is_won(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        plan_story.charged(session, paying, plan_id, 2, sdk.Declined(sdk.Decline.NEW_DATA, "54"))
    say(house, paying, plan_id, "open", "won")
    with house.of(paying) as session:
        plan = plans.locked(session, paying.id, plan_id)
        assert (plan.state, plan.reason) == ("paused", "declined")
        billing.change_card(session, plan, session.get_one(PaymentMethod, (paying.id, plan.method_id)))
        assert plan.state == "active"


def test_won_after_lost_changes_no_book_and_is_shown(house: TestHouse, paying: Shop, plan_id: str) -> None:
    say(house, paying, plan_id, "open", "lost", "won")

    assert standing(house, paying) == ("lost", "lost", "paused", 0)
    assert open_cases(house, paying) == ["dispute_differs", "dispute_lost"]
    with house.of(paying) as session:
        assert [said["state"] for said in session.scalars(select(Dispute.evidence)).one()] == [
            "open",
            "lost",
            "won",
        ]


@pytest.mark.parametrize("amount", [eur(3335), Money(3334, "USD"), eur(0)])
def test_another_amount_or_currency_books_nothing_and_is_shown(
    house: TestHouse, paying: Shop, plan_id: str, amount: Money
) -> None:
    say(house, paying, plan_id, "open", amount=amount)

    assert booked(house, paying) == ["capture"]
    assert open_cases(house, paying) == ["dispute_differs"]
    assert story.states(house, paying)[0] == "paid"


def test_a_dispute_that_changes_its_amount_keeps_what_is_booked(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    say(house, paying, plan_id, "open")
    say(house, paying, plan_id, "won", amount=eur(1000))

    assert standing(house, paying) == ("open", "disputed", "paused", 0)
    assert open_cases(house, paying) == ["dispute_differs", "dispute_open"]


def test_what_nobody_signed_books_nothing(house: TestHouse, paying: Shop, plan_id: str) -> None:
    say(house, paying, plan_id, "open", signed=False)

    assert booked(house, paying) == ["capture"]
    assert open_cases(house, paying) == ["dispute_differs"]


def test_a_dispute_may_name_the_payment_by_the_gateways_id_only(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        account = session.scalars(select(GatewayAccount)).one()
        of_another = sdk.DisputeChanged("dp_8", "", "gw_2", eur(3334), "open")
        billing.dispute_changed(session, paying, account, of_another, signed=True)
        event = sdk.DisputeChanged("dp_9", "", "gw_1", eur(3334), "open")
        billing.dispute_changed(session, paying, account, event, signed=True)

    assert standing(house, paying) == ("open", "disputed", "paused", 0)
    assert open_cases(house, paying) == ["dispute_open", "dispute_unknown"]


def test_another_shops_or_accounts_payment_is_not_known_here(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    other = plan_story.add_paying_shop(house)
    with house.of(paying) as session:
        reference = session.scalars(select(Attempt.reference)).one()
    event = sdk.DisputeChanged("dp_9", reference, "gw_1", eur(3334), "open")
    with house.of(other) as session:
        account = session.scalars(select(GatewayAccount)).one()
        billing.dispute_changed(session, other, account, event, signed=True)
    with house.of(paying) as session:
        foreign = GatewayAccount(shop_id=paying.id, id="gac_another")
        billing.dispute_changed(session, paying, foreign, event, signed=True)

    for shop in (paying, other):
        assert open_cases(house, shop) == ["dispute_unknown"]
    assert booked(house, paying) == ["capture"]


def test_nothing_is_given_back_of_what_is_disputed_or_lost(
    house: TestHouse, paying: Shop, plan_id: str
) -> None:
    with house.of(paying) as session:
        [waiting] = billing.give_back(session, paying, plan_id)
        waiting_id = waiting.id
    say(house, paying, plan_id, "open")
    with house.of(paying) as session:
        assert billing.give_back(session, paying, plan_id) == []
        assert billing.prepare_refund(session, paying, waiting_id) is None
    say(house, paying, plan_id, "lost")
    with house.of(paying) as session:
        assert billing.prepare_refund(session, paying, waiting_id) is None
        assert session.get_one(Refund, (paying.id, waiting_id)).state == "void"
        assert billing.give_back(session, paying, plan_id) == []


@pytest.mark.parametrize(
    ("end", "stands"), [("won", ("won", "paid", "active", 3334)), ("lost", ("lost", "lost", "paused", 0))]
)
def test_callbacks_bring_a_dispute_and_its_end_however_often_they_come(
    house: TestHouse,
    paying_shop: Shop,
    gateway: SandboxProcess,
    site: str,
    end: str,
    stands: tuple[str, str, str, int],
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    (attempt,) = story.attempts(house, paying_shop)
    gateway.switch(callback_twice=True)
    status, dispute = gateway.api("POST", "/_test/disputes", {"reference": attempt.reference})
    assert status == 201
    wait_for(house, paying_shop, "dispute.open")
    house.rest(paying_shop)
    assert standing(house, paying_shop) == ("open", "disputed", "paused", 0)

    assert gateway.api("POST", f"/_test/disputes/{dispute['id']}", {"state": end})[0] == 200
    wait_for(house, paying_shop, f"dispute.{end}")
    house.rest(paying_shop)
    assert standing(house, paying_shop) == stands


def wait_for(house: TestHouse, shop: Shop, kind: str) -> None:
    """Until the gateway has told of this."""
    patience = time.monotonic() + 15
    while True:
        with house.of(shop) as session:
            rows = session.scalars(select(DeliveryRow)).all()
            bodies = [inbox.as_delivery(session, row).body for row in rows]
        if any(kind.encode() in body for body in bodies):
            return
        assert time.monotonic() < patience, "the gateway did not call"
        time.sleep(0.05)
