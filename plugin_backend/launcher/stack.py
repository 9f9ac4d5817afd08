"""Everything that runs for one data folder: PostgreSQL, Redis, and the services whose command lines we are handed."""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from plugin_backend.launcher import data as folder
from plugin_backend.launcher.errors import CannotStart, StopAsked
from plugin_backend.launcher.follow import Follower
from plugin_backend.launcher.ports import LOOPBACK
from plugin_backend.launcher.postgres import Postgres
from plugin_backend.launcher.redis import Redis, find_server
from plugin_backend.launcher.supervisor import (
    Child,
    Program,
    Supervisor,
    base_environment,
    stopping_on_signals,
)
from plugin_backend.launcher.watchdog import kill_session
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import HttpClient, Request

_READY_SECONDS = 60.0
_ONCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the product, as a command line.

    ``on_exit`` says what an end means that nobody asked for: ``restart`` it (workers, the clock), ``stop`` everything,
    or ``once``: it is to end, and with 0, before the next service starts (a migration). ``ready_url`` answers 200 when
    the service can be used. ``environment`` is added to what all services get.
    """

    name: str
    command: Sequence[str]
    on_exit: Literal["restart", "stop", "once"] = "stop"
    ready_url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class Stack:
    """Use it as a context: inside, the data folder is ours alone; after it, nothing of it runs.

    ``environment`` is what every service gets beside our own environment, DATABASE_URL and REDIS_URL, and
    ``addresses`` are for people; both may be added to until ``start``. ``follow`` gets what the services write. With
    ``own_servers`` no server is used that we did not start, whatever the environment names.
    """

    def __init__(
        self,
        data: Path,
        *,
        environment: Mapping[str, str],
        addresses: Mapping[str, str] | None = None,
        follow: TextIO | None = None,
        own_servers: bool = False,
    ) -> None:
        self.data = data.resolve()
        self.environment = dict(environment)
        self.addresses = dict(addresses or {})
        self._follow = follow
        self._own_servers = own_servers
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            lock = opening.enter_context(folder.held(self.data))
            logs = self.data / "logs"
            follow = Follower(logs, self._follow).show if self._follow is not None else _nothing
            self.supervisor = opening.enter_context(Supervisor(logs, hold=lock, on_tick=follow))
            opening.callback(follow)
            opening.enter_context(stopping_on_signals(self.supervisor))
            self._stack = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Signals are ours until the last child is gone: they leave first, and a second Ctrl-C must still be heard.
        self.supervisor.stop()
        self._stack.close()

    def start_servers(self) -> None:
        """PostgreSQL and Redis, each only where DATABASE_URL or REDIS_URL does not name another one."""
        self.environment["DATABASE_URL"] = self._named("DATABASE_URL") or self._start_postgres()
        self.environment["REDIS_URL"] = self._named("REDIS_URL") or self._start_redis()

    def start(self, services: Sequence[Service]) -> None:
        """Start the services in order, wait until all that say so are ready, then tell other commands of them."""
        started = [(service, self._start(service)) for service in services]
        client = HttpClient(allow_private=True)
        for service, child in started:
            if service.ready_url and child is not None:
                ready = functools.partial(_is_ready, client, service.ready_url)
                self.supervisor.wait_for(child, ready, seconds=_READY_SECONDS)
        self._tell()

    def stay(self) -> None:
        """Stay until Ctrl-C or SIGTERM, restarting what may be restarted. ``CannotStart`` where a service ends that
        may not, or ends too often."""
        self.supervisor.watch(lambda child: self._tell())

    def _named(self, variable: str) -> str:
        if self._own_servers:
            return ""
        return self.environment.get(variable) or os.environ.get(variable, "")

    def _start_postgres(self) -> str:
        server = Postgres(self.data)
        server.start(self.supervisor)
        return server.url

    def _start_redis(self) -> str:
        server = Redis(self.data / "redis", find_server())
        server.start(self.supervisor)
        return server.url

    def _start(self, service: Service) -> Child | None:
        ours = {**self.environment, **service.environment}
        # What we name ourselves may not be named again by a file: a NAME_FILE would win over NAME.
        inherited = {
            name: value
            for name, value in base_environment().items()
            if name.removesuffix("_FILE") not in ours
        }
        environment = {**inherited, **ours}
        if service.on_exit == "once":
            self.supervisor.run(Program(service.name, service.command, environment), seconds=_ONCE_SECONDS)
            return None
        return self.supervisor.start(
            Program(service.name, service.command, environment, on_exit=service.on_exit)
        )

    def _tell(self) -> None:
        processes = {name: child.pid for name, child in self.supervisor.children.items()}
        folder.write_runtime(self.data, folder.Runtime(self.environment, self.addresses, processes))


def run_stack(stack: Stack, services: Sequence[Service], announce: Callable[[Stack], None]) -> None:
    """Start everything, call ``announce`` once it can be used, and stay until Ctrl-C or SIGTERM, which is a good end.
    ``CannotStart`` says in one line what failed; nothing runs any more in either case."""
    with stack, contextlib.suppress(StopAsked):
        stack.start_servers()
        stack.start(services)
        announce(stack)
        stack.stay()


def product(
    command: Sequence[str], port: int, *, workers: Mapping[str, Sequence[str]], ready_path: str = "/readyz"
) -> list[Service]:
    """The product's own services, made of one command line to which ``migrate``, ``web``, ``worker`` and ``clock`` are
    added. ``workers`` are the further arguments of each worker, by its name."""
    ready = f"http://{LOOPBACK}:{port}{ready_path}"
    return [
        Service("migrate", [*command, "migrate"], "once"),
        Service("web", [*command, "web", "--port", str(port)], ready_url=ready),
        *(Service(name, [*command, "worker", *more], "restart") for name, more in workers.items()),
        Service("clock", [*command, "clock"], "restart"),
    ]


def pull_the_plug(data: Path, name: str) -> None:
    """SIGKILL, without any warning, for one process of what runs in the folder and for all that it forked.
    ``CannotStart`` where no such process runs there."""
    running = folder.load_runtime(data)
    if running is None or name not in running.processes:
        raise CannotStart(f"no {name} runs in {data}")
    kill_session(running.processes[name])


def _is_ready(client: HttpClient, url: str) -> bool:
    try:
        return client.send(Request("GET", url), timeout=5.0).status == 200
    except (NotSent, NoAnswer):
        return False


def _nothing() -> None:
    """What is done on a tick where nobody follows."""
