"""Sealing: what is secret at rest opens only with our keys, for the shop, the customer, the row and the field it was
sealed for.

Two keys, two files. ``door.key`` opens what the web process needs to judge a delivery or make a link; root keys open
tokens and account keys, by way of the shops' keys, and are given to workers and the command line only.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.core import ids
from plugin_backend.core.seal import drops, records, roots
from plugin_backend.core.seal.records import Key, Place, SealError
from plugin_backend.core.seal.ring import Ring
from plugin_backend.core.seal.roots import Choice, RootProvider


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys this process holds; ``roots`` is None in a process that must not open tokens."""

    door: bytes = field(repr=False)
    roots: RootProvider | None = None

    def seal_for_door(self, place: Place, plaintext: bytes) -> bytes:
        """Seal what the web process may open again, for exactly the same place."""
        return records.seal(self._door_key(), place, plaintext)

    def open_at_door(self, place: Place, record: bytes) -> bytes:
        """``SealError`` unless it was sealed for the door and for this place."""
        return bytes(records.open_with(self._door_key(), place, record))

    @property
    def door_id(self) -> str:
        """The name of ``door.key``, made of the key itself: no other has it."""
        return ids.named("door", self._door_key().id)

    def link(self, purpose: str, *place: str) -> str:
        """The secret end of a link, 160 bits, always the same for the same place: it needs no storing."""
        key = HKDF(SHA512(), 32, None, b"reprise link v1").derive(self.door)
        mac = hmac.new(key, purpose.encode() + b"\0" + _place(place), hashlib.sha256).digest()
        return base64.b32encode(mac[:20]).decode().lower()

    def root(self) -> RootProvider:
        """``SealError`` in a process that must not open tokens."""
        if self.roots is None:
            raise SealError("this process does not hold that key", why="no_root_here")
        return self.roots

    def _door_key(self) -> Key:
        secret = HKDF(SHA512(), 32, None, b"reprise door v1").derive(self.door)
        return Key(roots.check_id(self.door, b"reprise door v1"), 1, secret)


def _place(place: tuple[str, ...]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)


def hash_key(secret: str) -> str:
    """What is kept of a link's or a path's secret end: enough to know it again, not enough to use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_keys(folder: Path, *, root: bool = True) -> None:
    """Make the key files, owner-only, where they are missing; an existing one is never touched. Not ``root``: only the
    one of the door."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("door.key", "root.key") if root else ("door.key",):
        roots.make_file(folder / name)


def load_keys(folder: Path, root: Choice | None) -> Keys:
    """The keys of this process; ``root`` is None where it must not open tokens. ``SealError`` with the file's name where
    ``door.key`` is missing, damaged, or open to others; a root key is looked for when it is first asked for."""
    door = roots.read_keys(folder / "door.key")
    if len(door) != 1:
        raise SealError("door.key is missing or damaged in REPRISE_KEYS")
    return Keys(door[0], roots.provider(root, folder) if root else None)


def masked(settings: Mapping[str, str], secret: set[str]) -> dict[str, str]:
    """Settings as they may be shown."""
    return {name: "••••" if name in secret and value else value for name, value in settings.items()}


__all__ = [
    "Choice",
    "Key",
    "Keys",
    "Place",
    "Ring",
    "RootProvider",
    "SealError",
    "drops",
    "hash_key",
    "load_keys",
    "make_keys",
    "masked",
    "records",
    "roots",
]
