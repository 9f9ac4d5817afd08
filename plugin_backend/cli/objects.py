"""Looking at what there is: deliveries, carts, offers, plans, collections, messages, refunds, disputes, cases, erasures, and
the books."""

from pathlib import Path

import click

from plugin_backend.cli.context import at_work, data_option, json_option, shop_option, tell
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import books, inbox, merchants, objects
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.sdk import clock

NOUNS = (
    "deliveries",
    "carts",
    "offers",
    "plans",
    "collections",
    "messages",
    "refunds",
    "disputes",
    "cases",
    "reconciliations",
    "erasures",
)


def _group(noun: str) -> click.Group:
    """``reprise <noun> list`` and ``show``: both tell JSON."""

    @click.group(noun, help=f"Look at {noun}.")
    def group() -> None:
        return

    @group.command("list", help=f"The newest {noun} of a shop, as a JSON array.")
    @shop_option
    @click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
    @data_option
    @json_option
    def list_(shop_id: str, limit: int, data: Path | None, as_json: bool) -> None:
        with at_work(data), transaction(shop_id) as session:
            merchants.get_shop(session, shop_id)
            tell(objects.list_objects(session, shop_id, noun, limit=limit), as_json=True)

    @group.command("show", help="One of them, as a JSON object.")
    @click.argument("row_id", metavar="ID")
    @shop_option
    @data_option
    @json_option
    def show(row_id: str, shop_id: str, data: Path | None, as_json: bool) -> None:
        with at_work(data), transaction(shop_id) as session:
            merchants.get_shop(session, shop_id)
            tell(objects.show_object(session, shop_id, noun, row_id), as_json=True)

    return group


deliveries = _group("deliveries")


@deliveries.command("replay")
@click.argument("row_id", metavar="ID")
@shop_option
@data_option
@json_option
def replay(row_id: str, shop_id: str, data: Path | None, as_json: bool) -> None:
    """Have a delivery read again."""
    with at_work(data):
        with transaction(shop_id) as session:
            row = session.get(DeliveryRow, (shop_id, row_id), with_for_update=True)
            if row is None:
                raise merchants.Unknown(f"no delivery {row_id}")
            try:
                inbox.replay(session, row, clock.real_now())
            except ValueError as error:
                raise click.ClickException(str(error)) from None
        house().bells.ring("read", shop_id)
    tell(
        {"id": row_id, "shop": shop_id, "state": "received"},
        as_json=as_json,
        lines=lambda it: [f"{it['id']} is read again"],
    )


@click.command("books")
@shop_option
@click.option("--customer", "customer_id", metavar="ID", help="Only what a customer paid and got back.")
@data_option
@json_option
def balances(shop_id: str, customer_id: str | None, data: Path | None, as_json: bool) -> None:
    """What the books come to: each account, or a customer, in each currency by itself. Minor units."""
    with at_work(data), transaction(shop_id) as session:
        merchants.get_shop(session, shop_id)
        found = (
            books.of_customer(session, shop_id, customer_id)
            if customer_id
            else books.of_shop(session, shop_id)
        )
    tell(found, as_json=True)


COMMANDS = [balances, deliveries, *(_group(noun) for noun in NOUNS[1:])]
