"""After a restore or a fail-over nothing is charged until it is known what the gateway captured meanwhile."""

from sqlalchemy import text

from plugin_backend.core.db import transaction
from plugin_backend.domain import billing, quarantine
from plugin_backend.domain.merchants import GatewayAccount, Shop
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse


def fail_over(house: TestHouse, shop: Shop) -> None:
    """The server is another one than the account knows: as where a standby was promoted, one timeline on."""
    with house.of(shop) as session:
        session.execute(text("UPDATE gateway_accounts SET lineage = '7-00000001-1'"))


def account_of(house: TestHouse, shop: Shop) -> GatewayAccount:
    with house.of(shop) as session:
        return session.query(GatewayAccount).one()


def held(house: TestHouse, shop: Shop) -> bool:
    with house.of(shop) as session:
        return bool(quarantine.held(session, shop.id))


def test_an_account_begins_in_the_lineage_of_its_database(house: TestHouse, paying_shop: Shop) -> None:
    account = account_of(house, paying_shop)
    assert account.lineage.count("-") == 2
    with house.of(paying_shop) as session:
        assert not quarantine.holds(session, paying_shop.id, account.id)
    with house.worker.app_context(), transaction(None) as session:
        assert not quarantine.is_anywhere(session)


def test_nothing_new_is_charged_or_given_back_in_quarantine(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    second = story.collections(house, paying_shop)[1]
    fail_over(house, paying_shop)

    with house.of(paying_shop) as session:
        assert billing.prepare(session, paying_shop, second.id, initiator="merchant") is None
        [refund] = billing.give_back(session, paying_shop, plan.id)
        assert billing.prepare_refund(session, paying_shop, refund.id) is None
        assert refund.state == "due"
    assert story.captured(house, paying_shop, gateway) == [3334]
