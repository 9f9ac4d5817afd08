"""What goes wrong on request: switches at the door of both platforms' APIs."""

import socket
import time
from dataclasses import dataclass, fields
from typing import Any

from flask import Flask, Response, request

_API_PATHS = ("/woo/wp-json", "/shopify/admin")
_HTML = "<!DOCTYPE html><html><head><title>One moment</title></head><body><h1>Checking your browser</h1></body></html>"
_NOTICE = b"<br />\n<b>Notice</b>:  Undefined index: plan in <b>/wp-content/plugins/x/x.php</b> on line <b>42</b><br />\n"


@dataclass(slots=True)
class Switches:
    """All off is a healthy shop.

    ``down`` is "", "closed" (the connection ends without an answer; nothing was done) or "500". ``lost_answer``: the
    request is acted on and the connection ends without an answer. ``slow`` is seconds before anything is done.
    ``total_drift`` is in minor units: what an order's total is off by when it is reserved. The next four are the answers
    of a firewall, of a busy platform, of a careless plugin and of a shop that moved.

    The rest is about deliveries. ``late``: each waits so many seconds more; ``twice``: each leaves two times;
    ``shuffled``: of those that wait within a second the newest leaves first; ``dropped``: each is lost on its way and
    counts as delivered; ``error_bodies``: WooCommerce signs an error instead of the order, as it does for a webhook
    whose owner lost his rights.
    """

    down: str = ""
    lost_answer: bool = False
    slow: float = 0.0
    total_drift: int = 0
    html_instead_of_json: bool = False
    throttle: bool = False
    php_notice: bool = False
    redirect: bool = False
    late: float = 0.0
    twice: bool = False
    shuffled: bool = False
    dropped: bool = False
    error_bodies: bool = False

    def turn(self, wanted: dict[str, Any]) -> None:
        """Set the switches that are named. ``ValueError`` for a name or a value there is none of; nothing is set then."""
        kinds: dict[str, type] = {one.name: type(getattr(self, one.name)) for one in fields(self)}
        for name, value in wanted.items():
            if name not in kinds:
                raise ValueError(f"no switch is called {name}")
            numeric = kinds[name] is float and type(value) is int
            if type(value) is not kinds[name] and not numeric:
                raise ValueError(f"{name} is of type {kinds[name].__name__}")
        if wanted.get("down", "") not in ("", "closed", "500"):
            raise ValueError('down is "", "closed" or "500"')
        for name, value in wanted.items():
            setattr(self, name, kinds[name](value))


def install(app: Flask, switches: Switches, paths: tuple[str, ...] = _API_PATHS) -> None:
    """Put the switches before and after every request of the APIs below ``paths``."""

    @app.before_request
    def before() -> Response | None:
        if not request.path.startswith(paths):
            return None
        if switches.slow:
            time.sleep(switches.slow)
        return _instead(switches)

    @app.after_request
    def after(response: Response) -> Response:
        if not request.path.startswith(paths):
            return response
        if switches.php_notice and response.is_json:
            response.set_data(_NOTICE + response.get_data())
        if switches.lost_answer:
            _hang_up()
        return response


def _instead(switches: Switches) -> Response | None:
    if switches.down == "closed":
        _hang_up()
        return Response()
    if switches.down:
        return Response("<h1>Internal Server Error</h1>", 500, content_type="text/html; charset=UTF-8")
    if switches.html_instead_of_json:
        return Response(_HTML, 200, content_type="text/html; charset=UTF-8")
    if switches.redirect:
        return Response("", 302, {"Location": "https://shop.elsewhere.example/"})
    if switches.throttle and not request.path.startswith("/shopify/"):
        return Response(_HTML, 429, {"Retry-After": "1"}, content_type="text/html; charset=UTF-8")
    return None


def _hang_up() -> None:
    """End the connection under the server's feet, so that not one byte of an answer leaves."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
