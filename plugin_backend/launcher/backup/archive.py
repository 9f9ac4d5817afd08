"""The files: each a tar of what was dumped, and of ``manifest.json``, which says what must be in it.

Of the data that is ``database.dump``, as pg_dump made it; of the keys ``keys.copy``, as PostgreSQL's COPY writes them. Any
tar can open them. A file is written beside its place and put there whole, readable by its owner only.
"""

import contextlib
import hashlib
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from plugin_backend.sdk.errors import RepriseError

VERSION = 1
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 1 << 20
Manifest = dict[str, Any]


class Kind(NamedTuple):
    """What a file is: its name in the manifest, how people call it, and what the dump in it is called."""

    format: str
    called: str
    dump: str


DATA = Kind("reprise backup", "backup", "database.dump")
KEYS = Kind("reprise keys", "backup of keys", "keys.copy")


class BackupError(RepriseError):
    """A backup could not be made, or is none that can be restored. The message is one line for the operator; nothing
    was changed."""

    permanent = True


class Draft:
    """A backup that is being written; ``finish`` makes it one."""

    def __init__(self, file: IO[bytes], kind: Kind) -> None:
        self._file, self._kind = file, kind
        self._sum = hashlib.sha256()
        self._size = 0
        # The head of the dump is written when its size is known.
        file.write(bytes(tarfile.BLOCKSIZE))

    def write(self, chunk: bytes) -> None:
        """More of the dump."""
        self._file.write(chunk)
        self._sum.update(chunk)
        self._size += len(chunk)

    def finish(self, manifest: Manifest) -> Manifest:
        """Add the manifest, with what the dump and it itself sum to."""
        made = {"format": self._kind.format, "version": VERSION, **manifest}
        made |= {"size": self._size, "sha256": self._sum.hexdigest()}
        made["seal"] = _seal(made)
        content = json.dumps(made, indent=2, ensure_ascii=False).encode()
        self._pad(self._size)
        self._file.write(_head(_MANIFEST, len(content)) + content)
        self._pad(len(content))
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.seek(0)
        self._file.write(_head(self._kind.dump, self._size))
        return made

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))


@contextlib.contextmanager
def writing(place: Path, kind: Kind, *, overwrite: bool) -> Iterator[Draft]:
    """A draft beside ``place``, which is put there at the end and is gone where anything fails."""
    if place.exists() and not overwrite:
        raise BackupError(f"{place} is there already: name another file, or say --overwrite")
    draft = place.with_name(f".{place.name}.{os.getpid()}.partial")
    try:
        with open(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            yield Draft(file, kind)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            draft.replace(place)
        else:
            os.link(draft, place)
        _sync(place.parent)
    except OSError as error:
        raise BackupError(f"{place} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def reading(place: Path, kind: Kind) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """The manifest of a backup and its dump. ``BackupError`` unless every byte is what was written."""
    try:
        with tarfile.open(place, "r:") as tar:
            names = [member.name for member in tar.getmembers()]
            if names != [kind.dump, _MANIFEST]:
                raise BackupError(f"{place} is no whole {kind.called} of ours")
            manifest = _read_manifest(place, kind, tar)
            dump = tar.extractfile(kind.dump)
            if dump is None or _sum_of(dump) != manifest["sha256"]:
                raise BackupError(f"{place} is damaged: its checksum does not fit")
            dump.seek(0)
            yield manifest, dump
    except tarfile.TarError:
        raise BackupError(f"{place} is no whole {kind.called} of ours") from None
    except OSError as error:
        raise BackupError(f"{place} cannot be read: {error.strerror or error}") from None


def _read_manifest(place: Path, kind: Kind, tar: tarfile.TarFile) -> Manifest:
    file = tar.extractfile(_MANIFEST)
    try:
        manifest = json.loads(file.read(_LARGEST_MANIFEST)) if file is not None else None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != kind.format:
        raise BackupError(f"{place} is no whole {kind.called} of ours")
    if manifest.get("version") != VERSION:
        raise BackupError(
            f"{place} is a backup of version {manifest.get('version')}: a newer reprise made it"
        )
    if manifest.get("seal") != _seal(manifest):
        raise BackupError(f"{place} is damaged: its checksum does not fit")
    return manifest


def _seal(manifest: Manifest) -> str:
    counted = {name: value for name, value in manifest.items() if name != "seal"}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def _sum_of(file: IO[bytes]) -> str:
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest()


def _head(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info.tobuf(tarfile.GNU_FORMAT)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
