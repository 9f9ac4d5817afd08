"""Who is at the door: a signed-in operator, or nobody. Every form proves that it came from a page of ours."""

import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import g, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import staff
from plugin_backend.web import links


@dataclass(frozen=True, slots=True)
class Visitor:
    """The operator, whose merchant's shops he may see, and the token that his forms carry."""

    email: str
    merchant_id: str
    csrf: str = field(repr=False)


def visitor() -> Visitor:
    """The operator behind this request; only behind ``require``."""
    found: Visitor = g.visitor
    return found


def secure() -> bool:
    """Are we reached by https? Then the cookie may have the prefix that binds it to this host."""
    return urlsplit(house().config.base_url).scheme == "https"


def cookie_name() -> str:
    return "__Host-reprise" if secure() else "reprise_session"


def refuse_foreign_forms() -> None:
    """400 for a form of another site, and for what no page of ours asks: a NUL, which PostgreSQL would refuse."""
    if any("\0" in value for value in (request.path, *request.args.values())):
        raise BadRequest("there is a NUL in the address")
    if request.method == "POST" and not (links.same_site() and _own_origin()):
        raise BadRequest("the form was sent by another site")


def _own_origin() -> bool:
    # Our pages send no referrer, and browsers then call their origin "null".
    origin = request.headers.get("Origin", "null")
    return origin == "null" or urlsplit(origin).netloc in (
        request.host,
        urlsplit(house().config.base_url).netloc,
    )


def require() -> Response | None:
    """To the way in, unless the cookie is one of a living session; 400 for a form without that session's token."""
    with transaction(None) as session:
        found = staff.find_session(session, request.cookies.get(cookie_name(), ""))
    if found is None:
        return redirect("/login", 303)
    row, user = found
    if request.method == "POST" and not _same(request.form.get("csrf", ""), row.csrf):
        raise BadRequest("the form is not of this session")
    g.visitor = Visitor(user.email, user.merchant_id, row.csrf)
    return None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
