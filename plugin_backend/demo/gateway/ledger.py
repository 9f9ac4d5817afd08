"""The file that remembers: one JSON object a line, appended, and synced to the disk before anything is answered.

Requests that are worked on at the same time share one sync: it costs as much as a hundred entries do.
"""

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class LedgerInUse(Exception):
    """Another process holds the ledger file open for writing."""


class Ledger:
    """An append-only file of entries. An entry is sure to be in it once ``settle`` came back after it; a line that a
    crash left half-written was never answered for, and is cut off at the next start."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise LedgerInUse(f"{path} is in use by another gateway") from error
        _sync_folder(path.parent)
        self.entries: list[Entry] = self._recover(path)
        self._settled = len(self.entries)
        self._settling = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Write one entry. ``OSError`` leaves the file as it was. One at a time: the caller holds a lock."""
        line = _line(entry)
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError("the disk took only a part of the entry")
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        self.entries.append(entry)

    def settle(self) -> None:
        """Wait until the disk has every entry that was written before. Who waits for another's sync is mostly in it."""
        written = len(self.entries)
        with self._settling:
            if self._settled < written:
                reached = len(self.entries)
                os.fsync(self._fd)
                self._settled = reached

    def close(self) -> None:
        os.close(self._fd)

    def _recover(self, path: Path) -> list[Entry]:
        kept = path.read_bytes()
        whole = kept[: kept.rfind(b"\n") + 1]
        if len(whole) != len(kept):
            os.ftruncate(self._fd, len(whole))
            os.fsync(self._fd)
        return [json.loads(line) for line in whole.splitlines()]


def read_entries(path: Path) -> list[Entry]:
    """The entries of a ledger file, also while a gateway is writing it; a half-written last line is passed over."""
    kept = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in kept[: kept.rfind(b"\n") + 1].splitlines()]


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
