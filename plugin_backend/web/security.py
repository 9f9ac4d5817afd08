"""What every answer carries, and what no request may bring: a card number."""

import re
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import UnprocessableEntity

from plugin_backend.core.log import find_cards

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'self'; "
        "frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


def install(app: Flask) -> None:
    app.before_request(refuse_card_numbers)
    app.after_request(_add_headers)


# An API key in hexadecimal, with or without a prefix. One of some 500 holds the digits of a card number by chance.
_KEY = re.compile(r"(?:[a-z]{2,8}_)?(?=[0-9]*[a-f])[0-9a-f]{32,64}")


def refuse_card_numbers() -> None:
    """422 for a request that holds a card number in any field, naming the field and nothing else: it is neither kept
    nor logged. A card is typed on the gateway's page only. A field that is an API key and nothing else holds none."""
    for name, value in _fields():
        if find_cards(value) and not _KEY.fullmatch(value):
            raise UnprocessableEntity(f"the field {name} must not hold a card number")


def _fields() -> Iterator[tuple[str, str]]:
    yield "(path)", request.path
    for name, values in (*request.args.lists(), *request.form.lists()):
        yield "(name)", name
        yield from ((name, value) for value in values)
    for name, file in request.files.items(multi=True):
        yield "(name)", name
        yield "(file name)", file.filename or ""
        yield name, _text(file.stream.read())
        file.stream.seek(0)
    if request.is_json:
        yield from _inside(request.get_json(silent=True), "(body)")


def _text(content: bytes) -> str:
    """As most programs write it, else as the oldest do: every byte stands for something there."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _inside(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield "(name)", key
            yield from _inside(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner, name)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield name, str(value)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    return response
