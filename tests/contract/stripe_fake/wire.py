"""What goes over the wire: forms in, JSON out, and the ways in which an answer can be spoiled."""

import json
import re
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from flask import Response, request

from tests.contract.stripe_fake.store import Body, Store

_STEP = re.compile(r"\[([^\]]*)\]")
# Which ids can be shown as what they name, and of which kind of object they are a part.
_EXPANDABLE = {"latest_charge": "charge", "setup_intent": "setup_intent", "payment_method": "payment_method"}


def form_of(text: str) -> Body:
    """A form such as ``metadata[a]=b&expand[0]=c`` as the object that it stands for. All values stay texts."""
    found: Body = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, _, _ = name.partition("[")
        path = [head, *_STEP.findall(name)]
        at = found
        for step in path[:-1]:
            at = at.setdefault(step, {})
        at[path[-1]] = value
    plain: Body = _lists(found)
    return plain


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(held) for name, held in value.items()}
    if inner and all(name == "" or name.isdecimal() for name in inner):
        return list(inner.values())
    return inner


def shown(store: Store, account: str, body: Body, expand: Iterable[str]) -> Body:
    """The object as Stripe shows it, with what was asked for in place of its id."""
    found = {name: value for name, value in body.items() if not name.startswith("fake_")}
    for path in expand:
        head, _, rest = path.partition(".")
        name = found.get(head)
        if head in _EXPANDABLE and isinstance(name, str):
            held = store.get(account, name, _EXPANDABLE[head])
            found[head] = shown(store, account, held, [rest] if rest else []) if held else name
    return found


def answer(status: int, body: Body, *, replayed: bool = False) -> Response:
    made = Response(json.dumps(body), status=status, mimetype="application/json")
    if replayed:
        made.headers["Idempotent-Replayed"] = "true"
    return made


def drop() -> Response:
    """Close the caller's connection without an answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return Response(status=204)


def reset(status: int, body: Body) -> Response:
    """Break the connection off in the middle of the answer."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    raw = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    with suppress(OSError):
        connection.sendall(head.encode() + raw[: len(raw) // 2])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return drop()


def garbage() -> Response:
    return Response("<html><body>It works!</body></html>", mimetype="text/html")
