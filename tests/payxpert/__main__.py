"""``python -m tests.payxpert --port N --ledger FILE``: says where it listens, and serves until it is ended."""

import argparse
import signal
import sys
from pathlib import Path

from tests.payxpert.book import Book
from tests.payxpert.server import Fake


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    server = Fake(given.port, Book(given.ledger))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"PayXpert's stand-in listens on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
