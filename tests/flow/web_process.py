"""The product's web process as operators start it, and a sender that speaks HTTP by hand."""

import contextlib
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plugin_backend.core.config import Config
from plugin_backend.launcher.ports import LOOPBACK, free_port
from plugin_backend.launcher.supervisor import Child, Program, Supervisor, base_environment

ROOT = Path(__file__).resolve().parents[2]
_NAME = "web-under-test"


@dataclass(frozen=True)
class WebProcess:
    child: Child
    port: int

    def connect(self, timeout: float = 20.0) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.port), timeout=timeout)

    def ask(self, *parts: bytes, end: bool = False) -> int:
        """Send the bytes on a connection of their own; the status of the answer, 0 where there is none. ``end`` says
        that nothing more will come, as a sender does that was cut off."""
        with self.connect() as connection:
            with contextlib.suppress(OSError):
                for part in parts:
                    connection.sendall(part)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            return status(connection)


@contextlib.contextmanager
def web_process(supervisor: Supervisor, settings: Config, **more: str) -> Iterator[WebProcess]:
    """Runs until the context ends. ``more`` is added to its environment."""
    port = free_port()
    environment = {
        **base_environment(),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "REPRISE_URL": settings.base_url,
        "REPRISE_KEYS": str(settings.keys),
        "MAIL_URL": settings.mail_url,
        "REPRISE_LOG_LEVEL": "INFO",
        **more,
    }
    command = [sys.executable, "-m", "plugin_backend.cli", "web", "--port", str(port)]
    child = supervisor.start(Program(_NAME, command, environment, folder=ROOT))
    try:
        supervisor.wait_for(child, lambda: _listens(port), seconds=60.0)
        yield WebProcess(child, port)
    finally:
        if supervisor.children.get(_NAME) is child:
            child.end()
            del supervisor.children[_NAME]


def status(connection: socket.socket) -> int:
    """The status of the next final answer, 0 where the connection ends before."""
    got = b""
    with contextlib.suppress(OSError):
        while not (found := re.search(rb"HTTP/1\.[01] ([2-5][0-9]{2})[^\r]*\r\n.*?\r\n\r\n", got, re.DOTALL)):
            if not (more := connection.recv(65536)):
                return 0
            got += more
        return int(found[1])
    return 0


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
        return True
    time.sleep(0.05)
    return False
