"""The Flask application of the sandbox gateway."""

from flask import Flask, Response

from plugin_backend.demo.gateway.api import api
from plugin_backend.demo.gateway.book import Book
from plugin_backend.demo.gateway.callbacks import Callbacks
from plugin_backend.demo.gateway.control import control
from plugin_backend.demo.gateway.faults import Faults
from plugin_backend.demo.gateway.ledger import Ledger
from plugin_backend.demo.gateway.pages import pages
from plugin_backend.demo.gateway.parts import Parts, attach, parts, send_told
from plugin_backend.demo.gateway.switches import Switches
from plugin_backend.sdk.http import HttpClient


def create_gateway(ledger: Ledger, faults: Faults) -> Flask:
    """A gateway over a ledger that is already open. Only names of this machine are answered, so that no page from
    elsewhere reaches it by a name that it lets point here."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=100_000, TRUSTED_HOSTS=["127.0.0.1", "localhost", "[::1]"])
    switches = Switches()
    callbacks = Callbacks(HttpClient(allow_private=True, timeout=5.0), switches, faults)
    attach(app.extensions, Parts(Book(ledger), switches, faults, callbacks))
    for blueprint in (api, pages, control):
        app.register_blueprint(blueprint)
    app.after_request(send_told)
    app.after_request(_harden)
    app.after_request(_close_where_connections_are_refused)
    return app


def _close_where_connections_are_refused(response: Response) -> Response:
    """Chance refuses connections: with one for all requests there would be nothing left to refuse."""
    if parts().faults.refuses():
        response.headers["Connection"] = "close"
    return response


def _harden(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    )
    return response
