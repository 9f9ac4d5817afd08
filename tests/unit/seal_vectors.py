"""The record format by example: what every later version of this code must still open, and make again byte for byte.

``python -m tests.unit.seal_vectors`` writes the file anew. Whoever does that for format 1 takes every stored token away.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.core.seal import Key, Place, records
from tests.unit import two_keys

FILE = Path(__file__).with_name("seal_vectors.json")
Json = dict[str, Any]

_KEY = Key(bytes(range(16)), 1, bytes(range(32)))
_TOKEN = Place("shop_1", "cus_1", "pm_1", "token", "gwa_1")
_CASES: dict[str, tuple[Key, Place, bytes]] = {
    "a customer's token": (_KEY, _TOKEN, b'{"t": "tok_visa", "c": "", "n": ""}'),
    "nothing": (_KEY, _TOKEN, b""),
    "one byte": (_KEY, _TOKEN, b"\0"),
    "a wrapped key": (
        Key(b"\xff" * 16, 1, b"\xff" * 32),
        Place("shop_1", "", "key_1", "shop key"),
        bytes(32),
    ),
    "the last version": (Key(_KEY.id, 2**32 - 1, _KEY.secret), _TOKEN, b"late"),
    "a place that is not of ASCII": (_KEY, Place("Größe", "客", "🧺", "", "ß"), "überall".encode()),
    "many blocks of everything": (_KEY, Place("s" * 300, "c" * 300, "r", "f", "a"), b"many " * 100),
    "nowhere": (_KEY, Place(""), b"nowhere"),
}


def made(what: str, key: Key, place: Place, plaintext: bytes) -> Json:
    """A vector whose random bytes are those that its name hashes to."""
    noise = hashlib.sha512(what.encode()).digest()
    salt, nonce = noise[:32], noise[32:44]
    record = records.sealed_with(key, place, plaintext, salt=salt, nonce=nonce)
    bare = {"salt": salt, "nonce": nonce, "plaintext": plaintext, "record": record}
    return {"what": what, "key": _told(key), "place": list(place)} | {
        name: raw.hex() for name, raw in bare.items()
    }


def made_for_two() -> Json:
    """A ciphertext that GCM opens under what a record derives from either of two keys of the same id."""
    keys = [_KEY, Key(_KEY.id, 1, bytes(range(32, 64)))]
    noise = hashlib.sha512(b"two keys").digest()
    salt, nonce = noise[:32], noise[32:44]
    first, second = b"pay EUR    10.00", b"pay EUR 10000.00"
    derived = [derive(key, salt, _TOKEN) for key in keys]
    ciphertext = two_keys.for_both(
        derived[0][:32], derived[1][:32], nonce, associated(_KEY, _TOKEN), first, second
    )
    bare = {"salt": salt, "nonce": nonce, "first": first, "second": second, "ciphertext": ciphertext}
    return {"keys": [_told(key) for key in keys], "place": list(_TOKEN)} | {
        name: raw.hex() for name, raw in bare.items()
    }


def key_of(told: Json) -> Key:
    return Key(bytes.fromhex(told["id"]), told["version"], bytes.fromhex(told["secret"]))


def derive(key: Key, salt: bytes, place: Place) -> bytes:
    """32 bytes to encrypt with and 32 of commitment, by what is written of the format and not by our own code."""
    return HKDF(SHA512(), 64, salt, b"cv1" + _bound(place)).derive(key.secret)


def associated(key: Key, place: Place) -> bytes:
    """What is authenticated with the ciphertext, written down once more likewise."""
    return b"CV\x01\x01" + key.id + key.version.to_bytes(4, "big") + _bound(place)


def _bound(place: Place) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)


def _told(key: Key) -> Json:
    return {"id": key.id.hex(), "version": key.version, "secret": key.secret.hex()}


if __name__ == "__main__":
    vectors = [made(what, *case) for what, case in _CASES.items()]
    told = json.dumps({"records": vectors, "two_keys": made_for_two()}, indent=1, ensure_ascii=False)
    FILE.write_text(told + "\n", encoding="utf-8")
