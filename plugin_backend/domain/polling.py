"""Asking a shop what changed, for whatever it did not tell by itself, and noticing when it has fallen silent.

Prepare, ask, record: a round asks for every order and every basket that changed since the last one, a page at a time.
What each page says is taken in like deliveries, in the transaction that moves the cursor on, so that a worker that dies
costs a page and never the gap. Taking something in twice changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import delays, registry
from plugin_backend.core.house import house
from plugin_backend.domain import cases, exchanges, merchants, outbox, polls, rhythms, staff
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.polls import Poll
from plugin_backend.domain.vault import Use
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import Refused, RepriseError
from plugin_backend.sdk.http import Exchange

Kind = Literal["orders", "carts"]
# Orders first: a basket that was bought is known to be when it is told of.
KINDS: tuple[Kind, ...] = ("orders", "carts")
# After so many failures in a row a person is told, and the round begins anew, should its cursor be what is wrong.
PATIENCE = 5


@dataclass(frozen=True, slots=True)
class Round:
    """What is to be asked: everything of ``kinds`` since ``since``, the first of them from ``cursor`` on. ``hook`` is
    where the webhooks must lead, "" where they are not to be looked at now."""

    shop_id: str
    poll_id: str
    connector: sdk.Connector
    since: datetime
    kinds: tuple[Kind, ...]
    cursor: str
    hook: str


def prepare(session: Session, shop: Shop, poll_id: str) -> Round | None:
    """Begin a round, or go on with it; None where there is nothing to be asked. Either way it is noticed whether the
    shop has spoken."""
    poll = _locked(session, shop.id, poll_id)
    if shop.state in ("disconnected", "redacted"):
        poll.able, poll.silent_at = False, None
        poll.rest(None)
        return None
    _listen(session, shop, poll)
    promised = registry.connectors()[shop.platform].capabilities
    wanted = promised.webhooks_api and poll.webhooks_due is not None and poll.webhooks_due <= clock.now()
    connector = None
    if _may_open(poll, asks=promised.polling or wanted):
        connection = session.get_one(Connection, (shop.id, poll.connection_id))
        connector = merchants.connector_of(session, shop, connection, Use("shop_call", poll.id))
        poll.able = connector.can_write
        poll.begun_at = poll.begun_at if poll.kind else clock.now()
    if connector is None or not poll.able or not (promised.polling or wanted):
        _judge(session, shop, poll)
        _rest(shop, poll)
        return None
    if not poll.kind:
        poll.kind, poll.cursor, poll.until = KINDS[0], "", clock.real_now()
    return Round(
        shop.id,
        poll.id,
        connector,
        poll.since,
        KINDS[KINDS.index(_kind(poll)) :] if promised.polling else (),
        poll.cursor,
        house().url(merchants.hook_path(poll.connection_id, shop.id)) if wanted else "",
    )


def _may_open(poll: Poll, *, asks: bool) -> bool:
    """Must the shop's keys be looked at? Where they were not there, or nothing is to be asked with them, once a day is
    enough: each look stands in the vault's log."""
    idle = poll.able is not None and (not asks or (not poll.able and not poll.failures))
    return not idle or poll.begun_at is None or clock.now() - poll.begun_at >= delays.DELAYS.webhooks


def turn(session: Session, asked: Round, kind: Kind, page: sdk.Page, news: int) -> None:
    """A page was taken in, of which ``news`` events nobody had told us. The lease of who asks is renewed."""
    poll = _locked(session, asked.shop_id, asked.poll_id)
    if kind == KINDS[0] and not poll.cursor and page.at is not None:
        poll.until = page.at
    further = KINDS[KINDS.index(kind) + 1 :]
    poll.kind, poll.cursor = (kind, page.cursor) if page.cursor else (further[0] if further else kind, "")
    poll.due_at = clock.now() + delays.DELAYS.lease
    if news:
        poll.missed += news
        poll.missed_at = poll.missed_at or clock.now()


def go_on(session: Session, asked: Round) -> None:
    """The round is not at its end, and others want their turn."""
    _locked(session, asked.shop_id, asked.poll_id).rest(clock.now())


