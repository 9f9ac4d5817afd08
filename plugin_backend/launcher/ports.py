"""Free ports of the loopback interface."""

import contextlib
import ipaddress
import socket
from collections.abc import Sequence

from plugin_backend.launcher.errors import CannotStart

LOOPBACK = "127.0.0.1"
_SEARCHED = 50


def loopback(host: str) -> str:
    """The host, where only this machine can reach it; ``CannotStart`` for any other."""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return host
    raise CannotStart(
        f"{host} can be reached from outside; only loopback addresses such as {LOOPBACK} are served"
    )


def free_ports(preferred: Sequence[int | None]) -> list[int]:
    """One free port for each wish, all different: the wished one, else the next free above it, else (None) any."""
    with contextlib.ExitStack() as held:
        return [_hold(held, wish) for wish in preferred]


def free_port(preferred: int | None = None) -> int:
    """The port, where it is free, else the next free above it; any free one where none is preferred."""
    return free_ports([preferred])[0]


def _hold(held: contextlib.ExitStack, wish: int | None) -> int:
    if wish is None:
        return _bind(held, 0)
    for port in range(wish, min(wish + _SEARCHED, 65536)):
        with contextlib.suppress(OSError):
            return _bind(held, port)
    raise CannotStart(f"no port is free from {wish} on")


def _bind(held: contextlib.ExitStack, port: int) -> int:
    tried = socket.socket()
    try:
        # As servers do it: a port whose last connections still linger is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((LOOPBACK, port))
        # Bound is not taken: two sockets that reuse addresses may share a port until one of them listens.
        tried.listen()
    except OSError:
        tried.close()
        raise
    held.enter_context(tried)
    return int(tried.getsockname()[1])
