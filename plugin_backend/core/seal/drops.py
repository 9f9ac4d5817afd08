"""The drop: what a process that opens nothing seals for one that does, to a public key, as a letter box takes a letter.

====== === =============================================================================================
offset len what
====== === =============================================================================================
0      2   ``CD``
2      1   format, 1
3      1   suite, 1: HPKE (RFC 9180) in base mode, X25519, HKDF-SHA256, AES-256-GCM
4      16  id of the key pair it is sealed to
20     4   that pair's version, big endian
24     32  the sender's public key, used once
56     n   ciphertext, then 16 bytes of tag
====== === =============================================================================================

The first 24 bytes and the place are HPKE's ``info``: for another place, or another pair, it does not open. Who has the
public key can drop, so that a drop says nothing of who dropped it.
"""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from plugin_backend.core.seal.records import Head, Key, Place, SealError, context_of

_HEAD = struct.Struct(">2sBB16sI")
_MAGIC, _FORMAT, _NUMBER = b"CD", 1, 1
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
OVERHEAD = _HEAD.size + 32 + 16


def public_of(secret: bytes) -> bytes:
    """The 32 public bytes of a pair whose 32 secret ones these are."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def drop(head: Head, public: bytes, place: Place, plaintext: bytes) -> bytes:
    """Sealed to the pair that ``head`` names, for the place; ``OVERHEAD`` bytes longer than what is in it."""
    packed = _HEAD.pack(_MAGIC, _FORMAT, _NUMBER, *head)
    return packed + _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), _info(packed, place))


def head_of(dropped: bytes) -> Head:
    """Which pair a drop was sealed to. ``SealError`` where it is no drop."""
    if len(dropped) < OVERHEAD:
        raise SealError(why="too_short")
    magic, form, number, key_id, version = _HEAD.unpack_from(dropped)
    if magic != _MAGIC or (form, number) != (_FORMAT, _NUMBER):
        raise SealError(why="not_a_drop")
    return Head(key_id, version)


def take(key: Key, place: Place, dropped: bytes) -> bytes:
    """What was dropped. ``SealError`` unless it was for this very pair and place, and is as it was."""
    if head_of(dropped) != (key.id, key.version):
        raise SealError(why="another_key")
    private = X25519PrivateKey.from_private_bytes(key.secret)
    try:
        return _SUITE.decrypt(dropped[_HEAD.size :], private, _info(dropped[: _HEAD.size], place))
    except InvalidTag:
        raise SealError(why="tag") from None


def _info(head: bytes, place: Place) -> bytes:
    return b"reprise drop v1" + head + context_of(place)
