"""Making a backup: figures, data and keys of one and the same snapshot, the keys in a file of their own."""

import subprocess
import tempfile
from pathlib import Path

from plugin_backend.launcher.backup import keys
from plugin_backend.launcher.backup.archive import DATA, KEYS, BackupError, Draft, Manifest, writing
from plugin_backend.launcher.backup.database import Database, connected, major_of, tool_environment
from plugin_backend.launcher.backup.measuring import KEY_TABLES, figures, tables
from plugin_backend.launcher.postgres import find_client

_CHUNK = 1 << 20
_SERVER = """
    SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_current_wal_lsn()::text,
           to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM pg_control_system()"""


def dump(conninfo: str, place: Path, *, overwrite: bool, key_place: Path | None = None) -> Manifest:
    """Back the database up into a file, and its keys into another (``FILE.keys``); what is in the first. Nobody has to
    stop for it."""
    with (
        connected(conninfo) as connection,
        writing(place, DATA, overwrite=overwrite) as draft,
        writing(key_place or keys.beside(place), KEYS, overwrite=overwrite) as key_draft,
    ):
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if "alembic_version" not in tables(connection):
            raise BackupError("the database is not migrated: there is nothing to back up")
        ((snapshot,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
        described = _described(connection)
        manifest = described | figures(connection)
        _dump(conninfo, major_of(connection), snapshot, draft)
        key_draft.finish(described | keys.dump(connection, key_draft))
        return draft.finish(manifest)


def _described(connection: Database) -> Manifest:
    ((identifier, timeline, position, at),) = connection.execute(_SERVER).fetchall()
    ((head,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return {
        "made_at": at,
        "migration": head,
        "postgres": major_of(connection),
        "system_identifier": identifier,
        "timeline": timeline,
        "wal_position": position,
    }


def _dump(conninfo: str, major: int, snapshot: str, draft: Draft) -> None:
    command = [
        str(find_client(major) / "pg_dump"),
        "--format=custom",
        f"--snapshot={snapshot}",
        "--no-password",
        *(f"--exclude-table-data=public.{table}" for table in KEY_TABLES),
    ]
    with tempfile.TemporaryFile() as said:
        tool = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, env=dict(tool_environment(conninfo))
        )
        with tool:
            assert tool.stdout is not None
            while chunk := tool.stdout.read(_CHUNK):
                draft.write(chunk)
        if tool.returncode != 0:
            said.seek(0)
            raise BackupError(f"pg_dump failed: {first_words(said.read())}")


def first_words(said: bytes) -> str:
    """The first line of what a tool complained of."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[0].strip()[:300] if lines else "it did not say why"
