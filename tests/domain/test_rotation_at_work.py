"""Keys are changed while threads and processes seal and open, while two change them at once, and while one who changes
them is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import func, select

from plugin_backend.core import ids
from plugin_backend.core.db import db, transaction
from plugin_backend.core.seal import Key, records
from plugin_backend.domain import merchants, moves, vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import (
    PaymentMethod,
    VaultKey,
    keys,
    retiring,
    rewrapping,
    rotation,
    standing,
)
from plugin_backend.domain.vault.verifying import Verifier
from tests import vault_story as story
from tests.house import TestHouse, command, environment
from tests.story import opened

SECONDS = 8.0
THREADS = 4
RATE = 50
# One is sealed and two are opened in one turn.
OF_A_TURN = 3


@dataclass
class Traffic:
    """What threads did meanwhile, and what went wrong."""

    done: int = 0
    failed: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)


@contextmanager
def traffic(house: TestHouse, shop: Shop) -> Iterator[Traffic]:
    """Threads that seal and open, together ``RATE`` times a second, with customers old and new."""
    seen, stop = Traffic(), threading.Event()
    threads = [
        threading.Thread(target=_work, args=(house, shop, seen, stop, number)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _work(house: TestHouse, shop: Shop, seen: Traffic, stop: threading.Event, number: int) -> None:
    turn, due = 0, time.monotonic()
    with house.worker.app_context():
        while not stop.wait(max(0.0, due - time.monotonic())):
            turn, due = turn + 1, due + OF_A_TURN * THREADS / RATE
            try:
                _one(shop, f"w{number}x{turn % 40}", f"tok_{number}_{turn % 80}")
            except Exception as error:
                seen.failed.append(repr(error))
            finally:
                db.session.remove()
            with seen.lock:
                seen.done += OF_A_TURN


def _one(shop: Shop, name: str, token: str) -> None:
    """A card is stored, is opened, and so are the shop's settings."""
    with transaction(shop.id) as session:
        row = story.customer_with(session, shop, name, token)
    with transaction(shop.id) as session:
        assert opened(session, session.get_one(PaymentMethod, (shop.id, row.id))).token == token
        connection = merchants.connection_of(session, shop.id)
        shop_row = merchants.get_shop(session, shop.id)
        merchants.connector_of(session, shop_row, connection, vault.Use("shop_call", connection.id))


def rotate_root(house: TestHouse) -> str:
    """A new root key for every shop of this house's database; its id."""
    story.new_root(house)
    with house.worker.app_context():
        with transaction(None) as session:
            new = rotation.announce_root(session).id
        with transaction(None) as session:
            rotation.activate_root(session)
            shops = [row.id for row in merchants.all_shops(session)]
        for shop_id in shops:
            list(rewrapping.of_root(shop_id).run())
    return new


def all_opens(house: TestHouse, shop: Shop) -> None:
    with house.worker.app_context():
        verifier = Verifier(shop.id)
        list(verifier.run())
        assert verifier.found.damaged == []


def test_nothing_fails_while_a_shops_key_and_the_root_key_are_changed(house: TestHouse, shop: Shop) -> None:
    with traffic(house, shop) as seen:
        began, rounds = time.monotonic(), 0
        while time.monotonic() < began + SECONDS or rounds == 0:
            story.rotated(house, shop, keys.SHOP)
            story.rotated(house, shop, keys.INDEX)
            root = rotate_root(house)
            rounds += 1
    assert seen.failed == []
    assert seen.done > rounds
    print(f"{seen.done} operations in {time.monotonic() - began:.1f} s during {rounds} rotations of each key")
    with house.of(shop) as session:
        row = session.scalars(select(VaultKey).where(VaultKey.kind == keys.SHOP, VaultKey.state == "active"))
        assert row.one().parent == root
        tokens = session.scalars(select(func.count()).select_from(PaymentMethod)).one()
        kept = func.count(func.distinct(PaymentMethod.token_mark + PaymentMethod.customer_id))
        assert session.scalars(select(kept)).one() == tokens
    all_opens(house, shop)


def test_two_who_rotate_at_once_make_one_key_and_share_the_work(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        story.customer_with(session, shop, "ana")
    _copies(house, shop, 4_000)
    both_announced = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: _rotate(house, shop, both_announced), range(2)))
    assert sum(done) == 4_000 + 4
    with house.of(shop) as session:
        rows = list(session.scalars(select(VaultKey).where(VaultKey.kind == keys.SHOP)))
        assert sorted((row.version, row.state) for row in rows) == [(1, "decrypt_only"), (2, "active")]
    all_opens(house, shop)


def _rotate(house: TestHouse, shop: Shop, both_announced: threading.Barrier) -> int:
    with house.worker.app_context():
        with transaction(shop.id) as session:
            rotation.announce(session, shop.id, keys.SHOP)
        both_announced.wait(30)
        with transaction(shop.id) as session:
            rotation.activate(session, shop.id, keys.SHOP)
        return sum(rewrapping.of_key(shop.id, keys.SHOP).run())


