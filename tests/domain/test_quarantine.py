"""After a restore or a fail-over nothing is charged until it is known what the gateway captured meanwhile."""

from sqlalchemy import create_engine, select, text

from plugin_backend.core.db import CLOCK_ROLE, connect_args, engine_url, transaction
from plugin_backend.core.ids import nth_of
from plugin_backend.domain import billing, quarantine, reconciliation
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk import gateway as sdk
from plugin_backend.worker import comparing, jobs
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.domain.test_declines import give_another_card
from tests.domain.test_reconciliation import charge_behind_our_back
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.web.test_dashboard import signed_in


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


def lose(
    house: TestHouse, shop: Shop, number: int = 2, expected: type[sdk.Outcome] = sdk.Succeeded
) -> billing.Prepared:
    """A payment is charged, and the database forgets it: as where a backup is restored that is older."""
    row = story.collections(house, shop)[number - 1]
    with house.of(shop) as session:
        lost = billing.prepare(session, shop, row.id, initiator="merchant")
        assert lost is not None
        session.rollback()
    with house.worker.app_context(), house.in_time(shop):
        assert isinstance(billing.ask(lost), expected)
    return lost


def look(house: TestHouse, shop: Shop) -> None:
    """The clock rings for what is held, and the house comes to rest."""
    with house.worker.app_context():
        jobs.drain("compare", shop.id)
    house.rest(shop)


