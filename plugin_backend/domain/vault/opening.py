"""Sealing and opening: a customer's secrets under the customer's key, the shop's own under the shop's. Both are noted."""

from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.seal import Place, SealError, records
from plugin_backend.domain.vault import audit, keys
from plugin_backend.domain.vault.uses import Use


def seal(session: Session, place: Place, plaintext: bytes) -> bytes:
    """Seal for a place in this shop. ``SealError`` in a process without the root key."""
    kind = keys.CUSTOMER if place.customer else keys.SHOP
    with audit.refusals(session, "seal", place):
        key = keys.active(session, place.shop, kind, place.customer)
    audit.note(session, "seal", place, ids.named(keys.VaultKey.prefix, key.id))
    return records.seal(key, place, plaintext)


def unseal(session: Session, place: Place, record: bytes | None, use: Use) -> bytearray:
    """What was sealed for this place, where the use warrants it. ``SealError`` for anything else; why is in the log."""
    with audit.noted(session, "open", place, keys.named_by(record) or "", use):
        if why := use.why_not(place):
            raise SealError(why=why)
        if record is None:
            raise SealError(why="forgotten")
        key = keys.by_id(session, place.shop, records.head_of(record).key_id)
        return records.open_with(key, place, record)
