"""A key is changed in two steps: the new one is announced, so that every process can have it, and then activated.

What stands on the old one is moved afterwards, in batches, while everybody works. Sealing locks the active key's row
for sharing, and activation locks it for itself: when activation is done, whatever is sealed under the old key can be
seen, and nothing is sealed under it any more.
"""

from typing import TypeVar

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from plugin_backend.core.house import house
from plugin_backend.domain import moves, states
from plugin_backend.domain.vault import holders, keys, standing
from plugin_backend.domain.vault.keys import INDEX, SHOP, VaultKey, VaultRoot
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import RepriseError

# The key by which cards are known again is not among them: what is counted by it is counted over years. Nor is that of
# the log, by which its old seals are proven.
ROTATED = (SHOP, keys.CUSTOMER, INDEX, keys.INTAKE)

_Either = TypeVar("_Either", VaultKey, VaultRoot)


class NotNow(RepriseError):
    """A key cannot be changed as it was asked for; the message says what comes first."""

    permanent = True


class NoKeyYet(NotNow):
    """Nobody has needed the key so far: there is none to change."""


def announce(session: Session, shop_id: str, kind: str, owner_id: str = "") -> VaultKey:
    """The next version of a key, or the one that was announced already."""
    if kind != SHOP:
        # Locked before the key's own rows, as by everybody who wraps under it.
        keys.active(session, shop_id, SHOP)
    rows = _locked(session, shop_id, kind, owner_id)
    if not rows:
        raise NoKeyYet(f"there is no {kind} key yet")
    waiting = _in(rows, "pre_active")
    if waiting is not None:
        return waiting
    return keys.new_key(session, shop_id, kind, owner_id, "pre_active")


def activate(session: Session, shop_id: str, kind: str, owner_id: str = "") -> VaultKey | None:
    """Seal under the announced version from now on; None where none is announced."""
    rows = _locked(session, shop_id, kind, owner_id)
    waiting, old = _in(rows, "pre_active"), _in(rows, "active")
    if waiting is None:
        return None
    if old is not None:
        moves.move(session, old, "decrypt_only")
        old.retired_at = clock.real_now()
        # Written first: at no moment are two of them active.
        session.flush()
    moves.move(session, waiting, "active")
    session.flush()
    return waiting


def announce_root(session: Session) -> VaultRoot:
    """The newest root key that the provider holds and no data stands on, or the one that was announced already."""
    provider = house().keys.root()
    rows = _locked_roots(session)
    waiting = _in(rows, "pre_active")
    if waiting is not None:
        return waiting
    new = [root_id for root_id in provider.held() if root_id not in {row.id for row in rows}]
    if not rows:
        raise NotNow("there is no root key in use yet")
    if not new:
        raise NotNow(f"the provider ({provider.name}) holds no new root key: add one first")
    row = VaultRoot(id=new[-1], provider=provider.name)
    _move_root(row, "pre_active")
    session.add(row)
    session.flush()
    return row


def activate_root(session: Session) -> VaultRoot | None:
    """Wrap shops' keys under the announced root key from now on; None where none is announced. ``NotNow`` while a process
    that lives does not hold it."""
    holders.hold_still(session)
    rows = _locked_roots(session)
    waiting, old = _in(rows, "pre_active"), _in(rows, "active")
    if waiting is None:
        return None
    without = [it.process for it in holders.living(session) if waiting.id not in it.roots]
    if waiting.id not in house().keys.root().held():
        without.append("this one")
    if without:
        raise NotNow(f"{waiting.id} is not held by every process: {', '.join(without)}")
    if old is not None:
        _move_root(old, "decrypt_only")
        old.retired_at = clock.real_now()
        session.flush()
    _move_root(waiting, "active")
    session.flush()
    return waiting


def refuse(session: Session, row: VaultKey | VaultRoot, *, anyway: bool = False) -> None:
    """Nothing opens under this key any more, in any process, from its next transaction on. ``NotNow`` for one in use,
    and for one that something stands on, unless ``anyway``: that will not open either."""
    if row.state in ("active", "pre_active"):
        raise NotNow(f"{row.id} is in use: announce and activate another one first")
    stands = standing.on(session, row)
    # An index key opens nothing: refusing it would only let the same token be kept twice.
    if stands and (not anyway or getattr(row, "kind", "") in (INDEX, keys.CARD)):
        raise NotNow(f"{stands} still stand on {row.id}: rotate first")
    move(session, row, "compromised")
    session.execute(text("UPDATE installation SET refusals = refusals + 1"))


def allow(session: Session, row: VaultKey | VaultRoot) -> None:
    """What stands on a refused key opens again, so that it can be moved to another one."""
    move(session, row, "decrypt_only")


def lock_root(session: Session, root_id: str) -> VaultRoot:
    """The root key's row, locked; ``NotNow`` where there is none."""
    row = session.get(VaultRoot, root_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotNow(f"no root key {root_id}")
    return row


def lock(session: Session, shop_id: str, key_id: str) -> VaultKey | None:
    """The key's row, locked, where the shop has it."""
    return session.get(VaultKey, (shop_id, key_id), with_for_update=True, populate_existing=True)


def _locked(session: Session, shop_id: str, kind: str, owner_id: str) -> list[VaultKey]:
    """All versions, the oldest first. Whoever seals or rotates meanwhile is waited for."""
    found = select(VaultKey).where(
        VaultKey.shop_id == shop_id, VaultKey.kind == kind, VaultKey.owner_id == owner_id
    )
    return _all_locked(session, found.order_by(VaultKey.version))


def _locked_roots(session: Session) -> list[VaultRoot]:
    return _all_locked(session, select(VaultRoot).order_by(VaultRoot.id))


def _all_locked(session: Session, found: Select[_Either]) -> list[_Either]:
    """Asked twice: who waited for another's lock sees what that one changed, but only a second look sees what it added."""
    fresh = found.execution_options(populate_existing=True)
    session.scalars(fresh.with_for_update()).all()
    return list(session.scalars(fresh))


def _in(rows: list[_Either], state: str) -> _Either | None:
    return next((row for row in rows if row.state == state), None)


def move(session: Session, row: VaultKey | VaultRoot, state: str) -> None:
    if isinstance(row, VaultRoot):
        _move_root(row, state)
    else:
        moves.move(session, row, state)


def _move_root(row: VaultRoot, state: str) -> None:
    """Root keys are no shop's, so that their moves are in no shop's book."""
    states.check(VaultKey.noun, row.state or states.START, state)
    row.state = state
