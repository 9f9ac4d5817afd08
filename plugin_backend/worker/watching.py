"""A shop is looked back at: what it lost before it was connected. Prepare, ask, record, a page at a time."""

import time

import structlog

from plugin_backend.core import due, storefronts
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.core.house import house
from plugin_backend.domain import lookbacks
from plugin_backend.domain.lookbacks import Asked, Lookback
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.errors import RepriseError

log = structlog.get_logger(__name__)

TURN_SECONDS = 5.0


def watch(shop: Shop) -> int:
    """Look on for a turn."""
    with transaction(shop.id) as session:
        ids = due.take(session, Lookback, shop.id, limit=1)
        asked = lookbacks.prepare(session, shop) if ids else None
    if asked is not None:
        _look(shop, asked)
    return len(ids)


def _look(shop: Shop, asked: Asked) -> None:
    ends, goes_on = time.monotonic() + TURN_SECONDS, True
    kind, cursor = asked.kind, asked.cursor
    while goes_on and time.monotonic() < ends:
        assert_no_transaction()
        try:
            page = asked.connector.fetch(kind, asked.since, cursor)
        except RepriseError as error:
            log.warning("not_looked_back", error=str(error))
            with transaction(shop.id) as session:
                lookbacks.fail(session, shop.id, error)
            return
        # How the shop looks is wanted at the end only; asked here, where no transaction is open.
        last = kind == lookbacks.LAST and not page.cursor
        look = (
            storefronts.look_at(shop.address, house().http(private=shop.test)) if last else storefronts.Look()
        )
        with transaction(shop.id) as session:
            goes_on = lookbacks.turn(session, shop, kind, page, look)
        kind, cursor = lookbacks.following(kind, page.cursor)
    if goes_on:
        with transaction(shop.id) as session:
            lookbacks.go_on(session, shop.id)
