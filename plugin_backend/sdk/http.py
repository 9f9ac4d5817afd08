"""HTTP in and out.

``Delivery`` is a request that reached us, kept as the bytes it was. ``Client`` is the one door out: timeouts always,
redirects never, no hidden retry, and every failure is either ``NotSent`` or ``NoAnswer``.
"""

import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpcore2
import httpx2

from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused

# Of IPv6 only this part is given out to the outside. What lies beyond it wraps IPv4 addresses (NAT64, IPv4-mapped and
# -compatible ones) or is local (fec0::/10), and ``ipaddress`` calls much of that global.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# Ranges that ``ipaddress`` calls global although they lead inside: 6to4 wraps private IPv4 addresses, Teredo tunnels,
# 192.0.0.0/24 holds a cloud's metadata service, 3fff::/20 is for documentation.
_WRAPPED = [ipaddress.ip_network(n) for n in ("2002::/16", "2001::/32", "3fff::/20", "192.0.0.0/24")]
_PORTS = {80, 443, 8080, 8443}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came in. ``headers`` has lower-case names; a repeated header is joined by ", ".
    ``received_at`` is real time, UTC. ``body`` is the raw bytes, never re-serialised."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime
    method: str = "POST"
    query: str = ""

    def header(self, name: str) -> str:
        """The header's value, or "" where it is missing."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Request:
    """What we ask of the outside. ``headers`` and ``body`` may hold secrets and are not shown by ``repr``. Past
    ``not_after`` (monotonic seconds) nothing is sent: it is looked at when a connection is there and the first byte is
    about to leave."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    not_after: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What the outside answered, whatever its status. ``headers`` has lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Client(Protocol):
    """What an adapter gets to speak with the outside."""

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        """Send once. ``NotSent``: nothing left this machine. ``NoAnswer``: it may have been acted on."""
        ...


def is_public(address: str) -> bool:
    """True where an IP address lies outside every private, local and wrapping range."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return (
        ip.is_global
        and not ip.is_multicast
        and (ip.version == 4 or ip in _GIVEN_OUT)
        and not any(ip in net for net in _WRAPPED if net.version == ip.version)
    )


class _Pinned(httpcore2.SyncBackend):
    """Resolves a name once, checks every answer and connects to the address it checked, so that a name whose
    answer changes between check and use cannot lead inside."""

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
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # A UnicodeError for a name that no name server could be asked for: a label too long, or empty.
            raise httpcore2.ConnectError(f"no address for {host}") from error
        addresses = [str(answer[4][0]) for answer in answers]
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise httpcore2.ConnectError(f"{host} leads to an address that is not public")
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


class HttpClient:
    """The real ``Client``. ``allow_private`` is for test shops and the demo on loopback: with it, http, any port and
    private addresses are allowed; without it only https and the usual ports of public addresses."""

    def __init__(
        self, *, allow_private: bool = False, timeout: float = 20.0, max_bytes: int = 5_000_000
    ) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._max_bytes = max_bytes
        transport = httpx2.HTTPTransport(retries=0, trust_env=False)
        transport._pool = httpcore2.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=100,
            # A connection that idled may be dead; a request written into it would be NoAnswer for nothing.
            keepalive_expiry=2.0,
            retries=0,
            network_backend=_Pinned(allow_private=allow_private),
        )
        self._client = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        limit = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        asked = self._built(request, limit)
        try:
            with contextlib.closing(self._client.send(asked, stream=True)) as answer:
                body = self._read(answer, deadline)
                return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, body)
        except (
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.PoolTimeout,
            httpx2.UnsupportedProtocol,
            httpx2.LocalProtocolError,
        ) as error:
            raise NotSent(_short(error)) from None
        except httpx2.RequestError as error:
            # Broken off, late, no HTTP, or packed in a way that cannot be unpacked.
            raise NoAnswer(_short(error)) from None

    def _built(self, request: Request, limit: float) -> httpx2.Request:
        """The request as it will be sent; ``NotSent`` where its address may not be asked or it cannot be written."""
        try:
            self._check(httpx2.URL(request.url))
            return self._client.build_request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body or None,
                timeout=httpx2.Timeout(limit, connect=min(3.0, limit), pool=min(3.0, limit)),
                extensions={} if request.not_after is None else {"trace": _in_time(request.not_after)},
            )
        except httpx2.InvalidURL:
            raise NotSent("not an address that can be asked") from None
        except UnicodeError:
            raise NotSent("a header that cannot be written") from None

    def close(self) -> None:
        """Close the connections that idle."""
        self._client.close()

    def _check(self, parsed: httpx2.URL) -> None:
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise NotSent("only http and https addresses can be asked")
        if parsed.userinfo:
            raise NotSent("an address must not carry credentials")
        if self._allow_private:
            return
        if parsed.scheme != "https" or (parsed.port or 443) not in _PORTS:
            raise NotSent("only https on a usual port can be asked")
        try:
            ipaddress.ip_address(parsed.host)
        except ValueError:
            return
        raise NotSent("an address must be a name, not a number")

    def _read(self, answer: httpx2.Response, deadline: float) -> bytes:
        read = bytearray()
        for chunk in answer.iter_bytes():
            read += chunk
            if len(read) > self._max_bytes:
                raise NoAnswer("the answer was too long to read")
            if time.monotonic() > deadline:
                raise NoAnswer("the answer took too long")
        return bytes(read)


def _in_time(not_after: float) -> Callable[[str, Mapping[str, Any]], None]:
    """Called at each step of a request; raises ``NotSent`` at the step before its first byte where it is too late."""

    def look(step: str, facts: Mapping[str, Any]) -> None:
        if step.endswith("send_request_headers.started") and time.monotonic() >= not_after:
            raise NotSent("it was too late to send")

    return look


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__


def raise_for_status(response: Response, what: str) -> Response:
    """The response where it is 2xx. 4xx is ``Refused`` (429 not permanently), any other status ``NoAnswer``:
    a 5xx may stand before or after the effect, and a redirect is never followed."""
    if 200 <= response.status < 300:
        return response
    if response.status == 429 or response.status == 503:
        raise Refused(
            f"{what}: asked to come back later ({response.status})", status=response.status, permanent=False
        )
    if 400 <= response.status < 500:
        raise Refused(f"{what}: refused with {response.status}", status=response.status)
    raise NoAnswer(f"{what}: answered {response.status}")
