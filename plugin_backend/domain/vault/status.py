"""Which keys there are, and what stands on each, for people to read."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin_backend.domain.vault import holders, standing
from plugin_backend.domain.vault.keys import CUSTOMER, SHOP, VaultKey, VaultRoot
from plugin_backend.domain.vault.standing import Standing

Shown = dict[str, Any]


def roots(session: Session) -> list[Shown]:
    """The root keys, the oldest first, with the shops' keys that stand on each and the processes that hold it. The
    transaction is that of every shop, one after the other."""
    rows = session.scalars(select(VaultRoot).order_by(VaultRoot.created_at, VaultRoot.id)).all()
    living = holders.living(session)
    on_each = dict.fromkeys((row.id for row in rows), 0)
    for shop_id in standing.each_shop(session):
        for root_id, count in _wrapped_by_roots(session, shop_id):
            on_each[root_id] = on_each.get(root_id, 0) + count
    return [
        {
            "id": row.id,
            "provider": row.provider,
            "state": row.state,
            "keys": on_each[row.id],
            "held_by": [it.process for it in living if row.id in it.roots],
            "not_held_by": [it.process for it in living if row.id not in it.roots],
            "created_at": row.created_at,
            "retired_at": row.retired_at,
        }
        for row in rows
    ]


def shop(session: Session, shop_id: str) -> list[Shown]:
    """A shop's own keys one by one, and its customers' by state."""
    own = select(VaultKey).where(VaultKey.shop_id == shop_id, VaultKey.kind != CUSTOMER)
    rows = session.scalars(own.order_by(VaultKey.kind, VaultKey.version)).all()
    return [_shown(row, standing.on(session, row)) for row in rows] + _customers(session, shop_id)


def _shown(row: VaultKey, stands: Standing) -> Shown:
    return {
        "id": row.id,
        "kind": row.kind,
        "version": row.version,
        "state": row.state,
        "count": 1,
        "keys": stands.keys,
        "records": stands.records,
        "created_at": row.created_at,
        "retired_at": row.retired_at,
    }


def _customers(session: Session, shop_id: str) -> list[Shown]:
    """Most customers' records stand on their active keys: those on others, which are few, are counted, and what is left
    is theirs."""
    own = (VaultKey.shop_id == shop_id, VaultKey.kind == CUSTOMER)
    states = select(VaultKey.state, func.count()).where(*own).group_by(VaultKey.state)
    counts = dict(session.execute(states.order_by(VaultKey.state)).tuples().all())
    records = dict.fromkeys(counts, 0)
    for row in session.scalars(select(VaultKey).where(*own, VaultKey.retired_at.is_not(None))):
        if row.wrapped is not None:
            records[row.state] += standing.on(session, row).records
    if "active" in counts:
        records["active"] = standing.records_of_kind(session, shop_id, CUSTOMER) - sum(records.values())
    return [
        {"kind": CUSTOMER, "state": state, "count": counts[state], "keys": 0, "records": records[state]}
        for state in counts
    ]


def _wrapped_by_roots(session: Session, shop_id: str) -> list[tuple[str, int]]:
    found = (
        select(VaultKey.parent, func.count())
        .where(VaultKey.shop_id == shop_id, VaultKey.kind == SHOP, VaultKey.wrapped.is_not(None))
        .group_by(VaultKey.parent)
    )
    return [(parent, count) for parent, count in session.execute(found)]
