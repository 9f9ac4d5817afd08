"""The clock: rings for every shop that has something due, and moves the clocks of test shops that travel.

Two may run at once: a ring too many is answered by a drain that finds nothing, and a travelling shop is moved under a
lock. It works as a database role that sees moments and whose they are, and nothing else.
"""

import threading
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, TextClause, text

from plugin_backend.core.queue import Bells
from plugin_backend.domain import quarantine
from plugin_backend.domain.merchants import Listing
from plugin_backend.domain.polls import Poll
from plugin_backend.domain.renewals import Renewal
from plugin_backend.domain.vault import VaultHead
from plugin_backend.sdk import clock

log = structlog.get_logger(__name__)

TRAVEL_GRAIN = 0.05
# A travelling shop does not stop every day for its housekeeping, every night for the comparison with its gateway, every few
# minutes to be asked what changed in it, every hour to have its tokens renewed, nor every minute to seal the vault's log:
# that is done once, wherever it next halts.
_PASSED_BY = ("tidy", Listing.bell, Poll.bell, Renewal.bell, VaultHead.bell)


class Clock:
    """Rings every ``grain`` seconds, more often while a shop travels."""

    def __init__(self, engine: Engine, bells: Bells, timers: list[tuple[str, str]], grain: float) -> None:
        self._engine = engine
        self._bells = bells
        self._timers = timers
        self._grain = grain

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A database that is away is waited for."""
        while not stop.is_set():
            travelling = False
            try:
                travelling = self.tick()
            except Exception:
                # Whatever it was, the next round must come: a clock that stands still is the one fault nobody notices.
                log.exception("tick_failed")
            stop.wait(TRAVEL_GRAIN if travelling else self._grain)

    def tick(self) -> bool:
        """One round: ring for what is due. True where a shop is on its way, so that the next round should be soon."""
        with self._engine.connect() as connection:
            travelling = travel(connection, self._timers)
            connection.commit()
            rings = due_shops(connection, self._timers)
            # Nobody there sets a timer when a database is another one than before: what is held is rung for.
            rings += [(Listing.bell, shop_id) for shop_id in quarantine.held_shops(connection)]
            connection.commit()
        for bell, shop_id in rings:
            self._bells.ring(bell, shop_id)
        return travelling


def due_shops(connection: Connection, timers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(bell, shop) for everything that is due, each shop by its own clock."""
    now = clock.real_now()
    found = []
    for table, bell in timers:
        # The soonest moment is one look into the index for each shop; EXISTS becomes a join that reads the whole table.
        query = text(
            f"SELECT s.id FROM shops s WHERE (SELECT min(t.due_at) FROM {table} t WHERE t.shop_id = s.id) "  # noqa: S608
            "<= :now + s.clock_offset ORDER BY s.id"
        )
        found += [(bell, shop_id) for shop_id in connection.scalars(query, {"now": now})]
    return found


def travel(connection: Connection, timers: list[tuple[str, str]]) -> bool:
    """Move each travelling shop's clock to its next due moment, or to where it is going; a shop that has something due
    or taken stays where it is until that is worked off. True where a shop is still on its way."""
    travellers = connection.execute(
        text(
            "SELECT id, clock_offset, travel_to FROM shops WHERE travel_to IS NOT NULL FOR UPDATE SKIP LOCKED"
        )
    ).all()
    on_their_way = [_step(connection, timers, *traveller) for traveller in travellers]
    return any(on_their_way)


def _step(
    connection: Connection, timers: list[tuple[str, str]], shop_id: str, offset: timedelta, goal: datetime
) -> bool:
    now = clock.real_now() + offset
    if connection.execute(_busy(timers), {"shop": shop_id, "now": now}).first() is not None:
        return True
    moment = connection.scalar(_soonest(timers), {"shop": shop_id})
    target = min(moment or goal, goal)
    arrived = target >= goal
    connection.execute(
        text(
            "UPDATE shops SET clock_offset = GREATEST(clock_offset, clock_offset + :further),"
            " travel_to = CASE WHEN :arrived THEN NULL ELSE travel_to END WHERE id = :shop"
        ),
        {"shop": shop_id, "further": max(target - now, timedelta(0)), "arrived": arrived},
    )
    return not arrived


# Table names below are our own models', never anybody's input.


def _busy(timers: list[tuple[str, str]]) -> TextClause:
    where = "WHERE shop_id = :shop AND (due_at <= :now OR (taken AND due_at IS NOT NULL))"
    return text(" UNION ALL ".join(f"(SELECT 1 FROM {table} {where} LIMIT 1)" for table, _ in timers))  # noqa: S608


def _soonest(timers: list[tuple[str, str]]) -> TextClause:
    own = "WHERE shop_id = :shop"
    stops = [table for table, bell in timers if bell not in _PASSED_BY]
    moments = " UNION ALL ".join(f"SELECT min(due_at) AS due_at FROM {table} {own}" for table in stops)  # noqa: S608
    return text(f"SELECT min(due_at) FROM ({moments}) moments")  # noqa: S608
