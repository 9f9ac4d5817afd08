"""Customers and cards are forgotten. Prepare, ask, record."""

from plugin_backend.core import due
from plugin_backend.core.db import transaction
from plugin_backend.domain import erasing
from plugin_backend.domain.erasing import Erasure
from plugin_backend.domain.merchants import Shop


def erase(shop: Shop) -> int:
    """Go on with the erasures that are due: one at a time, so that each has a whole lease for its asks."""
    with transaction(shop.id) as session:
        ids = due.take(session, Erasure, shop.id, limit=1)
    for erasure_id in ids:
        with transaction(shop.id) as session:
            asked = erasing.prepare(session, shop, erasure_id)
        if asked is None:
            continue
        failed = erasing.ask(asked)
        with transaction(shop.id) as session:
            erasing.record(session, shop, erasure_id, failed)
    return len(ids)
