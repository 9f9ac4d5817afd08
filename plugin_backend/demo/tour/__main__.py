"""``python -m plugin_backend.demo.tour --port N --data DIR``: the tour until SIGTERM or Ctrl-C, on loopback only.

It reads our books as the command line does, from the settings in its environment.
"""

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import make_server

from plugin_backend.demo.tour.pages import create_tour
from plugin_backend.launcher.ports import LOOPBACK


def main() -> None:
    asked = _arguments()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(LOOPBACK, asked.port, create_tour(asked.data), threaded=True)
    signal.signal(signal.SIGTERM, _leave)
    print(f"tour: http://{LOOPBACK}:{server.server_port}/", flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        return


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m plugin_backend.demo.tour", description="The tour of the demo."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the demo's data folder")
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
