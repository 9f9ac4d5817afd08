"""What a worker asks for a hand-over: whose platform the address is, and whether the keys work there. Prepare, ask,
record."""

import base64
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import delays, due, registry
from plugin_backend.core.db import assert_no_transaction
from plugin_backend.core.house import house
from plugin_backend.domain import checkups, exchanges, merchants, moves, onboarding, polls, renewals, vault
from plugin_backend.domain.handovers.rows import Handover, taken
from plugin_backend.domain.handovers.steps import install_of, made_secret
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.sdk.connector import Install, ShopFacts
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.http import Client, Delivery, Exchange, Request, overheard


@dataclass(frozen=True, slots=True)
class Look:
    """An address of which the platform is to be recognised."""

    row_id: str
    address: str
    http: Client


@dataclass(frozen=True, slots=True)
class Trial:
    """Keys to be tried: typed ones, or those in a ``delivery``."""

    row_id: str
    number: int
    platform: str
    settings: Mapping[str, str] = field(repr=False)
    install: Install
    delivery: Delivery | None
    http: Client


Ask = Look | Trial


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose platform it is, "" where nobody knows it; ``reason`` is why nothing could be seen."""

    platform: str = ""
    home: str = ""
    leads_to: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Works:
    """The settings that work, and what the shop says about itself."""

    settings: Mapping[str, str] = field(repr=False)
    facts: ShopFacts


@dataclass(frozen=True, slots=True)
class Fails:
    """Why the keys are not kept."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of the ask, and what was said."""

    came: Seen | Works | Fails
    heard: Sequence[Exchange]


def take(session: Session, shop_id: str) -> list[str]:
    """The hand-over that is due, leased to the caller."""
    return due.take(session, Handover, shop_id, limit=1)


def prepare(session: Session, shop: Shop, row_id: str) -> Ask | None:
    """What is to be asked, or None. The intake is made with the first look, so that there is one when keys are typed."""
    row = _locked(session, shop, row_id)
    http = house().http(private=shop.test)
    match row.state:
        case "recognising":
            vault.furnish(session, shop.id)
            return Look(row.id, shop.address, http)
        case "brought":
            return _trial(session, shop, row, http)
        case "waiting":
            row.kept = None
            moves.move(session, row, "recognised", "not_approved_in_time")
    row.rest(None)
    return None


def _trial(session: Session, shop: Shop, row: Handover, http: Client) -> Trial:
    brought, kept = taken(session, row, "brought"), taken(session, row, "kept")
    settings = {**row.typed, **kept, **brought.get("settings", {})}
    came = brought.get("delivery")
    delivery = None if came is None else _delivery(came)
    return Trial(row.id, row.number, row.platform, settings, install_of(shop, row), delivery, http)


def _delivery(came: Mapping[str, Any]) -> Delivery:
    at = datetime.fromisoformat(came["at"])
    return Delivery({}, base64.b64decode(came["body"]), at, query=came["query"])


def ask(asked: Ask) -> Answer:
    """Ask the shop, with no transaction open."""
    assert_no_transaction()
    with overheard() as heard:
        came: Seen | Works | Fails = _look(asked) if isinstance(asked, Look) else _try(asked)
    return Answer(came, heard)


def _look(asked: Look) -> Seen:
    parts = urlsplit(asked.address)
    # Owners paste the address of whatever page they are on.
    for address in dict.fromkeys((asked.address, f"{parts.scheme}://{parts.netloc}")):
        for name, platform in registry.connectors().items():
            if home := platform.recognise(address, asked.http):
                return Seen(name, home)
    try:
        answer = asked.http.send(Request("GET", f"{asked.address}/"), timeout=10)
    except RepriseError:
        return Seen(reason="shop_unreachable")
    return Seen(leads_to=_elsewhere(asked.address, answer.headers.get("location", "")))


