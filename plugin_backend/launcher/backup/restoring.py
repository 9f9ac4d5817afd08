"""Restoring: everything or nothing, into a database that is empty or may be replaced, and then looked at."""

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from plugin_backend import migrations
from plugin_backend.core.db import APP_ROLE, CLOCK_ROLE, DatabaseError, first_line
from plugin_backend.domain import invariants
from plugin_backend.launcher.backup import keys
from plugin_backend.launcher.backup.archive import DATA, KEYS, BackupError, Manifest, reading
from plugin_backend.launcher.backup.checks import Check
from plugin_backend.launcher.backup.database import Database, connected, major_of, tool_environment
from plugin_backend.launcher.backup.dumping import first_words
from plugin_backend.launcher.backup.measuring import Figures, figures, tables
from plugin_backend.launcher.postgres import find_client

_CHUNK = 1 << 20
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'"""
_OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and what was found when it was looked at."""

    manifest: Manifest
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, "backup": self.manifest, "checks": [asdict(check) for check in self.checks]}


def restore(
    conninfo: str, place: Path, *, replace: bool, verify: bool, key_place: Path | None = None
) -> Restored:
    """Bring a backup back, with its keys (``FILE.keys``) or newer ones, and forget again whoever was forgotten since.
    ``BackupError`` before anything was changed where a file is not whole, was made by a newer reprise or PostgreSQL, or
    where the database is in use or holds something and may not be replaced."""
    key_place = key_place or keys.beside(place)
    with (
        reading(place, DATA) as (manifest, dump),
        reading(key_place, KEYS) as (key_manifest, key_dump),
        contextlib.ExitStack() as stack,
        connected(conninfo) as connection,
    ):
        others = [stack.enter_context(reading(file, KEYS)) for file in keys.others(place, key_place)]
        for made in (manifest, key_manifest, *(made for made, _ in others)):
            _must_fit(made, connection)
        _must_be_free(connection, replace=replace)
        owner = _prepare_roles(connection)
        _restore(conninfo, major_of(connection), owner, dump, replace=replace)
        checks = compared(manifest, figures(connection))
        _migrate(conninfo, owner)
        checks += keys.load(connection, key_manifest, key_dump, [other for _, other in others])
    checks += _forgotten_again(conninfo)
    if verify:
        checks += _sound(conninfo)
    return Restored(manifest, tuple(checks) if verify else ())


def _forgotten_again(conninfo: str) -> list[Check]:
    """What the backup may have brought back of those who were forgotten since, as the role that the product works as."""
    engine = _engine(conninfo, APP_ROLE)
    try:
        with Session(engine) as session:
            return keys.forget_again(session)
    finally:
        engine.dispose()


def _must_fit(manifest: Manifest, connection: Database) -> None:
    """Older is brought to the newest step afterwards; newer cannot be read."""
    script = Config()
    script.set_main_option("script_location", str(migrations.FOLDER))
    known = {step.revision for step in ScriptDirectory.from_config(script).walk_revisions()}
    if manifest["migration"] not in known:
        raise BackupError(
            f"the backup is at migration {manifest['migration']}, which this reprise does not know"
        )
    here = major_of(connection)
    if here < manifest["postgres"]:
        raise BackupError(f"the backup is of PostgreSQL {manifest['postgres']}, and this server is {here}")


def _must_be_free(connection: Database, *, replace: bool) -> None:
    ((others,),) = connection.execute(_OTHERS).fetchall()
    if others:
        raise BackupError(f"{others} connections use the database: stop web, workers and clock first")
    held = tables(connection)
    if held and not replace:
        raise BackupError(f"the database is not empty ({len(held)} tables): name another, or say --replace")


def _prepare_roles(connection: Database) -> str:
    """The roles that the dump speaks of, which belong to the server and are in no dump. The owner, whose the tables
    become."""
    ((owner,),) = connection.execute(_OWNER).fetchall()
    for role in (APP_ROLE, CLOCK_ROLE):
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchall()
        names = {"role": sql.Identifier(role), "owner": sql.Identifier(owner)}
        if not found:
            connection.execute(sql.SQL("CREATE ROLE {role} NOLOGIN NOBYPASSRLS").format(**names))
        connection.execute(sql.SQL("GRANT {role} TO {owner} WITH ADMIN OPTION").format(**names))
    return str(owner)


def _restore(conninfo: str, major: int, owner: str, dump: IO[bytes], *, replace: bool) -> None:
    """In one transaction: what fails leaves the database as it was."""
    command = [
        str(find_client(major) / "pg_restore"),
        "--single-transaction",
        "--no-owner",
        f"--role={owner}",
        "--no-password",
        *(["--clean", "--if-exists"] if replace else []),
    ]
    environment = dict(tool_environment(conninfo))
    command.append(f"--dbname={environment['PGDATABASE']}")
    with tempfile.TemporaryFile() as said:
        tool = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=said, env=environment)
        with tool:
            assert tool.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                shutil.copyfileobj(dump, tool.stdin, _CHUNK)
                tool.stdin.close()
        if tool.returncode != 0:
            said.seek(0)
            raise BackupError(f"nothing was restored: {first_words(said.read())}")


def _migrate(conninfo: str, owner: str) -> None:
    engine = _engine(conninfo, owner)
    try:
        migrations.upgrade(engine)
    except DatabaseError as error:
        raise BackupError(f"restored, but not migrated: {first_line(error)}") from None
    finally:
        engine.dispose()


def compared(manifest: Manifest, found: Figures) -> list[Check]:
    """Every figure of the manifest beside what is here now."""
    checks = []
    for kind, name in (("rows", "rows of"), ("ledger", "ledger")):
        before, now = manifest[kind], found[kind]
        checks += [
            Check(
                f"{name} {what}", before.get(what) == now.get(what), f"{before.get(what)} = {now.get(what)}"
            )
            if before.get(what) == now.get(what)
            else Check(f"{name} {what}", False, f"{before.get(what)} in the backup, {now.get(what)} here")
            for what in sorted(before.keys() | now.keys())
        ]
    return checks


def _sound(conninfo: str) -> list[Check]:
    """Every invariant, for every shop, as the role that the product works as."""
    engine = _engine(conninfo, APP_ROLE)
    broken: dict[str, list[str]] = {}
    try:
        with Session(engine) as session:
            for shop_id in list(session.scalars(text("SELECT id FROM shops ORDER BY id"))):
                session.execute(text("SELECT set_config('app.shop', :shop, true)"), {"shop": shop_id})
                for line in invariants.broken(session):
                    sentence, _, ids = line.rpartition(": ")
                    broken.setdefault(sentence, []).append(f"{shop_id}: {ids}")
                session.rollback()
    finally:
        engine.dispose()
    return [
        Check(f"never: {sentence}", sentence not in broken, "; ".join(broken.get(sentence, [])))
        for sentence in sorted(invariants.sentences())
    ]


def _engine(conninfo: str, role: str) -> Engine:
    options = f"-c role={role}"
    return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo, options=options))
