"""Keys that a process has unwrapped, for a short while: most openings need no look at the database."""

import time
from collections import OrderedDict
from threading import Lock

from plugin_backend.core.seal.records import Key

_SIZE = 20_000
_KEPT = 60.0


class Ring:
    """Up to ``size`` keys by their id, each for ``kept`` seconds: that long may a key that was destroyed elsewhere still
    open what is left of its records here. A refused one opens nothing as soon as the refusal is seen: ``refusals``
    counts those of the installation, and each transaction begins by reading it."""

    def __init__(self, size: int = _SIZE, kept: float = _KEPT) -> None:
        self._size, self._kept, self._refusals = size, kept, 0
        self._keys: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()
        self._lock = Lock()

    def get(self, key_id: bytes) -> Key | None:
        """The key, or None where it must be unwrapped (again)."""
        with self._lock:
            since, key = self._keys.get(key_id, (0.0, None))
            if key is None or time.monotonic() - since < self._kept:
                return key
            del self._keys[key_id]
            return None

    def seen(self, refusals: int) -> None:
        """So many keys were refused by now: where that is news, every key must be unwrapped again."""
        with self._lock:
            if refusals > self._refusals:
                self._keys.clear()
                self._refusals = refusals

    def put(self, key: Key, refusals: int) -> None:
        """Keep a key that was unwrapped when so many had been refused. One that may have been refused since is not."""
        with self._lock:
            if refusals < self._refusals:
                return
            self._keys[key.id] = time.monotonic(), key
            self._keys.move_to_end(key.id)
            if len(self._keys) > self._size:
                self._keys.popitem(last=False)

    def drop(self, key_id: bytes) -> None:
        """Forget a key at once."""
        with self._lock:
            self._keys.pop(key_id, None)
