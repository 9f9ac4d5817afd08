"""Shops, gateway accounts and users."""

import secrets
import sys
from pathlib import Path
from typing import Any

import click

from plugin_backend.cli.context import at_work, data_option, json_option, seconds, shop_option, tell
from plugin_backend.core import i18n
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.render.words import Words
from plugin_backend.domain import dunning, merchants, onboarding, polls, probing, staff, storefronts, vault


@click.group()
def shop() -> None:
    """Shops."""


@shop.command("add")
@click.option(
    "--platform", required=True, help="woocommerce, shopify, custom, or any connector that is there."
)
@click.option("--url", required=True, help="The shop's address.")
@click.option("--secret", help="The webhook secret; @FILE reads it from a file, - from standard input.")
@click.option(
    "--idle", default="1h", show_default=True, help="How long a basket rests before it counts as left."
)
@click.option("--name", help="The shop's name, as customers know it.")
@click.option("--country", default="FR", show_default=True, help="Where the shop is, as ISO 3166 alpha-2.")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--locale", default="fr", show_default=True)
@click.option("--timezone", default="Europe/Paris", show_default=True)
@click.option(
    "--company",
    type=click.Choice(["small", "large"]),
    default="small",
    show_default=True,
    help="A large company that sells at a distance may defer by 14 days only.",
)
@click.option(
    "--ship",
    type=click.Choice(["first_payment", "fully_paid"]),
    default="first_payment",
    show_default=True,
    help="When the shop's order counts as paid.",
)
@click.option(
    "--kind", type=click.Choice(["instalments", "subscription"]), default="instalments", show_default=True
)
@click.option(
    "--set",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the connector; VALUE as --secret.",
)
@click.option(
    "--live", is_flag=True, help="A live shop: it begins by watching only, and plays with no sandbox."
)
@data_option
@json_option
def add_shop(
    platform: str,
    url: str,
    secret: str | None,
    idle: str,
    more: tuple[str, ...],
    live: bool,
    data: Path | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """Connect a shop: by default a TEST shop, active, with three payments and the sandbox account."""
    settings = {"url": url} | ({"secret": read_secret(secret)} if secret else {}) | pairs(more)
    facts = {name: value for name, value in facts.items() if value}
    facts["idle_seconds"] = seconds(idle)
    shop_id = onboarding.new_shop_id()
    with at_work(data), transaction(shop_id) as session:
        mode: Any = "live" if live else "test"
        made = onboarding.add_shop(session, shop_id, platform=platform, settings=settings, mode=mode, **facts)
        onboarding.give_sandbox(session, made)
        session.flush()
        hook = house().url(merchants.hook_path(merchants.connection_of(session, shop_id).id, shop_id))
        found = {
            "id": shop_id,
            "shop": shop_id,
            "platform": platform,
            "mode": made.mode,
            "state": made.state,
            "webhook_url": hook,
        }
    tell(
        found,
        as_json=as_json,
        lines=lambda it: [f"{it['id']}  {it['mode']}  {it['state']}", it["webhook_url"]],
    )


@shop.command("activate")
@click.argument("shop_id", metavar="ID")
@data_option
@json_option
def activate(shop_id: str, data: Path | None, as_json: bool) -> None:
    """Let a live shop that only watches send offers from now on."""
    with at_work(data), transaction(shop_id) as session:
        row = merchants.get_shop(session, shop_id)
        merchants.activate(session, row)
        found = {"id": row.id, "shop": row.id, "state": row.state}
    tell(found, as_json=as_json, lines=lambda it: [f"{it['id']} is {it['state']}"])


@shop.command("webhooks")
@click.argument("shop_id", metavar="ID")
@data_option
@json_option
def webhooks(shop_id: str, data: Path | None, as_json: bool) -> None:
    """Create in the shop the webhooks that we need, and switch on those that are off; from now on that is done daily."""
    with at_work(data):
        with transaction(shop_id) as session:
            row = merchants.get_shop(session, shop_id)
            connection = merchants.connection_of(session, shop_id)
            connector = merchants.connector_of(
                session, row, connection, vault.Use("shop_call", connection.id)
            )
            hook = house().url(merchants.hook_path(connection.id, shop_id))
        found = [{"topic": made.topic, "state": made.state} for made in connector.ensure_webhooks(hook)]
        with transaction(shop_id) as session, merchants.shop_time(row):
            polls.webhooks_made(session, shop_id, found)
    tell(found, as_json=as_json, lines=lambda rows: [f"{row['state']:9} {row['topic']}" for row in rows])


@shop.command("set")
@click.argument("shop_id", metavar="ID")
@click.option("--retry-days", help="Days until each further try of a refused payment, such as 3,5,7,7.")
@click.option("--visa-retries", type=int, help="Refusals of one Visa card within 30 days, at most 20.")
@data_option
@json_option
def set_shop(
    shop_id: str, retry_days: str | None, visa_retries: int | None, data: Path | None, as_json: bool
) -> None:
    """Change how a shop's refused payments are tried again; without an option, show it."""
    with at_work(data), transaction(shop_id) as session:
        row = merchants.get_shop(session, shop_id)
        try:
            ladder = tuple(row.retry_days) if retry_days is None else dunning.read_ladder(retry_days)
            merchants.set_retries(row, ladder, row.visa_retries if visa_retries is None else visa_retries)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
        found = {
            "id": row.id,
            "shop": row.id,
            "retry_days": row.retry_days,
            "visa_retries": row.visa_retries,
        }
    tell(found, as_json=as_json, lines=lambda it: [f"{name}: {value}" for name, value in it.items()])


@shop.command("storefront")
@click.argument("shop_id", metavar="ID")
@click.option(
    "--origin", "origins", multiple=True, help="Where pages of the shop come from besides its address."
)
@click.option("--own-address-only", is_flag=True, help="Take back every further origin.")
@data_option
@json_option
def storefront(
    shop_id: str, origins: tuple[str, ...], own_address_only: bool, data: Path | None, as_json: bool
) -> None:
    """Where a shop's pages call, and from which origins they may; the origins given replace those before."""
    with at_work(data), transaction(shop_id) as session:
        row = merchants.get_shop(session, shop_id)
        if origins or own_address_only:
            storefronts.allow(row, origins)
        found = {
            "id": row.id,
            "shop": row.id,
            "key": storefronts.key(row.id),
            "url": house().url(storefronts.path(row.id)),
            "origins": sorted(storefronts.origins(row)),
            "seen_at": row.storefront_seen_at,
        }
    tell(found, as_json=as_json, lines=lambda it: [it["url"], *it["origins"]])


@shop.command("list")
@data_option
@json_option
def list_shops(data: Path | None, as_json: bool) -> None:
    """Every shop of the installation."""
    with at_work(data), transaction(None) as session:
        found = [
            {
                "id": row.id,
                "shop": row.id,
                "name": row.name,
                "platform": row.platform,
                "mode": row.mode,
                "state": row.state,
                "created_at": row.created_at.isoformat(),
            }
            for row in merchants.all_shops(session)
        ]
    tell(
        found,
        as_json=as_json,
        lines=lambda rows: [f"{r['id']}  {r['mode']:4}  {r['state']}  {r['name']}" for r in rows],
    )


@click.group()
def gateway() -> None:
    """Gateway accounts."""


@gateway.command("add")
@shop_option
@click.option("--gateway", "name", required=True, help="sandbox, or any gateway that is there.")
@click.option(
    "--set", "more", multiple=True, metavar="NAME=VALUE", help="A setting; VALUE may be @FILE or -."
)
@data_option
@json_option
def add_gateway(shop_id: str, name: str, more: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Give a shop a gateway account; new plans use it from now on."""
    with at_work(data), transaction(shop_id) as session:
        row = onboarding.add_account(session, merchants.get_shop(session, shop_id), name, pairs(more))
        found = {"id": row.id, "shop": shop_id, "gateway": name, "mode": row.mode}
        found["webhook_url"] = house().url(merchants.hook_path(row.id, shop_id))
    tell(found, as_json=as_json, lines=lambda it: [it["id"], it["webhook_url"]])


@gateway.command("probe")
@shop_option
@click.option(
    "--again", is_flag=True, help="Have them probed once more; the outcome is there a little later."
)
@data_option
@json_option
def probe(shop_id: str, again: bool, data: Path | None, as_json: bool) -> None:
    """Show whether a shop's gateway accounts do what their gateways promise."""
    words = Words(i18n.translator("en"))
    with (
        at_work(data),
        transaction(shop_id) as session,
        merchants.shop_time(merchants.get_shop(session, shop_id)),
    ):
        accounts = merchants.accounts_of(session, shop_id)
        if again:
            for row in accounts:
                probing.again(session, row)
        found = [
            {
                "id": row.id,
                "shop": shop_id,
                "gateway": row.gateway,
                "mode": row.mode,
                "state": row.state,
                "reason": row.reason,
                "says": words.reason(row.reason),
                "probed_at": row.probed_at,
                "due_at": row.due_at,
                "created_at": row.created_at,
            }
            for row in accounts
        ]
    tell(
        found,
        as_json=as_json,
        lines=lambda rows: [f"{r['id']}  {r['gateway']}  {r['state']}  {r['says']}".rstrip() for r in rows],
    )


@click.group()
def user() -> None:
    """Who may sign in to the dashboard."""


@user.command("add")
@click.option("--email", required=True)
@click.option(
    "--password", help="At least 12 characters; @FILE or - to read it. Without it one is made and shown once."
)
@data_option
@json_option
def add_user(email: str, password: str | None, data: Path | None, as_json: bool) -> None:
    """Add a user of the dashboard."""
    chosen = read_secret(password) if password else secrets.token_urlsafe(15)
    with at_work(data), transaction(None) as session:
        made = staff.add_user(session, onboarding.the_merchant(session).id, email, chosen)
        found = {"id": made.id, "email": made.email} | ({} if password else {"password": chosen})
    tell(found, as_json=as_json, lines=lambda it: [f"{name}: {value}" for name, value in it.items()])


def read_secret(given: str) -> str:
    """A secret as it is given, or read from ``@FILE`` or ``-`` (standard input), without its last line break."""
    if given == "-":
        return sys.stdin.read().rstrip("\n")
    if given.startswith("@"):
        try:
            return Path(given[1:]).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise click.BadParameter(f"{given[1:]}: {error.strerror}") from None
    return given


def pairs(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{name}: a setting is given as NAME=VALUE")
        found[name] = read_secret(value)
    return found


COMMANDS = [shop, gateway, user]
