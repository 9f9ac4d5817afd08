"""Sealing: what is secret at rest opens only with our keys, for the shop, the row and the field it was sealed for.

Two keys, two files. ``door.key`` opens what the web process needs to judge a delivery or make a link; ``root.key``
opens tokens and account keys and is given to workers and the command line only.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.sdk.errors import RepriseError

_MAGIC = b"RS1"
Purpose = Literal["door", "vault"]


class SealError(RepriseError):
    """It does not open: another key, another row, or changed bytes. Which of them is nobody's business."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys this process holds; ``root`` is None in a process that must not open tokens."""

    door: bytes = field(repr=False)
    root: bytes | None = field(repr=False, default=None)

    def seal(self, purpose: Purpose, plaintext: bytes, *place: str) -> bytes:
        """Seal for one place, such as shop, row and field; it opens for exactly the same place only."""
        nonce = os.urandom(12)
        sealed = AESGCM(self._key(purpose, place)).encrypt(nonce, plaintext, _place(place))
        return _MAGIC + nonce + sealed

    def open(self, purpose: Purpose, sealed: bytes, *place: str) -> bytes:
        """``SealError`` unless it was sealed with our key for this place."""
        if not sealed.startswith(_MAGIC):
            raise SealError("does not open")
        try:
            return AESGCM(self._key(purpose, place)).decrypt(sealed[3:15], sealed[15:], _place(place))
        except (InvalidTag, ValueError):
            # A ValueError where so much was cut off that not even the nonce is whole.
            raise SealError("does not open") from None

    def link(self, purpose: str, *place: str) -> str:
        """The secret end of a link, 160 bits, always the same for the same place: it needs no storing."""
        key = HKDF(SHA512(), 32, None, b"reprise link v1").derive(self.door)
        mac = hmac.new(key, purpose.encode() + b"\0" + _place(place), hashlib.sha256).digest()
        return base64.b32encode(mac[:20]).decode().lower()

    def _key(self, purpose: Purpose, place: tuple[str, ...]) -> bytes:
        master = self.door if purpose == "door" else self.root
        if master is None:
            raise SealError("this process does not hold that key")
        return HKDF(SHA512(), 32, None, f"reprise {purpose} v1".encode() + _place(place)).derive(master)


def _place(place: tuple[str, ...]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)


def hash_key(secret: str) -> str:
    """What is kept of a link's or a path's secret end: enough to know it again, not enough to use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_keys(folder: Path) -> None:
    """Make the two key files, owner-only, where they are missing; an existing one is never touched."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("door.key", "root.key"):
        try:
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(32)) + b"\n")


def load_keys(folder: Path, *, root: bool) -> Keys:
    """The keys of this process. ``SealError`` with the file's name where one is missing, damaged, or open to others."""
    return Keys(door=_read(folder / "door.key"), root=_read(folder / "root.key") if root else None)


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError):
        raise SealError(f"{path.name} is missing or damaged in REPRISE_KEYS") from None
    if mode & 0o077:
        raise SealError(f"{path.name} may be read by others: chmod 600")
    if len(key) != 32:
        raise SealError(f"{path.name} is missing or damaged in REPRISE_KEYS")
    return key


def masked(settings: Mapping[str, str], secret: set[str]) -> dict[str, str]:
    """Settings as they may be shown."""
    return {name: "••••" if name in secret and value else value for name, value in settings.items()}
