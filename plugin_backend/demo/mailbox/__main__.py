"""``python -m plugin_backend.demo.mailbox --http-port N --smtp-port M [--file FILE]``: both doors on loopback only."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from plugin_backend.demo.mailbox import smtp
from plugin_backend.demo.mailbox.box import KEPT, Box
from plugin_backend.demo.mailbox.pages import create_app
from plugin_backend.sdk.http import HttpClient


class _Quiet(WSGIRequestHandler):
    """Pages that look for new mail ask every few seconds; that is not worth a line."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


def main() -> None:
    given = _arguments()
    box = Box(given.file, kept=given.keep)
    app = create_app(box, HttpClient(allow_private=True))
    signal.signal(signal.SIGTERM, _leave)
    web = make_server("127.0.0.1", given.http_port, app, threaded=True, request_handler=_Quiet)
    door = smtp.serve(box, given.smtp_port)
    print(f"mailbox: http://127.0.0.1:{web.server_port}/ smtp://127.0.0.1:{given.smtp_port}", flush=True)
    try:
        web.serve_forever()
    except KeyboardInterrupt:
        return
    finally:
        door.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mailbox", description="Keeps and shows every message it is sent.")
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--file", type=Path, help="keep the messages in this file too")
    parser.add_argument("--keep", type=int, default=KEPT, help="how many messages are kept")
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
