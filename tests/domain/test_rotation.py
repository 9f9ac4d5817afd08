"""Keys are changed in two steps, while everybody works: nothing is lost, and an old key ends when nothing stands on it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from plugin_backend.core.db import transaction
from plugin_backend.core.seal import SealError, records
from plugin_backend.domain import merchants, vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.states import IllegalMove
from plugin_backend.domain.vault import (
    PaymentMethod,
    VaultKey,
    keys,
    retiring,
    rewrapping,
    rotation,
    standing,
)
from plugin_backend.domain.vault.standing import Standing
from plugin_backend.domain.vault.verifying import Verifier
from plugin_backend.sdk import clock
from tests import vault_story as story
from tests.house import TestHouse
from tests.story import opened


def tokens(session: Any) -> dict[str, str]:
    """The token of each stored card."""
    return {row.id: opened(session, row).token for row in session.scalars(select(PaymentMethod))}


def active(session: Any, shop: Shop, kind: str, owner_id: str = "") -> VaultKey:
    key = keys.active(session, shop.id, kind, owner_id)
    return session.get_one(VaultKey, (shop.id, keys.ids.named("key", key.id)))


def all_opens(house: TestHouse, shop: Shop) -> None:
    with house.worker.app_context():
        verifier = Verifier(shop.id)
        seen = sum(verifier.run())
        assert verifier.found.damaged == []
        assert verifier.found.keys + verifier.found.records == seen == verifier.total()
        with transaction(shop.id) as session:
            connection = merchants.connection_of(session, shop.id)
            merchants.connector_of(
                session,
                merchants.get_shop(session, shop.id),
                connection,
                vault.Use("shop_call", connection.id),
            )


def test_what_stands_on_a_shops_key_is_moved_to_its_next_version(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        for name in ("ana", "bo", "cy"):
            story.customer_with(session, shop, name)
        before, old = tokens(session), active(session, shop, keys.SHOP)
        assert standing.on(session, old) == Standing(keys=5, records=1)
    assert story.rotated(house, shop, keys.SHOP) == 6
    with house.of(shop) as session:
        new = active(session, shop, keys.SHOP)
        assert (new.version, standing.on(session, new)) == (2, Standing(keys=5, records=1))
        assert not standing.on(session, session.get_one(VaultKey, (shop.id, old.id)))
        house.worker.extensions["reprise"].ring = type(house.worker.extensions["reprise"].ring)()
        assert tokens(session) == before
    all_opens(house, shop)


def test_an_announced_key_seals_nothing_and_is_announced_once(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        first = active(session, shop, keys.SHOP)
    assert story.announced(house, shop, keys.SHOP) == story.announced(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert active(session, shop, keys.SHOP).id == first.id
        story.customer_with(session, shop, "ana")
    assert story.key_row(house, shop, story.announced(house, shop, keys.SHOP)).state == "pre_active"
    story.activated(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert rotation.activate(session, shop.id, keys.SHOP) is None
        # Made between the two steps, it stands on the old one and is moved like all others.
        story.customer_with(session, shop, "bo")
    assert story.moved(house, shop, keys.SHOP) == 4
    all_opens(house, shop)


def test_a_customers_key_is_changed_without_touching_another_customers(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        ana, bo = (story.customer_with(session, shop, name) for name in ("ana", "bo"))
        story.customer_with(session, shop, "ana", token="tok_other")
        before, sealed_bo = tokens(session), bo.sealed
    assert story.rotated(house, shop, keys.CUSTOMER, ana.customer_id) == 2
    with house.of(shop) as session:
        assert tokens(session) == before
        new = active(session, shop, keys.CUSTOMER, ana.customer_id)
        rows = {row.id: row for row in session.scalars(select(PaymentMethod))}
        assert rows[bo.id].sealed == sealed_bo
        assert records.head_of(rows[ana.id].sealed).version == new.version == 2
    all_opens(house, shop)


def test_a_customer_without_a_key_has_none_to_change(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session, pytest.raises(rotation.NotNow, match="there is no customer key yet"):
        rotation.announce(session, shop.id, keys.CUSTOMER, "cus_nobody")


def test_a_token_is_found_and_kept_once_at_every_moment_of_its_index_keys_rotation(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        ana = story.customer_with(session, shop, "ana", "tok_same")
        bo = story.customer_with(session, shop, "bo", "tok_same")

    def same() -> None:
        with house.of(shop) as session:
            found = vault.by_token(session, shop.id, story.ACCOUNT, "tok_same")
            assert {row.id for row in found} == {ana.id, bo.id}

    story.announced(house, shop, keys.INDEX)
    same()
    story.activated(house, shop, keys.INDEX)
    same()
    with house.of(shop) as session:
        # Ana's is stored again while only the new key marks: it is the row that she has, and marked anew.
        assert story.customer_with(session, shop, "ana", "tok_same").id == ana.id
    same()
    assert story.moved(house, shop, keys.INDEX) == 1
    same()
    with house.of(shop) as session:
        assert story.customer_with(session, shop, "bo", "tok_same").id == bo.id
        assert len(tokens(session)) == 2
        retiring.destroy_keys(session, shop.id, story.later())
    same()


def test_a_stopped_card_stays_stopped_through_a_rotation(house: TestHouse, shop: Shop) -> None:
    stolen = story.card("tok_new", "the same card")
    with house.of(shop) as session:
        first = story.customer_with(session, shop, "ana", "tok_1", "the same card")
        other = story.customer_with(session, shop, "bo", "tok_2", "the same card")
        assert vault.stop(session, first, "stolen") == sorted([first.id, other.id])
    story.announced(house, shop, keys.INDEX)
    for step in (
        lambda: story.activated(house, shop, keys.INDEX),
        lambda: story.moved(house, shop, keys.INDEX),
    ):
        step()
        with house.of(shop) as session:
            assert vault.stopped_before(session, shop.id, story.ACCOUNT, stolen)
    with house.of(shop) as session:
        late = story.customer_with(session, shop, "cy", "tok_3", "the same card")
        assert late.fingerprint == session.get_one(PaymentMethod, (shop.id, first.id)).fingerprint


def test_an_old_key_is_destroyed_after_thirty_days_and_never_while_something_stands_on_it(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        story.customer_with(session, shop, "ana")
        old = active(session, shop, keys.SHOP).id
    story.announced(house, shop, keys.SHOP)
    story.activated(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert retiring.destroy_keys(session, shop.id, story.later()) == []
    story.moved(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert retiring.destroy_keys(session, shop.id, clock.real_now() + timedelta(days=29)) == []
        assert retiring.destroy_keys(session, shop.id, story.later()) == [old]
    row = story.key_row(house, shop, old)
    assert (row.state, row.wrapped) == ("destroyed", None)
    all_opens(house, shop)


def test_a_refused_key_opens_nothing_until_it_is_allowed_again(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        ana = story.customer_with(session, shop, "ana")
        old = active(session, shop, keys.SHOP).id
    story.announced(house, shop, keys.SHOP)
    with house.of(shop) as session, pytest.raises(rotation.NotNow, match="is in use"):
        rotation.refuse(session, rotation.lock(session, shop.id, old))
    story.activated(house, shop, keys.SHOP)
    with house.of(shop) as session, pytest.raises(rotation.NotNow, match="3 keys and 1 records still stand"):
        rotation.refuse(session, rotation.lock(session, shop.id, old))
    with house.of(shop) as session:
        assert opened(session, session.get_one(PaymentMethod, (shop.id, ana.id))).token == "tok_ana"
        rotation.refuse(session, rotation.lock(session, shop.id, old), anyway=True)
    with house.of(shop) as session, pytest.raises(SealError) as caught:
        opened(session, session.get_one(PaymentMethod, (shop.id, ana.id)))
    assert caught.value.why == "key_compromised"
    with house.of(shop) as session:
        rotation.allow(session, rotation.lock(session, shop.id, old))
    story.moved(house, shop, keys.SHOP)
    with house.of(shop) as session:
        rotation.refuse(session, rotation.lock(session, shop.id, old))
        with pytest.raises(IllegalMove):
            rotation.refuse(session, rotation.lock(session, shop.id, old))
    all_opens(house, shop)


def test_an_index_key_is_not_refused_while_marks_stand_on_it(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        story.customer_with(session, shop, "ana")
        old = active(session, shop, keys.INDEX).id
    story.announced(house, shop, keys.INDEX)
    story.activated(house, shop, keys.INDEX)
    with house.of(shop) as session, pytest.raises(rotation.NotNow, match="0 keys and 1 records still stand"):
        rotation.refuse(session, rotation.lock(session, shop.id, old), anyway=True)


def test_what_does_not_open_is_named_and_left_as_it_is(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        ana = story.customer_with(session, shop, "ana")
        bo = story.customer_with(session, shop, "bo")
        key = active(session, shop, keys.CUSTOMER, ana.customer_id)
        broken = bytes([*key.wrapped[:-1], key.wrapped[-1] ^ 1])
        session.execute(
            text("UPDATE vault_keys SET wrapped = :bytes WHERE id = :id"), {"bytes": broken, "id": key.id}
        )
    story.announced(house, shop, keys.SHOP)
    story.activated(house, shop, keys.SHOP)
    house.worker.extensions["reprise"].ring.drop(keys.ids.raw(key.id))
    with house.worker.app_context():
        work = rewrapping.of_key(shop.id, keys.SHOP)
        assert sum(work.run()) == 5
        assert (work.damaged, work.left()) == ([key.id], 0)
        verifier = Verifier(shop.id)
        list(verifier.run())
        assert verifier.found.damaged == [f"vault_keys {key.id}", f"payment_methods {ana.id}"]
    assert story.key_row(house, shop, key.id).wrapped == broken
    with house.of(shop) as session:
        assert retiring.destroy_keys(session, shop.id, story.later()) == []
        assert opened(session, session.get_one(PaymentMethod, (shop.id, bo.id))).token == "tok_bo"
