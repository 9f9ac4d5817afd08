"""Where root keys live. A provider wraps and unwraps the shops' keys; it gives no root key out.

There is one interface, one table and one set of contract tests: a key management service would be one more file with
such a class, and one more line in the table.
"""

import base64
import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plugin_backend.core import ids
from plugin_backend.core.seal import records
from plugin_backend.core.seal.records import Key, Place, SealError

_PREFIX = "root"
_FILE = "root.key"


class RootProvider(Protocol):
    """Holder of root keys. An id such as ``root_...`` tells one from another without telling anything of it. Threads may
    share a provider, and it goes on working in a process that was forked off."""

    name: str

    @property
    def where(self) -> str:
        """Where it looks for its keys, for the operator."""

    def held(self) -> tuple[str, ...]:
        """Ids of the root keys it can use now, oldest first. ``SealError`` with one line where it cannot look."""

    def add(self) -> str:
        """Make a root key, the newest from now on; its id. ``SealError`` where the operator must make it himself."""

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        """``secret``, sealed under that root key for the place. ``SealError`` where it does not hold the key."""

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        """What was wrapped. ``SealError`` where it does not hold the key, or it was not wrapped so."""


class Kind(NamedTuple):
    """A kind of provider: its class, and the settings that it must be given."""

    module: str
    maker: str
    needs: tuple[str, ...] = ()


# By what REPRISE_ROOT says. A kind's module is loaded when it is chosen: what it imports may be an extra, which is
# called like the kind.
KINDS: dict[str, Kind] = {
    "file": Kind(__name__, "LocalFile"),
    "env": Kind(__name__, "Environment", ("REPRISE_ROOT_KEY",)),
    "pkcs11": Kind(
        "plugin_backend.core.seal.pkcs11",
        "Token",
        ("REPRISE_PKCS11_MODULE", "REPRISE_PKCS11_TOKEN", "REPRISE_PKCS11_PIN", "REPRISE_PKCS11_KEY"),
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which kinds of provider hold the root keys, the one of the newest last, and the settings they need by their names."""

    kinds: tuple[str, ...] = ("file",)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


def provider(choice: Choice, folder: Path) -> RootProvider:
    """The provider that was chosen; ``folder`` is that of the key files. It looks for its keys when it is first asked.
    ``SealError`` where the extra that it needs is not installed."""
    settings = {"REPRISE_KEYS": str(folder), **choice.settings}
    made = [_made(name, settings) for name in choice.kinds]
    return made[0] if len(made) == 1 else Several(made)


def _made(name: str, settings: Mapping[str, str]) -> RootProvider:
    kind = KINDS[name]
    try:
        module = importlib.import_module(kind.module)
    except ImportError:
        raise SealError(
            f"REPRISE_ROOT={name} needs what is not installed: pip install 'reprise[{name}]'"
        ) from None
    made: RootProvider = getattr(module, kind.maker)(settings)
    return made


def missing(provider: RootProvider, needed: Sequence[str]) -> str:
    """One line that says which of the ``needed`` root keys are not held and where they were looked for; "" where all are,
    and there is one at least to begin with."""
    try:
        held = provider.held()
    except SealError as error:
        return f"{_named(needed)}: {error} (looked in {provider.where})"
    absent = [wanted for wanted in needed if wanted not in held]
    if not absent:
        return ""
    return f"{_named(absent)}: {provider.where} holds {' and '.join(held)} only"


def _named(needed: Sequence[str]) -> str:
    keys = "the root key" if len(needed) == 1 else "the root keys"
    return f"the data needs {keys} {' and '.join(needed)}" if needed else "there is no root key"


class HeldInMemory:
    """Root keys that this process has in its memory: read when they are first asked for, and again where an unknown one
    is, so that a key added later is found."""

    name = "memory"
    where = "memory"

    def __init__(self) -> None:
        self._keys: Mapping[str, Key] = {}

    def read(self) -> tuple[bytes, ...]:
        """The keys as they are now, the oldest first. ``SealError`` where they cannot be had."""
        raise NotImplementedError

    def held(self) -> tuple[str, ...]:
        return tuple(self._read_again())

    def add(self) -> str:
        raise SealError(f"a root key is added to {self.where} by hand")

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        return records.seal(self._key(root_id), place, secret)

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        return records.open_with(self._key(root_id), place, wrapped)

    def _key(self, root_id: str) -> Key:
        key = self._keys.get(root_id) or self._read_again().get(root_id)
        if key is None:
            raise not_held(root_id)
        return key

    def _read_again(self) -> Mapping[str, Key]:
        self._keys = {named(key.id): key for key in map(_root, self.read())}
        return self._keys


class LocalFile(HeldInMemory):
    """``root.key`` in REPRISE_KEYS, readable by its owner only: a line for each root key, the oldest first."""

    name = "file"

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__()
        self._path = Path(settings["REPRISE_KEYS"]) / _FILE
        self.where = str(self._path)

    def read(self) -> tuple[bytes, ...]:
        return read_keys(self._path)

    def add(self) -> str:
        if self._path.exists():
            return add_to_file(self._path)
        make_file(self._path)
        return self.held()[-1]


class Several:
    """Several providers, the newest last: how root keys move from one to the other, by a rotation like any other."""

    def __init__(self, providers: Sequence[RootProvider]) -> None:
        self._providers = providers
        self.name = ",".join(each.name for each in providers)

    @property
    def where(self) -> str:
        return " and ".join(each.where for each in self._providers)

    def held(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(root_id for each in self._providers for root_id in each.held()))

    def add(self) -> str:
        return self._providers[-1].add()

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        return self._of(root_id).wrap(root_id, secret, place)

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        return self._of(root_id).unwrap(root_id, wrapped, place)

    def _of(self, root_id: str) -> RootProvider:
        for each in self._providers:
            if root_id in each.held():
                return each
        raise not_held(root_id)


class Environment(HeldInMemory):
    """REPRISE_ROOT_KEY, or the file that REPRISE_ROOT_KEY_FILE names: such lines as in ``root.key``, with spaces, commas
    or new lines between. They were read when the process began."""

    name = "env"
    where = "REPRISE_ROOT_KEY"

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__()
        self._given = settings[self.where]

    def read(self) -> tuple[bytes, ...]:
        keys = _decoded(self._given.replace(",", " ").encode().split())
        if keys is None:
            raise SealError(f"{self.where} is damaged: each key is 32 bytes in base64")
        return keys


def named(raw: bytes) -> str:
    """The id of the root key that these 16 bytes, made of the key itself, stand for."""
    return ids.named(_PREFIX, raw)


def not_held(wanted: str) -> SealError:
    """What a provider raises that does not hold the key."""
    return SealError(f"the root key {wanted} is not held here", why="root_not_held")


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
        content = path.read_bytes()
    except OSError:
        raise _unusable(path) from None
    if mode & 0o077:
        raise SealError(f"{path.name} may be read by others: chmod 600")
    keys = _decoded(content.split())
    if keys is None:
        raise _unusable(path)
    return keys


def _unusable(path: Path) -> SealError:
    return SealError(f"{path.name} is missing or damaged in REPRISE_KEYS")


def _decoded(lines: list[bytes]) -> tuple[bytes, ...] | None:
    """The keys of some lines; None unless there is one at least and all are whole."""
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in lines)
    except ValueError:
        return None
    return keys if keys and all(len(key) == 32 for key in keys) else None


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
    # Left by one who was killed: it was nobody's key yet.
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.writelines(base64.b64encode(key) + b"\n" for key in (*kept, secret))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return named(_root(secret).id)
