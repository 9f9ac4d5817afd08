"""Is the process alive, and is it ready?"""

from flask import Blueprint
from sqlalchemy import text

from plugin_backend.core.db import DatabaseError, transaction

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def live() -> tuple[str, int, dict[str, str]]:
    """The process answers."""
    return "ok\n", 200, {"Content-Type": "text/plain"}


@pages.get("/readyz")
def ready() -> tuple[str, int, dict[str, str]]:
    """It can do its work: the database answers. Redis may be away; webhooks are kept all the same."""
    try:
        with transaction(None) as session:
            session.execute(text("SELECT 1"))
    except DatabaseError:
        return "the database does not answer\n", 503, {"Content-Type": "text/plain", "Retry-After": "2"}
    return "ok\n", 200, {"Content-Type": "text/plain"}
