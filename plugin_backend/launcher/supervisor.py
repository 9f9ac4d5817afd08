"""Starts named programs, restarts those that may crash, and stops them all, in every way that we can end ourselves.

Three things hold together: ``stop`` in the ordinary case, the watchdog where we are killed, and the leash where the
watchdog is killed too. Programs are started from the main thread only, since the kernel counts the death of the
*thread* that started a program as the death of its parent.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Literal, Self

from plugin_backend.launcher import leash, watchdog
from plugin_backend.launcher.accounts import Account
from plugin_backend.launcher.errors import CannotStart, StopAsked

RESTARTS = 10
RESTART_WINDOW_SECONDS = 60.0
_TICK_SECONDS = 0.05
_LOG_LIMIT_BYTES = 10_000_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Program:
    """What to start. ``environment`` is the whole of it. ``on_exit``: an end that nobody asked for is repaired by a
    restart, or stops everything. ``foundation`` programs stop after all others. ``grace`` is in seconds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    on_exit: Literal["restart", "stop"] = "stop"
    foundation: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    folder: Path | None = None
    account: Account | None = None


@dataclass(slots=True)
class Child:
    """A program that was started. ``ends`` are the monotonic times of the ends that were repaired."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    ends: deque[float] = field(default_factory=deque)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        if self.process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):
            return self.process.poll() is None
        # Seen but not reaped: its number stays taken, so that killing its session cannot meet a stranger.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def end(self) -> None:
        """SIGKILL for it and all that it forked, where they still run, and the last of it taken away."""
        if self.process.returncode is None:
            watchdog.kill_session(self.pid)
            self.process.wait()

    def last_line(self) -> str:
        """The last line it wrote, "" where it wrote none."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


class Supervisor:
    """Use it as a context: when it ends, nothing it started is left. ``hold`` is a descriptor (a lock) that the
    watchdog keeps open until it has stopped the children of a supervisor that was killed. ``on_tick`` is called many
    times a second while we wait."""

    def __init__(
        self, logs: Path, *, hold: int | None = None, on_tick: Callable[[], None] = lambda: None
    ) -> None:
        self.children: dict[str, Child] = {}
        self.asked = 0
        self._on_tick = on_tick
        self._logs = logs
        self._hold = hold
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if self._hold is None else (self._hold,),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            self._watchdog.wait()

    def start(self, program: Program) -> Child:
        """Start it in its own session, with its output appended to ``<logs>/<name>.log``."""
        previous = self.children.get(program.name)
        if previous is not None and previous.is_running:
            raise CannotStart(f"{program.name} is running already")
        log = self._logs / f"{program.name}.log"
        _rotate(log)
        with log.open("ab") as output:
            process = subprocess.Popen(
                _leashed(program),
                env=dict(program.environment),
                cwd=program.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(program, process, log)
        self.children[program.name] = child
        self._tell(f"+{child.pid} {int(program.stop_signal)}\n")
        return child

    def run(self, program: Program, *, seconds: float) -> None:
        """Start it and wait for its end. ``CannotStart`` where it fails or takes longer."""
        child = self.start(program)
        try:
            self.wait(lambda: not child.is_running, seconds, f"{program.name} took more than {seconds:g} s")
        finally:
            self._end(child)
        if child.process.returncode:
            raise CannotStart(_ended(child))

    def wait_for(self, child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until it is ready. ``CannotStart`` where it ends before or takes longer, ``StopAsked`` where we are
        told to stop meanwhile."""

        def ready_or_ended() -> bool:
            if not child.is_running:
                self._end(child)
                raise CannotStart(_ended(child))
            return ready()

        late = f"{child.name} was not ready after {seconds:g} s; see {child.log}"
        self.wait(ready_or_ended, seconds, late)

    def wait(self, met: Callable[[], bool], seconds: float, late: str) -> None:
        """Wait until the condition is met; ``CannotStart`` with the words of ``late`` where it takes longer."""
        deadline = time.monotonic() + seconds
        while not met():
            self.check()
            if time.monotonic() > deadline:
                raise CannotStart(late)
            self._tick()

    def check(self) -> None:
        """``StopAsked`` where somebody asked us to stop."""
        if self.asked:
            raise StopAsked("asked to stop")

    def watch(self, on_restart: Callable[[Child], None]) -> None:
        """Stay until somebody asks us to stop. ``CannotStart`` where a child ends that may not, or crashes too often
        to be helped by restarts. ``on_restart`` gets each child that was started again."""
        while not self.asked:
            for child in list(self.children.values()):
                if not child.is_running:
                    on_restart(self._repair(child))
            self._tick()

    def kill(self, name: str) -> None:
        """Pull the plug of one child: SIGKILL for it and all that it forked, at once. ``watch`` then repairs it."""
        self.children[name].end()

    def stop(self) -> None:
        """Stop everything: first what stands on the foundations, all at a time, then these, the last started first.
        Who does not go in time is killed; where we were asked twice, at once."""
        children = list(self.children.values())
        self._stop_together([child for child in children if not child.program.foundation], patient=False)
        for child in reversed([child for child in children if child.program.foundation]):
            self._stop_together([child], patient=True)

    def ask_to_stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """The signal handler. Asked a second time, ``stop`` waits for nobody but the foundations."""
        self.asked += 1

    def _tick(self) -> None:
        self._on_tick()
        time.sleep(_TICK_SECONDS)

    def _repair(self, child: Child) -> Child:
        self._end(child)
        now = time.monotonic()
        child.ends.append(now)
        while child.ends[0] < now - RESTART_WINDOW_SECONDS:
            child.ends.popleft()
        if child.program.on_exit == "stop":
            raise CannotStart(_ended(child))
        if len(child.ends) > RESTARTS:
            raise CannotStart(f"{child.name} ended {len(child.ends)} times in a minute; see {child.log}")
        again = self.start(child.program)
        again.ends = child.ends
        return again

    def _stop_together(self, children: list[Child], *, patient: bool) -> None:
        for child in children:
            if child.is_running:
                child.process.send_signal(child.program.stop_signal)
        watchdog.until(
            lambda: (self.asked > 1 and not patient) or not any(child.is_running for child in children),
            max((child.program.grace for child in children), default=0.0),
        )
        for child in children:
            self._end(child)

    def _end(self, child: Child) -> None:
        child.end()
        del self.children[child.name]
        self._tell(f"-{child.pid}\n")

    def _tell(self, line: str) -> None:
        if self._watchdog is None or self._watchdog.stdin is None:
            raise CannotStart("a supervisor starts programs only inside its context")
        with contextlib.suppress(BrokenPipeError):
            self._watchdog.stdin.write(line.encode())
            self._watchdog.stdin.flush()


@contextlib.contextmanager
def stopping_on_signals(supervisor: Supervisor) -> Iterator[None]:
    """Inside, Ctrl-C, SIGTERM and a closed terminal ask the supervisor to stop instead of ending the process."""
    before = {number: signal.signal(number, supervisor.ask_to_stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def base_environment() -> dict[str, str]:
    """Our own environment for a child, without what would lead PostgreSQL's programs astray."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _leashed(program: Program) -> list[str]:
    account = ["-", "-", "-"] if program.account is None else program.account.as_arguments()
    order = [str(os.getpid()), str(int(program.stop_signal)), *account]
    command = shutil.which(program.command[0]) or program.command[0]
    return [sys.executable, "-I", "-S", leash.__file__, *order, command, *program.command[1:]]


def _ended(child: Child) -> str:
    code = child.process.returncode
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    said = child.last_line()
    return f"{child.name} {how}: {said or 'it said nothing'} (see {child.log})"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
