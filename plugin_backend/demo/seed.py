"""What the demo begins with: an operator, two shops, and the fake shop connected to them. Sowing again changes nothing."""

import base64
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.app import create_app, owner_engine
from plugin_backend.core import config
from plugin_backend.core.db import DatabaseError, db, first_line, transaction
from plugin_backend.core.house import house
from plugin_backend.core.seal import make_keys, roots
from plugin_backend.demo.places import Places
from plugin_backend.domain import merchants, offers, onboarding, staff, storefronts, vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.staff import User
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.migrations import upgrade
from plugin_backend.sdk.http import HttpClient, Request, raise_for_status

OPERATOR = "lea@boutique-luna.test"
LUNA, NORDLYS = "Boutique Luna", "Nordlys"
ZONES = {LUNA: ZoneInfo("Europe/Paris"), NORDLYS: ZoneInfo("Europe/Oslo")}
IDLE_SECONDS = 120
_FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class Seed:
    """What the demo made up at its first start and knows again at the next: the operator's password, the shops' ids,
    the keys that the fake shop and we share, and those of the shops' accounts at the gateway, by the shop."""

    password: str = field(repr=False)
    luna: str
    nordlys: str
    luna_keys: dict[str, str] = field(repr=False)
    nordlys_keys: dict[str, str] = field(repr=False)
    account_keys: dict[str, str] = field(repr=False)


@contextmanager
def at_home(environment: Mapping[str, str]) -> Iterator[None]:
    """Inside the application of a running stack, with every key; its connections are given back afterwards."""
    settings = config.load(config.under(environment, os.environ), root=True)
    with create_app(settings, part="cli").app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def migrate(environment: Mapping[str, str], data: Path) -> None:
    """Bring the database to the newest step, and have the root keys that its data needs: one is made in the folder's own
    keys where it needs none yet, and never where it needs another. ``CannotStart`` says in one line what is in the way."""
    settings = config.load(config.under(environment, os.environ), root=True)
    needed = _migrated(settings)
    if not needed and settings.root.kinds == ("file",) and settings.keys == data / "keys":
        make_keys(settings.keys)
    if said := roots.missing(roots.provider(settings.root, settings.keys), needed):
        raise CannotStart(said)


def _migrated(settings: config.Config) -> list[str]:
    """The root keys that the data needs, the database being at the newest step."""
    engine = owner_engine(settings)
    try:
        upgrade(engine)
        with Session(engine) as session:
            return vault.needed_roots(session)
    except DatabaseError as error:
        raise CannotStart(f"the database was not migrated: {first_line(error)}") from None
    finally:
        engine.dispose()


def first_operator(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """An operator and his password, where the installation has nobody who may sign in; None where it has."""
    email, password = "operator@localhost", secrets.token_urlsafe(15)
    with at_home(environment), transaction(None) as session:
        if session.scalar(select(User.id).limit(1)) is not None:
            return None
        staff.add_user(session, onboarding.the_merchant(session).id, email, password)
    return email, password


def sow(places: Places, environment: Mapping[str, str]) -> Seed:
    """The shops and their operator in our books, and the fake shop told where its webhooks go."""
    seed = load(places.data) or _made_up(places.data)
    with at_home(environment):
        _operator(seed)
        for shop_id, facts in ((seed.luna, _luna(places, seed)), (seed.nordlys, _nordlys(places, seed))):
            _shop(shop_id, facts, seed.account_keys[shop_id])
        hooks = {shop_id: _hook(shop_id) for shop_id in (seed.luna, seed.nordlys)}
        fronts = {shop_id: house().url(storefronts.path(shop_id)) for shop_id in (seed.luna, seed.nordlys)}
    luna = {"webhook_url": hooks[seed.luna], "storefront": fronts[seed.luna], **seed.luna_keys}
    nordlys = {"webhook_url": hooks[seed.nordlys], "storefront": fronts[seed.nordlys], **seed.nordlys_keys}
    _connect(places, dialect="woo", **luna)
    _connect(places, dialect="shopify", **nordlys)
    return seed


def load(data: Path) -> Seed | None:
    """What was made up before; None where nothing was."""
    file = data / _FILE
    return Seed(**json.loads(file.read_text())) if file.exists() else None


def _made_up(data: Path) -> Seed:
    """Written down before anything is made of it, so that a start that was cut short goes on where it stopped."""
    luna, nordlys = onboarding.new_shop_id(), onboarding.new_shop_id()
    seed = Seed(
        password=secrets.token_urlsafe(12),
        luna=luna,
        nordlys=nordlys,
        luna_keys={
            "secret": secrets.token_urlsafe(24),
            "plugin_secret": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
            "consumer_key": f"ck_{secrets.token_hex(20)}",
            "consumer_secret": f"cs_{secrets.token_hex(20)}",
        },
        nordlys_keys={"secret": secrets.token_hex(16), "access_token": f"shpat_{secrets.token_hex(16)}"},
        account_keys={shop_id: f"sk_test_sandbox_{secrets.token_hex(12)}" for shop_id in (luna, nordlys)},
    )
    draft = data / f"{_FILE}.new"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(seed), file, indent=2)
    draft.replace(data / _FILE)
    return seed


def _operator(seed: Seed) -> None:
    with transaction(None) as session:
        if session.scalar(select(User.id).where(User.email == OPERATOR)) is None:
            staff.add_user(session, onboarding.the_merchant(session).id, OPERATOR, seed.password)


def _luna(places: Places, seed: Seed) -> dict[str, Any]:
    return {
        "platform": "woocommerce",
        "settings": {"url": places.url("shop", "/woo"), **seed.luna_keys},
        "kind": offers.INSTALMENTS,
        "name": LUNA,
        "country": "FR",
        "currency": "EUR",
        "locale": "fr",
        "timezone": ZONES[LUNA].key,
        "contact": "bonjour@boutique-luna.test",
    }


def _nordlys(places: Places, seed: Seed) -> dict[str, Any]:
    return {
        "platform": "shopify",
        "settings": {
            "url": places.url("shop", "/shopify"),
            "write_mode": "external_paid_order",
            **seed.nordlys_keys,
        },
        "kind": offers.SUBSCRIPTION,
        "name": NORDLYS,
        "country": "NO",
        "currency": "NOK",
        "locale": "en",
        "timezone": ZONES[NORDLYS].key,
        "contact": "hello@nordlys.test",
    }


def _shop(shop_id: str, facts: dict[str, Any], account_key: str) -> None:
    """A test shop with its sandbox account, in one transaction, unless it is there."""
    with transaction(shop_id) as session:
        if session.get(Shop, shop_id) is not None:
            return
        made = onboarding.add_shop(session, shop_id, mode="test", idle_seconds=IDLE_SECONDS, **facts)
        account = {"url": house().config.sandbox_url, "api_key": account_key}
        onboarding.add_account(session, made, "sandbox", account)


def _hook(shop_id: str) -> str:
    with transaction(shop_id) as session:
        return house().url(merchants.hook_path(merchants.connection_of(session, shop_id).id, shop_id))


def _connect(places: Places, **given: str) -> None:
    """Tell the fake shop its keys and where its webhooks go; it starts anew with them each time."""
    asked = Request(
        "POST",
        places.url("shop", "/_control/connect"),
        {"Content-Type": "application/json"},
        json.dumps(given).encode(),
    )
    raise_for_status(HttpClient(allow_private=True).send(asked), "the fake shop")
