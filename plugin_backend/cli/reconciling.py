"""What gateways list, compared with our books; and quarantine, which such a comparison lifts."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from plugin_backend.cli.context import at_work, data_option, json_option, shop_option, tell
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import merchants, objects, quarantine, reconciliation
from plugin_backend.domain.merchants import GatewayAccount
from plugin_backend.worker import comparing


@click.command()
@shop_option
@click.option(
    "--days",
    type=click.IntRange(1, 800),
    default=reconciliation.DAYS,
    show_default=True,
    help="How many days back.",
)
@data_option
@json_option
def reconcile(shop_id: str, days: int, data: Path | None, as_json: bool) -> None:
    """Compare a shop's books now with what its gateways list. Differences become cases; exit 1 where a list could not
    be had."""
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with transaction(shop_id) as session:
            accounts = select(GatewayAccount.id).where(GatewayAccount.shop_id == shop_id)
            ids = list(session.scalars(accounts.order_by(GatewayAccount.id)))
        with merchants.shop_time(shop):
            kept = [comparing.compare_account(shop, account_id, days).id for account_id in ids]
        with transaction(shop_id) as session:
            found = [objects.show_object(session, shop_id, "reconciliations", row_id) for row_id in kept]
        for bell in ("reconcile", "refund", "deliver", "charge"):
            house().bells.ring(bell, shop_id)
    tell({"shop": shop_id, "accounts": found}, as_json=as_json, lines=_compared_lines)
    if any(run["state"] == "failed" for run in found):
        raise click.exceptions.Exit(1)


def _compared_lines(told: Any) -> list[str]:
    lines = []
    for run in told["accounts"]:
        counts = ", ".join(f"{name} {number}" for name, number in run["counts"].items())
        lines.append(f"{run['gateway']} {run['account']}: {run['state']} {counts or run['reason']}")
        lines += [
            f"  {one['reason']}: {one['reference']} {one['amount']['amount']} {one['amount']['currency']} {one['id']}"
            for one in run["differences"]
        ]
    return lines or ["the shop has no gateway account"]


@click.group("quarantine")
def group() -> None:
    """Accounts that may not charge, because the database is another than before."""


@group.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """The accounts in quarantine, of every shop."""
    with at_work(data):
        found = [{"shop": shop, "account": account} for shop, account in quarantine.everywhere()]
    tell(
        found,
        as_json=as_json,
        lines=lambda rows: [f"{row['shop']}  {row['account']}" for row in rows] or ["none"],
    )


@group.command("lift")
@shop_option
@click.option("--account", "account_id", required=True, help="The gateway account's id.")
@click.option("--reason", required=True, help="How it is known what was charged meanwhile; it is kept.")
@data_option
@json_option
def lift(shop_id: str, account_id: str, reason: str, data: Path | None, as_json: bool) -> None:
    """Let an account charge again without its gateway's list: what that charged meanwhile may be charged twice."""
    if not reason.strip():
        raise click.BadParameter("a reason is needed", param_hint="--reason")
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with transaction(shop_id) as session, merchants.shop_time(shop):
            account = session.get(GatewayAccount, (shop_id, account_id), with_for_update=True)
            if account is None:
                raise merchants.Unknown(f"shop {shop_id} has no account {account_id}")
            quarantine.lift(session, account, f"by hand: {reason.strip()[:200]}")
        house().bells.ring("charge", shop_id)
    told = {"shop": shop_id, "account": account_id, "quarantine": False}
    tell(told, as_json=as_json, lines=lambda it: [f"{it['account']} may charge again"])


COMMANDS = [reconcile, group]
