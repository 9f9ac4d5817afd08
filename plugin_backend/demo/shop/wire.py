"""One POST on a socket of its own, byte for byte: the platforms' header order and names are part of what is tried,
and no HTTP library keeps them."""

import ipaddress
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status`` 0 and a word in ``error`` where nothing did. ``seconds`` is how long it took."""

    status: int
    error: str = ""
    seconds: float = 0.0


def host_header(url: str) -> str:
    """Host and port as they stand in the address, whether or not it can be reached."""
    return re.split("[/?#]", url.partition("://")[2])[0]


def is_local(url: str) -> bool:
    """True for plain http to this machine: the fake shop never speaks to anything else."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.username is None and parts.port != 0
        return plain and (
            parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
        )
    except ValueError:
        return False


def post(url: str, headers: Headers, body: bytes, *, timeout: float) -> Answer:
    """Send the request once, with exactly these headers in this order, and read the status of its answer."""
    started = time.monotonic()
    if not is_local(url):
        return Answer(0, "not an address of this machine")
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=timeout) as connection:
            connection.sendall(head + body)
            with connection.makefile("rb") as stream:
                status = _status(stream)
    except (OSError, ValueError) as error:
        return Answer(0, type(error).__name__, time.monotonic() - started)
    return Answer(status, "", time.monotonic() - started)


def _status(stream: BinaryIO) -> int:
    """The status of the answer, after any 1xx; its headers and body are read to the end and dropped, so that the
    other side never sees its answer cut off."""
    while True:
        words = stream.readline(4096).split()
        length = _headers(stream)
        status = int(words[1]) if len(words) > 1 else 0
        if status >= 200 or not words:
            break
    if not words:
        raise ConnectionError("closed without an answer")
    stream.read(length)
    return status


def _headers(stream: BinaryIO) -> int:
    """Read the headers; how much of the body there is to read, at most 64 KiB, 0 where that is not said."""
    length = 0
    while (line := stream.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = min(int(value), 65536)
    return length
