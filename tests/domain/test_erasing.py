"""A customer who asks is forgotten: here and at the gateway, once, and not while his money is on its way."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import NoResultFound

from plugin_backend.core import due, ids
from plugin_backend.core.db import transaction
from plugin_backend.core.seal import SealError
from plugin_backend.domain import billing, consent, customers, erasing, vault
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure, NotNow, Tombstone
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.setups import Setup
from plugin_backend.domain.vault import PaymentMethod, VaultKey, keys, methods
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Person
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.money import Money
from tests import plan_story, story
from tests.contract.gateway_process import SandboxProcess
from tests.house import STANDARD_SECRET, TestHouse, command
from tests.letterbox import Letterbox

LAST_DAY = 51


def finished_plan(house: TestHouse, shop: Shop, gateway: SandboxProcess, **basket: Any) -> Plan:
    """A plan whose every payment arrived."""
    plan = story.begin_plan(house, shop, gateway, **basket)
    house.travel(shop, days=LAST_DAY)
    assert set(story.states(house, shop)) == {"paid"}
    return plan


def token_of(house: TestHouse, shop: Shop) -> str:
    with house.of(shop) as session:
        return story.opened(session, session.scalars(select(PaymentMethod)).one()).token


def begin(house: TestHouse, shop: Shop, *, who: str = story.EMAIL, **how: Any) -> Erasure:
    with house.of(shop) as session:
        customer = customers.find(session, shop.id, who)
        assert customer is not None
        return erasing.begin(session, shop, customer.id, cause=erasing.BY_HAND, asked_by="a test", **how)


def erasure(house: TestHouse, shop: Shop) -> Erasure:
    with house.of(shop) as session:
        return session.scalars(select(Erasure)).one()


def charge(gateway: SandboxProcess, token: str) -> tuple[int, dict[str, Any]]:
    """Charge a token past the house."""
    body = {
        "reference": "by-hand",
        "amount": {"amount": 100, "currency": "EUR"},
        "token": token,
        "initiator": "merchant",
        "series": "instalment",
        "description": "x",
        "collection": "x",
    }
    return gateway.api("POST", "/v1/charges", body, key="by-hand")


def everything_of(house: TestHouse, shop: Shop) -> str:
    """Every row of the shop but its stop list, as the database would dump it."""
    with house.of(shop) as session:
        tables = session.scalars(
            text(
                "SELECT table_name FROM information_schema.columns JOIN pg_tables ON tablename = table_name"
                " WHERE column_name = 'shop_id' AND table_schema = 'public'"
            )
        ).all()
        rows = [
            row
            for table in set(tables) - {"suppressions"}
            for row in session.scalars(
                text(f"SELECT to_jsonb(t)::text FROM {table} t WHERE shop_id = :shop"), {"shop": shop.id}
            )
        ]
    return "\n".join(rows)


def test_a_customer_is_forgotten_here_and_at_the_gateway(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    token = token_of(house, paying_shop)
    before = everything_of(house, paying_shop)
    assert story.EMAIL in before
    assert "Ruiz" in before

    begin(house, paying_shop)
    house.rest(paying_shop)

    left = everything_of(house, paying_shop)
    for personal in (story.EMAIL, story.EMAIL.encode().hex(), "Ana", "Ruiz", "Lamp"):
        assert personal not in left, personal
    with house.of(paying_shop) as session:
        method = session.scalars(select(PaymentMethod)).one()
        key = session.scalars(select(VaultKey).where(VaultKey.kind == keys.CUSTOMER)).one()
        assert (key.state, key.wrapped, method.sealed) == ("destroyed", None, None)
        assert (method.brand, method.last4) == ("visa", "4242")
        stone = session.scalars(select(Tombstone)).one()
        assert (stone.methods, stone.keys, stone.whole) == ([method.id], [key.id], True)
        assert (stone.cause, stone.asked_by) == ("by_hand", "a test")
        with pytest.raises(SealError):
            keys.by_id(session, paying_shop.id, ids.raw(key.id))
    assert erasure(house, paying_shop).state == "shredded"
    assert charge(gateway, token)[1]["error"]["code"] == "unknown_token"
    assert story.captured(house, paying_shop, gateway) == [3334, 3333, 3333]


def test_what_the_shop_sent_about_him_is_forgotten_however_it_wrote_his_address(
    house: TestHouse, paying_shop: Shop
) -> None:
    story.leave_basket(house, paying_shop, email="Ana@Example.TEST")
    with house.of(paying_shop) as session:
        assert [row.body is None for row in session.scalars(select(DeliveryRow))] == [False, False]
    begin(house, paying_shop)
    house.rest(paying_shop)
    with house.of(paying_shop) as session:
        assert [row.body is None for row in session.scalars(select(DeliveryRow))] == [True, True]


def test_asking_twice_changes_nothing(house: TestHouse, paying_shop: Shop, gateway: SandboxProcess) -> None:
    plan = finished_plan(house, paying_shop, gateway)
    first = begin(house, paying_shop)
    assert begin(house, paying_shop).id == first.id
    house.rest(paying_shop)
    before = everything_of(house, paying_shop)

    assert begin(house, paying_shop, who=plan.customer_id).id == first.id
    house.rest(paying_shop)

    assert everything_of(house, paying_shop) == before
    with house.of(paying_shop) as session:
        assert customers.find(session, paying_shop.id, story.EMAIL) is None


def test_who_comes_back_is_another_customer_with_a_key_of_his_own(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    before = finished_plan(house, paying_shop, gateway)
    begin(house, paying_shop)
    house.rest(paying_shop)

    after = story.begin_plan(house, paying_shop, gateway, number=77)

    assert after.customer_id != before.customer_id
    assert after.state == "active"
    with house.of(paying_shop) as session:
        owned = session.scalars(select(VaultKey).where(VaultKey.kind == keys.CUSTOMER).order_by(VaultKey.id))
        assert [(key.owner_id, key.state) for key in owned] == [
            (before.customer_id, "destroyed"),
            (after.customer_id, "active"),
        ]


def test_while_a_plan_runs_nobody_is_forgotten_unless_it_is_cancelled_first(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with pytest.raises(NotNow, match="plan of this customer is running"):
        begin(house, paying_shop)

    begin(house, paying_shop, cancel_plans=True)
    house.rest(paying_shop)

    assert story.plan_of(house, paying_shop).state == "cancelled"
    assert story.states(house, paying_shop) == ["paid", "void", "void"]
    assert erasure(house, paying_shop).state == "shredded"


def test_while_a_payment_is_in_doubt_nobody_is_forgotten(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    gateway.switch(down="drop")
    house.travel(paying_shop, days=26)
    assert story.states(house, paying_shop)[1] == "in_doubt"
    before = everything_of(house, paying_shop)

    with pytest.raises(NotNow) as refused:
        begin(house, paying_shop, cancel_plans=True)

    assert refused.value.why == "charge_open"
    assert everything_of(house, paying_shop) == before
    gateway.switch(down="")
    house.travel(paying_shop, days=1)
    begin(house, paying_shop, cancel_plans=True)
    house.rest(paying_shop)
    assert story.plan_of(house, paying_shop).id == plan.id
    assert erasure(house, paying_shop).state == "shredded"


def test_while_a_refund_is_on_its_way_nobody_is_forgotten(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        billing.stop(session, paying_shop, plan.id, "withdrawn", "by the customer")
        billing.give_back(session, paying_shop, plan.id)
    with pytest.raises(NotNow) as refused:
        begin(house, paying_shop)
    assert refused.value.why == "refund_open"
    house.rest(paying_shop)
    begin(house, paying_shop)


def test_a_gateway_that_is_down_is_asked_for_a_day_then_it_is_forgotten_all_the_same(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    token = token_of(house, paying_shop)
    gateway.switch(down="503")
    begin(house, paying_shop)
    house.travel(paying_shop, hours=23)
    waiting = erasure(house, paying_shop)
    assert (waiting.state, waiting.reason) == ("in_doubt", "gateway_unreachable")
    assert waiting.tries > 5
    assert token_of(house, paying_shop) == token

    house.travel(paying_shop, hours=2)

    assert (erasure(house, paying_shop).state, erasure(house, paying_shop).reason) == (
        "shredded",
        "no answer for a day",
    )
    with house.of(paying_shop) as session:
        (case,) = session.scalars(select(Case).where(Case.kind == "not_detached"))
        (method,) = session.scalars(select(PaymentMethod))
        assert method.sealed is None
        assert list(case.facts["methods"]) == [method.id]
        assert token not in json.dumps(case.facts)
    tries = erasure(house, paying_shop).tries
    house.travel(paying_shop, days=3)
    assert erasure(house, paying_shop).tries == tries


def test_a_gateway_that_comes_back_in_time_has_forgotten_too(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    token = token_of(house, paying_shop)
    gateway.switch(down="503")
    begin(house, paying_shop)
    house.travel(paying_shop, hours=2)
    gateway.switch(down="")
    house.travel(paying_shop, hours=7)

    assert erasure(house, paying_shop).reason == "detached"
    assert charge(gateway, token)[1]["error"]["code"] == "unknown_token"
    with house.of(paying_shop) as session:
        assert session.scalars(select(Case).where(Case.kind == "not_detached")).all() == []


def test_a_worker_that_dies_after_it_asked_is_followed_by_one_that_asks_again(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    row = begin(house, paying_shop)
    for _ in range(2):
        with house.worker.app_context(), house.in_time(paying_shop):
            with transaction(paying_shop.id) as session:
                session.get_one(Erasure, (paying_shop.id, row.id)).rest(clock.now())
            with transaction(paying_shop.id) as session:
                assert due.take(session, Erasure, paying_shop.id) == [row.id]
            with transaction(paying_shop.id) as session:
                asked = erasing.prepare(session, paying_shop, row.id)
            assert asked is not None
            assert len(asked.detachments) == 1
            assert erasing.ask(asked) == {}
    with house.of(paying_shop) as session:
        erasing.record(session, paying_shop, row.id, {})
        erasing.record(session, paying_shop, row.id, {"pm_x": "late, of another worker"})
    house.rest(paying_shop)

    with house.of(paying_shop) as session:
        assert len(session.scalars(select(Tombstone)).all()) == 1
    assert erasure(house, paying_shop).state == "shredded"


def test_a_token_that_the_gateway_never_knew_counts_as_forgotten(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    finished_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        (method,) = session.scalars(select(PaymentMethod))
        method.sealed = vault.seal(
            session, methods.place_of(method), methods.plain(vault.Opened("tok_of_nobody", "", ""))
        )
    begin(house, paying_shop)
    house.rest(paying_shop)
    assert erasure(house, paying_shop).reason == "detached"


@pytest.mark.parametrize(("status", "counts"), [(404, True), (410, True), (401, False), (500, False)])
def test_what_a_gateway_answers_where_it_knows_no_such_token_is_no_error(status: int, counts: bool) -> None:
    class Gateway:
        def detach(self, token: str) -> None:
            raise Refused("no", status=status)

    gateway: Any = Gateway()
    if counts:
        erasing.detach(gateway, "tok")
    else:
        with pytest.raises(Refused):
            erasing.detach(gateway, "tok")


def test_of_a_frozen_customer_nothing_new_begins(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    finished_plan(house, paying_shop, gateway)
    gateway.switch(down="503")
    begin(house, paying_shop)
    house.rest(paying_shop)
    mails.messages.clear()

    offer = story.leave_basket(house, paying_shop, 80)

    assert (offer.state, offer.reason) == ("not_sent", "being_forgotten")
    assert mails.messages == []
    gateway.switch(down="")
    house.travel(paying_shop, hours=25)
    assert erasure(house, paying_shop).reason == "detached"
    assert story.EMAIL not in everything_of(house, paying_shop)


def test_an_offer_that_is_open_when_its_customer_is_forgotten_is_withdrawn_with_its_mail(
    house: TestHouse, paying_shop: Shop, mails: Letterbox
) -> None:
    with house.of(paying_shop) as session:
        offer = plan_story.open_offer(session, paying_shop, Money(10000, "EUR"), story.EMAIL)
    path = story.link(house, paying_shop, "o", offer.id)
    begin(house, paying_shop)
    assert house.client().get(path).status_code == 410
    house.rest(paying_shop)

    assert mails.messages == []
    with house.of(paying_shop) as session:
        assert session.scalars(select(Message.state)).all() == ["suppressed"]
    assert house.client().get(path).status_code == 404
    with house.of(paying_shop) as session:
        assert session.scalars(select(Offer)).one().state == "withdrawn"


def test_a_card_that_is_given_while_its_customer_is_being_forgotten_is_kept_nowhere(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    path = story.accept(house, paying_shop, story.leave_basket(house, paying_shop))
    page = house.client().get(path).headers["Location"]
    gateway.type_card(page, "ok")
    begin(house, paying_shop)
    with house.of(paying_shop) as session:
        setup = session.scalars(select(Setup)).one()
    house.travel(paying_shop, hours=3)

    with house.of(paying_shop) as session:
        assert session.scalars(select(PaymentMethod)).all() == []
        assert session.scalars(select(Plan)).all() == []
        assert session.scalars(select(Setup.reason)).one() == "being_forgotten"
    token = gateway.api("GET", f"/v1/setups/{setup.id}")[1]["card"]["token"]
    assert charge(gateway, token)[1]["error"]["code"] == "unknown_token"


def test_nobody_is_forgotten_from_another_shop(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = finished_plan(house, paying_shop, gateway)
    other = house.add_shop()
    with house.of(other) as session:
        assert customers.find(session, other.id, plan.customer_id) is None
        assert customers.find(session, other.id, story.EMAIL) is None
        assert session.get(Customer, (paying_shop.id, plan.customer_id)) is None
        with pytest.raises(NoResultFound):
            erasing.begin(session, other, plan.customer_id, cause="by_hand", asked_by="a test")
    house.rest(paying_shop)
    with house.of(paying_shop) as session:
        assert session.scalars(select(Erasure)).all() == []
        assert session.scalars(select(Customer)).one().frozen_at is None


def test_of_an_acceptance_and_an_erasure_at_once_one_comes_first_and_both_hold(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    for number in range(4):
        email = f"eva{number}@example.test"
        offer = story.leave_basket(house, paying_shop, 30 + number, email=email)
        path = story.link(house, paying_shop, "o", offer.id)
        form = {
            "terms": story.terms_on(house.client().get(path).get_data(as_text=True)),
            "country": "FR",
            "mandate": "yes",
        }
        at_once = threading.Barrier(2)

        def accept(
            path: str = path, form: dict[str, str] = form, at_once: threading.Barrier = at_once
        ) -> None:
            at_once.wait()
            house.client().post(f"{path}/accept", data=form)

        thread = threading.Thread(target=accept)
        thread.start()
        at_once.wait()
        begin(house, paying_shop, who=email)
        thread.join()
        house.rest(paying_shop)
        with house.of(paying_shop) as session:
            assert session.get_one(Offer, (paying_shop.id, offer.id)).state == "withdrawn"
            assert session.scalars(select(Plan)).all() == []
    house.travel(paying_shop, hours=3)


def test_a_platform_that_passes_the_wish_on_has_it_done_at_once(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    shop = house.add_shop("custom", settings={"secret": STANDARD_SECRET}, sandbox=gateway.settings())
    known(house, shop, "ana@example.test")
    redact(house, shop, "ana@example.test")

    assert erasure(house, shop).state == "shredded"
    assert erasure(house, shop).cause == "platform"
    with house.of(shop) as session:
        assert session.scalars(select(Case).where(Case.kind == "customer_redacted")).all() == []
        assert consent.suppressed(session, shop.id, "ana@example.test")
    assert "ana@example.test" not in everything_of(house, shop)


def test_a_platform_that_passes_the_wish_on_while_a_plan_runs_asks_a_person(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    shop = house.add_shop("custom", settings={"secret": STANDARD_SECRET}, sandbox=gateway.settings())
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(10000, "EUR"))
        plan_story.charged(session, shop, plan.id, 1)
    redact(house, shop, "ana@example.test")
    with house.of(shop) as session:
        (case,) = session.scalars(select(Case).where(Case.kind == "customer_redacted"))
        assert (case.subject, case.facts["reason"]) == (plan.customer_id, "plan_running")
        assert session.scalars(select(Erasure)).all() == []

    begin(house, shop, who="ana@example.test", cancel_plans=True)

    with house.of(shop) as session:
        assert session.scalars(select(Case.state).where(Case.kind == "customer_redacted")).all() == [
            "resolved"
        ]


def known(house: TestHouse, shop: Shop, email: str) -> None:
    with house.of(shop) as session:
        customers.meet(session, shop.id, Person(email=email, name="Ana"))


def redact(house: TestHouse, shop: Shop, email: str) -> None:
    sent = {"type": "customer.redacted", "timestamp": clock.real_now().isoformat(), "data": {"email": email}}
    assert house.standard(shop, sent, delivery="msg_redact") == 200
    house.rest(shop)


def test_the_command_forgets_and_shows_what_became_of_it(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    erase = ("customers", "erase", story.EMAIL, "--shop", paying_shop.id)

    refused = command(house.settings, *erase)
    assert refused.returncode == 1
    assert refused.stderr == "reprise: A plan of this customer is running: it must be cancelled first\n"
    done = command(house.settings, *erase, "--cancel-plans", "--json")
    assert done.returncode == 0, done.stderr
    begun = json.loads(done.stdout)
    house.rest(paying_shop)

    listed = json.loads(command(house.settings, "erasures", "list", "--shop", paying_shop.id).stdout)
    assert [(row["id"], row["state"], row["reason"]) for row in listed] == [
        (begun["id"], "shredded", "detached")
    ]
    shown = json.loads(
        command(house.settings, "erasures", "show", begun["id"], "--shop", paying_shop.id).stdout
    )
    assert [move["after"] for move in shown["history"]] == ["asked", "shredded"]
    unknown = command(house.settings, *erase)
    assert unknown.returncode == 1
    assert "has no customer" in unknown.stderr
