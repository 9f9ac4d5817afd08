"""``python -m tests.contract.stripe_fake --port N --ledger FILE``: serve on loopback until SIGTERM."""

import argparse
import logging
import signal
import socket
import sys
import threading
from pathlib import Path

from plugin_backend.demo.gateway.faults import Faults
from plugin_backend.demo.gateway.server import GatewayServer
from tests.contract.stripe_fake import once
from tests.contract.stripe_fake.app import Fake, create_app
from tests.contract.stripe_fake.store import Store

_HOST = "127.0.0.1"


def main() -> int:
    """The exit code: 0 after a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="the file that remembers")
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    listening = socket.create_server((_HOST, asked.port), backlog=128)
    url = f"http://{_HOST}:{listening.getsockname()[1]}"
    faults = Faults()
    fake = Fake(Store(asked.ledger), faults, url, once.KEPT_SECONDS)
    server = GatewayServer(create_app(fake), listening, faults)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Stripe fake on {url}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
