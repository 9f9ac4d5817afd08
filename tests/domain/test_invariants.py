"""Every invariant finds what it is there to find: each is broken by hand, past triggers and roles, and reported."""

from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.orm import Session

from plugin_backend.domain import (
    billing,
    carts,
    cases,
    enrolments,
    handovers,
    hook_secrets,
    inquiries,
    invariants,
    moves,
    optins,
)
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.recalls import Recall
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as shop_sdk
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.house import TestHouse

# What breaks each. ``:shop`` is the shop, ``:paid`` its collection that was paid, ``:refused`` the one that was refused,
# ``:open`` the one whose attempt is pending, ``:ended`` the plan that was cancelled, ``:kept`` the open offer, ``:forgotten`` a
# customer who was forgotten.
BREAKS: dict[str, list[str]] = {
    "a journal does not sum to zero": [
        "UPDATE postings SET amount = amount + 1 WHERE shop_id = :shop AND account = 'gateway'"
    ],
    "a captured attempt is not in the books exactly once": ["DELETE FROM journals WHERE shop_id = :shop"],
    "a collection was captured more than once, or is paid without a capture": [
        "UPDATE collections SET state = 'paid' WHERE id = :refused"
    ],
    "a plan took more than was agreed": [
        "UPDATE attempts SET amount = amount + 10000 WHERE collection_id = :paid AND state = 'succeeded'"
    ],
    "the parts of an instalment plan do not sum to what was agreed less what was credited": [
        "UPDATE collections SET amount = amount - 1 WHERE id = :paid"
    ],
    "an open refund has no timer": ["UPDATE refunds SET due_at = NULL WHERE shop_id = :shop"],
    "more is given back than was captured": ["UPDATE refunds SET amount = amount + 1 WHERE shop_id = :shop"],
    "a refund gives back nothing, or two things": [
        "UPDATE refunds SET attempt_id = NULL WHERE shop_id = :shop"
    ],
    "a stray is not in the books exactly once": [
        "DELETE FROM journals WHERE shop_id = :shop AND kind = 'unexpected_capture'"
    ],
    "a refund is not in the books exactly once": [
        "UPDATE refunds SET state = 'succeeded' WHERE shop_id = :shop"
    ],
    "a refund that failed later is not booked back exactly once": [
        "UPDATE refunds SET state = 'reversed' WHERE shop_id = :shop"
    ],
    "a refund was sent and nothing says when": ["UPDATE refunds SET state = 'sent' WHERE shop_id = :shop"],
    "a collection of nothing is still collected": ["UPDATE collections SET amount = 0 WHERE id = :refused"],
    "a credit note does not say where its amount came from": [
        "UPDATE credit_notes SET amount = amount + 1 WHERE shop_id = :shop"
    ],
    "a credit note gives back what no refund was begun for": [
        "DELETE FROM refunds WHERE shop_id = :shop AND credit_id <> ''"
    ],
    "a dispute is not in the books as it stands": [
        "DELETE FROM journals WHERE kind = 'chargeback' AND shop_id = :shop"
    ],
    "a collection and the disputes of its payment do not agree": [
        "UPDATE disputes SET state = 'won' WHERE shop_id = :shop"
    ],
    "an open dispute is shown to nobody": [
        "DELETE FROM cases WHERE kind = 'dispute_open' AND shop_id = :shop"
    ],
    "an account under probe has no timer": [
        "UPDATE gateway_accounts SET state = 'waiting', due_at = NULL WHERE shop_id = :shop"
    ],
    "an open attempt has no timer": ["UPDATE attempts SET due_at = NULL WHERE collection_id = :open"],
    "an attempt was begun after its plan had ended": [
        "UPDATE plans SET ended_at = '2020-01-01' WHERE shop_id = :shop AND id ="
        " (SELECT plan_id FROM collections WHERE id = :paid)"
    ],
    "a collection's state and its attempt's do not agree": [
        "UPDATE attempts SET state = 'declined' WHERE collection_id = :open"
    ],
    "a collection is forgotten: it waits for neither a moment, a plan's timer, an attempt, nor a person": [
        "UPDATE collections SET due_at = NULL WHERE id = :refused"
    ],
    "an exhausted collection is shown to nobody": [
        "UPDATE collections SET state = 'exhausted' WHERE id = :refused"
    ],
    "a pending plan has no timer": [
        "UPDATE plans SET state = 'pending', due_at = NULL WHERE shop_id = :shop"
    ],
    "a plan that has ended is still collected": [
        "UPDATE collections SET state = 'due' WHERE plan_id = :ended"
    ],
    "a customer has two open offers": [
        "DROP INDEX uq_offers_one_open",
        "UPDATE offers SET state = 'open', customer_id ="
        " (SELECT customer_id FROM offers WHERE id = :kept) WHERE shop_id = :shop",
    ],
    "a basket has two open offers": [
        "DROP INDEX uq_offers_one_open_of_cart",
        "UPDATE offers SET state = 'open', cart_id = (SELECT cart_id FROM offers WHERE id = :kept) WHERE shop_id = :shop",
    ],
    "an offer is being accepted by nobody": [
        "UPDATE offers SET customer_id = NULL WHERE shop_id = :shop AND state = 'accepted'"
    ],
    "a basket that was refused for fraud has an open offer": [
        "UPDATE carts SET barred = true WHERE id = (SELECT cart_id FROM offers WHERE id = :kept)"
    ],
    "an inquiry or an opt-in waits for nothing": ["UPDATE inquiries SET due_at = NULL WHERE shop_id = :shop"],
    "an offer became two plans": [
        "ALTER TABLE plans DROP CONSTRAINT uq_plans_shop_id_offer_id",
        "UPDATE plans SET offer_id = (SELECT offer_id FROM plans WHERE id = :ended) WHERE shop_id = :shop",
    ],
    "a plan has no mandate": ["DELETE FROM mandates WHERE plan_id = :ended"],
    "an open offer has no end": ["UPDATE offers SET due_at = NULL WHERE id = :kept"],
    "an offer is being accepted and no card is being taken": [
        "UPDATE offers SET state = 'accepting' WHERE id = :kept"
    ],
    "a cart that nobody has judged has no timer": [
        "UPDATE carts SET due_at = NULL WHERE shop_id = :shop AND state = 'active'"
    ],
    "a delivery was kept twice": [
        "ALTER TABLE deliveries DROP CONSTRAINT uq_deliveries_shop_id_source_identity",
        "UPDATE deliveries SET identity = 'same' WHERE shop_id = :shop",
    ],
    "a delivery waits for nothing": [
        "UPDATE deliveries SET state = 'received', due_at = NULL WHERE shop_id = :shop"
    ],
    "what a gateway said is still there although it was read": [
        "UPDATE deliveries SET dropped = 'x', state = 'read', due_at = NULL WHERE shop_id = :shop"
    ],
    "what a gateway said is there for all to read": [
        "UPDATE deliveries d SET body = 'x', source = a.id FROM gateway_accounts a WHERE d.shop_id = :shop"
        " AND a.shop_id = :shop"
    ],
    "a shop has a gateway account and no intake": [
        "UPDATE vault_keys SET public = NULL WHERE shop_id = :shop"
    ],
    "something to tell waits for nothing": [
        "UPDATE outbox SET due_at = NULL WHERE shop_id = :shop AND state = 'queued'"
    ],
    "a message waits without a place in the outbox": [
        "DELETE FROM outbox WHERE shop_id = :shop AND kind = 'mail'"
    ],
    "a card was charged and the vault's log does not say that it was opened": [
        "DELETE FROM vault_audit WHERE shop_id = :shop AND purpose = 'charge'"
    ],
    "the vault's log does not end where its head says": [
        "DELETE FROM vault_audit WHERE shop_id = :shop AND seq > 3"
    ],
    "a destroyed key has its bytes, or another has none": [
        "UPDATE vault_keys SET wrapped = '\\x00' WHERE shop_id = :shop AND state = 'destroyed'"
    ],
    "a shredded erasure left a sealed token": [
        "UPDATE payment_methods SET sealed = '\\x00' WHERE customer_id = :forgotten"
    ],
    "a shredded erasure left no tombstone": ["DELETE FROM tombstones WHERE shop_id = :shop"],
    "an erasure waits for nothing": ["UPDATE erasures SET state = 'asked' WHERE shop_id = :shop"],
    "a frozen customer has a running plan, or an open offer": [
        "UPDATE plans SET state = 'active' WHERE customer_id = :forgotten"
    ],
    "a token that is kept has no timer": ["UPDATE payment_methods SET due_at = NULL WHERE shop_id = :shop"],
    "a row that waits for nothing is still taken": [
        "UPDATE collections SET taken = true WHERE shop_id = :shop AND due_at IS NULL"
    ],
    "a hand-over that is not the owner's turn waits for nothing": [
        "UPDATE handovers SET state = 'waiting', due_at = NULL WHERE shop_id = :shop"
    ],
    "the settings of an account are being tried by nobody": [
        "UPDATE enrolments SET state = 'brought', due_at = NULL WHERE shop_id = :shop"
    ],
    "a plan is charged with another account than its own": [
        "UPDATE plans SET account_id = 'gwa_elsewhere' WHERE shop_id = :shop"
    ],
    "a look for the card of an earlier order waits for nothing": [
        "UPDATE recalls SET state = 'asked', due_at = NULL WHERE shop_id = :shop"
    ],
    "keys that were tried are still there as they came": [
        "UPDATE handovers SET brought = 'x' WHERE shop_id = :shop"
    ],
    "a webhook secret on its way waits for nothing": [
        "UPDATE hook_secrets SET due_at = NULL WHERE shop_id = :shop"
    ],
    "a shop is connected and its connection is not there": ["DELETE FROM connections WHERE shop_id = :shop"],
}
TABLES = invariants._TABLES


