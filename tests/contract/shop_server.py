"""A connector's small shop as a process of its own that behaves badly on purpose: ``python -m tests.contract.shop_server
saleor``. Prints one line with its address when it is ready.

What goes wrong is switched by the demo shop's switches, at ``POST /_control/switches``; ``POST /_control/leave`` and
``/_control/buy`` are a shopper, ``GET /_control/state`` and ``/_control/idle`` tell how it stands.
"""

import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from plugin_backend.demo.shop import switches as wrong
from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Request
from tests.contract.connector_rigs import SHOPS
from tests.contract.connector_shops import Post, Shop

API = "/shop"


class Letter:
    """One webhook with its repetitions, as its platform has them."""

    def __init__(self, shop: Shop, courier: Courier, post: Post) -> None:
        self._shop, self._courier, self._post = shop, courier, post
        self._tries = 0

    def deliver(self) -> float | None:
        post = self._post
        body = self._shop.error_body if self._courier.switches.error_bodies else post.body
        headers = [("Content-Length", str(len(body))), *post.sign(body).items()]
        host = post.url.split("/")[2]
        answer = self._courier.post(
            "hook", post.topic, "", post.url, [("Host", host), *headers], body, timeout=5.0
        )
        again = answer.status == 0 or answer.status // 100 in self._shop.retried
        if not again or self._tries >= len(self._shop.retry_after):
            return None
        self._tries += 1
        return self._shop.retry_after[self._tries - 1]


_ERROR = (
    b'{"__typename": "CheckoutUpdated", "type": "cart.updated", "data": null, "errors": [{"message": "No."}]}'
)


class Process:
    """The shop, its courier and its lock."""

    def __init__(self, shop: Shop, courier: Courier) -> None:
        self.shop, self.courier = shop, courier
        self.lock = threading.RLock()

    def send_what_waits(self) -> None:
        posts, self.shop.outbox = self.shop.outbox, []
        self.courier.enqueue(*(Letter(self.shop, self.courier, post) for post in posts))

    def api(self, path: str) -> Response:
        headers = dict(request.headers.items()) | {name.lower(): value for name, value in request.headers}
        with self.lock:
            answer = self.shop.send(Request("POST", request.url, headers, request.get_data()))
            self.send_what_waits()
        return Response(answer.body, answer.status, content_type="application/json")

    def state(self) -> Response:
        with self.lock:
            orders = [str(order) for order in self.shop.orders.values()]
        return jsonify(orders=orders, deliveries=[sent.as_json() for sent in list(self.courier.log)])

    def control(self, verb: str) -> Response:
        """What a shopper, the shop's people or a test do."""
        asked, shop, switches = request.get_json(), self.shop, self.courier.switches
        verbs: dict[str, Callable[[], Any]] = {
            "leave": lambda: {"cart_key": shop.leave_basket()},
            "buy": lambda: shop.buy(asked["cart_key"]),
            "cancel": lambda: shop.cancel(asked["order_key"]),
            "hook": lambda: setattr(shop, "hook_url", asked["webhook_url"]),
            "switches": lambda: switches.turn(asked),
        }
        with self.lock:
            said = verbs[verb]()
            self.send_what_waits()
        return jsonify(said)


def create_app(process: Process) -> Flask:
    app = Flask(__name__)
    wrong.install(app, process.courier.switches, (API,))
    app.post(f"{API}/<path:path>")(process.api)
    app.post("/_control/<verb>")(process.control)
    app.get("/_control/state")(process.state)
    app.get("/_control/idle")(lambda: jsonify(idle=process.courier.idle()))
    return app


def _begin(shop: Shop) -> None:
    """As the shop was when it opened, in real time."""
    type(shop).__init__(shop)
    shop.now = lambda: clock.real_now().isoformat()


def main(platform: str) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    shop = SHOPS[platform]()
    _begin(shop)
    courier = Courier(platform, Switches())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app = create_app(Process(shop, courier))
        server = make_server("127.0.0.1", port, app, threaded=True, fd=listener.fileno())
        courier.start()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        print(f"fake shop: http://127.0.0.1:{port}/", flush=True)
        stop.wait()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