def test_a_lost_payment_is_known_again_and_the_account_charges_again_when_nothing_can_be_missed(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    lost = lose(house, paying_shop)
    fail_over(house, paying_shop)

    look(house, paying_shop)

    assert story.states(house, paying_shop) == ["paid", "paid", "scheduled"]
    assert [a.reference for a in story.attempts(house, paying_shop)][1] == lost.request.reference
    assert held(house, paying_shop), "what was asked for last may not be listed yet"
    house.travel(paying_shop, minutes=10)
    assert not held(house, paying_shop)
    house.travel(paying_shop, days=60)
    assert story.captured(house, paying_shop, gateway) == [3334, 3333, 3333]
    assert cases_of(house, paying_shop) == [("quarantine", "captures are known")]


def test_a_lost_payment_ends_the_older_attempt_that_was_still_open(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    second = story.collections(house, paying_shop)[1]
    with house.of(paying_shop) as session:
        older = billing.prepare(session, paying_shop, second.id, initiator="merchant")
        assert older is not None
    with house.of(paying_shop) as session:
        billing.record(session, paying_shop, older.attempt_id, sdk.NotExecuted("nothing left"))
        row = session.get_one(Collection, (paying_shop.id, second.id))
        lost = billing.prepare(session, paying_shop, row.id, initiator="merchant")
        assert lost is not None
        session.rollback()
    with house.worker.app_context(), house.in_time(paying_shop):
        assert isinstance(billing.ask(lost), sdk.Succeeded)
    fail_over(house, paying_shop)

    look(house, paying_shop)

    states = [a.state for a in story.attempts(house, paying_shop)]
    assert sorted(states) == ["not_executed", "succeeded", "succeeded"]
    assert story.states(house, paying_shop)[1] == "paid"


def before_the_second(house: TestHouse, shop: Shop) -> None:
    """The second payment falls due in a minute."""
    due = story.collections(house, shop)[1].scheduled_at
    house.travel(shop, seconds=(due - house.now(shop)).total_seconds() - 60)


def test_a_lost_payment_that_waits_for_its_bank_is_known_again_and_no_second_one_is_begun(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    """The list names captures only, and the gateway has no key by which it would know the second one."""
    gateway.another_account("no_keys")
    shop = house.add_shop(sandbox=gateway.settings())
    story.begin_plan(house, shop, gateway)
    give_another_card(house, shop, gateway, "pending")
    before_the_second(house, shop)
    lost = lose(house, shop, expected=sdk.Pending)
    fail_over(house, shop)
    look(house, shop)
    house.travel(shop, minutes=30)

    assert not held(house, shop)
    second = story.attempts(house, shop)[1]
    assert (second.reference, second.state) == (lost.request.reference, "pending")
    house.travel(shop, days=2)
    assert story.states(house, shop)[1] == "paid"
    assert story.captured(house, shop, gateway) == [3334, 3333]


def test_quarantine_is_not_lifted_while_the_gateway_cannot_be_asked_what_is_lost(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    before_the_second(house, paying_shop)
    house.travel(paying_shop, minutes=2)
    fail_over(house, paying_shop)
    with house.of(paying_shop) as session:
        row = session.get_one(Collection, (paying_shop.id, story.collections(house, paying_shop)[2].id))
        row.scheduled_at = house.now(paying_shop)
        account = session.scalars(select(GatewayAccount)).one()
        run = reconciliation.begin(session, paying_shop, account.id)
    assert isinstance(run, reconciliation.Run)
    with house.worker.app_context(), house.in_time(paying_shop):
        gateway.faults(rates={"look_up_error": 1.0})
        assert not comparing.lost_are_known(paying_shop, run)
        gateway.faults()
        assert comparing.lost_are_known(paying_shop, run)


def test_every_lost_payment_of_a_subscription_is_known_again_also_of_a_row_that_was_not_there_yet(
    house: TestHouse, mails: Letterbox, gateway: SandboxProcess
) -> None:
    shop = house.add_shop(sandbox=gateway.settings(), kind="subscription")
    plan = story.begin_plan(house, shop, gateway)
    first = lose(house, shop)
    third = billing.reference_of(nth_of(plan.id, "col", 3), 1)
    charge_behind_our_back(house, shop, gateway, third, plan.amount)
    fail_over(house, shop)

    look(house, shop)

    assert story.states(house, shop) == ["paid", "paid", "paid", "scheduled"]
    assert {first.request.reference, third} <= {a.reference for a in story.attempts(house, shop)}


def test_a_person_lifts_quarantine_with_a_reason_and_not_without(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    fail_over(house, paying_shop)
    gateway.switch(down="503")
    look(house, paying_shop)
    with house.of(paying_shop) as session:
        case_id = session.scalars(select(Case.id).where(Case.kind == "quarantine")).one()
    operator = signed_in(house, paying_shop.merchant_id)
    page = f"/shops/{paying_shop.id}/cases/{case_id}"
    assert "In quarantine" in operator.get(f"{page}?lang=en").get_data(as_text=True)

    assert operator.post(f"{page}/resolve/lift").status_code == 400
    assert held(house, paying_shop)
    assert operator.post(f"{page}/resolve/lift", reason="compared by hand").status_code == 303

    assert not held(house, paying_shop)
    assert cases_of(house, paying_shop) == [("quarantine", "by hand: compared by hand")]


def test_the_installation_says_that_it_is_in_quarantine_until_no_account_is(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, postgres_url: str
) -> None:
    def ready() -> str:
        return str(house.client().get("/readyz").get_data(as_text=True))

    with house.worker.app_context():
        for shop_id, account_id in quarantine.everywhere():
            with transaction(shop_id) as session:
                quarantine.lift(
                    session, session.get_one(GatewayAccount, (shop_id, account_id)), "another test's"
                )
    fail_over(house, paying_shop)
    with house.worker.app_context(), transaction(None) as session:
        session.execute(text("UPDATE installation SET lineage = '7-00000001-1'"))
    assert ready().startswith("ok, in quarantine")
    engine = create_engine(engine_url(postgres_url), connect_args=connect_args(CLOCK_ROLE))
    with engine.connect() as connection:
        assert paying_shop.id in quarantine.held_shops(connection)
        look(house, paying_shop)
        house.travel(paying_shop, minutes=10)
        assert paying_shop.id not in quarantine.held_shops(connection)
        connection.commit()
    engine.dispose()
    assert ready() == "ok\n"


def cases_of(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        found = select(Case.kind, Case.reason).where(Case.kind != "order_by_hand").order_by(Case.id)
        return [(kind, reason) for kind, reason in session.execute(found)]