@pytest.fixture(scope="module")
def engine(postgres_admin_url: str, settings: object) -> Iterator[Engine]:
    """The superuser's way into the database of the house."""
    where = conninfo_to_dict(postgres_admin_url)
    query = {"host": str(where["host"]), "port": str(where["port"])}
    made = create_engine(
        URL.create("postgresql+psycopg", username=str(where["user"]), database="reprise", query=query)
    )
    yield made
    made.dispose()


@pytest.fixture
def facts(house: TestHouse) -> dict[str, str]:
    """A shop with something of everything, and the ids that the breaks speak of."""
    shop = plan_story.add_paying_shop(house)
    for number in (1, 2):
        house.woo(shop, "order.updated", b"[]", **{"X-WC-Webhook-Delivery-ID": str(number)})
    house.rest(shop)
    return {"shop": shop.id, **_live(house, shop)}


def _live(house: TestHouse, shop: Shop) -> dict[str, str]:
    with house.of(shop) as session:
        running, waiting, ended = (
            plan_story.accepted_plan(session, shop, Money(10000, "EUR"), f"{name}@example.test")
            for name in ("ana", "bob", "eva")
        )
        paid = plan_story.charged(session, shop, running.id, 1)
        refused = plan_story.charged(session, shop, running.id, 2, sdk.Declined(sdk.Decline.FUNDS))
        plan_story.charged(session, shop, waiting.id, 1)
        pending = plan_story.charged(session, shop, waiting.id, 2, sdk.Pending("gw_2"))
        plan_story.charged(session, shop, ended.id, 1)
        billing.stop(session, shop, ended.id, "cancelled", "by the customer")
        billing.give_back(session, shop, ended.id)
        credited = plan_story.accepted_plan(session, shop, Money(10000, "EUR"), "zoe@example.test")
        plan_story.charged(session, shop, credited.id, 1)
        plan_story.credited(session, shop, credited.id, Money(8000, "EUR"))
        disputed = plan_story.accepted_plan(session, shop, Money(10000, "EUR"), "max@example.test")
        plan_story.charged(session, shop, disputed.id, 1)
        plan_story.disputed(session, shop, disputed.id)
        forgotten = plan_story.forgotten(session, shop)
        kept = plan_story.open_offer(session, shop, Money(5000, "EUR"), "leo@example.test")
        basket = shop_sdk.CartChanged("order:1", Money(100, "EUR"), clock.now())
        carts.cart_changed(session, shop, basket, clock.now())
        cases.open_case(session, shop.id, "data_requested", shop.id)
        inquiries.ask(session, shop, ("order:2",), delivery_id=None, declined=False, locale="", visitor="v")
        optins.ask(session, shop, ("order:2",), "ida@example.test", locale="fr", visitor="v")
        plan_story.compared(session, shop)
        handovers.again(session, session.get_one(Shop, shop.id))
        enrolments.begin(session, session.get_one(Shop, shop.id), "sandbox")
        recalled(session, shop)
        hook_secrets.begin(session, shop, "another-secret")
        rows = {"paid": paid, "refused": refused, "open": pending, "ended": ended.id, "kept": kept.id}
        return {**rows, "forgotten": forgotten}


