"""The whole house over PayXpert's stand-in: a real process, which keeps no keys and signs nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, ledger, merchants
from plugin_backend.domain.billing import Dispute
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.reconciliation import Reconciliation
from plugin_backend.domain.setups import Setup
from plugin_backend.worker import comparing
from tests import story
from tests.contract.payxpert_process import PayXpertProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox


@pytest.fixture(scope="module")
def payxpert_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayXpertProcess]:
    with PayXpertProcess(tmp_path_factory.mktemp("payxpert") / "ledger.sqlite") as process:
        yield process


@pytest.fixture
def payxpert(payxpert_process: PayXpertProcess) -> PayXpertProcess:
    payxpert_process.another_account()
    return payxpert_process


@pytest.fixture
def lunas(house: TestHouse, payxpert: PayXpertProcess, mails: Letterbox) -> Shop:
    return house.add_shop(
        gateway="payxpert", account=payxpert.settings(), name="Boutique Luna", contact="luna@shop.test"
    )


def begin(house: TestHouse, shop: Shop, payxpert: Any, card: str = "ok", **basket: Any) -> Any:
    return story.begin_plan(house, shop, payxpert, card, **basket)


def amounts(payxpert: PayXpertProcess) -> list[int]:
    return [amount.minor for amount in payxpert.taken()]


def cases(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(session.scalars(select(Case.kind).where(Case.state == "open")))


def test_a_hundred_in_three_is_taken_to_the_cent_and_the_first_payment_once(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    house.travel(lunas, days=70)

    assert amounts(payxpert) == [3334, 3333, 3333]
    assert story.states(house, lunas) == ["paid", "paid", "paid"]


def test_a_card_that_is_challenged_on_the_page_is_stored_and_its_payment_captured_once(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert, "challenge")

    assert amounts(payxpert) == [3334]
    assert story.states(house, lunas)[0] == "paid"


def test_a_first_payment_whose_answer_is_lost_is_found_and_not_captured_again(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    offer = story.leave_basket(house, lunas)
    path = story.accept(house, lunas, offer)
    payxpert.lose_the_answer()
    story.give_card(house, lunas, payxpert, path)  # type: ignore[arg-type]
    assert story.states(house, lunas)[0] == "in_doubt"
    house.travel(lunas, minutes=2)

    assert amounts(payxpert) == [3334]
    assert story.states(house, lunas)[0] == "paid"
    assert [attempt.number for attempt in story.attempts(house, lunas)] == [1]


def test_a_rebill_whose_answer_is_lost_is_found_by_the_payment_that_stored_the_card(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    payxpert.lose_the_answer()
    house.travel(lunas, days=32)

    assert amounts(payxpert) == [3334, 3333]
    assert story.states(house, lunas) == ["paid", "paid", "scheduled"]
    assert len(story.attempts(house, lunas)) == 2


def test_what_the_bank_lets_go_of_is_paid_on_a_page_of_its_own(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    plan = begin(house, lunas, payxpert, "challenge_payment")
    assert amounts(payxpert) == []
    path = story.link(house, lunas, "o", plan.offer_id)
    payxpert.decide(story.attempts(house, lunas)[0].action_url, "approve")
    back = house.client().post(f"{path}/back", data={"data": "AAAA", "customer": "c"})
    assert back.status_code == 303
    house.rest(lunas)

    assert amounts(payxpert) == [3334]
    assert story.states(house, lunas)[0] == "paid"


def test_a_payment_that_the_bank_wants_confirmed_is_paid_on_a_page_and_later_ones_refer_to_it(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    plan = begin(house, lunas, payxpert, "authentication")
    house.travel(lunas, days=32)
    assert story.states(house, lunas)[1] == "exhausted"
    portal = story.link(house, lunas, "p", plan.id)
    assert house.client().post(f"{portal}/pay").status_code == 303
    house.rest(lunas)
    page = story.attempts(house, lunas)[-1].action_url
    payxpert.type_card(page, "authentication")
    house.client().post(f"{portal}/back", data={"data": "AAAA"})
    house.rest(lunas)
    house.travel(lunas, days=31)

    assert amounts(payxpert) == [3334, 3333, 3333]
    assert story.states(house, lunas) == ["paid", "paid", "paid"]


def test_a_card_that_nobody_needs_any_more_is_let_go_of(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    offer = story.leave_basket(house, lunas)
    path = story.accept(house, lunas, offer)
    page = house.client().get(path).headers["Location"]
    native = story.draft(status="processing", date_modified_gmt="2026-11-22T11:00:00")
    assert house.woo(lunas, "order.updated", native) == 200
    house.rest(lunas)
    payxpert.type_card(page, "ok")
    house.client().get(f"{path}/back")
    house.rest(lunas)

    assert amounts(payxpert) == []
    assert payxpert.let_go() == 1


def test_two_refunds_of_one_charge_whose_answers_are_lost_are_each_given_back_once(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    plan = begin(house, lunas, payxpert)
    attempt = story.attempts(house, lunas)[0]
    with house.of(lunas) as session:
        row = session.get_one(billing.Attempt, (lunas.id, attempt.id))
        for _ in range(2):
            billing.refunds.begin(session, row, 1000)
    payxpert.test("lose", count=2)
    house.rest(lunas)
    house.travel(lunas, hours=2)

    assert [amount.minor for amount in payxpert.given_back()] == [1000, 1000]
    with house.of(lunas) as session:
        rows = list(session.scalars(select(billing.Refund)))
        assert {row.state for row in rows} == {"succeeded"}
        assert len({row.gateway_id for row in rows}) == 2
        assert ledger.received(session, lunas.id, plan.id) == 1334


def test_a_refund_that_fails_a_week_later_is_reversed_and_shown(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    plan = begin(house, lunas, payxpert)
    with house.of(lunas) as session:
        billing.give_back(session, lunas, plan.id)
    house.rest(lunas)
    with house.of(lunas) as session:
        gateway_id = session.scalars(select(billing.Refund)).one().gateway_id
    payxpert.test("settle", id=gateway_id, code="085")
    house.travel(lunas, days=8)

    assert "refund_reversed" in cases(house, lunas)


def compared(house: TestHouse, shop: Shop) -> Reconciliation:
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one().id
    with house.worker.app_context(), house.in_time(shop):
        return comparing.compare_account(shop, account)


def test_the_books_agree_with_a_list_that_knows_captures_and_refunds_by_other_names(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    plan = begin(house, lunas, payxpert)
    with house.of(lunas) as session:
        billing.give_back(session, lunas, plan.id)
    house.rest(lunas)
    found = compared(house, lunas)

    assert (found.state, found.counts["both"]) == ("agrees", 2)


def test_a_refund_made_at_payxpert_by_hand_is_shown(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    payxpert.by_hand("refund", story.attempts(house, lunas)[0].gateway_id, 500)
    found = compared(house, lunas)

    assert found.state == "differs"
    assert "unknown_refund" in cases(house, lunas)


def test_a_chargeback_is_found_in_the_list_and_its_end_too(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    paid = story.attempts(house, lunas)[0]
    opened = payxpert.test("chargeback", id=paid.gateway_id, operation="chargeback")["id"]
    for _ in range(2):
        compared(house, lunas)
    assert story.states(house, lunas)[0] == "disputed"
    assert "dispute_open" in cases(house, lunas)
    payxpert.test("chargeback", id=opened, operation="representment")
    compared(house, lunas)

    assert story.states(house, lunas)[0] == "paid"
    with house.of(lunas) as session:
        dispute = session.scalars(select(Dispute)).one()
        assert (dispute.state, len(dispute.evidence)) == ("won", 2)


def test_a_callback_is_acknowledged_however_often_it_comes_and_believed_never(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    offer = story.leave_basket(house, lunas)
    path = story.accept(house, lunas, offer)
    page = house.client().get(path).headers["Location"]
    with house.of(lunas) as session:
        setup = session.scalars(select(Setup)).one()
        account = session.scalars(select(GatewayAccount)).one()
    with house.worker.app_context():
        hook = merchants.hook_path(account.id, lunas.id)
    told = {
        "merchantToken": "somebody made this up",
        "status": "Authorized",
        "errorCode": "000",
        "operation": "authorize",
        "order": {"id": setup.id},
    }
    for _ in range(3):
        answer = house.client().post(hook, data=json.dumps(told), content_type="application/json")
        assert answer.status_code == 200
    house.rest(lunas)
    assert story.states(house, lunas) == []
    payxpert.type_card(page, "ok")
    told["merchantToken"] += " again"
    house.client().post(hook, data=json.dumps(told), content_type="application/json")
    house.rest(lunas)

    assert story.states(house, lunas)[0] == "paid"
    with house.of(lunas) as session:
        assert {row.state for row in session.scalars(select(DeliveryRow)) if row.source == account.id} == {
            "read"
        }


def test_a_callback_about_another_merchants_order_changes_nothing_and_is_said_on_the_accounts_page(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    with house.of(lunas) as session:
        account = session.scalars(select(GatewayAccount)).one()
    with house.worker.app_context():
        hook = merchants.hook_path(account.id, lunas.id)
    told = {"merchantToken": "theirs", "status": "Authorized", "errorCode": "000", "order": {"id": "1234"}}
    assert (
        house.client().post(hook, data=json.dumps(told), content_type="application/json").status_code == 200
    )
    house.rest(lunas)

    assert story.states(house, lunas) == ["paid", "scheduled", "scheduled"]
    with house.of(lunas) as session:
        (flaw,) = session.scalars(select(GatewayAccount)).one().flaws
        assert flaw["reason"] == "misdirected"
        reasons = {row.reason for row in session.scalars(select(DeliveryRow)) if row.source == account.id}
        assert "not_ours" in reasons


def test_no_merchant_token_stands_in_a_row_that_is_not_sealed(
    house: TestHouse, lunas: Shop, payxpert: PayXpertProcess
) -> None:
    begin(house, lunas, payxpert)
    house.travel(lunas, days=32)
    tokens = payxpert.merchant_tokens()
    with house.of(lunas) as session:
        setup = session.scalars(select(Setup)).one()
        attempts = list(session.scalars(select(billing.Attempt)))
    shown = [
        setup.gateway_id,
        setup.url,
        *(a.gateway_id for a in attempts),
        *(a.action_url for a in attempts),
    ]

    assert tokens and not [token for token in tokens if token in " ".join(shown)]
