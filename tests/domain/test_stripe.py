"""The whole house over the fake Stripe: a real process, which keeps errors under their keys and tells of its payments by
signed callbacks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing, merchants
from plugin_backend.domain.billing import Dispute, Refund
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.worker import comparing
from tests import story
from tests.contract.stripe_fake.hooks import signature
from tests.contract.stripe_process import StripeProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox


@pytest.fixture(scope="module")
def stripe_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeProcess]:
    with StripeProcess(tmp_path_factory.mktemp("stripe") / "ledger.sqlite") as process:
        yield process


@pytest.fixture
def stripe(stripe_process: StripeProcess) -> StripeProcess:
    stripe_process.another_account()
    return stripe_process


@pytest.fixture
def lunas(house: TestHouse, stripe: StripeProcess, mails: Letterbox) -> Shop:
    return house.add_shop(
        gateway="stripe", account=stripe.settings(), name="Boutique Luna", contact="luna@shop.test"
    )


def begin(house: TestHouse, shop: Shop, stripe: StripeProcess, card: str = "paid") -> Plan:
    return story.begin_plan(house, shop, stripe, card)  # type: ignore[arg-type]


def captured(house: TestHouse, shop: Shop, stripe: StripeProcess) -> list[int]:
    return story.captured(house, shop, stripe)  # type: ignore[arg-type]


def cases(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return sorted(session.scalars(select(Case.kind).where(Case.state == "open")))


def call_back(house: TestHouse, shop: Shop, stripe: StripeProcess, kind: str) -> int:
    """Stripe's newest event of a kind, brought to the account's address as its endpoint would bring it: the answer."""
    events = stripe.api("GET", "events?limit=100")["data"]
    return bring(house, shop, stripe, next(event for event in events if event["type"] == kind))


def bring(house: TestHouse, shop: Shop, stripe: StripeProcess, event: dict[str, Any]) -> int:
    body = json.dumps(event).encode()
    with house.of(shop) as session:
        path = merchants.hook_path(session.scalars(select(GatewayAccount)).one().id, shop.id)
    headers = {
        "Stripe-Signature": signature(stripe.webhook_secret, body),
        "Content-Type": "application/json",
    }
    status = house.client().post(path, data=body, headers=headers).status_code
    house.rest(shop)
    return status


def test_a_hundred_in_three_is_taken_to_the_cent(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe)
    house.travel(lunas, days=70)

    assert captured(house, lunas, stripe) == [3334, 3333, 3333]
    assert story.states(house, lunas) == ["paid", "paid", "paid"]


def test_a_payment_whose_answer_is_lost_is_asked_about_by_its_id_and_not_made_again(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe)
    stripe.lose_the_answer()
    house.travel(lunas, days=32)

    assert captured(house, lunas, stripe) == [3334, 3333]
    assert story.states(house, lunas) == ["paid", "paid", "scheduled"]
    attempts = story.attempts(house, lunas)
    assert [attempt.number for attempt in attempts] == [1, 1]
    assert all(attempt.gateway_id.startswith("pi_") for attempt in attempts)


def test_an_error_that_is_kept_under_its_key_costs_minutes_and_no_attempt(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe)
    stripe.order(error_before=1)
    house.travel(lunas, days=33)

    assert captured(house, lunas, stripe) == [3334, 3333]
    assert [attempt.number for attempt in story.attempts(house, lunas)] == [1, 1]


def test_a_customer_whom_his_bank_wants_to_see_confirms_and_is_charged_once(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe, "requires_action")
    (attempt,) = story.attempts(house, lunas)
    assert attempt.state == "requires_action"
    stripe.decide(attempt.action_url, "approve")
    assert call_back(house, lunas, stripe, "payment_intent.succeeded") < 300
    house.travel(lunas, minutes=1)

    assert captured(house, lunas, stripe) == [3334]
    assert story.states(house, lunas)[0] == "paid"


def test_a_stolen_card_at_the_shops_own_checkout_takes_back_what_was_offered_for_it(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    order: dict[str, Any] = story.draft(19, status="failed")
    order["date_modified_gmt"] = clock.real_now().replace(tzinfo=None).isoformat(timespec="seconds")
    assert house.woo(lunas, "order.updated", order) == 200
    house.rest(lunas)
    payment = {
        "id": "pi_3AtTheCheckout",
        "object": "payment_intent",
        "metadata": {"order_id": "19", "site_url": "https://shop.test"},
        "last_payment_error": {"code": "card_declined", "decline_code": "stolen_card"},
        "status": "requires_payment_method",
    }
    event = {
        "id": "evt_1AtTheCheckout",
        "type": "payment_intent.payment_failed",
        "created": int(clock.real_now().timestamp()) - 5,
        "livemode": False,
        "data": {"object": payment},
    }
    with house.of(lunas) as session:
        assert session.scalars(select(Offer.state)).all() == ["open"]

    assert bring(house, lunas, stripe, event) == 200

    with house.of(lunas) as session:
        cart = session.scalars(select(Cart)).one()
        assert (cart.decline, cart.barred) == ("fraud", True)
        assert "open" not in session.scalars(select(Offer.state)).all()


def test_a_callback_of_the_other_mode_changes_nothing_and_is_said_on_the_accounts_page(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe, "requires_action")
    (attempt,) = story.attempts(house, lunas)
    event = next(it for it in stripe.api("GET", "events?limit=100")["data"] if it["type"].startswith("pay"))
    event["data"]["object"] |= {"status": "succeeded", "amount_received": 3334}
    assert bring(house, lunas, stripe, event | {"id": "evt_1Live", "livemode": True}) == 200

    assert story.attempts(house, lunas)[0].state == attempt.state == "requires_action"
    with house.of(lunas) as session:
        account = session.scalars(select(GatewayAccount)).one()
        assert [flaw["reason"] for flaw in account.flaws] == ["misdirected"]
        rows = [row for row in session.scalars(select(DeliveryRow)) if row.source == account.id]
        assert [(row.state, row.dropped) for row in rows] == [("ignored", None)]


def test_a_dispute_finds_its_payment_though_it_does_not_carry_our_reference(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe)
    (attempt,) = story.attempts(house, lunas)
    stripe.do("dispute", intent=attempt.gateway_id, status="needs_response")
    call_back(house, lunas, stripe, "charge.dispute.created")

    with house.of(lunas) as session:
        assert session.scalars(select(Dispute.state)).all() == ["open"]
    assert "dispute_open" in cases(house, lunas)


def test_a_refund_that_fails_after_it_succeeded_is_shown_to_a_person(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    plan = begin(house, lunas, stripe)
    with house.of(lunas) as session:
        billing.give_back(session, lunas, plan.id)
    house.rest(lunas)
    with house.of(lunas) as session:
        refund = session.scalars(select(Refund)).one()
        assert refund.state == "succeeded"
        name = refund.gateway_id
    stripe.do("end_refund", refund=name, status="failed")
    call_back(house, lunas, stripe, "refund.failed")
    house.rest(lunas)

    with house.of(lunas) as session:
        assert session.scalars(select(Refund.state)).first() == "reversed"
    assert "refund_reversed" in cases(house, lunas)


def test_the_nightly_list_agrees_with_the_books_of_a_shop_whose_clock_stands_ahead(
    house: TestHouse, lunas: Shop, stripe: StripeProcess
) -> None:
    begin(house, lunas, stripe)
    house.travel(lunas, days=32)
    with house.of(lunas) as session:
        account_id = session.scalars(select(GatewayAccount)).one().id
    with house.worker.app_context(), house.in_time(lunas):
        kept = comparing.compare_account(lunas, account_id, days=60)

    assert kept.state == "agrees", kept.found


def test_the_probe_of_an_account_in_test_mode_passes(
    house: TestHouse, stripe: StripeProcess, mails: Letterbox
) -> None:
    shop = house.add_shop(
        gateway="stripe",
        account=stripe.settings(),
        probed=False,
        name="Boutique Luna",
        contact="luna@shop.test",
    )
    house.rest(shop)
    house.travel(shop, minutes=10)

    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        assert (account.state, account.reason) == ("passed", "")
