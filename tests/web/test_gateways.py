"""Accounts at gateways on the dashboard: connected, checked in words, given other keys, and moved from and to."""

from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from plugin_backend.core.db import transaction
from plugin_backend.core.seal import SealError
from plugin_backend.domain import enrolments, merchants, plans, probing, vault
from plugin_backend.domain.enrolments import Enrolment
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk.gateway import CardStored
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.engine_story import captures
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.unit.html_checks import text_of
from tests.web.test_dashboard import Operator, signed_in
from tests.web.test_guard import everywhere_in


@pytest.fixture
def operator(house: TestHouse, shop: Shop) -> Operator:
    return signed_in(house, shop.merchant_id)


@pytest.fixture
def account(gateway: SandboxProcess) -> SandboxProcess:
    gateway.another_account()
    return gateway


def accounts(house: TestHouse, shop: Shop) -> list[GatewayAccount]:
    with house.of(shop) as session:
        return merchants.accounts_of(session, shop.id)


def typed(gateway: SandboxProcess, **changes: str) -> dict[str, str]:
    """What an owner types into the form."""
    settings = {name: value for name, value in gateway.settings().items() if name != "callback_url"}
    return settings | {"lag_seconds": "60", "processing_seconds": "120"} | changes


def connect(house: TestHouse, shop: Shop, operator: Operator, settings: dict[str, str]) -> str:
    """Connect an account by the pages; what the page says once a worker has tried."""
    begun = operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox")
    assert begun.headers["Location"] == f"/shops/{shop.id}/accounts/connect"
    operator.post(f"/shops/{shop.id}/accounts/connect", **settings)
    house.rest(shop)
    page = operator.get(f"/shops/{shop.id}/accounts/connect")
    if page.status_code == 303:
        page = operator.get(page.headers["Location"])
    return text_of(page.text)


def test_an_account_is_connected_probed_and_shown_and_its_key_is_never_seen_again(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess, postgres_admin_url: str
) -> None:
    form = operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox")
    form = operator.get(form.headers["Location"])
    assert "This is a TEST shop: use the test keys of the account" in text_of(form.text)
    assert 'type="password" id="account-api_key"' in form.text

    operator.post(f"/shops/{shop.id}/accounts/connect", **typed(account))
    waiting = operator.get(f"/shops/{shop.id}/accounts/connect")
    assert waiting.headers["Refresh"].startswith("2; url=")
    assert not everywhere_in(postgres_admin_url, account.api_key)

    house.rest(shop)
    (row,) = accounts(house, shop)
    assert (row.active, row.mode, row.state, row.flaws) == (True, "test", "passed", [])
    assert row.identity.startswith("acct_")
    page = operator.get(f"/shops/{shop.id}/accounts")
    assert "TEST account: no real money moves" in text_of(page.text)
    assert "Passed the probe" in text_of(page.text)
    assert account.api_key not in page.text
    assert not everywhere_in(postgres_admin_url, account.api_key)


def test_the_web_process_cannot_open_what_was_typed(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox")
    operator.post(f"/shops/{shop.id}/accounts/connect", **typed(account))
    with house.web.app_context(), transaction(shop.id) as session:
        row = enrolments.current(session, shop.id)
        assert row is not None
        with pytest.raises(SealError):
            enrolments.prepare(session, shop, row.id)
    house.rest(shop)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"api_key": "sk_test_of_nobody"}, "The gateway does not know this key"),
        ({"api_key": "sk_test_sandbox_x.revoked"}, "The gateway honours this key no more"),
        ({"api_key": "sk_live_sandbox"}, "A test key on a live shop, or a live key on a test shop"),
        ({"url": "http://127.0.0.1:9"}, "The gateway does not answer"),
        ({"mode": "nothing"}, "no promise is left by which a payment is taken exactly once"),
    ],
)
def test_each_thing_that_is_wrong_has_a_sentence_of_its_own_and_nothing_is_connected(
    house: TestHouse,
    shop: Shop,
    operator: Operator,
    account: SandboxProcess,
    changes: dict[str, str],
    sentence: str,
) -> None:
    said = connect(house, shop, operator, typed(account, **changes))
    assert sentence in said
    assert "Nothing was changed. This is what is wrong:" in said
    assert accounts(house, shop) == []
    with house.of(shop) as session:
        row = enrolments.current(session, shop.id)
        assert row is not None and (row.state, row.kept) == ("open", None)


