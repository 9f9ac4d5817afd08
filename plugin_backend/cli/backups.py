"""Backups of the database, and back again. In a room of its own: no other process should wait for alembic to load."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from plugin_backend.cli.context import DEFAULT_DATA, data_option, json_option, tell
from plugin_backend.launcher import backup as backups
from plugin_backend.sdk import clock

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--keys", type=_FILE, help="Where the keys go (default: FILE.keys); best a folder of their own."
)
@click.option(
    "--keep-keys",
    type=click.IntRange(1, 3650),
    default=backups.KEPT.days,
    show_default=True,
    metavar="DAYS",
    help="Older backups of keys in the folder of the new one are removed.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files where they are there already.")
@data_option
@json_option
def backup(
    file: Path, keys: Path | None, keep_keys: int, overwrite: bool, data: Path | None, as_json: bool
) -> None:
    """Back the database up into FILE and its keys into FILE.keys, as they stand at one moment; nobody has to stop for it.

    No card opens without the keys, and they open nothing without a root key, which is in neither. Another server than
    that of 'reprise up' is reached by DATABASE_ADMIN_URL.
    """
    place = keys or backups.beside(file)
    with backups.database_of(data, DEFAULT_DATA) as database:
        made = backups.dump(database, file, overwrite=overwrite, key_place=place)
    removed = backups.remove_old(place, timedelta(days=keep_keys), clock.real_now())
    told = {"file": str(file), "keys": str(place), **made, "removed": [str(old) for old in removed]}
    tell(told, as_json=as_json, lines=_made_lines)


def _made_lines(told: Any) -> list[str]:
    rows = sum(told["rows"].values())
    return [
        f"{told['file']}: {rows} rows of {len(told['rows'])} tables, {told['size']} bytes, {told['made_at']}",
        f"{told['keys']}: its keys; keep them apart from it",
        *(f"{old}: too old for keys, removed" for old in told["removed"]),
    ]


@click.command()
@click.argument("file", type=_FILE)
@click.option("--keys", type=_FILE, help="The backup of the keys (default: FILE.keys); the newest is best.")
@click.option(
    "--verify", is_flag=True, help="Compare every figure with the backup's and check every invariant."
)
@click.option("--replace", is_flag=True, help="Give up what the database holds now.")
@data_option
@json_option
def restore(
    file: Path, keys: Path | None, verify: bool, replace: bool, data: Path | None, as_json: bool
) -> None:
    """Restore FILE into an empty database, with the keys of then or newer ones. Nothing but PostgreSQL may run.

    Whoever was forgotten after the backup is forgotten again, as far as a backup of keys beside it, or beside FILE, knows.

    The engine then starts in quarantine: nothing is charged until it is known what the gateways took after the backup.
    With --verify exit 1 on any difference.
    """
    with backups.database_of(data, DEFAULT_DATA) as database:
        restored = backups.restore(database, file, replace=replace, verify=verify, key_place=keys)
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
