"""The intake of a shop: the web process drops in what only a worker takes out.

Each shop has a key pair, of which the secret half is wrapped under the shop's key like any other. The public half is no
secret, but it lies in the database sealed for the door: the web process would give what it is to hide to whoever could
put a public key of his own there.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.house import house
from plugin_backend.core.seal import Place, SealError, drops, records
from plugin_backend.core.seal.records import Head
from plugin_backend.domain.vault import audit, keys, standing
from plugin_backend.domain.vault.keys import VaultKey
from plugin_backend.domain.vault.uses import Use


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the web process drops: a public key that is known to be the shop's."""

    head: Head
    public: bytes

    def drop(self, place: Place, plaintext: bytes) -> bytes:
        """Sealed so that a worker can ``take`` it for this place, and nobody here."""
        return drops.drop(self.head, self.public, place, plaintext)


def furnish(session: Session, shop_id: str) -> None:
    """Make the shop's key pair where it has none: for who holds the root key."""
    keys.active(session, shop_id, keys.INTAKE)


def slot(session: Session, shop_id: str) -> Slot:
    """The shop's slot as it is now. ``SealError`` where there is none, or its key was put there by somebody else."""
    found = select(VaultKey).where(
        VaultKey.shop_id == shop_id, VaultKey.kind == keys.INTAKE, VaultKey.state == "active"
    )
    row = session.scalar(found)
    if row is None or row.public is None:
        raise SealError(why="no_intake")
    public = house().keys.open_at_door(row.public_place, row.public)
    return Slot(Head(ids.raw(row.id), row.version), public)


def needed_door(session: Session) -> str:
    """The ``door_id`` of the key that the shops' public keys are sealed for; "" where there is no shop yet. The transaction
    is that of one shop after the other."""
    for shop_id in standing.each_shop(session):
        kept = select(VaultKey.public).where(VaultKey.shop_id == shop_id, VaultKey.public.is_not(None))
        public = session.scalar(kept.limit(1))
        if public is not None:
            return ids.named("door", records.head_of(public).key_id)
    return ""


def take(session: Session, place: Place, dropped: bytes, use: Use) -> bytes:
    """What was dropped for this place, where the use warrants it. ``SealError`` for anything else, and in a process
    without the root key; why is in the log."""
    with audit.noted(session, "open", place, _named_by(dropped), use):
        if why := use.why_not(place):
            raise SealError(why=why)
        return drops.take(keys.by_id(session, place.shop, drops.head_of(dropped).key_id), place, dropped)


def _named_by(dropped: bytes) -> str:
    """Id of the key that a drop asks for; "" where it is no drop."""
    try:
        return ids.named(VaultKey.prefix, drops.head_of(dropped).key_id)
    except SealError:
        return ""
