"""A shop's page with the storefront script in it, and a house that answers as docs/storefront.md says, on two ports."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Request, Response
from werkzeug.serving import make_server

from plugin_backend.core.shop_parts import SCRIPT
from plugin_backend.launcher.ports import free_port

KEY = "abcdefghijklmnopqrstuvwxyz234567"
WORDS = "33,34 € today, then 2 × 33,33 €; total 100,00 €"
MESSAGE = {"id": "msg_1", "timestamp": "1795427000", "signature": "v1,abc", "body": '{"type":"cart.updated"}'}


@dataclass
class Place:
    """One server: what it was asked, and what it answers by path. An answer may be a function of the request."""

    port: int = field(default_factory=free_port)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, path: str) -> list[str]:
        """The bodies with which a path was asked."""
        return [body for _, asked, body in self.asked if asked.startswith(path)]

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        request = Request(environ)
        self.asked.append((request.method, request.full_path.rstrip("?"), request.get_data(as_text=True)))
        answer = self.answers.get(request.path, (404, ""))
        if callable(answer):
            answer = answer(request)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        kind = "text/html" if isinstance(content, str) and content.startswith("<") else "application/json"
        text = content if isinstance(content, str) else json.dumps(content)
        if request.path.endswith(".js"):
            kind = "text/javascript"
        return Response(text, status, {"Content-Type": f"{kind}; charset=utf-8", **self.headers})(
            environ, start
        )


@contextmanager
def serving(*places: Place) -> Iterator[None]:
    servers = [make_server("127.0.0.1", place.port, place, threaded=True) for place in places]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    yield
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def house_for(shop: Place) -> Place:
    """The house: one plan for every amount, and an offer for every basket, after it was asked twice."""
    house = Place(headers={"Access-Control-Allow-Origin": shop.url, "Vary": "Origin"})
    call = f"/storefront/{KEY}"
    asked = {"state": "asked", "poll": f"{house.url}{call}/inquiries/secret", "wait_ms": 100}
    offer = {
        "url": f"{house.url}/o/secret",
        "title": "Pay in 3 parts",
        "words": WORDS,
        "button": "See the payment plan",
    }
    polls = iter([asked, {**asked, "state": "offered", "offer": offer}])
    house.answers = {
        f"{call}/plans": {"plans": [{"kind": "instalments", "count": 3, "words": WORDS}], "lang": "en"},
        f"{call}/inquiries": (202, asked),
        f"{call}/inquiries/secret": lambda _: next(polls, {**asked, "state": "offered", "offer": offer}),
        f"{call}/reminders": (202, {}),
        "/o/secret": "<!doctype html><title>The offer</title>",
    }
    return house


PLACE = '<div data-reprise data-amount="100.00" data-currency="EUR" hidden><p></p><button type="button">Pay in parts</button></div>'
OFFER_PLACE = '<div data-reprise-offer role="status"></div>'
CHECKOUT = """
<form class="checkout">
  <label>E-mail <input type="email" id="billing_email"></label>
  <label>Password <input type="password" id="account_password" value="hunter2"></label>
  <label>Card <input type="text" autocomplete="cc-number" id="card" value="4242424242424242"></label>
  <label><input type="checkbox" id="reprise-reminders"> Remind me</label>
  <button type="button" id="order">Order</button>
</form>"""
NEWSLETTER = '<form><label>News <input type="email" id="news" value="news@example.test"></label></form>'


def page(address: str, body: str, **told: str) -> str:
    """A page in English with the script at its end, told by its tag where the house is, and this and that."""
    attributes = "".join(f' data-{name.replace("_", "-")}="{value}"' for name, value in told.items())
    return (
        f'<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1>{NEWSLETTER}{body}'
        f'<p style="margin-top:2000px">The end</p></main>'
        f'<script src="/s.js" defer data-reprise-house="{address}"{attributes}></script></html>'
    )


SOURCE = SCRIPT.read_text(encoding="utf-8")
