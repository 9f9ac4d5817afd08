"""What we booked and what the gateway lists: each difference is found once, shown to a person, and settled by a click."""

import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from plugin_backend.domain import billing, probing, vault
from plugin_backend.domain.billing import Attempt, Stray
from plugin_backend.domain.cases import Case
from plugin_backend.domain.ledger import Journal, Posting
from plugin_backend.domain.merchants import GatewayAccount, Listing, Shop
from plugin_backend.domain.reconciliation import Reconciliation
from plugin_backend.gateways.sandbox import modes
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import comparing
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.web.test_dashboard import signed_in

EUR = "EUR"


def compared(house: TestHouse, shop: Shop, days: int = 3) -> Reconciliation:
    with house.of(shop) as session:
        account_id = session.scalars(select(GatewayAccount.id)).one()
    with house.worker.app_context(), house.in_time(shop):
        return comparing.compare_account(shop, account_id, days)


def counted(run: Reconciliation) -> dict[str, int]:
    return {name: number for name, number in run.counts.items() if number}


def open_cases(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        found = select(Case.kind).where(Case.state == "open", Case.kind != "order_by_hand")
        return sorted(session.scalars(found))


def case_of(house: TestHouse, shop: Shop, kind: str) -> Case:
    with house.of(shop) as session:
        return session.scalars(select(Case).where(Case.kind == kind)).one()


def decide(house: TestHouse, shop: Shop, kind: str, decision: str) -> None:
    page = f"/shops/{shop.id}/cases/{case_of(house, shop, kind).id}/resolve/{decision}"
    assert signed_in(house, shop.merchant_id).post(page).status_code == 303
    house.rest(shop)


def balances(house: TestHouse, shop: Shop) -> dict[str, int]:
    with house.of(shop) as session:
        sums = select(Posting.account, func.sum(Posting.amount)).group_by(Posting.account)
        return {account: int(amount) for account, amount in session.execute(sums) if amount}


def journals(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(session.scalars(select(Journal.kind)))


def next_attempt(house: TestHouse, shop: Shop) -> Attempt:
    """The second payment was written down; nobody asked the gateway for it."""
    second = story.collections(house, shop)[1]
    with house.of(shop) as session:
        prepared = billing.prepare(session, shop, second.id, initiator="merchant")
        assert prepared is not None
        return session.get_one(Attempt, (shop.id, prepared.attempt_id))


def record(house: TestHouse, shop: Shop, attempt: Attempt, outcome: sdk.Outcome) -> None:
    with house.of(shop) as session:
        billing.record(session, shop, attempt.id, outcome)


def charge_behind_our_back(
    house: TestHouse, shop: Shop, gateway: SandboxProcess, reference: str, amount: int
) -> str:
    """Somebody else charges the stored card at the gateway: the gateway's id of it."""
    with house.of(shop) as session:
        token = story.opened(session, session.scalars(select(vault.PaymentMethod)).one()).token
    body = {
        "reference": reference,
        "amount": {"amount": amount, "currency": EUR},
        "token": token,
        "initiator": "merchant",
        "series": "instalment",
        "description": "x",
        "collection": "x",
        "return_url": "",
        "callback_url": "",
    }
    sent = {"Sandbox-Time": house.now(shop).isoformat()}
    status, made = gateway.api("POST", "/v1/charges", body, key=secrets.token_hex(8), **sent)
    assert status == 201, made
    return str(made["id"])


def test_what_stands_on_both_sides_agrees(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=26)
    with house.of(paying_shop) as session:
        billing.give_back(session, paying_shop, plan.id)
    house.rest(paying_shop)

    run = compared(house, paying_shop, days=40)

    assert run.state == "agrees"
    assert counted(run) == {"both": 4}
    assert open_cases(house, paying_shop) == []


def test_a_capture_that_nobody_asked_for_is_shown_once_and_given_back_by_one_click(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    charge_behind_our_back(house, paying_shop, gateway, "rp-nobody-knows-this", 700)

    for _ in range(2):
        run = compared(house, paying_shop)
        assert counted(run) == {"both": 1, "theirs_only": 1}
        assert [entry["reference"] for entry in run.found["theirs_only"]] == ["rp-nobody-knows-this"]
    assert open_cases(house, paying_shop) == ["unknown_capture"]
    assert case_of(house, paying_shop, "unknown_capture").facts["amount"] == Money(700, EUR).as_json()
    assert balances(house, paying_shop) == {"gateway": 4034, "customer": -3334, "suspense": -700}

    for _ in range(2):
        decide(house, paying_shop, "unknown_capture", "refund")

    with house.of(paying_shop) as session:
        [refund] = session.scalars(select(billing.Refund)).all()
    assert (refund.state, refund.plan_id) == ("succeeded", "")
    assert gateway.refunded(refund.reference) == [Money(700, EUR)]
    assert balances(house, paying_shop) == {"gateway": 3334, "customer": -3334}
    run = compared(house, paying_shop)
    assert (run.state, counted(run)) == ("agrees", {"both": 2, "settled": 1})


def test_nobody_is_asked_about_the_charges_of_a_probe(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    charge_behind_our_back(house, paying_shop, gateway, probing.reference("gwa_x", 1), 100)

    assert counted(compared(house, paying_shop)) == {"both": 1}


def test_a_gateway_that_charged_twice_under_one_reference_is_found_out(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    [attempt] = story.attempts(house, paying_shop)
    charge_behind_our_back(house, paying_shop, gateway, attempt.reference, 3334)

    assert counted(compared(house, paying_shop)) == {"both": 1, "theirs_only": 1}
    assert case_of(house, paying_shop, "unknown_capture").facts["plan"] == plan.id
    decide(house, paying_shop, "unknown_capture", "refund")

    assert balances(house, paying_shop) == {"gateway": 3334, "customer": -3334}
    assert story.plan_of(house, paying_shop).state == "active", "giving back a double ends no plan"


def test_an_attempt_that_is_still_open_is_looked_at_now(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = next_attempt(house, paying_shop)
    charge_behind_our_back(house, paying_shop, gateway, attempt.reference, 3333)

    assert counted(compared(house, paying_shop)) == {"both": 2}
    house.rest(paying_shop)

    assert story.states(house, paying_shop)[1] == "paid"


def test_a_capture_of_what_we_hold_as_declined_lands_in_suspense_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = next_attempt(house, paying_shop)
    record(house, paying_shop, attempt, sdk.Declined(sdk.Decline.FUNDS, "limit"))
    charge_behind_our_back(house, paying_shop, gateway, attempt.reference, 3333)

    for _ in range(2):
        assert counted(compared(house, paying_shop)) == {"both": 1, "theirs_only": 1}
        assert open_cases(house, paying_shop) == ["captured_after_all"]
    assert journals(house, paying_shop) == ["capture", "unexpected_capture"]

    decide(house, paying_shop, "captured_after_all", "resolve")
    assert counted(compared(house, paying_shop)) == {"both": 1, "settled": 1}
    assert open_cases(house, paying_shop) == []


def test_what_the_gateway_does_not_list_is_asked_of_a_person_once_it_has_had_its_time(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = next_attempt(house, paying_shop)
    record(house, paying_shop, attempt, sdk.Succeeded("ch_nowhere", attempt.money))

    assert counted(compared(house, paying_shop)) == {"both": 1}
    house.travel(paying_shop, minutes=3)
    for _ in range(2):
        assert counted(compared(house, paying_shop)) == {"both": 1, "ours_only": 1}
        assert open_cases(house, paying_shop) == ["not_listed"]
    assert case_of(house, paying_shop, "not_listed").subject == attempt.id


def test_a_capture_of_an_attempt_that_began_before_the_days_that_are_compared_is_not_missed(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = next_attempt(house, paying_shop)
    gateway_id = charge_behind_our_back(house, paying_shop, gateway, attempt.reference, 3333)
    with house.of(paying_shop) as session:
        session.execute(
            text("UPDATE attempts SET taken = false, due_at = due_at + interval '5 days' WHERE taken")
        )
    house.travel(paying_shop, days=4)
    record(house, paying_shop, attempt, sdk.Succeeded(gateway_id, attempt.money))
    house.travel(paying_shop, minutes=3)

    assert counted(compared(house, paying_shop, days=1)) == {"both": 2}
    assert open_cases(house, paying_shop) == []


def test_another_amount_than_ours_is_shown_to_a_person(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = next_attempt(house, paying_shop)
    gateway_id = charge_behind_our_back(house, paying_shop, gateway, attempt.reference, 9999)
    record(house, paying_shop, attempt, sdk.Succeeded(gateway_id, attempt.money))

    for _ in range(2):
        assert counted(compared(house, paying_shop)) == {"both": 1, "differs": 1}
        assert open_cases(house, paying_shop) == ["amount_differs"]
    assert case_of(house, paying_shop, "amount_differs").facts["captured"]["amount"] == 9999


def test_a_refund_that_we_know_nothing_of_is_shown_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    [attempt] = story.attempts(house, paying_shop)
    body = {
        "reference": "by-hand",
        "charge": attempt.gateway_id,
        "amount": {"amount": 100, "currency": EUR},
        "reason": "",
        "callback_url": "",
    }
    assert gateway.api("POST", "/v1/refunds", body, key="by-hand")[0] == 201

    for _ in range(2):
        assert counted(compared(house, paying_shop)) == {"both": 1, "theirs_only": 1}
        assert open_cases(house, paying_shop) == ["unknown_refund"]
    assert balances(house, paying_shop) == {"gateway": 3234, "customer": -3334, "suspense": 100}


@pytest.mark.slow
def test_thousands_of_movements_are_read_page_by_page(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    for number in range(1050):
        charge_behind_our_back(house, paying_shop, gateway, f"stranger-{number}", 1)

    run = compared(house, paying_shop)

    assert counted(run) == {"both": 1, "theirs_only": 1050}
    assert len(run.found["theirs_only"]) == 1000, "the row keeps the first thousand; the cases have them all"
    with house.of(paying_shop) as session:
        assert session.scalar(select(func.count()).select_from(Stray)) == 1050
    compared(house, paying_shop)
    with house.of(paying_shop) as session:
        assert session.scalar(select(func.count()).select_from(Stray)) == 1050


def test_accounts_are_compared_at_night_in_the_shops_own_time(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        due_at = session.scalars(select(Listing.due_at)).one()
    local = due_at.astimezone(paying_shop.zone)
    assert (local.hour, local.minute) == (4, 0)
    assert timedelta(0) < due_at - house.now(paying_shop) <= timedelta(days=1)

    house.travel(paying_shop, days=1, minutes=1)

    with house.of(paying_shop) as session:
        assert session.scalars(select(Reconciliation.state)).all() == ["agrees"]


def test_a_gateway_that_cannot_list_is_said_to_be_one(
    house: TestHouse, paying_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = modes.capabilities
    monkeypatch.setattr(
        modes, "capabilities", lambda *given, **more: replace(known(*given, **more), list_lag=None)
    )
    run = compared(house, paying_shop)
    assert (run.state, run.reason) == ("failed", "cannot_list")


def test_a_list_that_cannot_be_had_is_asked_for_again_and_told_after_two_days(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    gateway.switch(down="503")
    assert compared(house, paying_shop).state == "failed"
    assert open_cases(house, paying_shop) == []
    house.travel(paying_shop, days=2, hours=1)
    compared(house, paying_shop)
    assert open_cases(house, paying_shop) == ["not_reconciled"]

    gateway.switch(down="")
    house.travel(paying_shop, hours=2)
    assert open_cases(house, paying_shop) == []