def test_a_currency_that_is_not_taken_is_told_with_the_currency_of_the_shop(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    account.switch(currencies="NOK SEK")
    said = connect(house, shop, operator, typed(account))
    assert "The account does not take the currency of the shop. (EUR)" in said
    assert accounts(house, shop) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"api_key": ""}, "Please fill in every field that is not marked as optional"),
        ({"lag_seconds": "soon"}, "One of the fields cannot be what it is to be"),
    ],
)
def test_what_cannot_be_is_said_before_anybody_is_asked(
    house: TestHouse,
    shop: Shop,
    operator: Operator,
    account: SandboxProcess,
    changes: dict[str, str],
    sentence: str,
) -> None:
    operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox")
    answer = operator.post(f"/shops/{shop.id}/accounts/connect", **typed(account, **changes))
    assert sentence in text_of(operator.get(answer.headers["Location"]).text)
    with house.of(shop) as session:
        assert session.scalars(select(Enrolment.state)).all() == ["open"]


def test_a_gateway_that_plays_with_money_is_not_offered_to_a_live_shop(
    house: TestHouse, shop: Shop, operator: Operator
) -> None:
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(mode="live"))
    assert 'value="sandbox"' not in operator.get(f"/shops/{shop.id}/accounts").text
    assert operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox").status_code == 400


