"""Signing in, by password or by a link that works once, and signing out."""

import structlog
from flask import Blueprint, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.domain import staff
from plugin_backend.domain.staff import User
from plugin_backend.web import reader
from plugin_backend.web.dashboard import frame, visitors

log = structlog.get_logger(__name__)

entrance = Blueprint("entrance", __name__)
pages = Blueprint("session", __name__)


@entrance.get("/login")
def login() -> Response:
    return _form("", failed=False)


@entrance.post("/login")
def sign_in() -> Response:
    """A new session for who knows the password. An unknown address and a wrong password look, and last, the same."""
    email = request.form.get("email", "").replace("\0", "")[:254]
    with transaction(None) as session:
        user = staff.sign_in(session, email, request.form.get("password", ""))
        token = staff.begin_session(session, user) if user else ""
    if user is None:
        log.warning("sign_in_refused")
        return _form(email, failed=True)
    return _welcome(user, token)


@entrance.get("/login/<secret>")
def open_link(secret: str) -> Response:
    """What a link shows: a button. Opening uses nothing up, since mail scanners open every link too."""
    return reader.shown("dashboard/sign_in_link.html", frame.language(), action_url=request.path)


@entrance.post("/login/<secret>")
def use_link(secret: str) -> Response:
    """A new session for who holds the link, once; 404 afterwards."""
    with transaction(None) as session:
        user = staff.use_link(session, secret)
        token = staff.begin_session(session, user) if user else ""
    if user is None:
        raise NotFound("the link was used, or its time is over")
    return _welcome(user, token)


@pages.post("/logout")
def logout() -> Response:
    with transaction(None) as session:
        staff.end_session(session, request.cookies[visitors.cookie_name()])
    response = redirect("/login", 303)
    response.delete_cookie(visitors.cookie_name(), secure=visitors.secure(), httponly=True, samesite="Lax")
    return response


def _form(email: str, *, failed: bool) -> Response:
    return reader.shown(
        "dashboard/login.html",
        frame.language(),
        code=403 if failed else 200,
        action_url="/login",
        email=email,
        failed=failed,
    )


def _welcome(user: User, token: str) -> Response:
    """Into the house with a session of one's own; whichever the browser had before ends."""
    log.info("signed_in", user=user.id)
    with transaction(None) as session:
        staff.end_session(session, request.cookies.get(visitors.cookie_name(), ""))
    response = redirect("/shops", 303)
    response.set_cookie(
        visitors.cookie_name(), token, secure=visitors.secure(), httponly=True, samesite="Lax"
    )
    return response
