"""Is the process alive, and is it ready?"""

from flask import Blueprint

from plugin_backend.core.db import DatabaseError, transaction
from plugin_backend.domain import quarantine

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def live() -> tuple[str, int, dict[str, str]]:
    """The process answers."""
    return "ok\n", 200, {"Content-Type": "text/plain"}


@pages.get("/readyz")
def ready() -> tuple[str, int, dict[str, str]]:
    """It can do its work: the database answers, and can be written. Redis may be away; webhooks are kept all the same."""
    try:
        with transaction(None) as session:
            held = quarantine.is_anywhere(session)
    except DatabaseError:
        return "the database does not answer\n", 503, {"Content-Type": "text/plain", "Retry-After": "2"}
    said = (
        "ok, in quarantine: some accounts charge nobody until their captures are known\n" if held else "ok\n"
    )
    return said, 200, {"Content-Type": "text/plain"}
