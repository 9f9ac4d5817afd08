"""The keys of an installation: their files, where they stand, and changing them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from plugin_backend.cli.context import at_work, data_option, json_option, tell
from plugin_backend.core import config, seal
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import merchants
from plugin_backend.domain.vault import keys as vault_keys
from plugin_backend.domain.vault import rewrapping, rotation, status
from plugin_backend.domain.vault.keys import VaultKey, VaultRoot
from plugin_backend.domain.vault.rewrapping import Rewrapping
from plugin_backend.domain.vault.verifying import Verifier

Shown = dict[str, Any]
ROOT = "root"
_KINDS = (ROOT, *rotation.ROTATED)

dir_option = click.option("--dir", "folder", required=True, type=click.Path(file_okay=False, path_type=Path))
one_shop_option = click.option("--shop", "shop_id", help="One shop; without it, every shop.")


@click.group()
def keys() -> None:
    """The keys of an installation."""


@keys.command()
@dir_option
def make(folder: Path) -> None:
    """Make the key files where they are missing, readable by their owner only; an existing one is never touched."""
    in_file = "file" in config.load_root().kinds
    seal.make_keys(folder, root=in_file)
    made = "door.key and root.key are" if in_file else "door.key is"
    click.echo(f"{made} in {folder}: keep copies apart from the database's backups")


@keys.command()
@data_option
@json_option
def add(data: Path | None, as_json: bool) -> None:
    """Make a new root key where root keys are, beside the others. Nothing stands on it before it is activated."""
    with at_work(data):
        provider = house().keys.root()
        made = {"id": provider.add(), "where": provider.where}
    tell(
        made,
        as_json=as_json,
        lines=lambda it: [f"{it['id']} is in {it['where']}: give it to every worker, then announce it"],
    )


@keys.command("status")
@one_shop_option
@data_option
@json_option
def show(shop_id: str | None, data: Path | None, as_json: bool) -> None:
    """Show every key's versions, their states, and what stands on each."""
    with at_work(data):
        with transaction(None) as session:
            found: dict[str, Any] = {"roots": status.roots(session), "shops": {}}
        for each in _shops(shop_id):
            with transaction(each) as session:
                found["shops"][each] = status.shop(session, each)
    tell(found, as_json=as_json, lines=_status_lines)


