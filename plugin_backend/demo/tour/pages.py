"""The page of the tour, and the button on it."""

from pathlib import Path

from flask import Blueprint, Flask, Response, abort, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from plugin_backend.app import create_app
from plugin_backend.demo import places, seed
from plugin_backend.demo.places import Places
from plugin_backend.demo.seed import Seed
from plugin_backend.demo.tour import facts
from plugin_backend.demo.tour.plug import Plug
from plugin_backend.web import errors, links, reader, security

_RENEW_SECONDS = 5


def create_tour(data: Path) -> Flask:
    """The tour over the demo in a data folder. Only names of this machine are answered."""
    app = create_app(part="cli")
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost", "[::1]"]
    app.register_blueprint(_pages(data, app))
    errors.install(app)
    security.install(app)
    return app


def _pages(data: Path, app: Flask) -> Blueprint:
    pages = Blueprint("tour", __name__)
    plug = Plug(app)

    @pages.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @pages.get("/")
    def show() -> Response:
        found, sown = _demo(data)
        view = facts.view(found, sown, plug=plug.state, unplug_url=url_for("tour.unplug"))
        response = reader.shown("demo/tour.html", reader.locale(), tour=view)
        if view.agree is False or plug.state == "being_pulled":
            response.headers["Refresh"] = str(_RENEW_SECONDS)
        return response

    @pages.post("/unplug")
    def unplug() -> AnyResponse:
        if not links.same_site():
            abort(403)
        plug.pull(*_demo(data))
        return redirect(url_for("tour.show"), 303)

    return pages


def _demo(data: Path) -> tuple[Places, Seed]:
    """Where everything is; 503 where the demo is only just being made."""
    sown = seed.load(data)
    if sown is None:
        abort(503)
    return places.kept(data), sown