def reported(engine: Engine, facts: dict[str, str], statements: list[str]) -> list[str]:
    """What the invariants say after these statements, as the role of the house and about this shop alone; all of it is
    rolled back."""
    with engine.connect() as connection, Session(connection) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            session.execute(text(statement), facts)
        session.execute(text("SET LOCAL ROLE reprise_app"))
        session.execute(text("SELECT set_config('app.shop', :shop, true)"), facts)
        found = invariants.broken(session)
        session.rollback()
    return [line.partition(": ")[0] for line in found]


def test_every_invariant_has_its_break() -> None:
    assert set(BREAKS) == set(invariants.CHECKS)


def recalled(session: Session, shop: Shop) -> None:
    """The card of an earlier order was looked for."""
    offer_id = session.scalars(select(Offer.id).where(Offer.shop_id == shop.id)).first()
    row = Recall(shop_id=shop.id, offer_id=offer_id, account_id="gwa_1", order_key="order:7")
    row.rest(clock.now())
    moves.begin(session, row, "asked")


def test_a_healthy_shop_has_nothing_to_report(engine: Engine, facts: dict[str, str]) -> None:
    assert reported(engine, facts, []) == []


def test_every_invariant_that_is_broken_is_reported(engine: Engine, facts: dict[str, str]) -> None:
    silent = {
        sentence: found
        for sentence, statements in BREAKS.items()
        if sentence.partition(": ")[0] not in (found := reported(engine, facts, statements))
    }
    assert silent == {}


