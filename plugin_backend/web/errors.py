"""What goes wrong is told as a problem (RFC 9457) to programs and as a plain page, in their language, to people."""

import secrets
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, InternalServerError

from plugin_backend.web import reader

log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Every error of the application becomes a problem or a page, never a trace."""
    app.register_error_handler(HTTPException, _known)
    app.register_error_handler(Exception, _unknown)


def _known(error: HTTPException) -> Response:
    told = _told(
        error.code or 500, error.name, error.description or "", getattr(error, "valid_methods", None)
    )
    told.retry_after = getattr(error, "retry_after", None)
    return told


def _unknown(error: Exception) -> Response:
    reference = secrets.token_hex(6)
    log.error("request_failed", reference=reference, path=request.path, exc_info=error)
    return _told(500, InternalServerError().name, "", None, reference)


def _told(status: int, title: str, detail: str, methods: Any, reference: str = "") -> Response:
    best = request.accept_mimetypes.best_match(
        ["application/json", "application/problem+json", "text/html"], "text/html"
    )
    if best == "text/html":
        response = reader.shown(
            "error.html", reader.locale(), code=status, status=status, reference=reference
        )
    else:
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        response = jsonify(problem | ({"reference": reference} if reference else {}))
        response.status_code, response.mimetype = status, "application/problem+json"
    if methods:
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response
