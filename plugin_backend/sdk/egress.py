"""Where the one door out may lead, and for how long.

A name is resolved once, every answer is judged, and the connection goes to an address that was judged: a name whose answer
changes between the check and the use leads nowhere else. However slowly the other side talks, it is listened to until the
request's deadline and no longer.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore2

from plugin_backend.sdk.errors import NotSent

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Of IPv6 only this part is given out to the outside. What lies beyond it wraps IPv4 addresses (NAT64, IPv4-mapped and
# -compatible ones) or is local (fec0::/10), and ``ipaddress`` calls much of that global.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# Ranges that ``ipaddress`` calls global although they lead inside: 6to4 wraps private IPv4 addresses, Teredo tunnels,
# 192.0.0.0/24 holds a cloud's metadata service and 168.63.129.16 is another's, 3fff::/20 is for documentation.
_INSIDE: list[_Network] = [
    ipaddress.ip_network(net)
    for net in ("2002::/16", "2001::/32", "3fff::/20", "192.0.0.0/24", "168.63.129.16/32")
]
# Where a test shop may be besides: on this machine, or in a network of its operator's. Not link-local addresses, among
# which clouds put their metadata, nor fd00:ec2::/32 for the same reason.
_NEAR: list[_Network] = [
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
_METADATA: list[_Network] = [ipaddress.ip_network("fd00:ec2::/32")]
PORTS = frozenset({80, 443, 8080, 8443})

# Monotonic seconds; None outside of a request.
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def is_public(address: str) -> bool:
    """True where an IP address lies outside every private, local and wrapping range."""
    ip = _plain(address)
    return (
        ip.is_global
        and not ip.is_multicast
        and (ip.version == 4 or ip in _GIVEN_OUT)
        and not _lies_in(ip, _INSIDE)
    )


def is_near(address: str) -> bool:
    """True where an IP address is this machine's own, or one of a private network, and not a cloud's metadata service."""
    ip = _plain(address)
    return _lies_in(ip, _NEAR) and not _lies_in(ip, _METADATA)


def _plain(address: str) -> _Address:
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def _lies_in(ip: _Address, networks: Iterable[_Network]) -> bool:
    return any(ip in net for net in networks if net.version == ip.version)


def check(scheme: str, host: str, port: int | None, *, allow_private: bool) -> None:
    """``NotSent`` unless an address of these parts may be asked at all. Where its name leads is judged on connecting."""
    if scheme not in ("http", "https") or not host:
        raise NotSent("only http and https addresses can be asked")
    if allow_private:
        return
    if scheme != "https" or (port or 443) not in PORTS:
        raise NotSent("only https on a usual port can be asked")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    raise NotSent("an address must be a name, not a number")


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Inside, nothing is waited for past ``deadline`` (monotonic seconds)."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left(timeout: float | None) -> float | None:
    """How long may still be waited, in seconds; never 0, which would mean not to wait at all."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = max(deadline - time.monotonic(), 0.001)
    return left if timeout is None else min(timeout, left)


def _check_time() -> None:
    deadline = _deadline.get()
    if deadline is not None and time.monotonic() >= deadline:
        raise httpcore2.ReadTimeout("the answer took too long")


class _Hurried(httpcore2.NetworkStream):
    """A connection on which a deadline bounds all that is waited for, and not each wait by itself: who sends a byte now
    and then would be listened to for ever."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        _check_time()
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


class Pinned(httpcore2.SyncBackend):
    """Resolves a name once, judges every answer and connects to one that it has judged."""

    def __init__(self, *, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failed: Exception = httpcore2.ConnectError(f"no address for {host}")
        for address in self._judged(host, port):
            try:
                stream = super().connect_tcp(address, port, _left(timeout), local_address, socket_options)
                return _Hurried(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    def _judged(self, host: str, port: int) -> list[str]:
        """Every address of the host. One that may not be asked spoils the others: whoever answers so plays a game."""
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # A UnicodeError for a name that no name server could be asked for: a label too long, or empty.
            raise httpcore2.ConnectError(f"no address for {host}") from error
        addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        if not all(self._may_be_asked(address) for address in addresses):
            raise httpcore2.ConnectError(f"{host} leads to an address that is not public")
        return addresses

    def _may_be_asked(self, address: str) -> bool:
        return is_public(address) or (self._allow_private and is_near(address))
