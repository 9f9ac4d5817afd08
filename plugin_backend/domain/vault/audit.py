"""The vault's log: who opened or sealed what, for what, and what was refused. Append-only, each row chained to the one
before it by a trigger; every minute the newest is sealed with a key that the database does not hold."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, Index, LargeBinary, Text, UniqueConstraint, event, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import ids
from plugin_backend.core.db import Base, db
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import process
from plugin_backend.core.seal import Place, SealError
from plugin_backend.domain.vault.uses import Use
from plugin_backend.sdk import clock

Verb = Literal["open", "seal", "rewrap", "shred"]
OK = "ok"
_WAITING = "vault_audit"
# Under this name a session says who works with it, where that is no process of the house: a restore.
PROCESS = "vault_process"
_SET_SHOP = text("SELECT set_config('app.shop', :shop, true)")


class VaultEntry(Row, Base):
    """One thing that the vault did or refused. ``use_id`` is the row that it was done for, ``row_id`` and ``field`` say
    whose secret it was, ``key_id`` under which key it lay, ``result`` is ``ok`` or why not. ``created_at`` is real time.
    ``seq``, from 1 without a gap, and both hashes are the database's to set: ``hash`` is of ``prev_hash``, that of the row
    before, and of all that the row says."""

    __tablename__ = "vault_audit"
    prefix = "aud"

    seq: Mapped[int] = mapped_column(BigInteger)
    verb: Mapped[Verb] = mapped_column(Text)
    purpose: Mapped[str]
    use_id: Mapped[str]
    row_id: Mapped[str]
    field: Mapped[str]
    key_id: Mapped[str]
    process: Mapped[str]
    result: Mapped[str]
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        UniqueConstraint("shop_id", "seq"),
        Index("ix_vault_audit_use", "shop_id", "use_id"),
    )


class VaultHead(Due, Row, Base):
    """Where a shop's log ends: the newest row's number and hashes, and how many seals there are. Written by the trigger
    that chains; whoever adds to the log locks it. Its timer is the next seal's."""

    __tablename__ = "vault_heads"
    prefix = "vlh"
    bell = "seal"

    seq: Mapped[int] = mapped_column(BigInteger)
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    seals: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (due_index("vault_heads"),)


class VaultSeal(Row, Base):
    """The log as it stood: ``mac`` is of the row ``seq``'s hash, under the shop's audit key. ``number`` is from 1 without a
    gap. ``created_at`` is real time."""

    __tablename__ = "vault_seals"
    prefix = "vls"

    number: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str]
    mac: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("shop_id", "number"),)


Entry = dict[str, Any]
_WRITE = text("""
    INSERT INTO vault_audit (shop_id, id, created_at, verb, purpose, use_id, row_id, field, key_id, process, result)
    SELECT shop_id, id, created_at, verb, purpose, use_id, row_id, field, key_id, process, result
    FROM json_to_recordset(:entries) AS entry (shop_id text, id text, created_at timestamptz, verb text, purpose text,
        use_id text, row_id text, field text, key_id text, process text, result text)""")


def note(
    session: Session, verb: Verb, place: Place, key_id: str, *, purpose: str = "", use_id: str = ""
) -> None:
    """Have it written with this transaction, at its very end: the head of the shop's log is locked for no longer than the
    commit takes."""
    entries: list[Entry] = session.info.setdefault(_WAITING, [])
    entries.append(_entry(session, verb, place, key_id, purpose, use_id, OK))


@contextmanager
def noted(session: Session, verb: Verb, place: Place, key_id: str, use: Use | None = None) -> Iterator[None]:
    """What is done inside is noted once it is done, and where it is refused, that."""
    with refusals(session, verb, place, key_id, use):
        yield
    purpose, use_id = _of(use)
    note(session, verb, place, key_id, purpose=purpose, use_id=use_id)


@contextmanager
def refusals(
    session: Session, verb: Verb, place: Place, key_id: str = "", use: Use | None = None
) -> Iterator[None]:
    """Where what is asked inside is refused, that is written at once and for itself, since the transaction that it was
    asked in will not be."""
    try:
        yield
    except SealError as error:
        purpose, use_id = _of(use)
        refused = _entry(session, verb, place, key_id, purpose, use_id, error.why or "refused")
        with db.engine.begin() as connection:
            connection.execute(_SET_SHOP, {"shop": place.shop})
            connection.execute(_WRITE, {"entries": json.dumps([refused])})
        raise


def _of(use: Use | None) -> tuple[str, str]:
    return (use.purpose, use.row_id) if use else ("", "")


def _entry(
    session: Session, verb: Verb, place: Place, key_id: str, purpose: str, use_id: str, result: str
) -> Entry:
    return {
        "shop_id": place.shop,
        "id": ids.new_id(VaultEntry.prefix),
        "created_at": _moment(),
        "verb": verb,
        "purpose": purpose,
        "use_id": use_id,
        "row_id": place.row,
        "field": place.field,
        "key_id": key_id,
        "process": session.info.get(PROCESS) or process(),
        "result": result,
    }


def _moment() -> str:
    return told_moment(clock.real_now())


def told_moment(moment: datetime) -> str:
    """The moment as it is written and hashed: microseconds of UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    """All that the transaction did, in one statement and as its last one: what is locked before is locked in the order of
    plan, collection and attempt, and nothing is after."""
    if session.in_nested_transaction() or not session.info.get(_WAITING):
        return
    session.flush()
    session.execute(_WRITE, {"entries": json.dumps(session.info.pop(_WAITING))})


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, ended: Any) -> None:
    """What was undone as a whole was not done; what a savepoint undid was: the secret had been seen."""
    if ended.parent is None:
        session.info.pop(_WAITING, None)
