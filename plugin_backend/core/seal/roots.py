"""Where root keys live. A provider wraps and unwraps the shops' keys; it gives no root key out.

There is one interface and one set of contract tests; a key management service would be one more file like this one.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.core import ids
from plugin_backend.core.seal import records
from plugin_backend.core.seal.records import Key, Place, SealError

_PREFIX = "root"


class RootProvider(Protocol):
    """Holder of root keys. An id such as ``root_...`` tells one from another without telling anything of it."""

    name: str

    def held(self) -> tuple[str, ...]:
        """Ids of the root keys it can use now, oldest first."""

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        """``secret``, sealed under that root key for the place. ``SealError`` where it does not hold the key."""

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        """What was wrapped. ``SealError`` where it does not hold the key, or it was not wrapped so."""


class HeldInMemory:
    """Root keys that this process has in its memory, read from somewhere once and again where an unknown one is asked
    for, so that a key added later is found."""

    name = "memory"

    def __init__(self, secrets: tuple[bytes, ...] = ()) -> None:
        self._keys = _by_id(secrets)

    def read(self) -> tuple[bytes, ...] | None:
        """The keys as they are now, or None where they cannot have changed."""
        return None

    def held(self) -> tuple[str, ...]:
        self._read_again()
        return tuple(self._keys)

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        return records.seal(self._key(root_id), place, secret)

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        return records.open_with(self._key(root_id), place, wrapped)

    def _key(self, root_id: str) -> Key:
        if root_id not in self._keys:
            self._read_again()
        if root_id not in self._keys:
            raise SealError(f"the root key {root_id} is not held here", why="root_not_held")
        return self._keys[root_id]

    def _read_again(self) -> None:
        secrets = self.read()
        if secrets is not None:
            self._keys = _by_id(secrets)


class LocalFile(HeldInMemory):
    """``root.key``, readable by its owner only: a line for each root key, the oldest first."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(read_keys(path))

    def read(self) -> tuple[bytes, ...]:
        return read_keys(self._path)


def _by_id(secrets: tuple[bytes, ...]) -> Mapping[str, Key]:
    return {ids.named(_PREFIX, key.id): key for key in map(_root, secrets)}


def _root(secret: bytes) -> Key:
    return Key(check_id(secret, b"reprise root v1"), 1, secret)


def check_id(secret: bytes, what: bytes) -> bytes:
    """An id that only these 32 bytes have, from which nothing of them can be learnt."""
    return HKDF(SHA512(), 16, None, what + b" id").derive(secret)


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The keys of a file, a line each. ``SealError`` with the file's name where it is missing, damaged, or open to
    others."""
    try:
        mode = path.stat().st_mode
        keys = tuple(base64.b64decode(line, validate=True) for line in path.read_bytes().split())
    except (OSError, ValueError):
        raise SealError(f"{path.name} is missing or damaged in REPRISE_KEYS") from None
    if mode & 0o077:
        raise SealError(f"{path.name} may be read by others: chmod 600")
    if not keys or any(len(key) != 32 for key in keys):
        raise SealError(f"{path.name} is missing or damaged in REPRISE_KEYS")
    return keys


def make_file(path: Path) -> None:
    """A file with one new key, owner-only, where there is none; an existing one is never touched."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(os.urandom(32)) + b"\n")


def add_to_file(path: Path) -> str:
    """One more root key, in the file's last line; its id. The file is put in place whole: who reads it meanwhile sees it
    as it was, or as it will be."""
    kept, secret = read_keys(path), os.urandom(32)
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.writelines(base64.b64encode(key) + b"\n" for key in (*kept, secret))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return ids.named(_PREFIX, _root(secret).id)
