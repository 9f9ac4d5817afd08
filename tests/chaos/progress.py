"""How far the work is, as the database tells it."""

import contextlib
from dataclasses import dataclass

import psycopg

from tests.chaos.stage import Stage

_QUERY = """
    SELECT (SELECT count(*) FROM collections WHERE number = 2 AND state = 'paid'),
           (SELECT count(*) FROM attempts WHERE state = 'sent'),
           (SELECT count(*) FROM attempts WHERE state IN ('pending', 'requires_action', 'in_doubt')),
           (SELECT count(*) FROM deliveries WHERE state = 'received'),
           (SELECT count(*) FROM outbox WHERE state = 'queued')"""


@dataclass(frozen=True, slots=True)
class Seen:
    """``sent`` and ``unclear`` count attempts, ``unread`` callbacks, ``untold`` mails and news for the shop."""

    paid: int = 0
    sent: int = 0
    unclear: int = 0
    unread: int = 0
    untold: int = 0

    def told(self, collections: int) -> str:
        work = (
            f"{self.sent} sent, {self.unclear} unclear, {self.unread} callbacks unread, {self.untold} to tell"
        )
        return f"{self.paid} of {collections} paid, {work}"

    def rests(self, collections: int) -> bool:
        """Is all paid, and does nothing about money wait for anything?"""
        return self.paid >= collections and not (self.sent or self.unclear or self.unread)


def look(stage: Stage) -> Seen | None:
    """None while PostgreSQL is away."""
    with contextlib.suppress(psycopg.OperationalError), stage.admin() as admin:
        row = admin.execute(_QUERY.encode()).fetchone()
        return Seen(*row) if row else None
    return None
