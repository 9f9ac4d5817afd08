"""``python -m plugin_backend.demo.gateway --port N --ledger FILE``: serve until SIGTERM or Ctrl-C."""

import argparse
import ipaddress
import logging
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from plugin_backend.demo.gateway.app import create_gateway
from plugin_backend.demo.gateway.faults import Faults
from plugin_backend.demo.gateway.ledger import Ledger, LedgerInUse
from plugin_backend.demo.gateway.server import GatewayServer


def main() -> int:
    """The exit code: 0 after a signal, 1 where it could not start, with one line that says why."""
    asked = _arguments()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        ledger = Ledger(asked.ledger)
        listening = _listen(asked.host, asked.port)
    except (LedgerInUse, OSError) as error:
        print(f"The sandbox gateway cannot start: {error}", file=sys.stderr)
        return 1
    faults = Faults()
    server = GatewayServer(create_gateway(ledger, faults), listening, faults)

    def stop(signum: int, frame: FrameType | None) -> None:
        # shutdown() waits for the loop that this very thread runs, so it is asked for from another.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Sandbox gateway on {_address(asked.host, listening.getsockname()[1])}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    listening.close()
    ledger.close()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; ``OSError`` where the port is taken, which werkzeug would answer by ending the process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plugin_backend.demo.gateway", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="the file that remembers; made if missing")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1")
    return parser.parse_args()


def _loopback(host: str) -> str:
    """The host, where it is an address of this machine only."""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise argparse.ArgumentTypeError("a test gateway listens on loopback only")
    return host


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