def _elsewhere(address: str, location: str) -> str:
    """The shop's address under another host that it sends its visitors to. It is told to the owner, and never followed."""
    with suppress(ValueError):
        there = urlsplit(location)
        if there.scheme in ("http", "https") and there.hostname and "@" not in there.netloc:
            return "" if there.netloc == urlsplit(address).netloc else f"{there.scheme}://{there.netloc}"
    return ""


def _try(asked: Trial) -> Works | Fails:
    platform = registry.connectors()[asked.platform]
    settings = dict(asked.settings)
    for name, kind in platform.guide.made.items():
        settings[name] = settings.get(name) or made_secret(kind)
    try:
        if asked.delivery is not None:
            given = platform(settings, asked.http).complete_install(asked.install, asked.delivery)
            settings = {**settings, **given}
        connector = platform(onboarding.checked_settings(asked.platform, settings), asked.http)
        if connector.can_write:
            bad = [check for check in connector.checks() if check.name == "rights" and not check.good]
            if bad:
                return Fails("keys_refused")
    except RepriseError as error:
        return Fails(str(error)[:300])
    try:
        return Works(settings, connector.facts())
    except RepriseError:
        return Works(settings, ShopFacts())


def record(session: Session, shop: Shop, asked: Ask, answer: Answer) -> None:
    """Enter what came of it; of what was typed anew meanwhile nothing is entered."""
    shop = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
    row = _locked(session, shop, asked.row_id)
    if row.state != ("recognising" if isinstance(asked, Look) else "brought"):
        return
    if isinstance(asked, Look) and shop.address != asked.address:
        return
    good = True
    match answer.came:
        case Seen() as seen:
            row.platform, row.home, row.leads_to = seen.platform, seen.home, seen.leads_to
            moves.move(session, row, "recognised", seen.reason)
            good = bool(seen.platform)
        case Works(settings=settings, facts=facts):
            _connected(session, shop, row, settings, facts)
        case Fails(reason=reason):
            row.brought = row.kept = None
            moves.move(session, row, "recognised", reason)
            good = False
        case _:
            assert_never(answer.came)
    exchanges.keep(session, shop.id, row.id, () if good else answer.heard)
    row.rest(None)


def _connected(
    session: Session, shop: Shop, row: Handover, settings: Mapping[str, str], facts: ShopFacts
) -> None:
    """Keep the keys: with a new connection, or in the place of those that an older one had."""
    checked = onboarding.checked_settings(row.platform, settings)
    found = select(Connection).where(Connection.shop_id == shop.id)
    connection = session.scalar(found.with_for_update())
    if connection is None:
        onboarding.complete(session, shop, row.platform, checked)
        _adopt(shop, facts)
        onboarding.give_sandbox(session, shop)
    else:
        # What signs webhooks is changed by itself, with an overlap.
        signing = {"secret", *registry.connectors()[row.platform].guide.made}
        changes = {name: value for name, value in checked.items() if name not in signing}
        merchants.change_settings(session, connection, changes, vault.Use("shop_call", row.id))
        shop.address = checked["url"]
        renewals.plan(session, shop, connection, checked)
    row.brought = row.kept = None
    moves.move(session, row, "connected")
    # The checkup makes them now; where it cannot, that is tried again.
    polls.want_webhooks(session, shop.id, delays.DELAYS.unheard)
    checkups.again(session, shop)


def _adopt(shop: Shop, facts: ShopFacts) -> None:
    """What the shop says about itself, as far as it can be true."""
    shop.name = facts.name or shop.name
    if re.fullmatch("[A-Z]{3}", facts.currency):
        shop.currency = facts.currency
    if re.fullmatch("[A-Z]{2}", facts.country):
        shop.country = facts.country
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        if facts.timezone:
            shop.timezone = ZoneInfo(facts.timezone).key


def _locked(session: Session, shop: Shop, row_id: str) -> Handover:
    return session.get_one(Handover, (shop.id, row_id), with_for_update=True, populate_existing=True)