def finish(session: Session, shop: Shop, asked: Round) -> None:
    """The shop is known up to where the round began."""
    poll = _locked(session, shop.id, asked.poll_id)
    if poll.until is not None:
        poll.since = max(poll.since, poll.until - delays.DELAYS.poll_overlap)
    poll.asked_at, poll.kind, poll.cursor, poll.failures = poll.begun_at, "", "", 0
    cases.settle(session, shop.id, "shop_not_asked", poll.connection_id, "it answers again")
    _judge(session, shop, poll)
    _rest(shop, poll)


def fail(
    session: Session, shop: Shop, asked: Round, error: RepriseError, heard: Sequence[Exchange] = ()
) -> None:
    """The shop did not answer, or not so that it could be read. It is asked again, and a person is told where that goes on,
    or at once where the shop says no."""
    poll = _locked(session, shop.id, asked.poll_id)
    poll.failures += 1
    refused = isinstance(error, Refused) and error.permanent
    if refused or poll.failures >= PATIENCE:
        poll.kind = poll.cursor = ""
        exchanges.keep(session, shop.id, poll.connection_id, heard)
        reason = str(error)[:300]
        _alert(session, shop, "shop_not_asked", poll, reason=reason)
    if refused:
        # Its deliveries are all there is until somebody gives it another key.
        poll.able = False
    _judge(session, shop, poll)
    _rest(shop, poll, min(delays.DELAYS.poll_again * 2 ** min(poll.failures - 1, 20), delays.DELAYS.poll))


def webhooks_unknown(session: Session, shop: Shop, asked: Round, error: RepriseError) -> None:
    """The webhooks could not be looked at: that is tried again within the hour. Where the shop says no, a person is
    told."""
    poll = _locked(session, shop.id, asked.poll_id)
    poll.webhooks_due = clock.now() + delays.DELAYS.unheard
    if error.permanent:
        reason = str(error)[:300]
        _alert(session, shop, "webhooks_missing", poll, reason=reason)


def webhooks_stand(session: Session, shop: Shop, asked: Round, states: list[sdk.WebhookState]) -> None:
    """How the webhooks stand in the shop, now that they were looked at. Those that had been there and were put back, and
    those that could not be, are told to a person."""
    poll = _locked(session, shop.id, asked.poll_id)
    before = {told["topic"] for told in poll.webhooks if told["state"] != "missing"}
    mended = [it.topic for it in states if it.state in ("created", "repaired") and it.topic in before]
    missing = [it.topic for it in states if it.state == "missing"]
    if mended:
        cases.open_case(session, shop.id, "webhooks_repaired", poll.connection_id, topics=", ".join(mended))
    if missing:
        _alert(session, shop, "webhooks_missing", poll, topics=", ".join(missing))
    else:
        cases.settle(session, shop.id, "webhooks_missing", poll.connection_id, "they are there again")
    poll.webhooks = [{"topic": it.topic, "state": it.state} for it in states]
    poll.webhooks_at, poll.webhooks_due = clock.now(), clock.now() + delays.DELAYS.webhooks


def _alert(session: Session, shop: Shop, kind: str, poll: Poll, **facts: Any) -> None:
    """Open the case and, where it is new, write to whoever sees to the shop: this must not wait until somebody happens to
    look."""
    if cases.standing(session, shop.id, kind, poll.connection_id) == "open":
        return
    case = cases.open_case(session, shop.id, kind, poll.connection_id, **facts)
    for address in staff.addresses(session, shop.merchant_id):
        outbox.post(
            session, shop.id, outbox.LETTER, subject=case.id, what=case.id, letter="alert", to=address
        )


def _kind(poll: Poll) -> Kind:
    return "carts" if poll.kind == "carts" else "orders"


