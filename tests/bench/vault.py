"""Sealing and opening beside a bare AES-GCM call, and wrapping customers' keys anew: it must be linear in how many.

``python -m tests.bench.vault``; ``FULL=1`` goes to a million keys. A record is sealed and opened by the product's own
calls, in turn with the bare ones: the same payload, and an AESGCM object that is made once. Keys are moved from one
version of their shop's key to the next by the product's own rotation, committed to a durable PostgreSQL.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plugin_backend.core import ids
from plugin_backend.core.db import transaction
from plugin_backend.core.seal import Key, Place, records
from plugin_backend.domain.vault import VaultKey, keys, rewrapping, rotation
from plugin_backend.domain.vault.verifying import Verifier
from tests.bench.stand import Stand, stand

SIZES = [10_000, 50_000, 100_000]
FULL_SIZE = 1_000_000
ROUNDS = 21
CALLS = 500
_PAYLOAD = bytes(120)
_PLACE = Place("shop_01", "cus_01", "pm_01", "token", "gwa_01")


def main() -> None:
    sizes = SIZES + ([FULL_SIZE] if os.environ.get("FULL") == "1" else [])
    print(f"{'keys':>10}{'wrapped anew in s':>20}{'microseconds each':>20}")
    each = []
    with stand() as here, here.admin() as admin:
        shop, _ = here.add_shop()
        there = 0
        for size in sizes:
            _fill(here, admin, shop, there, size)
            there = size
            seconds = _moved(here, shop, size)
            each.append(1e6 * seconds / size)
            print(f"{size:10,}{seconds:20.1f}{each[-1]:20.1f}", flush=True)
        _check(here, shop, there)
    print(f"ratio_max_min {max(each) / min(each):.2f}; a million keys: {each[-1] / 60:.1f} minutes")
    _tell_records()


def _tell_records() -> None:
    key, bare = Key(os.urandom(16), 1, os.urandom(32)), AESGCM(os.urandom(32))
    nonce, aad = os.urandom(12), bytes(90)
    record, ciphertext = records.seal(key, _PLACE, _PAYLOAD), bare.encrypt(nonce, _PAYLOAD, aad)
    seal, bare_seal = _in_turn(
        lambda: records.seal(key, _PLACE, _PAYLOAD), lambda: bare.encrypt(os.urandom(12), _PAYLOAD, aad)
    )
    opened, bare_open = _in_turn(
        lambda: records.open_with(key, _PLACE, record), lambda: bare.decrypt(nonce, ciphertext, aad)
    )
    print(f"seal {seal:.2f} us, bare {bare_seal:.2f} us; open {opened:.2f} us, bare {bare_open:.2f} us")
    print(f"seal_ratio {seal / bare_seal:.1f} open_ratio {opened / bare_open:.1f}")


def _in_turn(ours: Callable[[], object], bare: Callable[[], object]) -> tuple[float, float]:
    """Microseconds of one call of each, the median of rounds that are run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for call, seen in zip((ours, bare), times, strict=True):
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            seen.append(1e6 * (time.perf_counter() - began) / CALLS)
    return statistics.median(times[0]), statistics.median(times[1])


def _fill(here: Stand, admin: "psycopg.Connection[Any]", shop: str, first: int, count: int) -> None:
    """Keys of further customers, up to so many, under the shop's active key."""
    with here.app.app_context(), transaction(shop) as session:
        parent = keys.active(session, shop, keys.SHOP)
    parent_id = ids.named(VaultKey.prefix, parent.id)
    copied = "shop_id, id, created_at, kind, owner_id, version, parent, wrapped, state, reason"
    statement = f"COPY vault_keys ({copied}) FROM STDIN"
    with admin.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for number in range(first, count):
            row = VaultKey(shop_id=shop, id=ids.new_id("key"), kind=keys.CUSTOMER, owner_id=f"cus_{number}")
            wrapped = records.seal(parent, row.place, os.urandom(32))
            copy.write_row(
                (
                    shop,
                    row.id,
                    "2026-01-01 00:00:00+00",
                    row.kind,
                    row.owner_id,
                    1,
                    parent_id,
                    wrapped,
                    "active",
                    "",
                )
            )
    # As the database does by itself after a while.
    admin.execute("VACUUM ANALYZE vault_keys")


def _moved(here: Stand, shop: str, count: int) -> float:
    """Seconds in which so many customers' keys are moved to a new key of the shop."""
    with here.app.app_context():
        with transaction(shop) as session:
            rotation.announce(session, shop, keys.SHOP)
        with transaction(shop) as session:
            rotation.activate(session, shop, keys.SHOP)
        work = rewrapping.of_key(shop, keys.SHOP)
        began = time.monotonic()
        moved = sum(work.run())
        seconds = time.monotonic() - began
        assert moved >= count, f"{moved} of {count} keys were moved"
        assert not work.damaged, f"{len(work.damaged)} keys do not open"
    return seconds


def _check(here: Stand, shop: str, count: int) -> None:
    """Every key opens in the end: a rate of anything else would mean nothing."""
    with here.app.app_context():
        verifier = Verifier(shop)
        list(verifier.run())
    assert not verifier.found.damaged, f"{len(verifier.found.damaged)} do not open"
    assert verifier.found.keys >= count


if __name__ == "__main__":
    main()
