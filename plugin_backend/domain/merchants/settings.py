"""The settings of connections and accounts: sealed as a whole, with the part that the web process may have beside them."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.house import house
from plugin_backend.domain import vault
from plugin_backend.domain.merchants.rows import Connection, GatewayAccount, Shop, place_of
from plugin_backend.sdk.connector import Connector, settings_of
from plugin_backend.sdk.gateway import Gateway, GatewayCapabilities

# Where the gateway calls us: nobody types it, and whoever knows it can knock at that door.
CALLBACK = "callback_url"


def check_settings(adapter: type[Connector] | type[Gateway], settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as the adapter's schema reads them. marshmallow's ``ValidationError`` names every wrong field."""
    loaded = adapter.settings().load(dict(settings))
    return {
        name: str(loaded[name]) for name, _ in settings_of(adapter.settings) if loaded.get(name) is not None
    }


def seal(session: Session, row: Any, settings: Mapping[str, str], adapter: Any) -> None:
    """Keep the settings of a connection or an account as they are now."""
    row.settings = vault.seal(session, place_of(row), json.dumps(dict(settings)).encode())
    door = json.dumps(dict(adapter.door(settings))).encode()
    row.door_settings = house().keys.seal_for_door(place_of(row), door)
    if isinstance(row, Connection):
        connector = adapter(settings, house().http(private=False))
        row.can_write, row.own_checkout = connector.can_write, connector.own_checkout_only
    else:
        secret = dict(settings_of(adapter.settings))
        shown = {name for name, hidden in secret.items() if not hidden and name != CALLBACK}
        row.typed = {name: value for name, value in settings.items() if name in shown}


def change_settings(
    session: Session, row: Connection | GatewayAccount, changes: Mapping[str, str], use: vault.Use
) -> None:
    """Lay these over the settings of a connection or an account; "" takes one away. The caller holds the row's lock."""
    merged = {**_open_settings(session, row, use), **changes}
    kept = {name: value for name, value in merged.items() if value}
    seal(session, row, kept, _adapter(row))


def settings_with(
    session: Session, row: GatewayAccount, changes: Mapping[str, str], use: vault.Use
) -> dict[str, str]:
    """The settings of an account as they would be with these laid over them: for workers."""
    return {**_open_settings(session, row, use), **changes}


def forget_keys(session: Session, shop: Shop, row: Connection) -> None:
    """Of a connection that is over only what judging a webhook needs is kept."""
    kept = {"url": shop.address, **door_settings(row)}
    seal(session, row, kept, registry.connectors()[row.platform])


def connector_of(session: Session, shop: Shop, row: Connection, use: vault.Use) -> Connector:
    """The shop's connector, with its settings opened: for workers."""
    return registry.connectors()[row.platform](
        _open_settings(session, row, use), house().http(private=shop.test)
    )


def gateway_of(session: Session, shop: Shop, row: GatewayAccount, use: vault.Use) -> Gateway:
    """The account's gateway, with its settings opened: for workers."""
    return registry.gateways()[row.gateway](
        _open_settings(session, row, use), house().http(private=shop.test)
    )


def door_of(row: Connection | GatewayAccount) -> Connector | Gateway:
    """The adapter as the web process may have it: able to judge a delivery, without a key to anything else."""
    http = house().http(private=False)
    if isinstance(row, Connection):
        return registry.connectors()[row.platform](door_settings(row), http)
    return registry.gateways()[row.gateway](door_settings(row), http)


def door_capabilities(row: GatewayAccount) -> GatewayCapabilities:
    """What an account says by its door's settings alone: of what customers may pay with, all."""
    adapter = registry.gateways()[row.gateway]
    return adapter(door_settings(row), house().http(private=False)).capabilities


def door_settings(row: Any) -> dict[str, str]:
    """The part of the settings that the web process may have."""
    opened: dict[str, str] = json.loads(house().keys.open_at_door(place_of(row), row.door_settings))
    return opened


def _adapter(row: Connection | GatewayAccount) -> type[Connector] | type[Gateway]:
    if isinstance(row, Connection):
        return registry.connectors()[row.platform]
    return registry.gateways()[row.gateway]


def _open_settings(session: Session, row: Any, use: vault.Use) -> dict[str, str]:
    opened: dict[str, str] = json.loads(vault.unseal(session, place_of(row), row.settings, use))
    return opened
