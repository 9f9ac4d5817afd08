"""What a gateway says lies sealed until a worker reads it, and is gone when it was read."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import select

from plugin_backend.core import ids
from plugin_backend.core.db import transaction
from plugin_backend.core.seal import SealError, drops
from plugin_backend.domain import inbox, onboarding, vault
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.vault import VaultKey, keys, retiring, rotation, standing
from plugin_backend.domain.vault.standing import Standing
from plugin_backend.gateways.sandbox.gateway import Sandbox
from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Delivery
from tests import plan_story, vault_story
from tests.house import TestHouse

TOKEN = "tok_canary_of_the_callback"
NEWS = {
    "type": "card.updated",
    "data": {"token": TOKEN, "last4": "4444", "expiry_month": 11, "expiry_year": 2031, "closed": False},
}


@pytest.fixture
def paying(house: TestHouse) -> Shop:
    return plan_story.add_paying_shop(house)


def account_of(house: TestHouse, shop: Shop) -> GatewayAccount:
    with house.of(shop) as session:
        return session.scalars(select(GatewayAccount)).one()


def calls(house: TestHouse, shop: Shop, told: Any = NEWS, **headers: str) -> int:
    """The gateway calls; the status it is answered with."""
    account = account_of(house, shop)
    return house.callback(
        shop, account.id, plan_story.ACCOUNT["api_key"], told, query=f"also={TOKEN}", **headers
    )


def public_of(house: TestHouse, shop: Shop, **put: bytes | None) -> bytes | None:
    """The public half of the shop's pair as it lies there; another one may be put in its place."""
    with house.of(shop) as session:
        row = session.scalars(select(VaultKey).where(VaultKey.kind == keys.INTAKE)).one()
        before, row.public = row.public, put.get("put", row.public)
        return before


def said(house: TestHouse, shop: Shop) -> list[DeliveryRow]:
    with house.of(shop) as session:
        return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


def unreadable(house: TestHouse, shop: Shop) -> DeliveryRow:
    """A callback that the adapter could not read."""
    assert calls(house, shop, {"type": "charge.made", "data": {"token": TOKEN}}) == 200
    house.rest(shop)
    (row,) = said(house, shop)
    assert row.state == "unreadable"
    assert row.dropped is not None
    return row


def test_what_a_gateway_says_is_kept_for_workers_only(house: TestHouse, paying: Shop) -> None:
    assert calls(house, paying, **{"X-Secret": TOKEN}) == 200
    (row,) = said(house, paying)
    assert (row.headers, row.query, row.body) == ({}, "", None)
    assert row.dropped is not None
    assert TOKEN.encode() not in row.dropped
    with house.of(paying) as session:
        delivery = inbox.as_delivery(session, row)
    assert json.loads(delivery.body) == NEWS
    assert (delivery.header("x-secret"), delivery.query) == (TOKEN, f"also={TOKEN}")
    with house.web.app_context(), transaction(paying.id) as session, pytest.raises(SealError):
        inbox.as_delivery(session, row)


def test_nothing_in_the_database_tells_what_was_said(
    house: TestHouse, paying: Shop, postgres_admin_url: str
) -> None:
    """Not even to who guesses it: no hash of it is kept that could be compared with that of a guess."""
    assert calls(house, paying) == 200
    with house.worker.app_context():
        identity = Sandbox({"api_key": "k"}, None).identify(  # type: ignore[arg-type]
            Delivery({}, json.dumps(NEWS).encode(), clock.real_now())
        )
    with psycopg.connect(make_conninfo(postgres_admin_url, dbname="reprise")) as admin:
        rows = [str(row) for (row,) in admin.execute("SELECT t::text FROM deliveries t")]
    for told in (TOKEN, TOKEN.encode().hex(), identity):
        assert not any(told in row for row in rows)


def test_a_callback_sent_again_is_kept_once(house: TestHouse, paying: Shop) -> None:
    assert [calls(house, paying), calls(house, paying), calls(house, paying, {**NEWS, "more": 1})] == [
        200
    ] * 3
    assert len(said(house, paying)) == 2


@pytest.mark.parametrize(
    ("told", "state"),
    [(NEWS, "read"), ({"type": "payout.made", "data": {"reference": "r", "id": "i"}}, "ignored")],
)
def test_it_is_forgotten_when_it_was_read(house: TestHouse, paying: Shop, told: Any, state: str) -> None:
    assert calls(house, paying, told) == 200
    house.rest(paying)
    (row,) = said(house, paying)
    assert (row.state, row.dropped, row.topic) == (state, None, told["type"])
    with house.of(paying) as session, pytest.raises(ValueError, match="purged"):
        inbox.replay(session, session.get_one(DeliveryRow, (paying.id, row.id)), clock.now())


