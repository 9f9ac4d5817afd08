"""What the views share: the book, the switches, the callbacks, and which idempotency keys are being worked on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

from flask import Response, current_app, g, request

from plugin_backend.demo.gateway.book import Book
from plugin_backend.demo.gateway.callbacks import Callbacks, Event
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.records import Account, Charge, Refund, Setup
from plugin_backend.demo.gateway.switches import Switches

_NAME = "sandbox-gateway"


class Parts:
    """One gateway process's parts; one of it hangs on the Flask application."""

    def __init__(self, book: Book, switches: Switches, callbacks: Callbacks) -> None:
        self.book = book
        self.switches = switches
        self.callbacks = callbacks
        self._running: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def working_on(self, account: Account, kind: str, key: str) -> Iterator[None]:
        """Inside, nobody else works on this key; ``Rejected`` with 409 where somebody does."""
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
    g.setdefault("events", []).append(Event(account, url, type_, about.id, about.reference))


def send_told(response: Response) -> Response:
    """Let the noted callbacks go when the response is closed, whether or not anybody read it."""
    events, callbacks = g.pop("events", []), parts().callbacks
    response.call_on_close(lambda: callbacks.tell(events))
    return response


def drop() -> Response:
    """Close the caller's connection without an answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=204)
