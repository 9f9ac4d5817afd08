"""The processes of a proof: real ones, started, killed by their number, started again, and all gone at the end."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis as RedisClient
from redis.exceptions import RedisError

from plugin_backend.core.seal import make_keys
from plugin_backend.launcher.data import held, wipe
from plugin_backend.launcher.ports import LOOPBACK, free_ports
from plugin_backend.launcher.postgres import Postgres
from plugin_backend.launcher.redis import Redis, find_server
from plugin_backend.launcher.supervisor import Program, Supervisor, base_environment
from tests.chaos.process import FACTOR, READY

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60.0
_END_SECONDS = 20.0


class PortTaken(Exception):
    """Somebody listens where one of our processes is to listen: what we would see might be his."""


@dataclass
class Stage:
    """``environment`` is what an operator gives each process of the product. ``restarts`` counts by name what was
    found dead and started again, whoever had ended it."""

    root: Path
    supervisor: Supervisor
    postgres: Postgres
    redis: Redis
    ports: Mapping[str, int]
    environment: dict[str, str] = field(repr=False)
    restarts: dict[str, int] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        """The gateway's own file."""
        return self.root / "ledger.jsonl"

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['gateway']}"

    def start(self, name: str, *words: str, module: str = "tests.chaos.process", port: str = "") -> None:
        """Start ``python -m`` with these words; with a ``port``, one of ours, wait until it listens there."""
        if port:
            assert_free(self.ports[port])
        environment = {**base_environment(), **self.environment, READY: str(self._ready(name))}
        command = [sys.executable, "-m", module, *words]
        self._programs[name] = Program(name, command, environment, folder=ROOT, grace=5.0)
        self._start(name)
        if port:
            child = self.supervisor.children[name]
            listens = self.ports[port]
            self.supervisor.wait_for(child, lambda: not is_free(listens), seconds=_READY_SECONDS)

    def start_gateway(self) -> None:
        words = ("--port", str(self.ports["gateway"]), "--ledger", str(self.ledger))
        self.start("gateway", "gateway", *words, port="gateway")

    def end(self, name: str) -> None:
        """End it as an operator does, and do not start it again."""
        child = self.supervisor.children[name]
        self._programs.pop(name)
        os.kill(child.pid, signal.SIGTERM)
        self._wait_for_end(name)

    def kill(self, name: str) -> None:
        """As a power cut does, by its number."""
        os.kill(self.supervisor.children[name].pid, signal.SIGKILL)

    def stop(self, name: str) -> int:
        """As a machine does that swaps; the number to wake it by."""
        pid = self.supervisor.children[name].pid
        os.kill(pid, signal.SIGSTOP)
        return pid

    def wake(self, pid: int) -> None:
        if any(child.pid == pid for child in self.supervisor.children.values()):
            os.kill(pid, signal.SIGCONT)

    def crash_postgres(self) -> None:
        """What ``pg_ctl stop -m immediate`` does, and a start: it recovers from its log."""
        os.kill(self.supervisor.children["postgres"].pid, signal.SIGQUIT)
        self._wait_for_end("postgres")
        self.postgres.start(self.supervisor)

    def flush_redis(self) -> bool:
        """FLUSHALL; False where Redis did not answer."""
        with RedisClient.from_url(self.redis.url) as client, contextlib.suppress(RedisError):
            return bool(client.flushall())
        return False

    def names(self, kind: str) -> list[str]:
        return sorted(name for name in self._programs if name.startswith(kind))

    def working(self, name: str) -> bool:
        """Does it run, and has it come so far as to look for work?"""
        child = self.supervisor.children.get(name)
        if child is None or not child.is_running:
            return False
        with contextlib.suppress(OSError, ValueError):
            return int(self._ready(name).read_text()) == child.pid
        return False

    def repair(self) -> list[str]:
        """Start again whatever of the product is dead; its names."""
        dead = [name for name in self._programs if not self.supervisor.children[name].is_running]
        for name in dead:
            self.supervisor.kill(name)
            self._start(name)
            self.restarts[name] = self.restarts.get(name, 0) + 1
        return dead

    def admin(self) -> "psycopg.Connection[Any]":
        """The superuser's way into the product's database, past row-level security."""
        return psycopg.connect(self.postgres.admin_url, dbname="reprise", autocommit=True)

    def log(self, name: str) -> str:
        """The last lines of what a process wrote."""
        path = self.root / "data" / "logs" / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _start(self, name: str) -> None:
        self._ready(name).unlink(missing_ok=True)
        self.supervisor.start(self._programs[name])

    def _ready(self, name: str) -> Path:
        return self.root / f"{name}.ready"

    def _wait_for_end(self, name: str) -> None:
        child = self.supervisor.children[name]
        self.supervisor.wait(lambda: not child.is_running, _END_SECONDS, f"{name} does not end")
        self.supervisor.kill(name)


@contextlib.contextmanager
def stage(factor: float, **environment: str) -> Iterator[Stage]:
    """Empty servers of our own. They are gone with all that was started, and all files, when the context ends."""
    # A short path that root's PostgreSQL account may pass through.
    root = Path(tempfile.mkdtemp(prefix="reprise-chaos-"))
    root.chmod(0o711 if os.geteuid() == 0 else 0o700)
    data = root / "data"
    try:
        with held(data) as lock, Supervisor(data / "logs", hold=lock) as supervisor:
            made = _stage(root, supervisor, factor, environment)
            try:
                yield made
            finally:
                _wake_all(supervisor)
        wipe(data)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def assert_free(port: int) -> None:
    if not is_free(port):
        raise PortTaken(f"somebody listens on port {port} already")


def is_free(port: int) -> bool:
    """Does nobody listen there?"""
    with socket.socket() as tried:
        tried.settimeout(1.0)
        return tried.connect_ex((LOOPBACK, port)) != 0


def _stage(root: Path, supervisor: Supervisor, factor: float, environment: Mapping[str, str]) -> Stage:
    data = root / "data"
    ports = dict(zip(("web", "gateway", "mail"), free_ports([None] * 3), strict=True))
    for port in ports.values():
        assert_free(port)
    postgres, redis = Postgres(data), Redis(data / "redis", find_server())
    postgres.start(supervisor)
    redis.start(supervisor)
    make_keys(data / "keys")
    ours = {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "REPRISE_URL": f"http://{LOOPBACK}:{ports['web']}",
        "REPRISE_KEYS": str(data / "keys"),
        "MAIL_URL": f"smtp://{LOOPBACK}:{ports['mail']}",
        "REPRISE_LOG_LEVEL": "WARNING",
        "REPRISE_CLOCK_GRAIN": str(max(0.05, 10 * factor)),
        FACTOR: str(factor),
    }
    return Stage(root, supervisor, postgres, redis, ports, {**ours, **environment})


def _wake_all(supervisor: Supervisor) -> None:
    """Who sleeps cannot be asked to stop."""
    for child in supervisor.children.values():
        if child.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGCONT)
