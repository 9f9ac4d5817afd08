"""The pages and the API of the mailbox."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from plugin_backend.demo.mailbox.box import Box, Failure, Mail
from plugin_backend.demo.mailbox.reading import ONE_CLICK, in_a_frame
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import Client, Request

_LOCAL = ("127.0.0.1", "localhost", "::1")
_STAGES = ("data", "rcpt")
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What a stranger wrote: no script, no form, nothing fetched, and an origin of its own.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


def create_app(box: Box, http: Client) -> Flask:
    """The web side of ``box``. ``http`` is used for the one-click unsubscribe only."""
    app = Flask(__name__)
    app.before_request(_only_from_here)
    app.after_request(_guard)
    app.register_blueprint(_pages(box, http))
    app.register_blueprint(_api(box))
    return app


def _pages(box: Box, http: Client) -> Blueprint:
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def inbox() -> str:
        to = request.args.get("to", "")
        return render_template("inbox.html", mails=box.list(to), to=to, failing=box.failing())

    @pages.get("/messages/<mail_id>")
    def message(mail_id: str) -> str:
        return render_template("message.html", mail=_found(box, mail_id), said=request.args.get("said", ""))

    @pages.get("/messages/<mail_id>/html")
    def markup(mail_id: str) -> Response:
        response = Response(in_a_frame(_found(box, mail_id).reading.html), mimetype="text/html")
        response.headers["Content-Security-Policy"] = _MAIL_POLICY
        return response

    @pages.get("/messages/<mail_id>/source")
    def source(mail_id: str) -> Response:
        return Response(_found(box, mail_id).source, mimetype="text/plain")

    @pages.post("/messages/<mail_id>/unsubscribe")
    def unsubscribe(mail_id: str) -> AnyResponse:
        said = _press_one_click(http, _found(box, mail_id).reading.unsubscribe_url)
        return redirect(url_for("pages.message", mail_id=mail_id, said=said), 303)

    @pages.post("/clear")
    def clear() -> AnyResponse:
        box.clear()
        return redirect(url_for("pages.inbox"), 303)

    @pages.post("/fail")
    def fail() -> AnyResponse:
        box.fail_next(_failure(request.form.get))
        return redirect(url_for("pages.inbox"), 303)

    return pages


def _api(box: Box) -> Blueprint:
    api = Blueprint("api", __name__)

    @api.get("/health")
    def health() -> Response:
        return jsonify(state="ready")

    @api.get("/api/messages")
    def messages() -> Response:
        return jsonify([_as_json(mail) for mail in box.list(request.args.get("to", ""))])

    @api.get("/api/messages/<mail_id>")
    def message(mail_id: str) -> Response:
        return jsonify(_as_json(_found(box, mail_id)))

    @api.delete("/api/messages")
    def clear() -> Response:
        return jsonify(removed=box.clear())

    @api.get("/api/fail")
    def failing() -> Response:
        return jsonify(_failure_as_json(box.failing()))

    @api.post("/api/fail")
    def fail() -> Response:
        given = request.get_json(silent=True)
        box.fail_next(_failure(given.get if isinstance(given, dict) else {}.get))
        return jsonify(_failure_as_json(box.failing()))

    return api


def _found(box: Box, mail_id: str) -> Mail:
    return box.get(mail_id) or abort(404)


def _failure(given: Callable[[str], Any]) -> Failure:
    """400 for a count below 0, a code that is no refusal, or a stage that is not known."""
    try:
        count, code = int(given("count") or 0), int(given("code") or 451)
    except (TypeError, ValueError):
        abort(400)
    stage = given("stage") or "data"
    if count < 0 or not 400 <= code <= 599 or stage not in _STAGES:
        abort(400)
    return Failure(count, code, stage)


def _failure_as_json(failure: Failure) -> dict[str, Any]:
    return {"count": failure.count, "code": failure.code, "stage": failure.stage}


def _as_json(mail: Mail) -> dict[str, Any]:
    reading = mail.reading
    return {
        "id": mail.id,
        "received_at": mail.received_at.isoformat(),
        "to": list(mail.to),
        "from": reading.sender,
        "subject": reading.subject,
        "language": reading.language,
        "headers": [list(header) for header in reading.headers],
        "text": reading.text,
        "html": reading.html,
        "links": [{"url": link.url, "words": link.words} for link in reading.links],
        "unsubscribe_url": reading.unsubscribe_url,
    }


def _press_one_click(http: Client, url: str) -> str:
    """Do what a mail program does when its reader presses "unsubscribe". What came of it, for the reader."""
    if urlsplit(url).hostname not in _LOCAL:
        return "not asked: the address is not one of this machine"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = http.send(Request("POST", url, headers, ONE_CLICK.encode()), timeout=10.0)
    except (NotSent, NoAnswer) as error:
        return f"no answer: {error}"
    return f"asked; the answer was {answer.status}"


def _only_from_here() -> None:
    """Refuse what another site makes a browser send us: a name that leads here, or a form that posts here."""
    if urlsplit(f"//{request.host}").hostname not in _LOCAL:
        abort(403)
    if request.method != "GET" and request.headers.get("Sec-Fetch-Site", "none") not in (
        "none",
        "same-origin",
    ):
        abort(403)


def _guard(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
