"""Who reads: the language of a page, and the page in it."""

from typing import Any

from flask import Response, request

from plugin_backend.core import i18n
from plugin_backend.core.render import page


def locale(*preferences: str) -> str:
    """The reader's language: what he chose on the page, else ``preferences`` in order, else what his browser asks."""
    chosen = request.args.get("lang", "")
    asked = [tag for tag, _ in request.accept_languages]
    return i18n.negotiate(chosen, *preferences, *asked)


def shown(template: str, language: str, *, code: int = 200, **context: Any) -> Response:
    """A page for people, answered with the HTTP status ``code``. It is never stored by anything between us."""
    response = Response(page(template, language, **context), code, mimetype="text/html")
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    return response


def renewing(language: str, *, to: str, **context: Any) -> Response:
    """The page that says "we are checking", which asks for ``to`` after two seconds: by a header, since a ``meta``
    element would take the reader's place from a screen reader at a moment nobody chose."""
    response = shown("offer/checking.html", language, refresh=0, **context)
    response.headers["Refresh"] = f"2; url={to}"
    return response
