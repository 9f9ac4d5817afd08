"""Doors: what the outside knocks with."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plugin_backend.core.house import house
from plugin_backend.core.seal import hash_key
from plugin_backend.domain.merchants.rows import Door


def open_door(session: Session, kind: str, secret: str, shop_id: str, row_id: str) -> None:
    """Let ``secret`` lead to a row of the shop."""
    leads_to = {"kind": kind, "shop_id": shop_id, "row_id": row_id}
    door = insert(Door).values(key_hash=hash_key(secret), **leads_to)
    session.execute(door.on_conflict_do_update(index_elements=["key_hash"], set_=leads_to))


def knock(session: Session, kind: str, secret: str) -> Door | None:
    """Where ``secret`` leads, or None."""
    door = session.get(Door, hash_key(secret))
    return door if door is not None and door.kind == kind else None


def hook_path(row_id: str, shop_id: str) -> str:
    """The unguessable path at which a connection or a gateway account receives its webhooks."""
    return f"/hooks/{house().keys.link('hook', shop_id, row_id)}"
