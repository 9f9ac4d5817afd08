"""Backups of the database, and back again. In a room of its own: no other process should wait for alembic to load."""

from pathlib import Path
from typing import Any

import click

from plugin_backend.cli.context import DEFAULT_DATA, data_option, json_option, tell
from plugin_backend.launcher import backup as backups

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
@data_option
@json_option
def backup(file: Path, overwrite: bool, data: Path | None, as_json: bool) -> None:
    """Back the database up into FILE, as it stands at one moment; nobody has to stop for it.

    The keys are not in it: keep them apart. Another server than that of 'reprise up' is reached by DATABASE_ADMIN_URL.
    """
    with backups.database_of(data, DEFAULT_DATA) as database:
        made = backups.dump(database, file, overwrite=overwrite)
    tell({"file": str(file), **made}, as_json=as_json, lines=_made_lines)


def _made_lines(told: Any) -> list[str]:
    rows = sum(told["rows"].values())
    return [
        f"{told['file']}: {rows} rows of {len(told['rows'])} tables, {told['size']} bytes, {told['made_at']}"
    ]


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--verify", is_flag=True, help="Compare every figure with the backup's and check every invariant."
)
@click.option("--replace", is_flag=True, help="Give up what the database holds now.")
@data_option
@json_option
def restore(file: Path, verify: bool, replace: bool, data: Path | None, as_json: bool) -> None:
    """Restore FILE into an empty database. Nothing but PostgreSQL may run.

    The engine then starts in quarantine: nothing is charged until it is known what the gateways took after the backup.
    With --verify exit 1 on any difference.
    """
    with backups.database_of(data, DEFAULT_DATA) as database:
        restored = backups.restore(database, file, replace=replace, verify=verify)
    told = {"file": str(file), **restored.as_json()}
    tell(told, as_json=as_json, lines=_restored_lines)
    if not restored.ok:
        raise click.exceptions.Exit(1)


def _restored_lines(told: Any) -> list[str]:
    lines = [
        f"{'ok ' if one['ok'] else 'NOT'}  {one['what']}  {one['said']}".rstrip() for one in told["checks"]
    ]
    return [*lines, f"{told['file']} of {told['backup']['made_at']} is restored; charges are in quarantine"]


COMMANDS = [backup, restore]
