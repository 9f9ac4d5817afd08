"""What was said between us and the outside, as a person may read it: without secrets, and not at any length."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from plugin_backend.core.log import scrub
from plugin_backend.sdk.http import Exchange, Request, Response

_LONGEST = 4000
# Of an answer's headers those that tell what went wrong; others may hold a session.
_SHOWN = ("content-type", "content-length", "content-encoding", "location", "retry-after", "server", "date")


def told(exchanges: Iterable[Exchange]) -> str:
    """Each exchange in turn: what was asked, without its body, and what came of it."""
    return "\n\n".join(f"{_asked(it.request)}\n\n{_came(it.came)}" for it in exchanges)


def _asked(request: Request) -> str:
    size = f"\n({len(request.body)} bytes, not shown)" if request.body else ""
    return f"> {request.method} {_address(request.url)}{size}"


def _came(came: Response | str) -> str:
    if isinstance(came, str):
        return f"< {scrub(came)}"
    lines = [f"< {came.status}"]
    for name in _SHOWN:
        if value := came.headers.get(name):
            lines.append(f"< {name}: {_address(value) if name == 'location' else scrub(value)}")
    return "\n".join([*lines, "", _body(came)]).rstrip()


def _address(url: str) -> str:
    """The address without what its query says: a key may be among it."""
    try:
        parts = urlsplit(url)
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        return "(no address)"
    query = "?" + "&".join(f"{name}=..." for name in names) if names else ""
    return scrub(
        f"{parts.scheme}://{parts.hostname or ''}{f':{_port(url)}' if _port(url) else ''}{parts.path}{query}"
    )


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _body(came: Response) -> str:
    """As much of it as helps, with what is no text made visible (PostgreSQL keeps no NUL). Of an answer in good JSON only the
    outline: what it says may be the data of the shop's customers."""
    outline = _outlined(came.body) if 200 <= came.status < 300 else ""
    text = outline or scrub(came.body[: _LONGEST * 4].decode("utf-8", "replace").replace("\0", "\ufffd"))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... ({len(came.body)} bytes in all)"


def _outlined(body: bytes) -> str:
    """The JSON without what its texts say, "" where it is none."""
    try:
        return json.dumps(_without_texts(json.loads(body)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _without_texts(value: Any) -> Any:
    match value:
        case dict():
            return {scrub(str(name)): _without_texts(inner) for name, inner in value.items()}
        case list():
            return [_without_texts(inner) for inner in value]
        case None | bool():
            return value
        case _:
            return "..."
