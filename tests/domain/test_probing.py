"""The probe of gateway accounts: it finds the one that lies, lets the honest ones pass however weak they are, and leaves
no money behind."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from plugin_backend.demo.gateway import judge
from plugin_backend.domain import moves, onboarding, probing
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.gateways.sandbox.modes import MODES
from plugin_backend.sdk import clock
from plugin_backend.worker import probing as worker
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.web.test_dashboard import signed_in

HONEST = [mode for mode in MODES if mode not in ("ignores_keys", "nothing")]


def probed_shop(house: TestHouse, gateway: SandboxProcess, mode: str = "default") -> Shop:
    gateway.another_account(mode)
    return house.add_shop(sandbox=gateway.settings(), probed=False)


def account_of(house: TestHouse, shop: Shop) -> GatewayAccount:
    with house.of(shop) as session:
        return session.scalars(select(GatewayAccount)).one()


def left(gateway: SandboxProcess) -> list[int]:
    """What is left at the gateway of each charge, once slow refunds have had their hour."""
    gateway.api("GET", "/v1/account", **{"Sandbox-Time": (clock.real_now() + timedelta(days=3)).isoformat()})
    moved = judge.movements(gateway.ledger, gateway.api_key)
    return [sum(m.amount.minor if m.kind == "charge" else -m.amount.minor for m in moved)]


def captures(gateway: SandboxProcess) -> int:
    return sum(m.kind == "charge" for m in judge.movements(gateway.ledger, gateway.api_key))


def open_cases(house: TestHouse, shop: Shop) -> list[Case]:
    with house.of(shop) as session:
        return list(session.scalars(select(Case).where(Case.kind == "probe_failed", Case.state == "open")))


def why_not(house: TestHouse, shop: Shop) -> str:
    return probing.why_not_unattended(account_of(house, shop))


@pytest.mark.parametrize("mode", HONEST)
def test_an_account_that_keeps_what_it_promises_passes_and_its_charge_is_given_back(
    house: TestHouse, gateway: SandboxProcess, mode: str
) -> None:
    shop = probed_shop(house, gateway, mode)
    assert why_not(house, shop) == "probe_under_way"
    house.rest(shop)
    house.travel(shop, minutes=10)
    account = account_of(house, shop)
    assert (account.state, account.due_at, account.probe_number) == ("passed", None, 1)
    assert why_not(house, shop) == ""
    assert captures(gateway) == 1 and left(gateway) == [0]
    assert open_cases(house, shop) == []


def test_an_account_that_ignores_keys_is_found_out_and_charges_nobody_without_him(
    house: TestHouse, gateway: SandboxProcess
) -> None:
    shop = probed_shop(house, gateway, "ignores_keys")
    house.rest(shop)
    account = account_of(house, shop)
    assert (account.state, account.reason) == ("failed", "charged_twice")
    assert why_not(house, shop) == "probe_failed"
    assert captures(gateway) == 2 and left(gateway) == [0]
    [case] = open_cases(house, shop)
    assert case.subject == account.id and case.facts["promise"] == "charged_twice"


def test_a_lagging_account_is_looked_at_again_when_it_says_that_it_knows(
    house: TestHouse, gateway: SandboxProcess
) -> None:
    shop = probed_shop(house, gateway, "lagging")
    house.rest(shop)
    assert account_of(house, shop).state == "waiting"
    assert why_not(house, shop) == "probe_under_way"
    house.travel(shop, minutes=2)
    assert account_of(house, shop).state == "waiting"
    house.travel(shop, minutes=2)
    assert account_of(house, shop).state == "passed"


def test_a_charge_that_is_not_found_when_it_must_be_is_a_broken_promise(
    house: TestHouse, gateway: SandboxProcess
) -> None:
    shop = probed_shop(house, gateway, "lagging")
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        prepared = probing.prepare(session, shop, account.id)
    assert prepared is not None and not prepared.last_look
    with house.worker.app_context(), house.in_time(shop):
        assert probing.ask(prepared) == probing.NotYet()
        verdict = probing.ask(replace(prepared, new=False, last_look=True))
    assert isinstance(verdict, probing.Broken) and verdict.promise == "not_found"
    with house.of(shop) as session:
        probing.record(session, shop, prepared, verdict)
    assert account_of(house, shop).state == "failed" and left(gateway) == [0]


def test_an_account_without_keys_and_look_up_is_refused_when_it_is_added(
    house: TestHouse, gateway: SandboxProcess
) -> None:
    gateway.another_account("nothing")
    shop = house.add_shop()
    with house.of(shop) as session, pytest.raises(onboarding.Invalid, match="nothing could be charged once"):
        onboarding.add_account(session, shop, "sandbox", gateway.settings())


@pytest.mark.parametrize(
    "fault", ["lost_before", "lost_answer", "error_before", "garbage", "reset", "too_many"]
)
def test_a_probe_without_an_answer_proves_nothing_and_is_made_again(
    house: TestHouse, gateway: SandboxProcess, fault: str
) -> None:
    shop = probed_shop(house, gateway)
    gateway.switch(**{fault: 1})
    house.rest(shop)
    assert account_of(house, shop).state == "probing"
    assert why_not(house, shop) == "probe_under_way"
    house.travel(shop, minutes=5)
    assert account_of(house, shop).state == "passed"
    assert left(gateway) == [0]


@pytest.mark.parametrize("mode", ["default", "no_keys", "hour_keys"])
def test_a_worker_that_dies_in_a_probe_leaves_one_that_is_made_again_and_no_money(
    house: TestHouse, gateway: SandboxProcess, mode: str
) -> None:
    shop = probed_shop(house, gateway, mode)
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        account.due_at, account.taken = clock.now() + timedelta(minutes=2), True
        died = probing.prepare(session, shop, account.id)
    assert died is not None
    with house.worker.app_context():
        assert died.gateway.charge(died.request)
    house.leases_run_out(shop)
    account = account_of(house, shop)
    assert (account.state, account.probe_number) == ("passed", 2)
    assert captures(gateway) == 2 and left(gateway) == [0]
    with house.of(shop) as session:
        probing.record(session, shop, died, probing.Broken("charged_twice", {}))
    assert account_of(house, shop).state == "passed"


def test_a_test_card_that_is_refused_fails_the_probe_and_one_that_pays_passes_it_later(
    house: TestHouse, gateway: SandboxProcess
) -> None:
    shop = probed_shop(house, gateway)
    gateway.switch(next_decline="lost_card")
    house.rest(shop)
    assert account_of(house, shop).reason == "test_charge_refused"
    [_] = open_cases(house, shop)
    with house.of(shop) as session:
        probing.again(session, session.scalars(select(GatewayAccount)).one())
    house.rest(shop)
    assert account_of(house, shop).state == "passed"
    assert open_cases(house, shop) == []
    with house.of(shop) as session:
        steps = select(moves.Move.after).where(moves.Move.noun == "account").order_by(moves.Move.seq)
        assert list(session.scalars(steps))[:5] == [
            "not_probed",
            "probing",
            "failed",
            "not_probed",
            "probing",
        ]


def test_a_live_account_is_not_probed_and_rests_on_what_is_declared(house: TestHouse) -> None:
    shop = house.add_shop(sandbox={"url": "http://127.0.0.1:9", "api_key": "k"}, probed=False)
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        account.mode = "live"
    house.rest(shop)
    account = account_of(house, shop)
    assert (account.state, account.due_at, account.probe_number) == ("not_probed", None, 0)
    assert why_not(house, shop) == ""
    with house.of(shop) as session:
        probing.again(session, session.scalars(select(GatewayAccount)).one())
    assert account_of(house, shop).due_at is None


def test_a_probe_is_begun_once_however_many_workers_come(house: TestHouse, gateway: SandboxProcess) -> None:
    shop = probed_shop(house, gateway)
    with house.worker.app_context(), house.in_time(shop):
        assert [worker.probe(shop), worker.probe(shop)] == [1, 0]
    assert captures(gateway) == 1


def test_references_of_probes_fit_every_key_and_are_known_again() -> None:
    made = {probing.reference("gwa_1", number, what) for number in range(3) for what in ("charge", "x")}
    assert len(made) == 6
    assert all(len(reference) <= 40 and probing.is_probe(reference) for reference in made)


def test_the_dashboard_says_how_the_probe_went(house: TestHouse, gateway: SandboxProcess) -> None:
    shop = probed_shop(house, gateway, "ignores_keys")
    house.rest(shop)
    page = signed_in(house, shop.merchant_id).get(f"/shops/{shop.id}/").get_data(as_text=True)
    assert "Failed the probe" in page
    assert "The same request sent twice was charged twice" in page
