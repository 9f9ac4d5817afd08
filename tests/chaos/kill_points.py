"""A worker that dies at the n-th thing it does: ``python -m tests.chaos.kill_points`` answers questions, a line each.

What it does is told by what really happens, and by nothing in the product: statements that write, commits, and bytes on
the gateway's connection. A question is ``{"bell", "shop", "at"}``; a process is forked that answers the bell as a worker
does and kills itself (SIGKILL) as the event of that number comes, 0 for never. The answer holds the events' labels and
the process's wait status.
"""

import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from flask import Flask
from httpcore2._backends.sync import SyncStream
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from plugin_backend.app import create_app
from plugin_backend.core.db import db
from plugin_backend.worker import jobs

_WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")
_LOCKS = re.compile(r"\s*SELECT .*\sFROM (\w+).*FOR UPDATE", re.DOTALL)


class Events:
    """Numbers the events of this process, tells each, and dies at one of them."""

    def __init__(self) -> None:
        self._tell: Callable[[str], object] = str
        self._at = 0
        self._count = 0
        self._lock = threading.Lock()

    def begin(self, tell: Callable[[str], object], at: int) -> None:
        """Count anew."""
        self._tell, self._at, self._count = tell, at, 0

    def happen(self, label: str) -> None:
        with self._lock:
            self._count += 1
            self._tell(label)
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)

    def listen(self) -> None:
        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", lambda connection: self.happen("before COMMIT"))
        event.listen(Session, "after_commit", lambda session: self.happen("after COMMIT"))
        _between(SyncStream, "write", self.happen, "the bytes leave", "the bytes have left")
        _between(SyncStream, "read", self.happen, "the answer is read", "the answer was read")

    def _executed(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: Any
    ) -> None:
        if found := _WRITES.match(statement):
            self.happen(f"after {found[1]} {found[2]}")
        elif found := _LOCKS.match(statement):
            self.happen(f"after locking {found[1]}")


def _between(owner: type[Any], name: str, happen: Callable[[str], None], before: str, after: str) -> None:
    does = getattr(owner, name)

    def watched(self: Any, *args: Any, **more: Any) -> Any:
        happen(f"before {before}")
        result = does(self, *args, **more)
        happen(f"after {after}")
        return result

    setattr(owner, name, watched)


def main() -> None:
    app, events = create_app(part="worker"), Events()
    events.listen()
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        told = _dies(app, events, asked) if asked["at"] else _lives(app, events, asked)
        print(json.dumps(told), flush=True)


def _lives(app: Flask, events: Events, asked: dict[str, Any]) -> dict[str, Any]:
    """Afterwards nothing is connected, so that a child shares no connection with us."""
    labels: list[str] = []
    events.begin(labels.append, 0)
    status = _work(app, asked)
    with app.app_context():
        db.engine.dispose()
    app.extensions["reprise"].close()
    for client in ("_private", "_public"):
        vars(app.extensions["reprise"]).pop(client, None)
    return {"labels": labels, "status": status}


def _dies(app: Flask, events: Events, asked: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        events.begin(lambda label: os.write(writing, f"{label}\n".encode()), asked["at"])
        os._exit(_work(app, asked))
    os.close(writing)
    with os.fdopen(reading) as told:
        labels = told.read().splitlines()
    return {"labels": labels, "status": os.waitpid(pid, 0)[1]}


def _work(app: Flask, asked: dict[str, Any]) -> int:
    try:
        with app.app_context():
            jobs.drain(asked["bell"], asked["shop"])
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
