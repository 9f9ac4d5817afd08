"""``python -m plugin_backend.demo.shop --port N``: the fake shop until SIGTERM or Ctrl-C.

Prints one line with its address when it is ready, and nothing else.
"""

import argparse
import ipaddress
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from plugin_backend.demo.shop.app import create_app
from plugin_backend.demo.shop.world import World


class _Quiet(WSGIRequestHandler):
    """Answers without a line per request: the log page has them."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return None


def _loopback(host: str) -> str:
    """The host, where it is this machine: the fake shop trusts whoever reaches it."""
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        if host == "localhost":
            return host
    raise argparse.ArgumentTypeError("the fake shop listens on loopback only")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plugin_backend.demo.shop", description="The fake shop.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1")
    parser.add_argument("--data", type=Path, metavar="FILE", help="keep the shops' orders and keys here")
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with socket.create_server((given.host, given.port)) as listener:
        port = listener.getsockname()[1]
        world = World(f"http://{given.host}:{port}", given.data)
        fd = listener.fileno()
        server = make_server(
            given.host, port, create_app(world), threaded=True, request_handler=_Quiet, fd=fd
        )
        world.start()
        threading.Thread(target=server.serve_forever, args=(0.05,), name="http", daemon=True).start()
        print(f"fake shop: {world.base}/", flush=True)
        stop.wait()
        server.shutdown()
        world.save()


if __name__ == "__main__":
    main()
