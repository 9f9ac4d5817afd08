"""Making a backup: figures and dump of one and the same snapshot."""

import subprocess
import tempfile
from pathlib import Path

from plugin_backend.launcher.backup.archive import BackupError, Draft, Manifest, writing
from plugin_backend.launcher.backup.database import Database, connected, major_of, tool_environment
from plugin_backend.launcher.backup.measuring import figures, tables
from plugin_backend.launcher.postgres import find_client

_CHUNK = 1 << 20
_SERVER = """
    SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_current_wal_lsn()::text,
           to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM pg_control_system()"""


def dump(conninfo: str, place: Path, *, overwrite: bool) -> Manifest:
    """Back the database up into one file; what is in it. Nobody has to stop for it."""
    with connected(conninfo) as connection, writing(place, overwrite=overwrite) as draft:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if "alembic_version" not in tables(connection):
            raise BackupError("the database is not migrated: there is nothing to back up")
        ((snapshot,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
        manifest = _described(connection) | figures(connection)
        _dump(conninfo, major_of(connection), snapshot, draft)
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
