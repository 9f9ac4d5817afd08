"""Sealing and opening: a customer's secrets under the customer's key, the shop's own under the shop's."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from plugin_backend.core.seal import Place, records
from plugin_backend.domain.vault import keys

Purpose = Literal["charge", "refund", "detach", "gateway_call", "shop_call"]


@dataclass(frozen=True, slots=True)
class Use:
    """What something is opened for: the purpose, and the id of the row that stands for it, such as an attempt's."""

    purpose: Purpose
    row_id: str


def seal(session: Session, place: Place, plaintext: bytes) -> bytes:
    """Seal for a place in this shop."""
    kind = keys.CUSTOMER if place.customer else keys.SHOP
    return records.seal(keys.active(session, place.shop, kind, place.customer), place, plaintext)


def unseal(session: Session, place: Place, record: bytes, use: Use) -> bytearray:
    """What was sealed for this place. ``SealError`` for anything else."""
    key = keys.by_id(session, place.shop, records.head_of(record).key_id)
    return records.open_with(key, place, record)
