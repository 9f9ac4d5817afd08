"""The next run: who will be charged without being there, and holding it back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from plugin_backend.cli.context import at_work, data_option, json_option, seconds, shop_option, tell
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import merchants
from plugin_backend.domain.billing import runs
from plugin_backend.sdk import clock


@click.group()
def run() -> None:
    """Look at what will be charged, hold it back, let it go."""


def _shown(it: runs.Coming) -> dict[str, Any]:
    return {
        "collection": it.collection_id,
        "plan": it.plan_id,
        "number": it.number,
        "customer": it.email,
        "amount": it.amount.as_json(),
        "at": it.at.isoformat(),
        "state": it.state,
        "reason": it.reason,
        "held": it.held,
    }


@run.command("show")
@shop_option
@click.option("--within", default="24h", show_default=True, help="How far ahead, such as 12h or 3d.")
@data_option
@json_option
def show(shop_id: str, within: str, data: Path | None, as_json: bool) -> None:
    """Who falls due, how much, when and why, and what would keep it back. A dry run: nothing is changed or asked."""
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with merchants.shop_time(shop), transaction(shop_id) as session:
            until = clock.now() + timedelta(seconds=seconds(within))
            found = [_shown(it) for it in runs.coming(session, shop, until)]
    tell(found, as_json=as_json, lines=lambda rows: [_line(row) for row in rows] or ["Nothing falls due."])


def _line(row: dict[str, Any]) -> str:
    amount = row["amount"]
    why = f"{row['state']} {row['reason']}".strip()
    held = f"  held: {row['held']}" if row["held"] else ""
    return f"{row['at'][:16]}  {amount['amount']} {amount['currency']}  {row['customer']}  {row['plan']} {row['number']}  {why}{held}"


@run.command("hold")
@shop_option
@click.option("--for", "span", default="24h", show_default=True, help="For how long, such as 12h or 3d.")
@data_option
@json_option
def hold(shop_id: str, span: str, data: Path | None, as_json: bool) -> None:
    """Charge nobody who is not there, for a while. What is under way comes to its end."""
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with merchants.shop_time(shop), transaction(shop_id) as session:
            until = clock.now() + timedelta(seconds=seconds(span))
            runs.hold(session, merchants.get_shop(session, shop_id), until)
    told = {"shop": shop_id, "held_until": until.isoformat()}
    tell(told, as_json=as_json, lines=lambda it: [f"held until {it['held_until'][:16]}"])


@run.command("release")
@shop_option
@data_option
@json_option
def release(shop_id: str, data: Path | None, as_json: bool) -> None:
    """Let the run go on: what was held back is due at once."""
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with merchants.shop_time(shop), transaction(shop_id) as session:
            runs.let_go(session, merchants.get_shop(session, shop_id))
        house().bells.ring("charge", shop_id)
    tell({"shop": shop_id, "held_until": None}, as_json=as_json, lines=lambda it: ["released"])


def _account(verb: str, help_: str) -> click.Command:
    """``reprise run pause`` and ``resume``: the active account, or the one that is named."""

    @click.command(verb, help=help_)
    @shop_option
    @click.option("--account", "account_id", help="The account's id; without it the one that new plans use.")
    @data_option
    @json_option
    def command(shop_id: str, account_id: str | None, data: Path | None, as_json: bool) -> None:
        with at_work(data):
            shop = merchants.load_shop(shop_id)
            with merchants.shop_time(shop), transaction(shop_id) as session:
                row = (
                    merchants.account(session, shop_id, account_id)
                    if account_id
                    else merchants.active_account(session, shop_id)
                )
                (runs.pause if verb == "pause" else runs.resume)(session, row)
                told = {"id": row.id, "shop": shop_id, "paused": row.paused}
            house().bells.ring("charge", shop_id)
        tell(told, as_json=as_json, lines=lambda it: [f"{it['id']} {'paused' if it['paused'] else 'in use'}"])

    return command


run.add_command(
    _account("pause", "Let a gateway account charge nobody who is not there, until it is resumed.")
)
run.add_command(_account("resume", "Let a paused account charge again: what was held back is due at once."))

COMMANDS = [run]