@keys.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.option(
    "--announce/--activate",
    "announced",
    required=True,
    help="The first step, or the second: both are needed.",
)
@one_shop_option
@click.option("--customer", "customer_id", help="The customer whose key it is.")
@data_option
@json_option
def rotate(
    kind: str,
    announced: bool,
    shop_id: str | None,
    customer_id: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Change a key: announce the new one, then activate it and move over what stands on the old one.

    Activating may be stopped at any moment, and run again: it goes on where it stopped. The old key opens what is left
    until it is destroyed, thirty days later. Without --shop the shops are meant that have such a key.
    """
    if (kind == vault_keys.CUSTOMER) != (customer_id is not None) or (customer_id and not shop_id):
        raise click.UsageError("a customer's key needs --shop and --customer; another key no --customer")
    owner_id = customer_id or ""
    with at_work(data):
        where = _shops(shop_id)
        step = _announced if announced else _activated
        passed_over = () if shop_id else (rotation.NoKeyYet,)
        rows = []
        for each in where if kind != ROOT else [""]:
            with suppress(*passed_over):
                rows.append(step(kind, each, owner_id))
        found: Shown = {"keys": [row for row in rows if row]}
        if announced:
            tell(found, as_json=as_json, lines=lambda it: _key_lines(it["keys"]))
            return
        works = [_work(kind, each, owner_id) for each in where]
        found["moved"] = _moved_over(works, hidden=as_json)
        found["damaged"] = [row_id for work in works for row_id in work.damaged]
    tell(found, as_json=as_json, lines=_moved_lines)
    if found["damaged"]:
        raise click.exceptions.Exit(1)


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--anyway", is_flag=True, help="Even where something stands on it, which will not open then.")
@data_option
@json_option
def refuse(key_id: str, anyway: bool, data: Path | None, as_json: bool) -> None:
    """Let nothing open under an old key any more, in no process, from now on."""
    with at_work(data), _found(key_id) as (session, row):
        rotation.refuse(session, row, anyway=anyway)
        shown = {"id": row.id, "state": row.state}
    tell(shown, as_json=as_json, lines=lambda it: [f"{it['id']} is refused"])


@keys.command()
@click.argument("key_id", metavar="ID")
@data_option
@json_option
def allow(key_id: str, data: Path | None, as_json: bool) -> None:
    """Let a refused key open again, so that what stands on it can be moved."""
    with at_work(data), _found(key_id) as (session, row):
        rotation.allow(session, row)
        shown = {"id": row.id, "state": row.state}
    tell(shown, as_json=as_json, lines=lambda it: [f"{it['id']} opens what stands on it"])


@keys.command()
@one_shop_option
@data_option
@json_option
def verify(shop_id: str | None, data: Path | None, as_json: bool) -> None:
    """Open every wrapped key and every record; exit 1 and name those that do not open."""
    with at_work(data):
        verifiers = [Verifier(each) for each in _shops(shop_id)]
        with _bar(sum(each.total() for each in verifiers), "opening", hidden=as_json) as bar:
            for count in (count for each in verifiers for count in each.run()):
                bar.update(count)
    found = {
        "keys": sum(each.found.keys for each in verifiers),
        "records": sum(each.found.records for each in verifiers),
        "damaged": [f"{each.shop_id} {what}" for each in verifiers for what in each.found.damaged],
    }
    tell(found, as_json=as_json, lines=_verified_lines)
    if found["damaged"]:
        raise click.exceptions.Exit(1)


def _shops(shop_id: str | None) -> list[str]:
    if shop_id is not None:
        return [merchants.load_shop(shop_id).id]
    with transaction(None) as session:
        return [row.id for row in merchants.all_shops(session)]


def _announced(kind: str, shop_id: str, owner_id: str) -> Shown:
    if kind == ROOT:
        with transaction(None) as session:
            return _shown(rotation.announce_root(session))
    with transaction(shop_id) as session:
        return _shown(rotation.announce(session, shop_id, kind, owner_id))


def _activated(kind: str, shop_id: str, owner_id: str) -> Shown | None:
    if kind == ROOT:
        with transaction(None) as session:
            root = rotation.activate_root(session)
            return None if root is None else _shown(root)
    with transaction(shop_id) as session:
        key = rotation.activate(session, shop_id, kind, owner_id)
        return None if key is None else _shown(key)


def _shown(row: VaultKey | VaultRoot) -> Shown:
    of = {"shop": row.shop_id, "kind": row.kind, "version": row.version} if isinstance(row, VaultKey) else {}
    return {"id": row.id, "state": row.state, **of}


def _work(kind: str, shop_id: str, owner_id: str) -> Rewrapping:
    return rewrapping.of_root(shop_id) if kind == ROOT else rewrapping.of_key(shop_id, kind, owner_id)


def _moved_over(works: list[Rewrapping], *, hidden: bool) -> int:
    total = sum(work.left() for work in works)
    moved = 0
    with _bar(total, "moving over", hidden=hidden) as bar:
        for count in (count for work in works for count in work.run()):
            moved += count
            bar.update(count)
    return moved - sum(len(work.damaged) for work in works)


def _bar(length: int, label: str, *, hidden: bool) -> Any:
    """On standard error, and on a terminal only: what is told stays what it is."""
    hidden = hidden or not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, hidden=hidden, file=sys.stderr)


@contextmanager
def _found(key_id: str) -> Iterator[tuple[Session, VaultKey | VaultRoot]]:
    """A key of whichever shop, or a root key, in a transaction that holds it."""
    if key_id.startswith(f"{ROOT}_"):
        with transaction(None) as session:
            yield session, rotation.lock_root(session, key_id)
        return
    for shop_id in _shops(None):
        with transaction(shop_id) as session:
            row = rotation.lock(session, shop_id, key_id)
            if row is not None:
                yield session, row
                return
    raise merchants.Unknown(f"no key {key_id}")


def _key_lines(rows: list[Shown]) -> list[str]:
    return [f"{row['id']}  {row['state']}  {row.get('shop', '')}".rstrip() for row in rows]


def _moved_lines(found: Any) -> list[str]:
    damaged = [f"{row_id} does not open, and stays as it is" for row_id in found["damaged"]]
    return [*_key_lines(found["keys"]), f"{found['moved']} moved to the active key", *damaged]


def _status_lines(found: Any) -> list[str]:
    lines = []
    for root in found["roots"]:
        lines.append(f"{root['id']}  {root['provider']}  {root['state']}  {root['keys']} keys of shops")
        lines += [f"  not held by {process}" for process in root["not_held_by"]]
    for shop_id, rows in found["shops"].items():
        lines.append(shop_id)
        lines += [_status_line(row) for row in rows]
    return lines


def _status_line(row: Shown) -> str:
    which = f"v{row['version']} {row['id']}" if "id" in row else f"{row['count']} keys"
    return f"  {row['kind']:8} {which}  {row['state']}  {row['keys']} keys, {row['records']} records"


def _verified_lines(found: Any) -> list[str]:
    return [
        f"{found['keys']} keys and {found['records']} records open",
        *(f"does not open: {what}" for what in found["damaged"]),
    ]


COMMANDS = [keys]
