"""Pulling the plug: a worker is killed and Redis emptied while the gateway is being asked for money."""

import secrets
import threading
import time
from datetime import timedelta
from types import MappingProxyType

import structlog
from flask import Flask
from sqlalchemy import select

from plugin_backend.core import queue
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import PlugState
from plugin_backend.demo import seed as seeds
from plugin_backend.demo.expecting import Unexpected
from plugin_backend.demo.places import Places
from plugin_backend.demo.seed import Seed
from plugin_backend.demo.stage import Stage, link_in
from plugin_backend.demo.steps.accepting import accept, card_number, pay
from plugin_backend.demo.visitor import Visitor
from plugin_backend.domain import merchants
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.launcher.stack import pull_the_plug
from plugin_backend.sdk import clock

log = structlog.get_logger(__name__)

_WORKER = "worker"
_SLOW = MappingProxyType({"slow": 4.0})
_QUICK = MappingProxyType({"slow": 0.0})
_PATIENCE = 40.0


class Plug:
    """The plug of a demo, in one hand at a time: who presses while it is pulled sees what comes of the first. It takes longer
    than a browser should wait, so it is pulled beside the page; ``state`` says how it goes."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._hand = threading.Lock()
        self.state: PlugState = "in"

    def pull(self, places: Places, seed: Seed) -> None:
        """Begin to pull it, unless that has begun."""
        if self._hand.acquire(blocking=False):
            self.state = "being_pulled"
            threading.Thread(target=self._pull, args=(places, seed), daemon=True).start()

    def _pull(self, places: Places, seed: Seed) -> None:
        try:
            with self._app.app_context():
                _pull(places, seed)
            self.state = "in"
        except Exception:
            self.state = "stuck"
            log.exception("plug_not_pulled")
        finally:
            self._hand.release()


def _pull(places: Places, seed: Seed) -> None:
    """Have a charge begin, and in the middle of it kill the worker that waits for its answer and empty Redis. What
    becomes of the charge is found out afterwards by asking. ``Unexpected`` where no charge begins."""
    stage = Stage(places, seeds.OPERATOR, seed.password, lambda: None)
    if _next_due(seed.luna) is None:
        _begin_a_plan(stage)
    switches = places.url("gateway", "/_test/switches")
    stage.ask(switches, dict(_SLOW))
    try:
        known = _being_asked(seed.luna)
        _travel_to_next(seed.luna)
        _wait_for_charge(seed.luna, known)
        pull_the_plug(places.data, _WORKER)
        queue.connect(house().config.redis_url).flushall()
    finally:
        stage.ask(switches, dict(_QUICK))


def _begin_a_plan(stage: Stage) -> None:
    """A shopper whose card was declined in the shop takes the offer, and pays the first part."""
    email = f"plug-{secrets.token_hex(4)}@example.test"
    stage.visit("woo", email, "declined", consent=False)
    mail, customer = stage.mail(email, 1), Visitor("fr")
    card_page = accept(stage, mail, customer)
    pay(stage, card_page, card_number(stage, "ok"), customer, link_in(mail, "/o/"))


def _next_due(shop_id: str) -> timedelta | None:
    """How long until the next payment of a running plan falls due, by the shop's clock."""
    due = (
        select(Collection.due_at)
        .join(Plan, (Plan.shop_id == Collection.shop_id) & (Plan.id == Collection.plan_id))
        .where(
            Collection.shop_id == shop_id,
            Collection.due_at.is_not(None),
            Collection.state.in_(("scheduled", "due", "retry_wait")),
            Plan.state == "active",
        )
        .order_by(Collection.due_at)
        .limit(1)
    )
    with transaction(shop_id) as session, merchants.shop_time(merchants.get_shop(session, shop_id)):
        moment = session.scalar(due)
        return None if moment is None else max(moment - clock.now(), timedelta(0))


def _travel_to_next(shop_id: str) -> None:
    span = _next_due(shop_id)
    if span is None:
        raise Unexpected("no plan waits for a payment")
    with transaction(None) as session:
        merchants.travel(session, merchants.get_shop(session, shop_id), span + timedelta(seconds=1))


def _wait_for_charge(shop_id: str, known: set[str]) -> None:
    """Until an attempt is written down that was not known before: from then on the gateway is being asked."""
    deadline = time.monotonic() + _PATIENCE
    while not _being_asked(shop_id) - known:
        if time.monotonic() > deadline:
            raise Unexpected("no payment was asked for in time")
        time.sleep(0.05)
    # The row is committed just before the request leaves.
    time.sleep(0.5)


def _being_asked(shop_id: str) -> set[str]:
    found = select(Attempt.id).where(Attempt.shop_id == shop_id, Attempt.state == "sent")
    with transaction(shop_id) as session:
        return set(session.scalars(found))
