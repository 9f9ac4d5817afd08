"""HTTP in and out.

``Delivery`` is a request that reached us, kept as the bytes it was. ``Client`` is the one door out: timeouts always,
redirects never, no hidden retry, and every failure is either ``NotSent`` or ``NoAnswer``.
"""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpcore2
import httpx2

from plugin_backend.sdk import egress
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused


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
    """What we ask of the outside. ``url``, ``headers`` and ``body`` may hold secrets and are not shown by ``repr``. Past
    ``not_after`` (monotonic seconds) nothing is sent: it is looked at when a connection is there and the first byte is
    about to leave."""

    method: str
    url: str = field(repr=False)
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


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and what came of it: an answer, or why there is none."""

    request: Request
    came: Response | str


_LAST = 3
# The exchanges of whoever listens; None where nobody does.
_listening: ContextVar[list[Exchange] | None] = ContextVar("listening", default=None)


@contextmanager
def overheard() -> Iterator[list[Exchange]]:
    """Inside, whatever passes the one door out is added to the list, so that a person can be shown what was said. Of a long
    conversation the end stays, which tells what went wrong."""
    exchanges: list[Exchange] = []
    token = _listening.set(exchanges)
    try:
        yield exchanges
    finally:
        _listening.reset(token)


def hear(request: Request, came: Response | str) -> None:
    """Tell who listens what was asked and what came of it."""
    exchanges = _listening.get()
    if exchanges is not None:
        exchanges.append(Exchange(request, came))
        del exchanges[:-_LAST]


class HttpClient:
    """The real ``Client``. ``allow_private`` is for test shops and the demo on loopback: with it, http, any port, this
    machine's own and private networks' addresses are allowed; without it only https and the usual ports of public ones.
    """

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
            network_backend=egress.Pinned(allow_private=allow_private),
        )
        self._client = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False)

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        try:
            answer = self._sent(request, self._timeout if timeout is None else timeout)
        except (NotSent, NoAnswer) as error:
            hear(request, str(error))
            raise
        hear(request, answer)
        return answer

    def _sent(self, request: Request, limit: float) -> Response:
        deadline = time.monotonic() + limit
        asked = self._built(request, limit)
        try:
            with egress.until(deadline), contextlib.closing(self._client.send(asked, stream=True)) as answer:
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
        if parsed.userinfo:
            raise NotSent("an address must not carry credentials")
        egress.check(parsed.scheme, parsed.host, parsed.port, allow_private=self._allow_private)

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
