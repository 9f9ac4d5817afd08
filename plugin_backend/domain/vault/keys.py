"""The keys of a shop: a root key wraps the shop's, the shop's wraps one for each customer. Who destroys a customer's key
has destroyed every token of that customer, wherever a copy of the record lies."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import ids
from plugin_backend.core.db import REFUSALS, Base
from plugin_backend.core.due import Row
from plugin_backend.core.house import house
from plugin_backend.core.seal import Key, Place, Ring, SealError, drops, records
from plugin_backend.domain import moves
from plugin_backend.sdk import clock

SHOP, CUSTOMER, INDEX, CARD, AUDIT, INTAKE = "shop", "customer", "index", "card", "audit", "intake"
# A key in one of these states opens what was sealed under it.
OPENING = ("active", "decrypt_only")
# What wraps a key: another one, or the root key of this id.
Parent = Key | str


class VaultRoot(Base):
    """A root key that this installation's data stands on; the key itself is with its provider. One is active: new shop
    keys are wrapped under it. ``retired_at`` is when another took its place."""

    __tablename__ = "vault_roots"

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    state: Mapped[str]
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.real_now)

    __table_args__ = (
        Index("uq_vault_roots_active", "state", unique=True, postgresql_where="state = 'active'"),
    )


class VaultKey(moves.Stateful, Row, Base):
    """One version of a key. ``kind`` says whose: the shop's, a customer's (``owner_id``), or the shop's for blind indexes,
    for knowing a card again, for sealing its log, or for its intake. ``parent`` is the id of the key that wraps it,
    ``wrapped`` None once it is destroyed, and ``retired_at`` when a newer one took its place. ``public`` is the public
    half of an intake's pair, sealed for the door."""

    __tablename__ = "vault_keys"
    prefix = "key"
    noun = "key"

    kind: Mapped[str]
    owner_id: Mapped[str] = mapped_column(default="")
    version: Mapped[int]
    parent: Mapped[str]
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    retired_at: Mapped[datetime | None]
    public: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        UniqueConstraint("shop_id", "kind", "owner_id", "version"),
        Index(
            "uq_vault_keys_active",
            "shop_id",
            "kind",
            "owner_id",
            unique=True,
            postgresql_where="state = 'active'",
        ),
        Index("ix_vault_keys_parent", "shop_id", "parent"),
    )

    @property
    def place(self) -> Place:
        """Where its wrapped bytes belong."""
        return Place(self.shop_id, self.owner_id, self.id, f"{self.kind} key")

    @property
    def public_place(self) -> Place:
        """Where its public half belongs."""
        return Place(self.shop_id, "", self.id, "public key")


def active(session: Session, shop_id: str, kind: str, owner_id: str = "") -> Key:
    """The key under which new secrets are sealed, made where there is none. Its row is locked, so that it is not taken
    for unused and destroyed before what is sealed under it can be seen."""
    return _opened(
        session, _active_row(session, shop_id, kind, owner_id) or _first(session, shop_id, kind, owner_id)
    )


def versions(session: Session, shop_id: str, kind: str) -> list[Key]:
    """The active key, then the older ones that still open, the newest first. Only the active one's row is locked: while
    it is, none becomes older, and whoever rotates waits for it with older rows in his hands."""
    current = active(session, shop_id, kind)
    older = (
        select(VaultKey)
        .where(VaultKey.shop_id == shop_id, VaultKey.kind == kind, VaultKey.state == "decrypt_only")
        .order_by(VaultKey.version.desc())
    )
    return [current, *(_opened(session, row) for row in session.scalars(older))]


def by_id(session: Session, shop_id: str, key_id: bytes) -> Key:
    """The key of a record. ``SealError`` where it is no key of this shop's, was refused, or is no more."""
    known = _ring(session).get(key_id)
    if known is not None:
        return known
    row = session.get(VaultKey, (shop_id, ids.named(VaultKey.prefix, key_id)))
    if row is None:
        raise SealError(why="no_such_key")
    return _opened(session, row)


def warm(session: Session, shop_id: str, sealed: Iterable[bytes | None]) -> None:
    """Have the keys of these records at hand: one look at the database for all that are not. What is damaged is passed
    over, to be refused when it is opened."""
    wanted = {named_by(record) for record in sealed} - {None}
    ring = _ring(session)
    missing = [key_id for key_id in wanted if key_id and ring.get(ids.raw(key_id)) is None]
    if not missing:
        return
    found = select(VaultKey).where(VaultKey.shop_id == shop_id, VaultKey.id.in_(missing))
    for row in session.scalars(found):
        with suppress(SealError):
            _opened(session, row)


