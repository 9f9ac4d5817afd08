"""What was captured is given back once, whatever the gateway and the network do."""

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, ledger
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
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
