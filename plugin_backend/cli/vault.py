"""The vault's log: who opened what, and whether the log still says what was written."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from plugin_backend.cli.context import at_work, data_option, json_option, tell
from plugin_backend.core.db import transaction
from plugin_backend.domain import merchants, vault
from plugin_backend.domain.vault import Mark, VaultEntry

_TOLD = ("seq", "verb", "purpose", "use_id", "row_id", "field", "key_id", "process", "result")


@click.group("vault")
def group() -> None:
    """What the vault did, and for what."""


@group.command("audit")
@click.option("--shop", "shop_id", default="", help="The shop's id (default: every shop).")
@click.option(
    "--verify", is_flag=True, help="Compute every hash and every seal anew; exit 1 where one differs."
)
@click.option(
    "--mark",
    "marked",
    default="",
    metavar="SEQ:HASH",
    help="A row that must be there, as a worker's log told.",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@data_option
@json_option
def audit(shop_id: str, verify: bool, marked: str, limit: int, data: Path | None, as_json: bool) -> None:
    """The newest rows of the vault's log, or with --verify whether all of it is as it was written."""
    mark = _mark(marked, of_one_shop=bool(verify and shop_id))
    with at_work(data):
        shops = _shops(shop_id)
        if not verify:
            rows = [row for shop in shops for row in _newest(shop, limit)]
            tell(rows, as_json=as_json, lines=_row_lines)
            return
        found = [{"shop": shop, **asdict(vault.prove_log(shop, mark))} for shop in shops]
    tell(found, as_json=as_json, lines=_proof_lines)
    if any(proof["broken"] for proof in found):
        raise click.exceptions.Exit(1)


def _mark(said: str, *, of_one_shop: bool) -> Mark | None:
    if not said:
        return None
    if not of_one_shop:
        raise click.BadParameter("is of one shop: say --verify and --shop", param_hint="--mark")
    seq, _, digest = said.partition(":")
    try:
        return Mark(int(seq), bytes.fromhex(digest))
    except ValueError:
        raise click.BadParameter(f"{said}: SEQ:HASH, the hash in hexadecimal", param_hint="--mark") from None


def _shops(shop_id: str) -> list[str]:
    with transaction(None) as session:
        if shop_id:
            return [merchants.get_shop(session, shop_id).id]
        return [shop.id for shop in merchants.all_shops(session)]


def _newest(shop_id: str, limit: int) -> list[dict[str, Any]]:
    newest = select(VaultEntry).where(VaultEntry.shop_id == shop_id).order_by(VaultEntry.seq.desc())
    with transaction(shop_id) as session:
        return [_told(row) for row in session.scalars(newest.limit(limit))]


def _told(row: VaultEntry) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in _TOLD}
    return {"shop": row.shop_id, "id": row.id, "at": row.created_at.isoformat(), **facts}


def _row_lines(rows: Any) -> list[str]:
    return [
        f"{row['at'][:19]} {row['shop']} {row['seq']:7} {row['verb']:6} {row['purpose'] or '-':12} {row['result']:10}"
        f" {row['row_id']} {row['field']} for {row['use_id'] or '-'} by {row['process']}"
        for row in rows
    ]


def _proof_lines(found: Any) -> list[str]:
    return [
        f"{'NOT' if one['broken'] else 'ok '}  {one['shop']}  "
        + (
            one["broken"]
            or f"{one['rows']} rows, {one['seals']} seals, {one['unsealed']} rows not sealed yet"
        )
        for one in found
    ] or ["no shop"]


COMMANDS = [group]
