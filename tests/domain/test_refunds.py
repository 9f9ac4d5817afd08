"""What was captured is given back once, whatever the gateway and the network do."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, ledger
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.web.test_dashboard import signed_in


def refunds(house: TestHouse, shop: Shop) -> list[billing.Refund]:
    with house.of(shop) as session:
        return list(session.scalars(select(billing.Refund)))


def given_back(house: TestHouse, shop: Shop, gateway: SandboxProcess) -> list[int]:
    rows = refunds(house, shop)
    return [amount.minor for row in rows for amount in gateway.refunded(row.reference)]


def test_a_basket_that_was_bought_twice_is_given_back_by_one_click(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    native = story.draft(status="processing", date_modified_gmt="2026-11-22T11:00:00")
    assert house.woo(paying_shop, "order.updated", native) == 200
    house.rest(paying_shop)
    assert story.plan_of(house, paying_shop).state == "paused"

    with house.of(paying_shop) as session:
        case = session.scalars(select(Case).where(Case.kind == "bought_twice")).one()
    operator = signed_in(house, paying_shop.merchant_id)
    page = f"/shops/{paying_shop.id}/cases/{case.id}"
    for _ in range(2):
        assert operator.post(f"{page}/resolve/refund").status_code == 303
    house.rest(paying_shop)

    assert given_back(house, paying_shop, gateway) == [3334]
    assert story.states(house, paying_shop) == ["refunded", "void", "void"]
    with house.of(paying_shop) as session:
        assert ledger.received(session, paying_shop.id, plan.id) == 0


@pytest.mark.parametrize("fault", ["lost_answer", "error_after", "garbage", "lost_before"])
def test_a_refund_whose_answer_is_lost_is_given_back_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, fault: str
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        billing.stop(session, paying_shop, plan.id, "cancelled", "cancelled_by_merchant")
        billing.give_back(session, paying_shop, plan.id)
    gateway.switch(**{fault: 1})
    house.rest(paying_shop)
    house.travel(paying_shop, hours=8)

    assert [row.state for row in refunds(house, paying_shop)] == ["succeeded"]
    with house.of(paying_shop) as session:
        assert ledger.received(session, paying_shop.id, plan.id) == 0


def test_a_refund_that_the_gateway_refuses_is_shown_to_a_person(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        [row] = billing.give_back(session, paying_shop, plan.id)
        session.flush()
        ask = billing.prepare_refund(session, paying_shop, row.id)
        assert ask is not None
        for _ in range(2):
            billing.record_refund(session, paying_shop, ask, sdk.Declined(sdk.Decline.UNKNOWN, "no"))
        billing.record_refund(session, paying_shop, ask, sdk.Succeeded("re_1", Money(3334, "EUR")))
        kinds = set(session.scalars(select(Case.kind)))
        assert {"refund_refused", "refunded_after_all"} <= kinds
        books = dict(ledger.of_accounts(session, paying_shop.id))
        assert books["suspense"] == Money(3334, "EUR"), "what went back against our books waits for a person"


def begin_refund(house: TestHouse, shop: Shop, gateway: SandboxProcess) -> str:
    """A plan whose first payment is to be given back. The id of the refund."""
    plan = story.begin_plan(house, shop, gateway)
    with house.of(shop) as session:
        billing.stop(session, shop, plan.id, "cancelled", "cancelled_by_merchant")
        [row] = billing.give_back(session, shop, plan.id)
        return str(row.id)


def prepared(house: TestHouse, shop: Shop, refund_id: str) -> billing.RefundAsk:
    with house.of(shop) as session:
        ask = billing.prepare_refund(session, shop, refund_id)
        assert ask is not None
        return ask


def record(house: TestHouse, shop: Shop, ask: billing.RefundAsk, outcome: sdk.Outcome | sdk.Absent) -> None:
    with house.of(shop) as session:
        billing.record_refund(session, shop, ask, outcome)


def open_cases(house: TestHouse, shop: Shop) -> set[str]:
    with house.of(shop) as session:
        return set(session.scalars(select(Case.kind).where(Case.state == "open")))


def test_each_send_is_written_down_before_it_leaves(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    first = prepared(house, paying_shop, refund_id)
    [row] = refunds(house, paying_shop)
    assert (row.state, row.taken, row.last_sent_at) == ("sent", True, row.first_sent_at)

    look = prepared(house, paying_shop, refund_id)
    with house.of(paying_shop) as session:
        again = billing.prepare_refund_again(session, paying_shop, look)
    assert again is not None and again.again and again.request.reference == first.request.reference
    [sent] = refunds(house, paying_shop)
    assert sent.first_sent_at == row.first_sent_at
    assert sent.last_sent_at is not None and row.last_sent_at is not None
    assert sent.last_sent_at > row.last_sent_at


def test_the_same_key_is_sent_again_only_well_inside_the_gateways_window(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    prepared(house, paying_shop, refund_id)
    with house.of(paying_shop) as session:
        row = session.get_one(billing.Refund, (paying_shop.id, refund_id))
        row.first_sent_at = clock.now() - 0.9 * timedelta(hours=24)
    look = prepared(house, paying_shop, refund_id)
    with house.of(paying_shop) as session:
        assert billing.prepare_refund_again(session, paying_shop, look) is None


def test_the_answer_to_an_earlier_ask_proves_success_and_nothing_else(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    paused = prepared(house, paying_shop, refund_id)
    prepared(house, paying_shop, refund_id)
    for outcome in (sdk.NotExecuted("it was too late to send"), sdk.Declined(sdk.Decline.UNKNOWN, "no")):
        record(house, paying_shop, paused, outcome)
        assert [row.state for row in refunds(house, paying_shop)] == ["sent"]
    record(house, paying_shop, paused, sdk.Succeeded("re_1", Money(3334, "EUR")))
    assert [row.state for row in refunds(house, paying_shop)] == ["succeeded"]


def test_that_a_second_send_was_refused_says_nothing_of_the_first(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    prepared(house, paying_shop, refund_id)
    for outcome in (sdk.NotExecuted("refused"), sdk.Declined(sdk.Decline.UNKNOWN, "exceeds")):
        look = prepared(house, paying_shop, refund_id)
        with house.of(paying_shop) as session:
            again = billing.prepare_refund_again(session, paying_shop, look)
        assert again is not None
        record(house, paying_shop, again, outcome)
        assert [row.state for row in refunds(house, paying_shop)] == ["in_doubt"]


def test_silence_proves_something_long_after_the_last_send_and_when_said_twice(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    prepared(house, paying_shop, refund_id)
    ago = {"long": timedelta(hours=1), "just": timedelta(seconds=10)}
    for last, twice, states in (("just", "long", ["in_doubt"]), ("long", "just", ["in_doubt"])):
        with house.of(paying_shop) as session:
            row = session.get_one(billing.Refund, (paying_shop.id, refund_id))
            row.last_sent_at, row.absent_at = clock.now() - ago[last], clock.now() - ago[twice]
            row.first_sent_at = min(row.first_sent_at or row.last_sent_at, row.last_sent_at)
        record(house, paying_shop, prepared(house, paying_shop, refund_id), sdk.Absent())
        assert [row.state for row in refunds(house, paying_shop)] == states
    with house.of(paying_shop) as session:
        session.get_one(billing.Refund, (paying_shop.id, refund_id)).absent_at = clock.now() - ago["long"]
    record(house, paying_shop, prepared(house, paying_shop, refund_id), sdk.Absent())
    tries = sorted((row.number, row.state) for row in refunds(house, paying_shop))
    assert tries == [(1, "not_executed"), (2, "due")]
    assert len({row.reference for row in refunds(house, paying_shop)}) == 2


def test_a_gateway_that_is_down_for_a_day_gives_back_once_when_it_returns(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    begin_refund(house, paying_shop, gateway)
    gateway.switch(down="503")
    house.rest(paying_shop)
    house.travel(paying_shop, hours=2)
    assert "in_doubt" in open_cases(house, paying_shop)
    gateway.switch(down="")
    house.travel(paying_shop, days=2)

    assert given_back(house, paying_shop, gateway) == [3334]
    assert "in_doubt" not in open_cases(house, paying_shop)


def test_an_unclear_refund_is_a_persons_on_the_seventh_day(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    prepared(house, paying_shop, refund_id)
    with house.of(paying_shop) as session:
        row = session.get_one(billing.Refund, (paying_shop.id, refund_id))
        row.first_sent_at = clock.now() - timedelta(days=7)
    record(house, paying_shop, prepared(house, paying_shop, refund_id), sdk.InDoubt("no answer"))
    assert {"in_doubt", "in_doubt_for_a_week"} <= open_cases(house, paying_shop)
    record(
        house, paying_shop, prepared(house, paying_shop, refund_id), sdk.Succeeded("re", Money(3334, "EUR"))
    )
    assert not {"in_doubt", "in_doubt_for_a_week"} & open_cases(house, paying_shop)


def test_a_refund_that_fails_later_is_booked_back_and_can_be_tried_again(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refund_id = begin_refund(house, paying_shop, gateway)
    record(
        house, paying_shop, prepared(house, paying_shop, refund_id), sdk.Succeeded("re", Money(3334, "EUR"))
    )
    assert story.states(house, paying_shop)[0] == "refunded"
    with house.of(paying_shop) as session:
        row = session.get_one(billing.Refund, (paying_shop.id, refund_id))
        event = sdk.RefundChanged(row.reference, sdk.Declined(sdk.Decline.UNKNOWN, "account_closed"))
        account = session.scalars(select(GatewayAccount)).one()
        billing.refund_evidence(session, paying_shop, account, event)
        assert (row.state, row.due_at is not None) == ("succeeded", True), "it is looked up, not believed"
    look = prepared(house, paying_shop, refund_id)
    assert not look.send
    for _ in range(2):
        record(house, paying_shop, look, sdk.Declined(sdk.Decline.UNKNOWN, "account_closed"))

    assert [row.state for row in refunds(house, paying_shop)] == ["reversed"]
    assert story.states(house, paying_shop)[0] == "paid"
    with house.of(paying_shop) as session:
        plan_id = session.scalars(select(billing.Refund.plan_id)).one()
        assert ledger.received(session, paying_shop.id, plan_id) == 3334
        case = session.scalars(select(Case).where(Case.kind == "refund_reversed")).one()
    operator = signed_in(house, paying_shop.merchant_id)
    for _ in range(2):
        operator.post(f"/shops/{paying_shop.id}/cases/{case.id}/resolve/retry")
    house.rest(paying_shop)
    assert sorted(row.state for row in refunds(house, paying_shop)) == ["reversed", "succeeded"]


def test_a_refund_that_ends_at_the_gateway_after_an_hour_is_found_out(
    house: TestHouse, gateway: SandboxProcess, mails: object
) -> None:
    shop = house.add_shop(sandbox={**gateway.settings(), "mode": "hour_keys"})
    begin_refund(house, shop, gateway)
    gateway.switch(refund_fails=1)
    house.rest(shop)
    assert [row.state for row in refunds(house, shop)] == ["pending"]
    house.travel(shop, hours=3)

    assert [row.state for row in refunds(house, shop)] == ["declined"]
    assert "refund_refused" in open_cases(house, shop)
    assert given_back(house, shop, gateway) == []


def test_where_nothing_can_be_looked_up_a_signed_callback_settles_it(
    house: TestHouse, gateway: SandboxProcess, mails: object
) -> None:
    shop = house.add_shop(sandbox={**gateway.settings(), "mode": "no_look_up"})
    refund_id = begin_refund(house, shop, gateway)
    record(house, shop, prepared(house, shop, refund_id), sdk.InDoubt("no answer"))
    outcome = sdk.Succeeded("re_1", Money(3334, "EUR"))
    with house.of(shop) as session:
        row = session.get_one(billing.Refund, (shop.id, refund_id))
        account = session.scalars(select(GatewayAccount)).one()
        for _ in range(2):
            billing.refund_evidence(session, shop, account, sdk.RefundChanged(row.reference, outcome))
        assert row.state == "succeeded"


def test_two_workers_at_once_give_back_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    begin_refund(house, paying_shop, gateway)

    def work() -> None:
        with house.worker.app_context():
            jobs.drain("refund", paying_shop.id)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    house.rest(paying_shop)
    assert given_back(house, paying_shop, gateway) == [3334]


def test_redaction_covers_the_bodies_that_are_kept(house: TestHouse) -> None:
    shop = house.add_shop("shopify", settings={"url": "http://127.0.0.1:9/shop"})
    bodies = [{"id": 1, "email": story.EMAIL}, {"id": 2, "email": "bea@example.test"}]
    for number, body in enumerate(bodies):
        assert house.shopify(shop, "customers/update", body, delivery=f"d{number}") == 200
    house.rest(shop)
    redact = {
        "shop_domain": "x.myshopify.com",
        "customer": {"id": 1, "email": story.EMAIL},
        "orders_to_redact": [],
    }
    assert house.shopify(shop, "customers/redact", redact, delivery="d9") == 200
    house.rest(shop)

    with house.of(shop) as session:
        rows = session.scalars(select(DeliveryRow).where(DeliveryRow.topic == "customers/update"))
        kept = sorted(bytes(row.body or b"") for row in rows)
    assert kept[0] == b"" and b"bea@example.test" in kept[1]
