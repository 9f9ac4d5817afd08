"""Servers on loopback that misbehave on the wire, one connection at a time and each in its own way."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def server(answer: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """A server that reads the head of each request and lets ``answer`` do what it likes with the connection; its
    address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(5)
                        answer(connection, _head(connection))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


def saying(*parts: bytes) -> Callable[[socket.socket, bytes], None]:
    """Send these bytes and hang up."""

    def answer(connection: socket.socket, head: bytes) -> None:
        for part in parts:
            connection.sendall(part)

    return answer


def _head(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        chunk = connection.recv(4096)
        if not chunk:
            break
        read += chunk
    return read