@pytest.mark.parametrize("noun", sorted(set(TABLES) - {"delivery"}))
def test_a_row_that_was_moved_by_hand_is_reported(engine: Engine, facts: dict[str, str], noun: str) -> None:
    sentence, table = f"a {noun} stands where no move led", TABLES[noun]
    some = f"(SELECT id FROM {table} WHERE shop_id = :shop LIMIT 1)"
    for by_hand in (
        f"UPDATE {table} SET state = 'elsewhere' WHERE id = {some}",
        f"DELETE FROM moves WHERE row_id = {some}",
        f"UPDATE moves SET after = 'elsewhere' WHERE row_id = {some}",
    ):
        assert sentence in reported(engine, facts, [by_hand]), by_hand


def test_another_shops_faults_are_not_this_shops(
    engine: Engine, facts: dict[str, str], house: TestHouse
) -> None:
    other = house.add_shop()
    statements = BREAKS["an open offer has no end"]
    assert reported(engine, facts, statements) == ["an open offer has no end"]
    with engine.connect() as connection, Session(connection) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statements[0]), facts)
        session.execute(text("SET LOCAL ROLE reprise_app"))
        session.execute(text("SELECT set_config('app.shop', :shop, true)"), {"shop": other.id})
        assert invariants.broken(session) == []
        session.rollback()
