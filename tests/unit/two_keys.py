"""One ciphertext for two keys: what GCM does not refuse, and a record must.

GHASH is a polynomial of the blocks it hashes, so that for two keys known beforehand one free block makes both tags the
same: https://eprint.iacr.org/2019/016 (Dodis, Grubbs, Ristenpart, Woodage: Fast Message Franking).
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16
_REDUCTION = 0xE1 << 120


def for_both(one: bytes, other: bytes, nonce: bytes, associated: bytes, first: bytes, second: bytes) -> bytes:
    """48 bytes and a tag: under ``one`` they open to ``first`` and 32 bytes of noise, under ``other`` to 16 bytes of noise,
    ``second``, and noise."""
    streams = [_keystream(key, nonce) for key in (one, other)]
    chosen = _xor(first, streams[0][16:32]) + _xor(second, streams[1][32:48])
    points = [int.from_bytes(_encrypt(key, bytes(_BLOCK)), "big") for key in (one, other)]
    masks = [int.from_bytes(stream[:16], "big") for stream in streams]
    tags = [
        _ghash(point, associated, chosen + bytes(_BLOCK)) ^ mask
        for point, mask in zip(points, masks, strict=True)
    ]
    # The last block of the ciphertext is hashed with the square of the point: only the lengths come after it.
    weights = [_times(point, point) for point in points]
    last = _times(tags[0] ^ tags[1], _inverse(weights[0] ^ weights[1]))
    tag = tags[0] ^ _times(last, weights[0])
    return chosen + last.to_bytes(_BLOCK, "big") + tag.to_bytes(_BLOCK, "big")


def _encrypt(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def _keystream(key: bytes, nonce: bytes) -> bytes:
    """What masks the tag, then what masks three blocks."""
    return b"".join(_encrypt(key, nonce + number.to_bytes(4, "big")) for number in range(1, 5))


def _ghash(point: int, associated: bytes, ciphertext: bytes) -> int:
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    hashed = 0
    for part in (associated, ciphertext, lengths):
        for start in range(0, len(part), _BLOCK):
            block = part[start : start + _BLOCK].ljust(_BLOCK, b"\0")
            hashed = _times(hashed ^ int.from_bytes(block, "big"), point)
    return hashed


def _times(one: int, other: int) -> int:
    """In the field of GCM, whose bits are counted from the left."""
    product = 0
    for place in range(127, -1, -1):
        if other >> place & 1:
            product ^= one
        one = one >> 1 ^ (_REDUCTION if one & 1 else 0)
    return product


def _inverse(value: int) -> int:
    """``value`` to the power of 2^128 - 2."""
    power, found = value, 1 << 127
    for _ in range(127):
        power = _times(power, power)
        found = _times(found, power)
    return found


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
