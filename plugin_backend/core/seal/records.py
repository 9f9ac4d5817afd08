"""The record: what is secret at rest, as it lies in a column. It opens with its own key, for exactly its place, unchanged.

====== === =============================================================================================
offset len what
====== === =============================================================================================
0      2   ``CV``
2      1   format, 1
3      1   algorithm, 1: HKDF-SHA512 to a key used once and a commitment to it, then AES-256-GCM
4      16  id of the key it is sealed under
20     4   that key's version, big endian
24     32  salt
56     32  commitment: GCM alone would open a ciphertext made for two keys under both
88     12  nonce
100    n   ciphertext, then 16 bytes of tag
====== === =============================================================================================

The first 24 bytes and the place, each part with its length before it, are authenticated with the ciphertext.
"""

import hmac
import os
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.sdk.errors import RepriseError

_HEAD = struct.Struct(">2sBB16sI")
_MAGIC, _FORMAT, _ALGORITHM = b"CV", 1, 1
_SALT, _COMMITMENT, _NONCE, _CIPHERTEXT, _TAG = 24, 56, 88, 100, 16
OVERHEAD = _CIPHERTEXT + _TAG
KEY_ID = slice(4, 20)


class SealError(RepriseError):
    """It does not open: another key, another place, or changed bytes. Which of them is nobody's business: ``why`` is for
    the audit log only."""

    permanent = True

    def __init__(self, said: str = "does not open", *, why: str = "") -> None:
        super().__init__(said)
        self.why = why


@dataclass(frozen=True, slots=True)
class Key:
    """32 secret bytes with the 16 of their id and the version, from 1, that they are of their owner's keys."""

    id: bytes
    version: int
    secret: bytes = field(repr=False)


class Place(NamedTuple):
    """Where a record belongs. ``row`` is the id of the row it lies in, ``field`` the column or what it holds; ``customer``
    and ``account`` (a gateway account) are "" where it belongs to none."""

    shop: str
    customer: str = ""
    row: str = ""
    field: str = ""
    account: str = ""


class Head(NamedTuple):
    """What a record says of itself."""

    key_id: bytes
    version: int


def seal(key: Key, place: Place, plaintext: bytes) -> bytes:
    """A new record, ``OVERHEAD`` bytes longer than what is in it."""
    return sealed_with(key, place, plaintext, salt=os.urandom(32), nonce=os.urandom(12))


def sealed_with(key: Key, place: Place, plaintext: bytes, *, salt: bytes, nonce: bytes) -> bytes:
    """The record that ``seal`` makes of these random bytes. For test vectors: no salt may serve twice."""
    head = _HEAD.pack(_MAGIC, _FORMAT, _ALGORITHM, key.id, key.version)
    context = context_of(place)
    derived = _derive(key, salt, context)
    ciphertext = AESGCM(derived[:32]).encrypt(nonce, plaintext, head + context)
    return b"".join((head, salt, derived[32:], nonce, ciphertext))


def head_of(record: bytes) -> Head:
    """Which key a record needs. ``SealError`` where it is no record."""
    if len(record) < OVERHEAD:
        raise SealError(why="too_short")
    magic, form, algorithm, key_id, version = _HEAD.unpack_from(record)
    if magic != _MAGIC or (form, algorithm) != (_FORMAT, _ALGORITHM):
        raise SealError(why="not_a_record")
    return Head(key_id, version)


def open_with(key: Key, place: Place, record: bytes) -> bytearray:
    """What is in the record; whoever is done with it may overwrite it. ``SealError`` unless it was sealed under this very
    key, for this place, and is as it was."""
    if head_of(record) != (key.id, key.version):
        raise SealError(why="another_key")
    context = context_of(place)
    derived = _derive(key, record[_SALT:_COMMITMENT], context)
    if not hmac.compare_digest(derived[32:], record[_COMMITMENT:_NONCE]):
        raise SealError(why="commitment")
    plaintext = bytearray(len(record) - OVERHEAD)
    try:
        AESGCM(derived[:32]).decrypt_into(
            record[_NONCE:_CIPHERTEXT], record[_CIPHERTEXT:], record[:_SALT] + context, plaintext
        )
    except InvalidTag:
        raise SealError(why="tag") from None
    return plaintext


def _derive(key: Key, salt: bytes, bound: bytes) -> bytes:
    return HKDF(SHA512(), 64, salt, b"cv1" + bound).derive(key.secret)


def context_of(place: Place) -> bytes:
    """The place as bytes that no other place has: each part with its length before it."""
    parts = [part.encode() for part in place]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
