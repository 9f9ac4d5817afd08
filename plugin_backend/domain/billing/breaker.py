"""The circuit breaker of a gateway account: where too many asks end in doubt, no new charge is begun for a while.

It keeps no count of its own: what the account's attempts say is counted anew for each batch, from the moment at which it
last let charges through again. Looking at what is in doubt goes on.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.domain import cases
from plugin_backend.domain.billing.attempts import Attempt
from plugin_backend.domain.merchants import GatewayAccount

IN_A_ROW = 10
SHARE = 0.02


def broken_until(session: Session, account: GatewayAccount, now: datetime) -> datetime | None:
    """Until when the account must not be charged at, or None where it may be."""
    if account.broken_until is not None and account.broken_until > now:
        return account.broken_until
    return now + delays.DELAYS.breaker if _too_much_doubt(session, account, now) else None


def opened(session: Session, account: GatewayAccount, until: datetime) -> None:
    """No charge is begun at the account until then, and a person is told."""
    account.broken_until = until
    cases.open_case(session, account.shop_id, "gateway_unsteady", account.id)


def _too_much_doubt(session: Session, account: GatewayAccount, now: datetime) -> bool:
    """Ten in a row, or more than one in fifty (and ten in all) within the window."""
    since = max(now - delays.DELAYS.breaker_window, account.broken_until or account.created_at)
    lately = (
        Attempt.shop_id == account.shop_id,
        Attempt.account_id == account.id,
        Attempt.first_sent_at > since,
        Attempt.state != "sent",
    )
    counts = select(func.count(), func.count(Attempt.doubted_at)).where(*lately)
    total, doubted = session.execute(counts).one()
    if doubted < IN_A_ROW:
        return False
    last = select(Attempt.doubted_at).where(*lately).order_by(Attempt.first_sent_at.desc()).limit(IN_A_ROW)
    return doubted > SHARE * total or all(session.scalars(last))
