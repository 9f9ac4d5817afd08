"""When a customer is told of a payment before it is taken: a row of the outbox, posted with the payment itself."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from plugin_backend.domain import outbox
from plugin_backend.sdk import clock

NOTICE = "notice"
# So many days before: that the card will have expired by then, and, at the last, of the payment itself.
AHEAD = (30, 7, 3)


def announce(session: Session, shop_id: str, collection_id: str, due: datetime, told: datetime) -> None:
    """Have the customer told of a payment before it is taken, once, whatever becomes of jobs. ``told`` is when he last
    was told of its date anyway, by accepting or by the payment before: where that is no longer ago than a notice would
    be, there is none."""
    now = clock.now()
    if due - told <= timedelta(days=AHEAD[-1]):
        return
    early = [days for days in AHEAD[:-1] if due - timedelta(days=days) > now]
    ahead = [*early, AHEAD[-1]]
    out = outbox.post(session, shop_id, NOTICE, subject=collection_id, what=collection_id, ahead=ahead)
    out.rest(max(now, due - timedelta(days=ahead[0])))
