"""A worker says every minute which root keys it holds, from a thread of its own: a long job is no reason to count as
gone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Flask

from plugin_backend.core.db import DatabaseError, db, transaction
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import SealError
from plugin_backend.domain.vault import holders

log = structlog.get_logger(__name__)


@contextmanager
def reporting(app: Flask) -> Iterator[None]:
    """Inside, this process is known to live, from before its first work on."""
    holder_id, done = new_id("hld"), threading.Event()
    with app.app_context(), transaction(None) as session:
        holders.report(session, holder_id)
    thread = threading.Thread(target=_report, args=(app, holder_id, done), name="holding", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _leave(app, holder_id)


def _report(app: Flask, holder_id: str, done: threading.Event) -> None:
    while not done.wait(holders.EVERY_SECONDS):
        with app.app_context():
            try:
                with transaction(None) as session:
                    holders.report(session, holder_id)
            except (DatabaseError, SealError) as error:
                # Not reported is not held: whoever activates a key is refused sooner, never later.
                log.warning("holding_not_reported", error=type(error).__name__)
            finally:
                db.session.remove()


def _leave(app: Flask, holder_id: str) -> None:
    with app.app_context():
        try:
            with transaction(None) as session:
                holders.leave(session, holder_id)
        except DatabaseError as error:
            log.warning("holding_not_left", error=type(error).__name__)
