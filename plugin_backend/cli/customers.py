"""Customers of a shop: what is kept of one, and having him forgotten."""

import getpass
from pathlib import Path

import click
from sqlalchemy.orm import Session

from plugin_backend.cli.context import at_work, data_option, json_option, shop_option, tell
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import customers, erasing, merchants, objects, portability
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure


@click.group("customers")
def group() -> None:
    """What is kept of customers, and having them forgotten."""


@group.command("export")
@click.argument("who", metavar="ID|EMAIL")
@shop_option
@data_option
def export(who: str, shop_id: str, data: Path | None) -> None:
    """Print all that is kept of a customer, as JSON, for him."""
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with transaction(shop_id) as session, merchants.shop_time(shop):
            found = portability.everything_about(session, shop, _known(session, shop_id, who))
    tell(found, as_json=True)


@group.command("erase")
@click.argument("who", metavar="ID|EMAIL")
@shop_option
@click.option("--cancel-plans", is_flag=True, help="Cancel the plans of the customer that are running first.")
@data_option
@json_option
def erase(who: str, shop_id: str, cancel_plans: bool, data: Path | None, as_json: bool) -> None:
    """Forget a customer: his cards here and at the gateways, and all that is known of him but what the law keeps.

    Refused while a plan of his is running (see --cancel-plans), or a payment, a refund or a dispute is not settled. Done
    again it changes nothing. It cannot be undone.
    """
    with at_work(data):
        shop = merchants.load_shop(shop_id)
        with transaction(shop_id) as session, merchants.shop_time(shop):
            customer = _known(session, shop_id, who)
            asked_by = f"command line: {getpass.getuser()}"
            row = erasing.begin(
                session,
                shop,
                customer.id,
                cause=erasing.BY_HAND,
                asked_by=asked_by,
                cancel_plans=cancel_plans,
            )
            row_id = row.id
        for bell in (Erasure.bell, "deliver"):
            house().bells.ring(bell, shop_id)
        with transaction(shop_id) as session:
            found = objects.show_object(session, shop_id, "erasures", row_id)
    tell(
        found,
        as_json=as_json,
        lines=lambda it: [f"{it['id']}: the customer {it['customer']} is being forgotten ({it['state']})"],
    )


def _known(session: Session, shop_id: str, who: str) -> Customer:
    customer = customers.find(session, shop_id, who)
    if customer is None:
        raise merchants.Unknown(f"shop {shop_id} has no customer {who}")
    return customer


COMMANDS = [group]