def test_a_revoked_key_is_found_out_by_asking_again_and_another_key_of_the_account_is_taken(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    connect(house, shop, operator, typed(account))
    (row,) = accounts(house, shop)
    home = f"/shops/{shop.id}/accounts"
    with house.of(shop) as session:
        held = session.get_one(GatewayAccount, (shop.id, row.id))
        use = vault.Use("gateway_call", row.id)
        merchants.change_settings(session, held, {"api_key": f"{account.api_key}.revoked"}, use)

    operator.post(f"{home}/{row.id}/check")
    house.rest(shop)
    assert "The gateway honours this key no more" in text_of(operator.get(home).text)

    assert operator.post(f"{home}/{row.id}/keys").headers["Location"] == f"{home}/connect"
    operator.post(f"{home}/connect", **typed(account, api_key="sk_test_sandbox_somebody_elses"))
    house.rest(shop)
    said = text_of(operator.get(f"{home}/connect").text)
    assert "These keys open another account" in said

    operator.post(f"{home}/connect", **typed(account, api_key=f"{account.api_key}.2"))
    house.rest(shop)
    (renewed,) = accounts(house, shop)
    assert (renewed.id, renewed.flaws, renewed.identity) == (row.id, [], row.identity)
    assert "honours this key no more" not in text_of(operator.get(home).text)


def test_a_callback_that_somebody_else_signed_is_refused_and_said_until_somebody_looks(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    connect(house, shop, operator, typed(account))
    (row,) = accounts(house, shop)
    home, told = f"/shops/{shop.id}/accounts", {"id": "evt_1", "type": "charge.captured", "data": {}}

    for _ in range(3):
        assert house.callback(shop, row.id, "sk_test_sandbox_somebody_elses", told) == 401
    said = text_of(operator.get(home).text)
    assert said.count("A call came to the address of this account that is not its own") == 1
    with house.of(shop) as session:
        assert not [kept for kept in session.scalars(select(DeliveryRow)) if kept.source == row.id]

    operator.post(f"{home}/{row.id}/check")
    house.rest(shop)
    assert "is not its own" not in text_of(operator.get(home).text)


def test_a_secret_that_is_left_empty_stays_as_it_is(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    connect(house, shop, operator, typed(account))
    (row,) = accounts(house, shop)
    operator.post(f"/shops/{shop.id}/accounts/{row.id}/keys")
    operator.post(f"/shops/{shop.id}/accounts/connect", **typed(account, api_key="", sepa_debit="yes"))
    house.rest(shop)
    (row,) = accounts(house, shop)
    assert (row.flaws, row.typed["sepa_debit"]) == ([], "True")
    assert enrolled(house, shop) == ["connected", "connected"]


def enrolled(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return list(session.scalars(select(Enrolment.state)))


def test_an_account_is_paused_and_resumed(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    connect(house, shop, operator, typed(account))
    (row,) = accounts(house, shop)
    for verb, paused in (("pause", True), ("resume", False)):
        assert operator.post(f"/shops/{shop.id}/accounts/{row.id}/{verb}").status_code == 303
        assert accounts(house, shop)[0].paused is paused
    assert operator.post(f"/shops/{shop.id}/accounts/{row.id}/sell").status_code == 404


def test_after_a_move_running_plans_finish_where_they_began_and_new_ones_begin_elsewhere(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    operator, shop = signed_in(house, paying_shop.merchant_id), paying_shop
    old_key = gateway.api_key
    first = story.begin_plan(house, shop, gateway)
    (old,) = accounts(house, shop)

    gateway.another_account()
    said = connect(house, shop, operator, typed(gateway))
    assert "they finish here: payments, refunds and other cards stay with this account" in said
    new, again = accounts(house, shop)
    assert (new.active, again.id, again.active) == (True, old.id, False)
    second = story.begin_plan(house, shop, gateway, number=55, email="bo@example.test")
    assert (first.account_id, second.account_id) == (old.id, new.id)

    change = f"{story.link(house, shop, 'p', first.id)}/card"
    assert house.client().post(change).status_code == 303
    house.rest(shop)
    with house.of(shop) as session:
        opened = session.scalars(text("SELECT account_id FROM setups WHERE plan_id = :id"), {"id": first.id})
        assert list(opened) == [old.id]

    house.travel(shop, days=32)
    taken = {key: sorted(by_collection(gateway, key)) for key in (old_key, gateway.api_key)}
    with house.of(shop) as session:
        ids = {it.id: [c.id for c in plans.collections_of(session, shop.id, it.id)] for it in (first, second)}
    assert taken[old_key] == sorted(ids[first.id][:2])
    assert taken[gateway.api_key] == sorted(ids[second.id][:2])

    operator.post(f"/shops/{shop.id}/accounts/{old.id}/use")
    assert [row.active for row in accounts(house, shop)] == [False, True]


def by_collection(gateway: SandboxProcess, api_key: str) -> Any:
    used, gateway.api_key = gateway.api_key, api_key
    try:
        return {name for name in captures(gateway) if not probing.is_probe(name)}
    finally:
        gateway.api_key = used


def test_a_key_revoked_while_a_plan_runs_is_told_in_words_and_no_payment_is_lost_or_repeated(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    operator, shop = signed_in(house, paying_shop.merchant_id), paying_shop
    plan = story.begin_plan(house, shop, gateway)
    (row,) = accounts(house, shop)
    with house.of(shop) as session:
        held = session.get_one(GatewayAccount, (shop.id, row.id))
        use = vault.Use("gateway_call", row.id)
        merchants.change_settings(session, held, {"api_key": f"{gateway.api_key}.revoked"}, use)
    house.travel(shop, days=28)
    home = f"/shops/{shop.id}/accounts"
    assert "The gateway honours this key no more" in text_of(operator.get(home).text)

    operator.post(f"{home}/{row.id}/keys")
    operator.post(f"{home}/connect", **typed(gateway, api_key=f"{gateway.api_key}.2"))
    house.travel(shop, days=3)
    with house.of(shop) as session:
        second = plans.collection(session, shop.id, plan.id, 2)
    assert second.state == "paid"
    assert [len(captures(gateway)[second.id])] == [1]


def test_a_refusal_with_a_code_that_nobody_knows_is_told_with_the_code_and_tried_again(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    operator, shop = signed_in(house, paying_shop.merchant_id), paying_shop
    plan = story.begin_plan(house, shop, gateway)
    gateway.switch(next_decline="code_of_tomorrow", next_decline_count=1)
    house.travel(shop, days=25, hours=12)
    with house.of(shop) as session:
        second = plans.collection(session, shop.id, plan.id, 2)
    assert second.state == "retry_wait"
    said = text_of(operator.get(f"/shops/{shop.id}/collections/{second.id}").text)
    assert "Refused, without a reason or with one that is not known here" in said
    assert "code_of_tomorrow" in said

    house.travel(shop, days=4)
    with house.of(shop) as session:
        assert plans.collection(session, shop.id, plan.id, 2).state == "paid"
    assert len(captures(gateway)[second.id]) == 1


def test_no_plan_can_have_a_card_of_another_account_than_its_own(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    gateway.another_account()
    with house.of(paying_shop) as session:
        shop = merchants.get_shop(session, paying_shop.id)
        other = merchants.add_account(session, shop, "sandbox", gateway.settings())
        card = CardStored("tok_elsewhere", "visa", "4242", 12, 2034)
        method = vault.keep(session, shop.id, plan.customer_id, other.id, card)
        other.rest(None)
        for change in ({"method_id": method.id}, {"account_id": other.id}):
            with pytest.raises(IntegrityError), session.begin_nested():
                session.execute(update(Plan).where(Plan.id == plan.id).values(**change))
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text("UPDATE gateway_accounts SET active = true"))


def test_an_account_that_is_being_tried_by_a_worker_that_died_is_tried_again(
    house: TestHouse, shop: Shop, operator: Operator, account: SandboxProcess
) -> None:
    operator.post(f"/shops/{shop.id}/accounts", gateway="sandbox")
    operator.post(f"/shops/{shop.id}/accounts/connect", **typed(account))
    with house.of(shop) as session:
        assert len(enrolments.take(session, shop.id)) == 1
    house.rest(shop)
    assert enrolled(house, shop) == ["brought"]
    house.leases_run_out(shop)
    assert [row.active for row in accounts(house, shop)] == [True]
    assert enrolled(house, shop) == ["connected"]
