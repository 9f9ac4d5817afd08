"""A shop's connection to its platform."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.ids import new_id
from plugin_backend.domain import polls
from plugin_backend.domain.merchants import settings as sealing
from plugin_backend.domain.merchants.doors import hook_path, open_door
from plugin_backend.domain.merchants.errors import Unknown
from plugin_backend.domain.merchants.rows import Connection, GatewayAccount, Shop
from plugin_backend.sdk import clock


def connect(session: Session, shop: Shop, settings: Mapping[str, str]) -> Connection:
    """Keep a shop's platform settings, sealed, and open the door for its webhooks."""
    row = Connection(shop_id=shop.id, id=new_id(Connection.prefix), platform=shop.platform)
    sealing.seal(session, row, settings, registry.connectors()[shop.platform])
    row.due_at = clock.now() + timedelta(days=1)
    session.add(row)
    polls.begin(session, shop.id, row.id)
    open_door(session, "hook", hook_path(row.id, shop.id).rpartition("/")[2], shop.id, row.id)
    return row


def connection_of(session: Session, shop_id: str) -> Connection:
    """The shop's connection; ``Unknown`` where it has none."""
    row = session.scalar(select(Connection).where(Connection.shop_id == shop_id))
    if row is None:
        raise Unknown(f"shop {shop_id} is not connected")
    return row


def source(session: Session, shop_id: str, row_id: str) -> Connection | GatewayAccount | None:
    """Where a delivery came from, by the id that its path leads to; None where that is gone."""
    if row_id.startswith(f"{Connection.prefix}_"):
        return session.get(Connection, (shop_id, row_id))
    return session.get(GatewayAccount, (shop_id, row_id))
