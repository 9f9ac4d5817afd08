"""Shops are asked what changed in them. Prepare, ask, record, a page at a time."""

import time

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain import carts, cases, polling, polls
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.polling import Kind, Round
from plugin_backend.domain.polls import Poll
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import NoAnswer, RepriseError
from plugin_backend.sdk.http import overheard
from plugin_backend.worker import reading

log = structlog.get_logger(__name__)

# A gap of days has many pages: after so long the other work has its turn, and the round goes on after it.
TURN_SECONDS = 5.0


def poll(shop: Shop) -> int:
    """Ask the shop what changed, if it is time, or go on asking."""
    with transaction(shop.id) as session:
        ids = due.take(session, Poll, shop.id, limit=1)
    for poll_id in ids:
        ask(shop, poll_id)
    return len(ids)


def ask(shop: Shop, poll_id: str) -> None:
    """One round, or as much of it as a turn allows. The caller holds the poll's lease."""
    with transaction(shop.id) as session:
        asked = polling.prepare(session, shop, poll_id)
    if asked is None:
        return
    with overheard() as heard:
        try:
            if asked.hook:
                _webhooks(shop, asked)
            done = _pages(shop, asked)
        except RepriseError as error:
            log.warning("shop_not_asked", error=str(error))
            with transaction(shop.id) as session:
                polling.fail(session, shop, asked, error, heard)
            return
    with transaction(shop.id) as session:
        if done:
            polling.finish(session, shop, asked)
        else:
            polling.go_on(session, asked)


def _webhooks(shop: Shop, asked: Round) -> None:
    """A shop that has webhooks of ours switched off or deleted has them put back. Its refusal is no reason not to ask
    what it can be asked."""
    assert_no_transaction()
    try:
        states = list(asked.connector.ensure_webhooks(asked.hook))
    except RepriseError as error:
        with transaction(shop.id) as session:
            polling.webhooks_unknown(session, shop, asked, error)
        return
    with transaction(shop.id) as session:
        polling.webhooks_stand(session, shop, asked, states)


def _pages(shop: Shop, asked: Round) -> bool:
    """Take in page after page; False where the turn was over before the last. ``NoAnswer`` where the pages turn in a
    circle."""
    ends, cursor = time.monotonic() + TURN_SECONDS, asked.cursor
    for kind in asked.kinds:
        seen = {cursor}
        while True:
            assert_no_transaction()
            page = asked.connector.fetch(kind, asked.since, cursor)
            if page.cursor in seen - {""}:
                raise NoAnswer("the shop's list has no end")
            _take_in(shop, asked, kind, page)
            cursor = page.cursor
            seen.add(cursor)
            last = not cursor and kind == asked.kinds[-1]
            if not last and time.monotonic() >= ends:
                return False
            if not cursor:
                break
    return True


def _take_in(shop: Shop, asked: Round, kind: Kind, page: sdk.Page) -> None:
    """What a page says, and where the next one begins, in one transaction; nobody reads the shop's deliveries meanwhile."""
    with transaction(shop.id) as session:
        due.alone(session, shop.id, DeliveryRow.__tablename__)
        news = sum(_one(session, shop, asked, event) for event in page.events)
        polling.turn(session, asked, kind, page, news)


def _one(session: Session, shop: Shop, asked: Round, event: sdk.ShopEvent) -> bool:
    """Take in one event; True where nobody had told it. A basket that stands as it is known to is left alone, unless it is
    learnt why its payment was refused. One that cannot be taken in is a fault of ours and must not cost the others behind
    it their turn."""
    known = carts.knows(session, shop.id, event)
    stands = known and isinstance(event, sdk.CartChanged | sdk.PaymentFailed)
    if stands and not carts.explains(session, shop.id, event):
        return False
    try:
        with session.begin_nested():
            reading.take_in(session, shop, event, clock.now(), told_by=asked.poll_id)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("work_failed", row=asked.poll_id)
        cases.open_case(session, shop.id, "work_failed", asked.poll_id, error=type(error).__name__)
    return not known


def hurry(shop: Shop, poll_id: str) -> None:
    """Ask the shop now, before its time, since baskets wait for it."""
    with transaction(shop.id) as session:
        taken = polls.take(session, shop.id, poll_id)
    if taken:
        ask(shop, poll_id)