def _listen(session: Session, shop: Shop, poll: Poll) -> None:
    """Has the shop spoken since we last looked? An hour that is over is learned. Hours in which nobody looked are not:
    then it was we who were away."""
    newest = select(DeliveryRow.id).where(
        DeliveryRow.shop_id == shop.id, DeliveryRow.source == poll.connection_id
    )
    heard = session.scalar(newest.order_by(DeliveryRow.id.desc()).limit(1)) or ""
    now = clock.now()
    if heard != poll.heard_id:
        poll.heard_id, poll.heard_at, poll.hour_heard = heard, now, True
        poll.missed, poll.missed_at, poll.silent_at = 0, None, None
        cases.settle(session, shop.id, "webhooks_silent", poll.connection_id, "it speaks again")
    if rhythms.hour_of(now) > poll.hour:
        poll.rhythm = rhythms.learned(poll.rhythm, poll.hour, shop.zone, heard=poll.hour_heard)
        poll.hour, poll.hour_heard = rhythms.hour_of(now), False


def _judge(session: Session, shop: Shop, poll: Poll) -> None:
    """Is the shop's silence one of its webhooks? Where it can be asked, what only asking told is the proof: then either
    an hour of silence or one out of its rhythm is enough. Where it cannot, the rhythm is all there is."""
    if poll.silent_at is not None or not poll.listens:
        return
    now = clock.now()
    since = poll.heard_at or poll.webhooks_at or now
    out_of_rhythm = rhythms.unlikely(poll.rhythm, since, now, shop.zone)
    too_long = poll.missed_at is not None and now - poll.missed_at >= delays.DELAYS.unheard
    asked = bool(poll.able) and registry.connectors()[shop.platform].capabilities.polling
    if not too_long and not (out_of_rhythm and (poll.missed or not asked)):
        return
    poll.silent_at = now
    facts = {"since": since.isoformat(), "missed": poll.missed}
    _alert(session, shop, "webhooks_silent", poll, **facts)
    if poll.webhooks_due is not None:
        poll.webhooks_due = now


def _rest(shop: Shop, poll: Poll, after: timedelta | None = None) -> None:
    """Until the next round; sooner where the webhooks are to be looked at before, and can be."""
    soon = clock.now() + (after or delays.DELAYS.poll)
    listed = registry.connectors()[shop.platform].capabilities.webhooks_api
    if listed and poll.able and not poll.failures and poll.webhooks_due is not None:
        soon = min(soon, poll.webhooks_due)
    poll.rest(soon)


def _locked(session: Session, shop_id: str, poll_id: str) -> Poll:
    return session.get_one(Poll, (shop_id, poll_id), with_for_update=True, populate_existing=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a shop is known, for baskets whose moment has come. ``known`` True: they may be judged. Else ``poll_id`` is
    the poll that must come to its end first, "" where it must be waited for, until ``again_at``. ``able``: the shop can
    be asked."""

    known: bool
    able: bool
    again_at: datetime
    poll_id: str = ""


def standing(session: Session, shop: Shop, moment: datetime) -> Standing:
    """Is it known what happened in the shop up to ``moment``? One that cannot be asked is taken at its word, but not
    while it has fallen silent."""
    poll, now = polls.of_shop(session, shop.id), clock.now()
    if poll.able is False:
        return Standing(poll.silent_at is None, able=False, again_at=now + delays.DELAYS.poll)
    polled = registry.connectors()[shop.platform].capabilities.polling
    if poll.able and (not polled or (poll.asked_at is not None and poll.asked_at >= moment)):
        return Standing(known=True, able=True, again_at=now)
    soonest = now if poll.asked_at is None else poll.asked_at + delays.DELAYS.between_polls
    if poll.taken or poll.failures:
        soonest = max(soonest, min(poll.due_at or now, now + delays.DELAYS.poll))
    if soonest > now:
        return Standing(known=False, able=bool(poll.able), again_at=soonest)
    return Standing(False, bool(poll.able), now + delays.DELAYS.between_polls, poll.id)


def outdated_until(session: Session, shop: Shop) -> datetime | None:
    """When it may be known again what happened in the shop; None where it is known well enough, or cannot be."""
    poll, now = polls.of_shop(session, shop.id), clock.now()
    if not poll.able or not registry.connectors()[shop.platform].capabilities.polling:
        return None
    fresh = poll.asked_at is not None and now - poll.asked_at < delays.DELAYS.poll * 1.5
    return None if fresh else now + delays.DELAYS.poll_again