def named_by(record: bytes | None) -> str | None:
    """Id of the key that a record asks for; None where it is no record."""
    try:
        return ids.named(VaultKey.prefix, records.head_of(record or b"").key_id)
    except SealError:
        return None


def wrap(parent: Parent, place: Place, secret: bytes) -> bytes:
    """``secret``, wrapped under a key or the root key of this id."""
    if isinstance(parent, Key):
        return records.seal(parent, place, secret)
    return house().keys.root().wrap(parent, secret, place)


def new_key(session: Session, shop_id: str, kind: str, owner_id: str, state: str) -> VaultKey:
    """The next version of a key, wrapped under the active one above it; an intake's with the public half of its pair."""
    parent: Parent = active_root(session) if kind == SHOP else active(session, shop_id, SHOP)
    row = VaultKey(shop_id=shop_id, id=ids.new_id(VaultKey.prefix), kind=kind, owner_id=owner_id)
    row.version = _versions(session, row) + 1
    row.parent = ids.named(VaultKey.prefix, parent.id) if isinstance(parent, Key) else parent
    secret = os.urandom(32)
    row.wrapped = wrap(parent, row.place, secret)
    if kind == INTAKE:
        row.public = house().keys.seal_for_door(row.public_place, drops.public_of(secret))
    moves.begin(session, row, state)
    return row


def _active_row(session: Session, shop_id: str, kind: str, owner_id: str) -> VaultKey | None:
    return session.scalar(
        select(VaultKey)
        .where(
            VaultKey.shop_id == shop_id,
            VaultKey.kind == kind,
            VaultKey.owner_id == owner_id,
            VaultKey.state == "active",
        )
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )


def _first(session: Session, shop_id: str, kind: str, owner_id: str) -> VaultKey:
    """The first key of its owner's, or the first since all before it were destroyed. Of two who make one at once, one is
    made and both have it."""
    try:
        with session.begin_nested():
            return new_key(session, shop_id, kind, owner_id, "active")
    except IntegrityError:
        found = _active_row(session, shop_id, kind, owner_id)
        if found is None:
            raise SealError(why="no_active_key") from None
        return found


def _versions(session: Session, row: VaultKey) -> int:
    """How many versions of this key there were so far."""
    before = select(func.max(VaultKey.version)).where(
        VaultKey.shop_id == row.shop_id, VaultKey.kind == row.kind, VaultKey.owner_id == row.owner_id
    )
    return session.scalar(before) or 0


def active_root(session: Session) -> str:
    """Id of the root key that wraps new shop keys. The first one to be used is the last that the provider holds."""
    provider = house().keys.root()
    found = session.scalar(select(VaultRoot.id).where(VaultRoot.state == "active").with_for_update(read=True))
    if found is not None:
        return found
    row = VaultRoot(id=provider.held()[-1], provider=provider.name, state="active")
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return session.scalars(select(VaultRoot.id).where(VaultRoot.state == "active")).one()
    return row.id


def needed_roots(session: Session) -> list[str]:
    """Ids of the root keys without which some of the data does not open, oldest first."""
    needed = select(VaultRoot.id).where(VaultRoot.state.in_(OPENING)).order_by(VaultRoot.created_at)
    return list(session.scalars(needed))


def unwrapped(session: Session, row: VaultKey) -> Key:
    """The key of a row, whatever its state. ``SealError`` unless the keys above it open."""
    if row.wrapped is None:
        raise SealError(why=f"key_{row.state}")
    if row.kind == SHOP:
        _check_root(session, row.parent)
        secret = house().keys.root().unwrap(row.parent, row.wrapped, row.place)
    else:
        secret = records.open_with(by_id(session, row.shop_id, ids.raw(row.parent)), row.place, row.wrapped)
    return Key(ids.raw(row.id), row.version, bytes(secret))


def _check_root(session: Session, root_id: str) -> None:
    root = session.get(VaultRoot, root_id)
    if root is None or root.state not in OPENING:
        raise SealError(why=f"root_{root.state if root else 'unknown'}")


def _opened(session: Session, row: VaultKey) -> Key:
    ring = _ring(session)
    known = ring.get(ids.raw(row.id))
    if known is not None:
        return known
    if row.state not in OPENING:
        raise SealError(why=f"key_{row.state}")
    key = unwrapped(session, row)
    ring.put(key, session.info[REFUSALS])
    return key


def _ring(session: Session) -> Ring:
    """The keys that this process has at hand, without those that were refused before this transaction began."""
    ring = house().ring
    ring.seen(session.info[REFUSALS])
    return ring
