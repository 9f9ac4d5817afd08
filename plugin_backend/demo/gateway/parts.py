"""What the views share: the book, the switches, the callbacks, and which idempotency keys are being worked on."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from flask import Response, current_app, g, request

from plugin_backend.demo.gateway import views
from plugin_backend.demo.gateway.book import Book
from plugin_backend.demo.gateway.callbacks import Callbacks, Event
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.faults import Faults
from plugin_backend.demo.gateway.records import Account, Charge, Refund, Setup
from plugin_backend.demo.gateway.switches import Switches

_NAME = "sandbox-gateway"


class Parts:
    """One gateway process's parts; one of it hangs on the Flask application."""

    def __init__(self, book: Book, switches: Switches, faults: Faults, callbacks: Callbacks) -> None:
        self.book = book
        self.switches = switches
        self.faults = faults
        self.callbacks = callbacks
        self._running: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def working_on(self, account: Account, kind: str, key: str) -> Iterator[None]:
        """Inside, nobody else works on this key; ``Rejected`` with 409 where somebody does. Where keys are not kept, none
        is worked on twice."""
        if account.behaves.key_window is None:
            yield
            return
        name = (account.id, kind, key)
        with self._lock:
            if name in self._running:
                raise Rejected(409, "key_in_progress", "A request with this key is still being worked on.")
            self._running.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(name)


def attach(extensions: dict[str, object], made: Parts) -> None:
    extensions[_NAME] = made


def parts() -> Parts:
    return cast(Parts, current_app.extensions[_NAME])


def tell(account: Account, about: Charge | Setup | Refund, type_: str, url: str) -> None:
    """Note a callback; it leaves once the answer of this request is out."""
    tell_of(account, type_, url, views.told(about))


def tell_of(account: Account, type_: str, url: str, data: dict[str, Any]) -> None:
    g.setdefault("events", []).append(Event(account, url, type_, data))


def send_told(response: Response) -> Response:
    """Let the noted callbacks go when the response is closed, whether or not anybody read it; neither they nor the answer
    before the disk has what they speak of."""
    parts().book.settle()
    events, callbacks = g.pop("events", []), parts().callbacks
    if events:
        response.call_on_close(lambda: callbacks.tell(events))
    return response


def reset(answer: dict[str, Any], status: int) -> Response:
    """Break the connection off, as a reset, in the middle of the answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with suppress(OSError):
        connection.sendall(head.encode() + body[: len(body) // 2])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return drop()


def drop() -> Response:
    """Close the caller's connection without an answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=204)
