"""Sealing the vault's log, and proving that it still says what was written: every hash is computed anew here, and every
seal, with a key that whoever can write the tables need not have."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.db import db
from plugin_backend.core.seal import Key, SealError
from plugin_backend.domain.vault import keys
from plugin_backend.domain.vault.audit import VaultEntry, VaultHead, VaultSeal, told_moment
from plugin_backend.sdk import clock


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a shop's log: ``broken`` says in one line where it first is not as it was written, "" where it is
    whole. The last ``unsealed`` rows rest on the log's head only."""

    rows: int
    seals: int
    unsealed: int
    broken: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A row's hash as it was told when the log was sealed, kept where nobody could change it."""

    seq: int
    hash: bytes


class _Broken(Exception):
    """The first place at which a log is not as it was written."""


def seal_log(session: Session, shop_id: str) -> Mark | None:
    """Seal the newest row of the shop's log, where that is due."""
    # The key first: who adds to the log has its keys' locks when he comes to the head's.
    key = keys.active(session, shop_id, keys.AUDIT)
    due = select(VaultHead).where(VaultHead.shop_id == shop_id, VaultHead.due_at <= clock.now())
    head = session.scalar(due.with_for_update(skip_locked=True))
    if head is None:
        return None
    head.seals += 1
    seal = VaultSeal(
        shop_id=shop_id,
        id=ids.new_id(VaultSeal.prefix),
        created_at=clock.real_now(),
        number=head.seals,
        seq=head.seq,
        hash=head.hash,
        key_id=ids.named(keys.VaultKey.prefix, key.id),
    )
    seal.mac = _mac(key, seal)
    session.add(seal)
    head.rest(None)
    return Mark(head.seq, head.hash)


def prove_log(shop_id: str, mark: Mark | None = None) -> Proof:
    """Read all of the shop's log again, as it stands at one moment. Its process must hold the root key, or no seal could
    be checked. Where a ``mark`` is given, its row must be there."""
    chain = _Chain()
    broken = ""
    try:
        with _snapshot(shop_id) as session:
            seals = _proven_seals(session, shop_id)
            known = {seal.seq: seal.hash for seal in seals}
            for entry in session.scalars(_entries(shop_id)).yield_per(1000):
                chain.add(entry, known.get(entry.seq))
                if mark is not None and mark.seq == entry.seq and mark.hash != entry.hash:
                    raise _Broken(f"row {entry.seq} is not the one of the mark: the log was written anew")
            _must_end(session, shop_id, chain, seals, mark)
    except _Broken as found:
        broken = str(found)
    return Proof(chain.rows, chain.seals, chain.rows - chain.sealed_to, broken)


@contextmanager
def _snapshot(shop_id: str) -> Iterator[Session]:
    """A transaction of its own: what is written meanwhile is not seen."""
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with Session(connection) as session:
            session.execute(text("SELECT set_config('app.shop', :shop, true)"), {"shop": shop_id})
            yield session


class _Chain:
    """The log as far as it was read. It is read without its objects being kept: a log is long."""

    def __init__(self) -> None:
        self.rows = self.seals = self.sealed_to = 0
        self.hash = b""

    def add(self, entry: VaultEntry, sealed: bytes | None) -> None:
        row = f"row {entry.seq} ({entry.id})"
        if entry.seq != self.rows + 1:
            raise _Broken(f"row {self.rows + 1} is missing: the next is {row}")
        if hash_of(entry) != entry.hash:
            raise _Broken(f"{row} is not as it was written")
        if entry.prev_hash != self.hash:
            raise _Broken(
                f"{row} does not follow row {self.rows}: one of them was put in, moved or written anew"
            )
        if sealed is not None and sealed != entry.hash:
            raise _Broken(f"{row} is not the one that was sealed: it, or what is before it, was written anew")
        self.rows, self.hash = entry.seq, entry.hash
        if sealed is not None:
            self.seals, self.sealed_to = self.seals + 1, entry.seq


def _entries(shop_id: str) -> Select[VaultEntry]:
    return select(VaultEntry).where(VaultEntry.shop_id == shop_id).order_by(VaultEntry.seq)


def _proven_seals(session: Session, shop_id: str) -> list[VaultSeal]:
    found = select(VaultSeal).where(VaultSeal.shop_id == shop_id).order_by(VaultSeal.number)
    seals = list(session.scalars(found))
    for number, seal in enumerate(seals, 1):
        if seal.number != number:
            raise _Broken(f"seal {number} is missing")
        try:
            key = keys.by_id(session, shop_id, ids.raw(seal.key_id))
        except SealError as error:
            raise _Broken(f"seal {number} cannot be checked: {error}") from None
        if not hmac.compare_digest(_mac(key, seal), seal.mac):
            raise _Broken(f"seal {number} was not made with the shop's key")
    return seals


def _must_end(
    session: Session, shop_id: str, chain: _Chain, seals: list[VaultSeal], mark: Mark | None
) -> None:
    """Nothing may be missing at the end: not by the log's head, by its seals, or by the mark."""
    head = session.scalar(select(VaultHead).where(VaultHead.shop_id == shop_id))
    seq, newest, count = (head.seq, head.hash, head.seals) if head else (0, b"", 0)
    last = max([seq, *(seal.seq for seal in seals), mark.seq if mark else 0])
    if last > chain.rows:
        raise _Broken(f"row {chain.rows + 1} is missing, and all that followed it up to row {last}")
    if (seq, newest) != (chain.rows, chain.hash):
        raise _Broken(f"row {chain.rows} is not the last that was written: the log's head says row {seq}")
    if count != len(seals):
        raise _Broken(f"seal {len(seals) + 1} is missing: {count} were made")


def hash_of(entry: VaultEntry) -> bytes:
    """What the row's hash must be, after that of the row that it says was before it."""
    parts = (
        entry.shop_id,
        entry.id,
        told_moment(entry.created_at),
        entry.verb,
        entry.purpose,
        entry.use_id,
        entry.row_id,
        entry.field,
        entry.key_id,
        entry.process,
        entry.result,
    )
    return hashlib.sha256(entry.prev_hash + _told(parts)).digest()


def _mac(key: Key, seal: VaultSeal) -> bytes:
    parts = ("vault-seal-v1", seal.shop_id, str(seal.number), str(seal.seq), seal.hash.hex(), seal.key_id)
    told = _told((*parts, told_moment(seal.created_at)))
    return hmac.new(key.secret, told, hashlib.sha256).digest()


def _told(parts: Iterable[str]) -> bytes:
    return b"".join(b"%d:%b" % (len(part), part) for part in (part.encode() for part in parts))
