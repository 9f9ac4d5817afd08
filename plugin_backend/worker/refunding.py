"""What was captured is given back. Prepare, ask, record."""

from plugin_backend.core import due
from plugin_backend.core.db import transaction
from plugin_backend.domain import billing
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import gateway as sdk


def refund(shop: Shop) -> int:
    """Give back what is to be given back, and ask about what is unclear: one at a time, so that each has a whole lease
    for its own ask."""
    with transaction(shop.id) as session:
        ids = due.take(session, billing.Refund, shop.id, limit=1)
    for refund_id in ids:
        with transaction(shop.id) as session:
            ask = billing.prepare_refund(session, shop, refund_id)
        if ask is not None:
            _ask_and_record(shop, ask)
    return len(ids)


def _ask_and_record(shop: Shop, ask: billing.RefundAsk) -> None:
    outcome = billing.ask_refund(ask)
    if isinstance(outcome, sdk.Absent) or not ask.findable:
        with transaction(shop.id) as session:
            again = billing.prepare_refund_again(session, shop, ask)
        if again is not None:
            ask, outcome = again, billing.ask_refund(again)
    with transaction(shop.id) as session:
        billing.record_refund(session, shop, ask, outcome)
