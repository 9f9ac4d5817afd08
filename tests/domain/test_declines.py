"""What follows a refusal, lived with the sandbox gateway: the next try, the customer's link, and the card that is done with."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from plugin_backend.domain import billing, notices, plans, vault
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk.gateway import (
    CardStored,
    CardUpdated,
    Closed,
    Decline,
    Declined,
    InDoubt,
    RequiresAction,
)
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox, text_of


def second(house: TestHouse, shop: Shop) -> Collection:
    return story.collections(house, shop)[1]


def portal(house: TestHouse, shop: Shop) -> str:
    return story.link(house, shop, "p", story.plan_of(house, shop).id)


def page(house: TestHouse, path: str) -> str:
    """What a customer reads at last, following our own redirects."""
    return house.client().get(path, follow_redirects=True).get_data(as_text=True)


def kinds(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return list(session.scalars(select(Message.kind).order_by(Message.created_at, Message.id)))


def open_cases(house: TestHouse, shop: Shop) -> set[str]:
    with house.of(shop) as session:
        return set(session.scalars(select(Case.kind).where(Case.state == "open"))) - {"order_by_hand"}


def refuse_second(house: TestHouse, shop: Shop, gateway: SandboxProcess, code: str, card: str = "ok") -> None:
    """A running plan whose second payment was refused with ``code``."""
    story.begin_plan(house, shop, gateway, card)
    gateway.switch(next_decline=code, next_decline_count=1)
    house.travel(shop, days=25, hours=12)


def give_another_card(house: TestHouse, shop: Shop, gateway: SandboxProcess, card: str) -> None:
    path = portal(house, shop)
    assert house.client().post(f"{path}/card").status_code == 303
    house.rest(shop)
    gateway.type_card(house.client().get(f"{path}/card").headers["Location"], card)
    house.client().get(f"{path}/back")
    house.rest(shop)


def test_a_payment_that_the_bank_wants_confirmed_is_paid_by_link_on_the_same_collection(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    refuse_second(house, paying_shop, gateway, "authentication_required")
    assert (second(house, paying_shop).state, story.plan_of(house, paying_shop).state) == (
        "exhausted",
        "paused",
    )
    path = portal(house, paying_shop)
    assert f"{path}/pay" in text_of(mails.to(story.EMAIL)[-1])
    assert 'action="' + f"{path}/pay" in page(house, f"{path}/pay")
    before = renewed(house, paying_shop)

    gateway.switch(next_decline="requires_action", next_decline_count=1)
    assert house.client().post(f"{path}/pay").status_code == 303
    house.rest(paying_shop)
    bank = re.search(r'href="([^"]+challenge[^"]*)"', page(house, f"{path}/pay"))
    assert bank, page(house, f"{path}/pay")
    url = bank[1] if bank[1].startswith("http") else gateway.url + bank[1]
    gateway.decide(url, "approve")
    house.client().get(f"{path}/back")
    house.rest(paying_shop)

    tried = [
        (a.collection_id, a.number, a.initiator, a.state) for a in story.attempts(house, paying_shop)[1:]
    ]
    row = second(house, paying_shop)
    assert tried == [
        (row.id, 1, "merchant", "declined"),
        (row.id, 2, "customer", "succeeded"),
    ]
    assert (row.state, story.plan_of(house, paying_shop).state) == ("paid", "active")
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
    assert open_cases(house, paying_shop) == set()
    assert renewed(house, paying_shop) != before


def renewed(house: TestHouse, shop: Shop) -> str:
    """The payment that later ones refer to."""
    with house.of(shop) as session:
        plan = session.scalars(select(Plan)).one()
        method = session.get_one(PaymentMethod, (shop.id, plan.method_id))
        return story.opened(session, method).network_transaction_id


def test_two_tabs_late_and_again_are_one_payment(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refuse_second(house, paying_shop, gateway, "authentication_required")
    path = portal(house, paying_shop)
    house.travel(paying_shop, days=10)

    with ThreadPoolExecutor(4) as tabs:
        answers = list(tabs.map(lambda _: house.client().post(f"{path}/pay").status_code, range(6)))
    assert set(answers) == {303}
    house.rest(paying_shop)
    assert house.client().post(f"{path}/pay").status_code == 303
    house.rest(paying_shop)

    assert second(house, paying_shop).state == "paid"
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
    assert len(story.attempts(house, paying_shop)) == 3
    assert house.client().get(f"{path}/pay").headers["Location"].endswith(path)


def test_a_link_that_is_opened_after_the_plan_was_cancelled_pays_nothing(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refuse_second(house, paying_shop, gateway, "authentication_required")
    path = portal(house, paying_shop)
    house.client().post(f"{path}/cancel", data={})

    assert house.client().get(f"{path}/pay").headers["Location"].endswith(path)
    assert house.client().post(f"{path}/pay").status_code == 303
    house.rest(paying_shop)

    assert story.captured(house, paying_shop, gateway) == [3334]


def test_a_plan_that_the_merchant_has_paused_is_not_taken_up_again_by_its_customer(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refuse_second(house, paying_shop, gateway, "insufficient_funds")
    with house.of(paying_shop) as session:
        plans.pause(session, session.scalars(select(Plan)).one(), "paused_by_merchant")

    assert house.client().post(f"{portal(house, paying_shop)}/pay").status_code == 303
    house.rest(paying_shop)

    assert story.plan_of(house, paying_shop).state == "paused"
    assert story.captured(house, paying_shop, gateway) == [3334]


def prepared_second(house: TestHouse, shop: Shop) -> str:
    """An attempt at the second payment that has left; its id."""
    with house.of(shop) as session:
        prepared = billing.prepare(session, shop, second(house, shop).id, initiator="merchant")
    assert prepared is not None
    return prepared.attempt_id


def record(house: TestHouse, shop: Shop, attempt_id: str, outcome: Any) -> None:
    with house.of(shop) as session:
        billing.record(session, shop, attempt_id, outcome)


def test_while_a_payment_is_in_doubt_the_customer_reads_that_it_is_checked_and_gets_no_mail(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = prepared_second(house, paying_shop)
    before, path = kinds(house, paying_shop), portal(house, paying_shop)
    record(house, paying_shop, attempt, InDoubt("no answer"))

    said = "".join(page(house, f"{path}{end}?lang=en") for end in ("", "/pay", "/cancel", "/withdraw"))
    assert "We are checking your payment" in said and "Being checked" in said
    assert not re.search(r"[Rr]efused|[Ff]ailed|not accepted|could not be taken|Not paid", said)
    assert house.client().post(f"{path}/pay").status_code == 303
    with house.of(paying_shop) as session:
        again = billing.prepare(session, paying_shop, second(house, paying_shop).id, initiator="customer")
    assert again is None
    assert kinds(house, paying_shop) == before
    record(house, paying_shop, attempt, Declined(Decline.FUNDS))
    assert kinds(house, paying_shop)[len(before) :] == ["payment_failed"]


def test_another_card_closes_what_waits_for_the_customer_before_it_pays(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refuse_second(house, paying_shop, gateway, "requires_action")
    assert second(house, paying_shop).state == "requires_action"
    bank = page(house, f"{portal(house, paying_shop)}/pay")
    assert bank.count("challenge") >= 1

    give_another_card(house, paying_shop, gateway, "ok_mastercard")
    house.travel(paying_shop, minutes=5)

    closed, paid = story.attempts(house, paying_shop)[1:]
    assert (closed.state, paid.state, paid.number) == ("closed", "succeeded", 2)
    assert closed.method_id != paid.method_id
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
    assert "payment_failed" not in kinds(house, paying_shop)
    assert open_cases(house, paying_shop) == set()


def test_a_card_that_was_changed_while_the_old_one_was_asked_pays_and_nobody_is_blamed(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = prepared_second(house, paying_shop)
    other = CardStored("tok_test", "Mastercard", "4444", 11, 2040, fingerprint="another card")
    with house.of(paying_shop) as session:
        plan = session.scalars(select(Plan).with_for_update()).one()
        card = vault.keep(session, paying_shop.id, plan.customer_id, plan.account_id, other)
        billing.change_card(session, plan, card)
    before = kinds(house, paying_shop)

    record(house, paying_shop, attempt, Declined(Decline.NEVER, "lost_card"))
    house.rest(paying_shop)

    assert second(house, paying_shop).state == "paid"
    assert story.plan_of(house, paying_shop).state == "active"
    assert kinds(house, paying_shop)[len(before) :] == ["receipt"]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_what_cannot_be_closed_is_offered_again_and_never_replaced(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    attempt = prepared_second(house, paying_shop)
    waits = RequiresAction("https://bank.test/challenge", "ch_1")
    record(house, paying_shop, attempt, waits)
    path = portal(house, paying_shop)

    for _ in range(2):
        assert "https://bank.test/challenge" in page(house, f"{path}/pay")
        assert house.client().post(f"{path}/pay").status_code == 303
        with house.of(paying_shop) as session:
            row_id = second(house, paying_shop).id
            assert billing.prepare(session, paying_shop, row_id, initiator="customer") is None
    record(house, paying_shop, attempt, waits)
    assert kinds(house, paying_shop).count("payment_action_needed") == 1
    record(house, paying_shop, attempt, Closed())
    assert second(house, paying_shop).state == "exhausted"
    assert len(story.attempts(house, paying_shop)) == 2


@pytest.mark.parametrize("advice", ["01", "03", "21"])
def test_advice_that_forbids_a_try_ends_the_ladder_at_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, advice: str
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    record(
        house, paying_shop, prepared_second(house, paying_shop), Declined(Decline.FUNDS, "51", advice=advice)
    )

    assert second(house, paying_shop).state == "exhausted"
    assert story.attempts(house, paying_shop)[-1].advice == advice
    with house.of(paying_shop) as session:
        stopped = session.scalars(select(PaymentMethod)).one().stopped_for
    assert stopped == ("" if advice == "01" else "never")


def test_a_card_that_advises_to_wait_is_tried_when_it_says(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    give_another_card(house, paying_shop, gateway, "advice_27")
    house.travel(paying_shop, days=25, hours=12)

    row, refused = second(house, paying_shop), story.attempts(house, paying_shop)[-1]
    assert (row.state, refused.advice, refused.decline) == ("retry_wait", "27", "unknown")
    assert row.due_at is not None
    assert timedelta(days=4) <= row.due_at - refused.first_sent_at < timedelta(days=5)
    assert 8 <= row.due_at.astimezone(ZoneInfo("Europe/Paris")).hour < 20


def test_a_card_that_is_refused_for_good_is_stopped_for_every_plan_that_it_pays(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    story.begin_plan(house, paying_shop, gateway, number=20, email="bo@example.test")
    record(
        house,
        paying_shop,
        prepared_second(house, paying_shop),
        Declined(Decline.FRAUD, "59"),
    )
    house.rest(paying_shop)

    with house.of(paying_shop) as session:
        assert {(plan.state, plan.reason) for plan in session.scalars(select(Plan))} == {
            ("paused", "declined: fraud")
        }
        assert all(method.stopped_at for method in session.scalars(select(PaymentMethod)))
        other = session.scalars(select(Plan).order_by(Plan.created_at.desc())).first()
        path = story.link(house, paying_shop, "p", other.id)
    assert open_cases(house, paying_shop) == {"collection_exhausted", "card_stopped"}
    told = text_of(mails.to("bo@example.test")[-1]) + page(house, f"{path}/pay") + page(house, path)
    assert "autre carte" in told
    assert not re.search(r"fraud|soup[cç]on|suspici", told, re.IGNORECASE)
    assert 'action="' + f"{path}/pay" not in page(house, f"{path}/pay")
    house.travel(paying_shop, days=60)
    assert story.captured(house, paying_shop, gateway) == [3334, 3334]


def test_the_same_card_typed_again_is_refused_and_another_one_taken(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    refuse_second(house, paying_shop, gateway, "lost_card")
    give_another_card(house, paying_shop, gateway, "ok")
    assert second(house, paying_shop).state == "exhausted"

    give_another_card(house, paying_shop, gateway, "ok_mastercard")

    assert second(house, paying_shop).state == "paid"
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
    assert open_cases(house, paying_shop) == set()


def test_a_stopped_card_is_not_charged_even_where_its_plan_runs(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        vault.stop(session, session.scalars(select(PaymentMethod)).one(), "never")
    house.travel(paying_shop, days=26)

    assert story.captured(house, paying_shop, gateway) == [3334]
    assert story.plan_of(house, paying_shop).state == "paused"


def test_a_charge_over_the_budget_of_its_card_waits_for_its_first_moment(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        session.execute(text("UPDATE shops SET visa_retries = 2 WHERE id = :shop"), {"shop": paying_shop.id})
    gateway.switch(next_decline="insufficient_funds", next_decline_count=2)
    house.travel(paying_shop, days=29)
    refused = [a.first_sent_at for a in story.attempts(house, paying_shop) if a.state == "declined"]
    row = second(house, paying_shop)
    assert (len(refused), row.state) == (2, "retry_wait")
    assert row.due_at is not None
    assert row.due_at >= refused[0] + timedelta(days=30)

    house.travel(paying_shop, days=31)
    assert story.captured(house, paying_shop, gateway) == [3334, 3333, 3333]
    paid = [a.first_sent_at for a in story.attempts(house, paying_shop)[3:]]
    assert all(at >= refused[0] + timedelta(days=30) for at in paid)


def test_a_card_that_the_network_renewed_pays_what_waited_for_it(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, site: str
) -> None:
    refuse_second(house, paying_shop, gateway, "expired_card")
    assert story.plan_of(house, paying_shop).reason == "declined: new_data"
    token = tokens(house, paying_shop)

    news(house, paying_shop, token, last4="9999", year=2041)
    house.travel(paying_shop, days=1)

    with house.of(paying_shop) as session:
        method = session.scalars(select(PaymentMethod)).one()
        assert (method.last4, method.expiry_year) == ("9999", 2041)
    assert second(house, paying_shop).state == "paid"
    assert "9999" in page(house, portal(house, paying_shop))


def test_a_card_that_the_network_closed_asks_for_another(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    news(house, paying_shop, "tok_of_somebody_else", closed=True)
    house.rest(paying_shop)
    assert story.plan_of(house, paying_shop).state == "active"

    news(house, paying_shop, tokens(house, paying_shop), closed=True)
    house.rest(paying_shop)

    assert story.plan_of(house, paying_shop).reason == "declined: closed"
    assert kinds(house, paying_shop)[-1] == "card_needed"
    give_another_card(house, paying_shop, gateway, "ok_mastercard")
    assert (story.plan_of(house, paying_shop).state, open_cases(house, paying_shop)) == ("active", set())


def tokens(house: TestHouse, shop: Shop) -> str:
    with house.of(shop) as session:
        return story.opened(session, session.scalars(select(PaymentMethod)).one()).token


def news(house: TestHouse, shop: Shop, token: str, **changes: Any) -> None:
    """The network says something of a card."""
    told = CardUpdated(
        token, changes.get("last4", ""), 12, changes.get("year", 2040), closed="closed" in changes
    )
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount.id)).one()
        notices.card_updated(session, shop, account, told)


@pytest.mark.parametrize("card", ["prepaid", "single_use"])
def test_a_card_that_is_good_for_one_payment_begins_no_plan(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, card: str
) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.accept(house, paying_shop, offer)
    story.give_card(house, paying_shop, gateway, path, card)
    with house.of(paying_shop) as session:
        assert session.scalars(select(Plan)).all() == []
    assert "Veuillez en donner une autre." in page(house, path)

    story.give_card(house, paying_shop, gateway, story.accept(house, paying_shop, offer), "ok")
    assert story.captured(house, paying_shop, gateway) == [3334]
