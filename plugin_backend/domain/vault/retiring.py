"""The end of a key: thirty days after another took its place, and never while anything stands on it."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.house import house
from plugin_backend.domain import moves
from plugin_backend.domain.vault import rotation, standing
from plugin_backend.domain.vault.keys import VaultKey, VaultRoot

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
_RETIRED = ("decrypt_only", "compromised")


def destroy_keys(session: Session, shop_id: str, now: datetime) -> list[str]:
    """Destroy the shop's keys whose time is over; their ids. What can be seen to stand on one keeps it, and nothing can
    come: it was sealed under while it was active only, by transactions that its retirement waited for."""
    found = (
        select(VaultKey)
        .where(
            VaultKey.shop_id == shop_id,
            VaultKey.state.in_(_RETIRED),
            VaultKey.retired_at <= now - KEPT,
        )
        .order_by(VaultKey.kind, VaultKey.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [row.id for row in session.scalars(found) if _destroyed(session, row)]


def destroy_roots(session: Session, now: datetime) -> list[str]:
    """Give up the root keys whose time is over; their ids. Their provider may be told to delete them from then on."""
    found = (
        select(VaultRoot)
        .where(VaultRoot.state.in_(_RETIRED), VaultRoot.retired_at <= now - KEPT)
        .order_by(VaultRoot.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rows = [row for row in session.scalars(found).all() if not standing.on(session, row)]
    for row in rows:
        rotation.move(session, row, "destroyed")
        log.info("root_key_given_up", key=row.id)
    return [row.id for row in rows]


def _destroyed(session: Session, row: VaultKey) -> bool:
    stands = standing.on(session, row)
    if stands:
        log.warning("old_key_still_needed", key=row.id, keys=stands.keys, records=stands.records)
        return False
    row.wrapped = None
    moves.move(session, row, "destroyed")
    house().ring.drop(ids.raw(row.id))
    return True
