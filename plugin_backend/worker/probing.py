"""Gateway accounts in test mode are probed. Prepare, ask, record."""

from plugin_backend.core import due
from plugin_backend.core.db import transaction
from plugin_backend.domain import probing
from plugin_backend.domain.merchants import GatewayAccount, Shop


def probe(shop: Shop) -> int:
    """Probe the accounts whose probe is due."""
    with transaction(shop.id) as session:
        ids = due.take(session, GatewayAccount, shop.id)
    for account_id in ids:
        with transaction(shop.id) as session:
            prepared = probing.prepare(session, shop, account_id)
        if prepared is None:
            continue
        verdict = probing.ask(prepared)
        with transaction(shop.id) as session:
            probing.record(session, shop, prepared, verdict)
    return len(ids)
