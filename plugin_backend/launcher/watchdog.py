"""Stops the children of a supervisor that was killed before it could do so itself.

As a script it is one small process per supervisor. It reads ``+SESSION SIGNAL`` and ``-SESSION`` lines from its input
and does nothing else until the input ends, which the kernel sees to however the supervisor dies. Each child is the
leader of its own session, so that what it forked is found with it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

GRACE_SECONDS = 5.0
_STEP_SECONDS = 0.02


def members(session: int) -> list[int]:
    """The processes of a session that still run. Without a /proc only the leader can be seen."""
    if not Path("/proc/self/stat").exists():
        return [session] if _exists(session) else []
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError):
                state, its_session = _state_and_session(int(entry))
                if its_session == session and state != "Z":
                    found.append(int(entry))
    return found


def signal_session(session: int, number: int) -> None:
    """Send the signal to every process of the session. One that is gone meanwhile is no error."""
    for pid in members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_session(session: int) -> None:
    """SIGKILL until nothing of the session runs: a process may fork while the list of them is read."""

    def gone() -> bool:
        signal_session(session, signal.SIGKILL)
        return not members(session)

    until(gone, GRACE_SECONDS)


def until(met: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition is met, at most so long. True where it was."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP_SECONDS)
    return True


def watch(lines: Iterable[str]) -> dict[int, int]:
    """The sessions that are left when the input ends, each with the signal that stops it."""
    left: dict[int, int] = {}
    for line in lines:
        session, _, number = line[1:].strip().partition(" ")
        if line.startswith("+"):
            left[int(session)] = int(number)
        else:
            left.pop(int(session), None)
    return left


def stop_all(left: dict[int, int]) -> None:
    """Ask every session to stop, wait, then end what is still there."""
    for session, number in left.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(session, number)
    until(lambda: not any(members(session) for session in left), GRACE_SECONDS)
    for session in left:
        kill_session(session)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _state_and_session(pid: int) -> tuple[str, int]:
    # The name in parentheses may hold blanks and parentheses itself: what we want stands behind the last one.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[3])


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stop_all(watch(sys.stdin))


if __name__ == "__main__":
    main()
