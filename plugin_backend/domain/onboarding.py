"""A new shop, whole: connected, with a template and, where it is a test shop, the sandbox account."""

import secrets
from collections.abc import Mapping
from typing import Literal

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.domain import merchants, offers, probing, renewals, storefronts, vault
from plugin_backend.domain.merchants import Connection, Merchant, Shop
from plugin_backend.sdk.connector import Ship
from plugin_backend.sdk.errors import RepriseError

DEFAULT_MERCHANT = "mer_00000000000000000000000001"


class Invalid(RepriseError):
    """What was given for a new shop or account cannot be. The message is one line and repeats no secret."""

    permanent = True


def the_merchant(session: Session) -> Merchant:
    """The merchant of a self-hosted installation, made where it is missing."""
    found = session.get(Merchant, DEFAULT_MERCHANT)
    if found is None:
        found = Merchant(id=DEFAULT_MERCHANT, name="Merchant")
        session.add(found)
        session.flush()
    return found


def new_shop_id() -> str:
    return new_id("shop")


def add_shop(
    session: Session,
    shop_id: str,
    *,
    platform: str,
    settings: Mapping[str, str],
    mode: Literal["test", "live"],
    kind: offers.Kind = offers.INSTALMENTS,
    ship: Ship = "first_payment",
    **facts: object,
) -> Shop:
    """A shop, its connection and its default template. A live one begins in ``watch_only``. ``Invalid`` names what is
    wrong. ``facts`` are columns of the shop. The transaction must be one for ``shop_id``."""
    checked = checked_settings(platform, settings)
    shop = begin_shop(session, shop_id, address=checked["url"], mode=mode, **facts)
    complete(session, shop, platform, checked, kind=kind, ship=ship)
    return shop


def begin_shop(
    session: Session, shop_id: str, *, address: str, mode: Literal["test", "live"], **facts: object
) -> Shop:
    """A shop of which nothing but its address is known: it waits for its connection."""
    shop = Shop(
        id=shop_id,
        merchant_id=the_merchant(session).id,
        platform="",
        address=address,
        mode=mode,
        state="connecting",
        **({"name": address.split("://")[-1].strip("/")} | facts),
    )
    session.add(shop)
    session.flush()
    return shop


def complete(
    session: Session,
    shop: Shop,
    platform: str,
    settings: Mapping[str, str],
    *,
    kind: offers.Kind = offers.INSTALMENTS,
    ship: Ship = "first_payment",
) -> Connection:
    """Connect a shop that waits for it, by settings that were checked. Its intake is made, so that the web process can
    take other keys for it later."""
    vault.furnish(session, shop.id)
    shop.platform, shop.address = platform, settings["url"]
    shop.state = "active" if shop.test else "watch_only"
    connection = merchants.connect(session, shop, settings)
    storefronts.open_for(session, shop)
    offers.default_template(session, shop, kind=kind, ship=ship)
    renewals.plan(session, shop, connection, settings)
    return connection


def watch_only(shop: Shop) -> None:
    """Send no offer from now on. What was offered stands, and plans go on."""
    if shop.state == "active":
        shop.state = "watch_only"


def checked_settings(platform: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as the platform's schema reads them. ``Invalid`` names what is wrong."""
    connector = registry.connectors().get(platform)
    if connector is None:
        raise Invalid(f"no platform {platform}: {', '.join(registry.connectors())}")
    try:
        return merchants.check_settings(connector, settings)
    except ValidationError as error:
        raise Invalid(_first_words(error)) from None


def give_sandbox(session: Session, shop: Shop) -> None:
    """An account at the sandbox gateway for a test shop, where that gateway runs."""
    url = house().config.sandbox_url
    if shop.test and url:
        key = f"sk_test_sandbox_{secrets.token_hex(12)}"
        add_account(session, shop, "sandbox", {"url": url, "api_key": key})


def add_account(
    session: Session, shop: Shop, gateway: str, settings: Mapping[str, str]
) -> merchants.GatewayAccount:
    """A gateway account. ``Invalid`` where the gateway is unknown, its settings are wrong, it is one that only plays with
    money on a shop that does not, or one where nobody could charge exactly once."""
    adapter = registry.gateways().get(gateway)
    if adapter is None:
        raise Invalid(f"no gateway {gateway}: {', '.join(registry.gateways())}")
    if not shop.test and adapter.test_only:
        raise Invalid(f"{gateway} plays with money: it is refused on a live shop")
    try:
        checked = merchants.check_settings(adapter, settings)
    except ValidationError as error:
        raise Invalid(_first_words(error)) from None
    if probing.promises_nothing(adapter(checked, house().http(private=shop.test)).capabilities):
        raise Invalid(
            f"{gateway}: this account keeps no keys and finds no charge again: nothing could be charged once"
        )
    return merchants.add_account(session, shop, gateway, checked)


def _first_words(error: ValidationError) -> str:
    messages = error.messages if isinstance(error.messages, dict) else {"settings": error.messages}
    return "settings: " + "; ".join(f"{name}: {_flat(said)}" for name, said in sorted(messages.items()))


def _flat(said: object) -> str:
    return " ".join(map(str, said)) if isinstance(said, list) else str(said)