def test_what_could_not_be_read_is_read_again_once_the_reader_can(
    house: TestHouse, paying: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = unreadable(house, paying)
    monkeypatch.setattr(Sandbox, "parse", lambda self, delivery: [])
    with house.of(paying) as session:
        inbox.replay(session, session.get_one(DeliveryRow, (paying.id, row.id)), clock.now())
    house.rest(paying)
    (row,) = said(house, paying)
    assert (row.state, row.dropped) == ("ignored", None)


def test_what_could_not_be_read_is_forgotten_with_any_customer(house: TestHouse, paying: Shop) -> None:
    """Whose it is cannot be looked for. What still waits to be read is left to its reader."""
    unreadable(house, paying)
    assert calls(house, paying) == 200
    with house.of(paying) as session:
        inbox.forget(session, paying.id, ("ana@example.test",))
    old, waiting = said(house, paying)
    assert old.dropped is None
    assert waiting.dropped is not None


def test_bodies_that_could_not_be_read_are_purged_after_thirty_days(house: TestHouse, paying: Shop) -> None:
    unreadable(house, paying)
    for days, there in ((29, True), (31, False)):
        with house.of(paying) as session:
            inbox.purge_bodies(session, paying.id, clock.real_now() + timedelta(days=days))
        assert (said(house, paying)[0].dropped is not None) == there


def test_what_one_delivery_said_is_not_taken_for_another(house: TestHouse, paying: Shop) -> None:
    assert calls(house, paying) == calls(house, paying, {**NEWS, "more": 1}) == 200
    one, two = said(house, paying)
    with house.of(paying) as session, pytest.raises(SealError):
        two.dropped = one.dropped
        inbox.as_delivery(session, two)


def test_a_public_key_that_somebody_else_put_there_is_not_used(house: TestHouse, paying: Shop) -> None:
    """Who can write the database can put a key of his own there, or another shop's; the web process then keeps nothing
    rather than sealing it to that."""
    other = plan_story.add_paying_shop(house)
    own, foreign = public_of(house, paying), public_of(house, other)
    for public in (drops.public_of(bytes(32)), foreign, None):
        public_of(house, paying, put=public)
        assert calls(house, paying) == 503
    assert said(house, paying) == []
    public_of(house, paying, put=own)
    assert calls(house, paying) == 200


def test_each_shop_has_one_pair_and_the_web_process_cannot_make_it(house: TestHouse, paying: Shop) -> None:
    with house.of(paying) as session:
        vault.furnish(session, paying.id)
        row = session.scalars(select(VaultKey).where(VaultKey.kind == keys.INTAKE)).one()
        assert row.version == 1
    bare = onboarding.new_shop_id()
    with house.web.app_context(), transaction(bare) as session:
        onboarding.begin_shop(session, bare, address="https://shop.test", mode="test")
    with house.web.app_context(), transaction(bare) as session, pytest.raises(SealError):
        vault.furnish(session, bare)
    with house.web.app_context(), transaction(bare) as session, pytest.raises(SealError):
        vault.slot(session, bare)


def test_a_pair_is_changed_while_callbacks_come_and_what_was_dropped_before_is_read(
    house: TestHouse, paying: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(house, paying)
    with house.web.app_context(), transaction(paying.id) as session:
        old = vault.slot(session, paying.id).head
    new = vault_story.announced(house, paying, keys.INTAKE)
    vault_story.activated(house, paying, keys.INTAKE)
    with house.web.app_context(), transaction(paying.id) as session:
        assert ids.named("key", vault.slot(session, paying.id).head.key_id) == new
    # The door remembers the old pair for half a minute.
    assert calls(house, paying) == 200
    assert [drops.head_of(row.dropped or b"") for row in said(house, paying)] == [old, old]
    with house.of(paying) as session:
        retired = session.get_one(VaultKey, (paying.id, ids.named("key", old.key_id)))
        assert standing.on(session, retired) == Standing(records=2)
        assert retiring.destroy_keys(session, paying.id, vault_story.later()) == []
        with pytest.raises(rotation.NotNow, match="2 records still stand"):
            rotation.refuse(session, retired)
    monkeypatch.setattr(Sandbox, "parse", lambda self, delivery: [])
    with house.of(paying) as session:
        inbox.replay(
            session, session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)).first(), clock.now()
        )  # type: ignore[arg-type]
    house.rest(paying)
    assert [(row.state, row.dropped) for row in said(house, paying)] == [("ignored", None)] * 2
    with house.of(paying) as session:
        assert retiring.destroy_keys(session, paying.id, vault_story.later()) == [retired.id]
