"""Retention: a token whose use is over is forgotten without anybody asking (CNIL, deliberation 2018-303: until the last
instalment, or until a subscription has ended)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import moves, vault
from plugin_backend.domain.erasing.beginning import unsettled
from plugin_backend.domain.erasing.rows import RETENTION, Erasure
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock


def sweep(session: Session, shop: Shop, method: PaymentMethod) -> None:
    """A card's moment has come: have it forgotten, or look again when its use may be over. A card in use is looked at as
    often as a token is kept, so that none whose plan ends meanwhile is kept for longer."""
    if method.sealed is None:
        method.rest(None)
        return
    until = _used_until(session, method)
    if until is None:
        _begin(session, shop, method)
    else:
        method.rest(until)


def _used_until(session: Session, method: PaymentMethod) -> datetime | None:
    """When its use may be over; None: it is."""
    now = clock.now()
    used = select(Plan.ended_at).where(Plan.shop_id == method.shop_id, Plan.method_id == method.id)
    ends = [now if ended_at is None else ended_at for ended_at in session.scalars(used)]
    until = max([method.created_at, *ends]) + vault.KEPT
    if until > now:
        return until
    if unsettled(session, method.shop_id, method.customer_id) is not None:
        return now + delays.DELAYS.looked_at_again
    return None


def _begin(session: Session, shop: Shop, method: PaymentMethod) -> None:
    """The same token given once more from here on is another card."""
    method.token_mark = method.id
    method.rest(None)
    row = Erasure(
        shop_id=shop.id,
        customer_id=method.customer_id,
        method_id=method.id,
        cause=RETENTION,
        asked_by=RETENTION,
        tries=0,
    )
    row.rest(clock.now())
    moves.begin(session, row, "asked", RETENTION)
