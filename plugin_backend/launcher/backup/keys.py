"""The keys' own backup: the wrapped keys, and the tombstones of what was forgotten.

A data backup may live for long: without these keys no token in it opens. Backups of keys live for a month, so that a key
that was destroyed is gone from all of them by then. The tombstones go along, and whatever an older backup brings back is
forgotten again.
"""

import json
import tarfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from psycopg import sql
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from plugin_backend.domain import erasing, merchants, moves
from plugin_backend.domain.erasing import Tombstone
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import PaymentMethod, VaultKey, keys
from plugin_backend.launcher.backup.archive import KEYS, Draft, Manifest
from plugin_backend.launcher.backup.checks import Check
from plugin_backend.launcher.backup.database import Database
from plugin_backend.launcher.backup.measuring import KEY_TABLES, count

KEPT = timedelta(days=30)
SUFFIX = ".keys"
_STONES = "tombstones"
_TABLES = (*KEY_TABLES, _STONES)
_CHUNK = 1 << 20
_WRITE = "COPY (SELECT jsonb_build_object('table', {name}, 'row', to_jsonb(t)) FROM {table} t) TO STDOUT"
_ROWS = "SELECT r.* FROM loaded, jsonb_populate_record(NULL::{table}, line->'row') r WHERE line->>'table' = {name}"


def beside(place: Path) -> Path:
    """Where the keys of a data backup are, unless somebody says otherwise."""
    return place.with_name(place.name + SUFFIX)


def others(*places: Path) -> list[Path]:
    """The other backups of keys in the folders of these files: they may know of somebody who was forgotten later."""
    folders = {place.resolve().parent for place in places}
    known = {place.resolve() for place in places}
    found = {file for folder in folders for file in folder.glob(f"*{SUFFIX}")}
    return sorted(file for file in found if file not in known)


def remove_old(place: Path, kept: timedelta, now: datetime) -> list[Path]:
    """Remove the backups of keys in the folder of ``place`` that are older than ``kept``. What is none is left alone."""
    old = [file for file in others(place) if (made := _made_at(file)) is not None and made < now - kept]
    for file in old:
        file.unlink()
    return old


def _made_at(file: Path) -> datetime | None:
    try:
        with tarfile.open(file, "r:") as tar:
            manifest = tar.extractfile("manifest.json")
            told = json.load(manifest) if manifest is not None else {}
            return datetime.fromisoformat(told["made_at"]) if told["format"] == KEYS.format else None
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError):
        return None


def dump(connection: Database, draft: Draft) -> Manifest:
    """Write the keys and the tombstones as they stand in the connection's snapshot; how many there are."""
    for table in _TABLES:
        statement = sql.SQL(_WRITE).format(name=sql.Literal(table), table=sql.Identifier(table))
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for chunk in copy:
                draft.write(bytes(chunk))
    return {"rows": {table: count(connection, table) for table in _TABLES}}


def load(
    connection: Database, manifest: Manifest, lines: IO[bytes], more: Iterable[IO[bytes]]
) -> list[Check]:
    """Put the keys in their place, all or none, and add the tombstones of these files and ``more``."""
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE loaded (line jsonb) ON COMMIT DROP")
        _copy(connection, lines)
        for table in KEY_TABLES:
            _insert(connection, table)
        checks = [_compared(connection, manifest, table) for table in KEY_TABLES]
        for other in more:
            _copy(connection, other)
        _insert(connection, _STONES, " AND r.shop_id IN (SELECT id FROM shops) ON CONFLICT DO NOTHING")
    return checks


def _copy(connection: Database, lines: IO[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY loaded FROM STDIN") as copy:
        while chunk := lines.read(_CHUNK):
            copy.write(chunk)


def _insert(connection: Database, table: str, which: str = "") -> None:
    statement = sql.SQL("INSERT INTO {table} " + _ROWS + which)
    connection.execute(statement.format(table=sql.Identifier(table), name=sql.Literal(table)))


def _compared(connection: Database, manifest: Manifest, table: str) -> Check:
    before, now = manifest["rows"][table], count(connection, table)
    return Check(f"rows of {table}", before == now, f"{before} in the backup of keys, {now} here")


def forget_again(session: Session) -> list[Check]:
    """Forget what the data has of those whose tombstones are known, and see which tokens have no key."""
    again = unopened = 0
    for shop_id in list(session.scalars(select(Shop.id).order_by(Shop.id))):
        session.execute(text("SELECT set_config('app.shop', :shop, true)"), {"shop": shop_id})
        with merchants.shop_time(merchants.get_shop(session, shop_id)):
            stones = select(Tombstone).where(Tombstone.shop_id == shop_id).order_by(Tombstone.created_at)
            again += sum(erasing.again(session, stone) for stone in session.scalars(stones).all())
            _follow(session, shop_id)
        unopened += _without_key(session, shop_id)
        session.commit()
    return [
        Check(
            "forgotten since the backup, and forgotten again",
            True,
            f"{again} customers or cards: their tokens do not open",
        ),
        Check("every token has its key", not unopened, f"{unopened} tokens have none and do not open"),
    ]


def _follow(session: Session, shop_id: str) -> None:
    """The history of a key goes on in the state that a newer backup of keys has brought it to."""
    session.flush()
    last = (
        select(moves.Move.after)
        .where(moves.Move.shop_id == shop_id, moves.Move.row_id == VaultKey.id)
        .order_by(moves.Move.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = select(VaultKey, func.coalesce(last, "")).where(VaultKey.shop_id == shop_id)
    for row, before in session.execute(found.where(VaultKey.state != func.coalesce(last, ""))).all():
        moves.note(session, row, before, "known from the backup of keys")


def _without_key(session: Session, shop_id: str) -> int:
    """How many tokens are kept that no key of the shop opens."""
    held = select(VaultKey.id).where(VaultKey.shop_id == shop_id, VaultKey.state.in_(keys.OPENING))
    known = set(session.scalars(held))
    sealed = select(PaymentMethod.sealed).where(
        PaymentMethod.shop_id == shop_id, PaymentMethod.sealed.is_not(None)
    )
    return sum(
        keys.named_by(record) not in known
        for record in session.scalars(sealed.execution_options(yield_per=1000))
    )
