"""``reprise watch``: what a shop lost in the last days, seen from a laptop. Nothing is installed anywhere, nothing is
kept, and the shop is only read: it needs a key that may read, and neither a database nor an address of our own."""

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from plugin_backend.cli.context import json_option, tell
from plugin_backend.cli.shops import pairs
from plugin_backend.core import i18n, registry, storefronts
from plugin_backend.core.render import previews
from plugin_backend.core.views import ShopView
from plugin_backend.domain import hindsight, offers
from plugin_backend.domain.hindsight import Kind, Memory, Report, Rules
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector, Page, ShopFacts, settings_of
from plugin_backend.sdk.errors import NoAnswer, Refused, RepriseError
from plugin_backend.sdk.http import Client, HttpClient

_TRIES = 4
_BARS = {"carts": "Unpaid orders", "orders": "Orders"}


@click.command("watch")
@click.argument("address")
@click.option("--platform", help="The shop's platform; without it the address is asked.")
@click.option(
    "--set",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="A key that may read; VALUE may be @FILE or -. Without one the names that are wanted are told.",
)
@click.option("--days", type=click.IntRange(1, 365), default=hindsight.DAYS, show_default=True)
@click.option("--company", type=click.Choice(["small", "large"]), default="small", show_default=True)
@click.option(
    "--country", help="Where the shop is, as ISO 3166 alpha-2, where it does not say.", default="FR"
)
@click.option("--locale", default="", help="The language of the offer; the shop's country's where left out.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reprise-watch"),
    show_default=True,
    help="Where the last lost basket is put as offer page and as mail.",
)
@click.option("--loopback", is_flag=True, help="A test shop on this machine: http and private addresses too.")
@json_option
def watch(address: str, more: tuple[str, ...], loopback: bool, as_json: bool, **asked: Any) -> None:
    """Count what the shop at ADDRESS lost, and what could have been offered. Nothing is written to it."""
    http = HttpClient(allow_private=loopback)
    try:
        kind = _platform(address, asked["platform"], http)
        connector = kind({"url": address, **pairs(more)}, http)
        if not connector.can_write:
            names = [name for name, secret in settings_of(kind.settings) if secret and name != "secret"]
            raise click.UsageError(f"a key that may read is missing: --set NAME=VALUE, of {', '.join(names)}")
        shop = _known(connector, address, http, asked)
        found = _look_back(connector, shop, asked["days"])
        tell(_told(found, asked["days"]) | _shown(found, shop, asked["out"]), as_json=as_json, lines=_lines)
    finally:
        http.close()


@dataclass(frozen=True, slots=True)
class _Shop:
    view: ShopView
    zone: ZoneInfo
    rules: Rules
    locale: str


def _platform(address: str, named: str | None, http: Client) -> type[Connector]:
    known = registry.connectors()
    if named is not None and named not in known:
        raise click.BadParameter(f"no platform {named}: {', '.join(known)}")
    found = named or next((name for name, one in known.items() if one.recognise(address, http)), None)
    if found is None:
        raise click.ClickException(f"what {address} runs on cannot be told: name it by --platform")
    if not known[found].capabilities.polling:
        raise click.ClickException(f"a shop of the platform {found} cannot be asked for its orders")
    return known[found]


def _known(connector: Connector, address: str, http: Client, asked: dict[str, Any]) -> _Shop:
    """What the shop says of itself, and how it looks; what it does not say is as the options have it."""
    try:
        facts = connector.facts()
    except RepriseError:
        facts = ShopFacts()
    look = storefronts.look_at(address, http)
    country, zone = facts.country or asked["country"].upper(), _zone(facts.timezone)
    company = asked["company"]
    days = offers.LARGE_COMPANY_DAYS if company == "large" else offers.DEFAULT_DAYS
    rules = Rules(days, company, country, facts.currency or "EUR", hindsight.SMALLEST)
    locale = i18n.negotiate(asked["locale"], country.lower())
    name = look.name or facts.name or address.split("://")[-1].strip("/")
    view = ShopView(name, locale, zone.key, logo_url=look.logo_url, color=look.color)
    return _Shop(view, zone, rules, locale)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _look_back(connector: Connector, shop: _Shop, days: int) -> Report:
    since = clock.real_now() - timedelta(days=days)
    memory = Memory(secrets.token_bytes(32))
    for kind in hindsight.KINDS:
        with ExitStack() as stack:
            bar: Any = None
            for page in _pages(connector, kind, since):
                memory.see(page.events)
                if bar is None:
                    length = page.total if page.total is not None else max(page.listed, 1)
                    bar = stack.enter_context(
                        click.progressbar(length=length, label=_BARS[kind], file=sys.stderr)
                    )
                bar.length = max(bar.length, bar.pos + page.listed)
                bar.update(page.listed)
    return hindsight.report(memory.baskets(), shop.rules)


def _pages(connector: Connector, kind: Kind, since: datetime) -> Iterator[Page]:
    cursor = ""
    while True:
        page = _patiently(connector, kind, since, cursor)
        yield page
        cursor = page.cursor
        if not cursor:
            return


def _patiently(connector: Connector, kind: Kind, since: datetime, cursor: str) -> Page:
    """Ask again where the shop did not answer, or says later."""
    for wait in range(1, _TRIES):
        try:
            return connector.fetch(kind, since, cursor)
        except (NoAnswer, Refused) as error:
            if error.permanent:
                raise
            time.sleep(2**wait)
    return connector.fetch(kind, since, cursor)


def _told(found: Report, days: int) -> dict[str, Any]:
    return {
        "days": days,
        "unpaid": found.unpaid,
        "declined": found.declined,
        "amounts": [amount.as_json() for amount in found.amounts],
        "offerable": found.offerable,
        "by_mail": found.by_mail,
        "offerable_amounts": [amount.as_json() for amount in found.offerable_amounts],
        "says": _says(found, days),
        "files": [],
    }


def _says(found: Report, days: int) -> list[str]:
    lost = " + ".join(i18n.money(amount, "en") for amount in found.amounts) or "nothing"
    could = " + ".join(i18n.money(amount, "en") for amount in found.offerable_amounts) or "nothing"
    return [
        f"last {days} days: {found.unpaid} unpaid orders, {found.declined} declined, {lost}",
        f"with a 3 x plan inside the law these {found.offerable} could have been offered ({could}), "
        f"{found.by_mail} of them by mail",
    ]


def _shown(found: Report, shop: _Shop, out: Path) -> dict[str, Any]:
    """The last basket that was lost, as its customer would have seen it."""
    if found.last is None:
        return {}
    now = clock.real_now()
    offer = hindsight.offer_for(found.last, shop.rules, shop.zone, now, now + timedelta(days=7))
    kind = "offer_after_decline" if found.last.declined else "offer"
    drawn = previews.draw(shop.view, offer, kind, shop.locale, found.last.country or shop.rules.country)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("offer.html", drawn.page),
        ("mail.html", drawn.mail.html),
        ("mail.txt", drawn.mail.text),
    ):
        (out / name).write_text(text, encoding="utf-8")
    return {"files": [str(out / name) for name in ("offer.html", "mail.html", "mail.txt")]}


def _lines(told: dict[str, Any]) -> list[str]:
    files = told["files"]
    last = [f"your last lost basket as offer page and mail: {', '.join(files)}"] if files else []
    return [*told["says"], *last]


COMMANDS = [watch]
