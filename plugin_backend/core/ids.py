"""Ids that leave us: a prefix for people, then 26 letters and digits that sort by the time they were made."""

import base64
import hashlib
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_LETTERS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())


def new_id(prefix: str) -> str:
    """A new id such as ``cart_01jd...``: UUIDv7's layout (48 bits of milliseconds, 74 random) in 26 characters.
    It reveals when, never whose, and cannot be guessed."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(76)
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{prefix}_{encode(value, 26)}"


def nth_of(row_id: str, prefix: str, number: int) -> str:
    """The id of a row's ``number``-th part: the same whenever it is made, so that what the outside knows by it is known
    again where our own row was lost. It sorts by its row's time, then by number."""
    return f"{prefix}_{encode(_value(row_id) + number, 26)}"


def raw(row_id: str) -> bytes:
    """The 16 bytes that an id stands for."""
    return _value(row_id).to_bytes(16, "big")


def named(prefix: str, raw_id: bytes) -> str:
    """The id that stands for these 16 bytes."""
    return f"{prefix}_{encode(int.from_bytes(raw_id, 'big'), 26)}"


def _value(row_id: str) -> int:
    return sum(_ALPHABET.index(letter) << 5 * place for place, letter in enumerate(reversed(row_id[-26:])))


def digest(text: str) -> str:
    """What a form says of a text that it was made from: 32 letters and digits, the same for the same text. In hexadecimal
    one of some 500 holds the digits of a card number, and the form that brings it would be refused for that."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:20]).decode().lower()


def encode(value: int, length: int) -> str:
    """``value`` as ``length`` characters of the alphabet, at most 32, most significant first."""
    return base64.b32encode(value.to_bytes(20, "big"))[-length:].translate(_LETTERS).decode()
