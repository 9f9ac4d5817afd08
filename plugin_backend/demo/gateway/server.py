"""The server: one thread a connection, connections that stay open between requests, and some that chance refuses."""

import socket
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from plugin_backend.demo.gateway.faults import ALL, REFUSED, Faults


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body of an answer leave in two writes: without this the second waits for the caller's word.
    disable_nagle_algorithm = True


class GatewayServer(ThreadedWSGIServer):
    """Serves ``app`` on a socket that is listening already."""

    request_queue_size = 128

    def __init__(self, app: Flask, listening: socket.socket, faults: Faults) -> None:
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, app, _Handler, fd=listening.fileno())
        self._faults = faults

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """False closes the connection before a byte of it was read."""
        return not self._faults.draw(ALL, (REFUSED,), "connection")
