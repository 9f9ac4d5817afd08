"""A token whose use is over is forgotten without anybody asking, and no sooner."""

import pytest
from sqlalchemy import select, text

from plugin_backend.domain import billing, customers, vault
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure, Tombstone
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.vault import PaymentMethod, VaultKey, keys
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.worker import jobs
from tests import plan_story, story
from tests.contract.gateway_process import SandboxProcess
from tests.domain.test_erasing import charge, erasure, finished_plan, token_of
from tests.house import TestHouse


def kept(house: TestHouse, shop: Shop) -> list[bool]:
    """Of each card of the shop: is its token kept?"""
    with house.of(shop) as session:
        found = select(PaymentMethod.sealed).order_by(PaymentMethod.created_at)
        return [sealed is not None for sealed in session.scalars(found)]


def test_thirty_days_after_the_last_payment_the_token_is_gone_and_the_customer_stays(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    token = token_of(house, paying_shop)
    with house.of(paying_shop) as session:
        ended_at = session.scalars(select(Plan.ended_at)).one()
    assert ended_at is not None
    to_the_last_hour = ended_at + vault.KEPT - house.now(paying_shop)
    house.travel(paying_shop, seconds=to_the_last_hour.total_seconds() - 3600)
    assert kept(house, paying_shop) == [True]

    house.travel(paying_shop, hours=2)

    assert kept(house, paying_shop) == [False]
    assert charge(gateway, token)[1]["error"]["code"] == "unknown_token"
    row = erasure(house, paying_shop)
    assert (row.cause, row.state, row.reason) == ("retention", "shredded", "detached")
    with house.of(paying_shop) as session:
        customer = session.scalars(select(Customer)).one()
        assert (customer.email, customer.name, customer.frozen_at) == (story.EMAIL, "Ana Ruiz", None)
        method = session.scalars(select(PaymentMethod)).one()
        assert (method.brand, method.last4) == ("visa", "4242")
        assert session.scalars(select(VaultKey.state).where(VaultKey.kind == keys.CUSTOMER)).all() == [
            "destroyed"
        ]
        assert session.scalars(select(Tombstone.whole)).all() == [False]


def test_a_customer_whose_token_is_gone_gives_a_card_again_under_a_new_key(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=31)
    assert kept(house, paying_shop) == [False]

    again = story.begin_plan(house, paying_shop, gateway, number=90)

    assert again.state == "active"
    assert kept(house, paying_shop) == [False, True]
    with house.of(paying_shop) as session:
        found = select(VaultKey.version, VaultKey.state).where(VaultKey.kind == keys.CUSTOMER)
        assert session.execute(found.order_by(VaultKey.version)).all() == [(1, "destroyed"), (2, "active")]


def test_a_running_subscription_keeps_its_token_until_it_is_cancelled(
    house: TestHouse, gateway: SandboxProcess, mails: object
) -> None:
    shop = house.add_shop(sandbox=gateway.settings(), kind="subscription", contact="luna@shop.test")
    plan = story.begin_plan(house, shop, gateway)
    house.travel(shop, days=100)
    assert kept(house, shop) == [True]
    with house.of(shop) as session:
        billing.stop(session, shop, plan.id, "cancelled", "by the customer")
    house.travel(shop, days=29)
    assert kept(house, shop) == [True]

    house.travel(shop, days=2)

    assert kept(house, shop) == [False]


def test_a_card_that_no_plan_uses_is_kept_for_thirty_days(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    store_card(house, paying_shop, "tok_nobody_uses")
    house.travel(paying_shop, days=29)
    assert kept(house, paying_shop) == [True]
    house.travel(paying_shop, days=2)
    assert kept(house, paying_shop) == [False]


def store_card(house: TestHouse, shop: Shop, token: str) -> None:
    """A card that is stored and pays nothing, for a customer who has none yet."""
    with house.of(shop) as session:
        customer = customers.meet(session, shop.id, plan_story.shop_sdk.Person(email="leo@example.test"))
        assert customer is not None
        account = session.scalars(select(plan_story.GatewayAccount)).one()
        card = sdk.CardStored(token, "visa", "4242", 11, 2038)
        vault.keep(session, shop.id, customer.id, account.id, card)


def test_while_a_payment_is_disputed_its_token_is_kept(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = finished_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        plan_story.disputed(session, paying_shop, plan.id)
    house.travel(paying_shop, days=40)
    assert kept(house, paying_shop) == [True]

    with house.of(paying_shop) as session:
        plan_story.disputed(session, paying_shop, plan.id, "won")
    house.travel(paying_shop, days=2)

    assert kept(house, paying_shop) == [False]


def test_one_card_of_a_customer_goes_and_the_one_in_use_stays(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=20)
    story.begin_plan(house, paying_shop, gateway, number=90)

    house.travel(paying_shop, days=12)

    assert kept(house, paying_shop) == [False, True]
    with house.of(paying_shop) as session:
        assert session.scalars(select(VaultKey.state).where(VaultKey.kind == keys.CUSTOMER)).all() == [
            "active"
        ]
        assert session.scalars(select(Tombstone.keys)).all() == [[]]
    house.travel(paying_shop, days=20)
    assert story.states(house, paying_shop)[3:] == ["paid", "paid", "scheduled"]


@pytest.mark.parametrize("cards", [60])
def test_many_cards_are_looked_at_in_batches_found_by_an_index(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, cards: int
) -> None:
    for number in range(cards):
        store_card(house, paying_shop, f"tok_{number}")
    with house.of(paying_shop) as session:
        session.execute(text("UPDATE payment_methods SET due_at = :now, created_at = :long_ago"), moments())
        # Of so few rows, and by what it happens to know of them, the database would rather look at all and sort them.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        asked = "EXPLAIN SELECT id FROM payment_methods WHERE shop_id = 's' AND due_at <= now() ORDER BY due_at LIMIT 25"
        assert "ix_payment_methods_due" in "\n".join(session.scalars(text(asked)))
    with house.worker.app_context(), house.in_time(paying_shop):
        assert [jobs.sweep(paying_shop) for _ in range(4)] == [25, 25, 10, 0]
    with house.of(paying_shop) as session:
        assert len(session.scalars(select(Erasure)).all()) == cards
    house.rest(paying_shop)
    assert not any(kept(house, paying_shop))


def moments() -> dict[str, object]:
    return {"now": clock.now(), "long_ago": clock.now() - vault.KEPT}