def test_one_who_is_killed_in_the_middle_is_followed_by_the_next(house: TestHouse, shop: Shop) -> None:
    _copies(house, shop, 9_000)
    made = 9_001  # and the key of the intake
    assert command(house.settings, "keys", "rotate", "shop", "--shop", shop.id, "--announce").returncode == 0
    process = _started(house, "keys", "rotate", "shop", "--shop", shop.id, "--activate", "--json")
    left = _left(house, shop)
    while left in (0, made):
        assert process.poll() is None, process.communicate()
        left = _left(house, shop)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = _left(house, shop)
    assert 0 < left < made
    again = command(house.settings, "keys", "rotate", "shop", "--shop", shop.id, "--activate")
    assert again.returncode == 0, again.stderr
    assert f"{left + 1} moved to the active key" in again.stdout
    all_opens(house, shop)


def _started(house: TestHouse, *words: str) -> "subprocess.Popen[str]":
    run, pipe = [sys.executable, "-m", "plugin_backend.cli", *words], subprocess.PIPE
    return subprocess.Popen(run, env=environment(house.settings), stdout=pipe, stderr=pipe, text=True)


def _left(house: TestHouse, shop: Shop) -> int:
    """How many customers' keys stand on an older version."""
    with house.of(shop) as session:
        old = session.scalars(select(VaultKey).where(VaultKey.state == "decrypt_only")).one_or_none()
        return 0 if old is None else standing.on(session, old).keys


def _copies(house: TestHouse, shop: Shop, count: int) -> None:
    """Keys of so many customers of whom nothing else is known."""
    with house.of(shop) as session:
        parent = keys.active(session, shop.id, keys.SHOP)
        for number in range(count):
            row = VaultKey(
                shop_id=shop.id, id=ids.new_id("key"), kind=keys.CUSTOMER, owner_id=f"cus_{number}"
            )
            row.version, row.parent = 1, ids.named("key", parent.id)
            row.wrapped = records.seal(parent, row.place, os.urandom(32))
            moves.enter(session, row, "active")


def test_a_seal_in_flight_is_waited_for_and_keeps_its_key(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        old = keys.ids.named("key", keys.active(session, shop.id, keys.SHOP).id)
        place = merchants.connection_of(session, shop.id).place
    story.announced(house, shop, keys.SHOP)
    activating = threading.Thread(target=story.activated, args=(house, shop, keys.SHOP))
    with house.of(shop) as session:
        connection = merchants.connection_of(session, shop.id)
        connection.settings = vault.seal(session, place, b'{"url": "http://127.0.0.1:9/new"}')
        activating.start()
        activating.join(0.5)
        assert activating.is_alive(), "activated while a seal under the old key could not be seen"
    activating.join(30)
    with house.of(shop) as session:
        assert standing.on(session, rotation.lock(session, shop.id, old)).records == 1
        assert retiring.destroy_keys(session, shop.id, story.later()) == []
    story.moved(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert retiring.destroy_keys(session, shop.id, story.later()) == [old]
        record = merchants.connection_of(session, shop.id).settings
        assert b"/new" in vault.unseal(session, place, record, vault.Use("shop_call", "con_1"))


def test_who_asks_for_the_active_key_during_its_activation_gets_the_new_one(
    house: TestHouse, shop: Shop
) -> None:
    new = story.announced(house, shop, keys.SHOP)
    found: list[Key] = []

    def ask() -> None:
        with house.of(shop) as session:
            found.append(keys.active(session, shop.id, keys.SHOP))

    asking = threading.Thread(target=ask)
    with house.of(shop) as session:
        assert rotation.activate(session, shop.id, keys.SHOP)
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
    asking.join(30)
    assert [keys.ids.named("key", key.id) for key in found] == [new]


def test_a_refusal_by_another_process_is_seen_by_the_next_transaction(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        row = story.customer_with(session, shop, "ana")
        old = keys.ids.named("key", keys.active(session, shop.id, keys.SHOP).id)
    story.announced(house, shop, keys.SHOP)
    story.activated(house, shop, keys.SHOP)
    with house.of(shop) as session:
        assert opened(session, row).token == "tok_ana"
    refused = command(house.settings, "keys", "refuse", old)
    assert refused.returncode == 1
    assert "still stand" in refused.stderr
    assert command(house.settings, "keys", "refuse", old, "--anyway").returncode == 0
    with house.of(shop) as session, pytest.raises(vault.keys.SealError):
        opened(session, row)
    assert command(house.settings, "keys", "allow", old).returncode == 0
    with house.of(shop) as session:
        assert opened(session, row).token == "tok_ana"
