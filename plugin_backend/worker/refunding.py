"""What was captured is given back. Prepare, ask, record."""

from plugin_backend.core import due
from plugin_backend.core.db import transaction
from plugin_backend.domain import billing
from plugin_backend.domain.merchants import Shop


def refund(shop: Shop) -> int:
    """Give back what is to be given back, and ask about what is unclear."""
    with transaction(shop.id) as session:
        ids = due.take(session, billing.Refund, shop.id)
    for refund_id in ids:
        with transaction(shop.id) as session:
            ask = billing.prepare_refund(session, shop, refund_id)
        if ask is None:
            continue
        outcome = billing.ask_refund(ask)
        with transaction(shop.id) as session:
            billing.record_refund(session, shop, ask, outcome)
    return len(ids)
