"""What an operator does: replay a delivery, decide a case, pause or end a plan, have something told again, and move
the clock of a test shop. Each is one transaction and a ring; nobody outside is asked from here."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import (
    billing,
    cases,
    inbox,
    merchants,
    moves,
    outbox,
    plans,
    quarantine,
    reconciliation,
)
from plugin_backend.domain.books import Json
from plugin_backend.domain.cases import Case
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Listing, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.web.dashboard import frame
from plugin_backend.web.dashboard.cells import page_of

pages = Blueprint("actions", __name__)

STEPS: dict[str, timedelta | relativedelta] = {
    "hour": timedelta(hours=1),
    "day": relativedelta(days=1),
    "month": relativedelta(months=1),
}
# What may be decided of a case, beside marking it as settled.
_DECISIONS = {
    "bought_twice": ("refund", "resume", "cancel"),
    "refund_due": ("refund",),
    "charged_after_end": ("refund",),
    "collection_exhausted": ("resume", "cancel"),
    "shop_not_told": ("retry",),
    "dispute_lost": ("resume", "cancel"),
    "dispute_open": ("cancel",),
    "refund_refused": ("retry",),
    "refund_reversed": ("retry",),
    "unknown_capture": ("refund",),
    "quarantine": ("lift",),
}
_RUNNING = ("active", "paused")
_LONGEST_REASON = 200


def decisions(kind: str) -> tuple[str, ...]:
    """What may be decided of a case of this kind, as keys of ``render.words.ACTIONS``."""
    return (*_DECISIONS.get(kind, ()), "resolve")


def plan_verbs(shown: Json) -> tuple[str, ...]:
    """What may be done with a plan. One that a case is open about is taken up again by deciding the case."""
    if shown["state"] not in _RUNNING:
        return ()
    if shown["state"] == "active":
        return ("pause", "cancel")
    waiting = any(case["state"] == "open" for case in shown["cases"])
    return ("cancel",) if waiting else ("resume", "cancel")


@pages.post("/shops/<shop_id>/deliveries/<row_id>/replay")
def replay(shop_id: str, row_id: str) -> Response:
    """Have a delivery read again; 409 where its body was purged."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        row = _locked(session, DeliveryRow, shop, row_id)
        if row.body is None and row.dropped is None:
            raise Conflict("its body was purged")
        inbox.replay(session, row, clock.now())
    return _done(shop, f"deliveries/{row_id}", "replayed", rings=("read",))


@pages.post("/shops/<shop_id>/outbox/<row_id>/retry")
def retry(shop_id: str, row_id: str) -> Response:
    """Have a parked row told again."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        row = _locked(session, Out, shop, row_id)
        _tell_again(session, row)
        place = page_of(shop.id, row.what).partition(f"/{shop.id}/")[2] or "cases"
    return _done(shop, place, "done", rings=("deliver",))


@pages.post("/shops/<shop_id>/plans/<row_id>/<verb>")
def change_plan(shop_id: str, row_id: str, verb: str) -> Response:
    """Pause a plan, take it up again, or end it for the shop."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        plan = _locked(session, Plan, shop, row_id)
        _change(session, shop, plan, verb)
    return _done(shop, f"plans/{row_id}", "done", rings=("charge", "deliver"))


@pages.post("/shops/<shop_id>/cases/<row_id>/resolve/<decision>")
def resolve(shop_id: str, row_id: str, decision: str) -> Response:
    """Decide a case: do what was decided and settle it, in one transaction. Deciding it again changes nothing."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        known = session.get(Case, (shop.id, row_id))
        if known is None or decision not in decisions(known.kind):
            raise NotFound(f"no such decision of {row_id}")
        # The plan's lock comes before everything else's, here as everywhere.
        plan_id = known.facts.get("plan") or known.subject
        plan = session.get(Plan, (shop.id, plan_id), with_for_update=True)
        case = _locked(session, Case, shop, row_id)
        if case.state == "open" and decision == "lift":
            _lift(session, shop, case, request.form.get("reason", "").strip()[:_LONGEST_REASON])
        elif case.state == "open":
            cases.resolve(session, case, decision)
            _carry_out(session, shop, case, plan, decision)
    return _done(shop, f"cases/{row_id}", "done", rings=("charge", "refund", "deliver"))


@pages.post("/shops/<shop_id>/reconcile")
def reconcile(shop_id: str) -> Response:
    """Have the shop's accounts compared now with what their gateways list."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        reconciliation.reconcile_now(session, shop.id)
    return _done(shop, "reconciliations", "reconciling", rings=(Listing.bell,))


@pages.post("/shops/<shop_id>/clock")
def move_clock(shop_id: str) -> Response:
    """Send a test shop's clock an hour, a day or a month on; a shop that is on its way goes that much further. The
    clock process moves it there, from due moment to due moment. 404 for a live shop."""
    shop, step = frame.shop_at(shop_id), STEPS.get(request.form.get("step", ""))
    if not shop.test:
        raise NotFound("the clock of a live shop is not moved")
    if step is None:
        raise BadRequest("the step is hour, day or month")
    with transaction(shop.id) as session:
        row = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
        merchants.travel(session, row, step)
    return _done(shop, "", "clock_moved")


def _lift(session: Session, shop: Shop, case: Case, reason: str) -> None:
    """A person answers for what may have been charged meanwhile, and says why that is known."""
    if not reason:
        raise BadRequest("quarantine is lifted with a reason")
    account = _locked(session, GatewayAccount, shop, case.subject)
    quarantine.lift(session, account, f"by hand: {reason}")


def _carry_out(session: Session, shop: Shop, case: Case, plan: Plan | None, decision: str) -> None:
    if decision == "retry" and "refund" in case.facts:
        billing.give_back_again(session, shop, case.facts["refund"])
    elif decision == "retry":
        row = session.get(Out, (shop.id, case.facts.get("out", "")), with_for_update=True)
        if row is not None:
            _tell_again(session, row)
    elif case.kind == "unknown_capture":
        if decision == "refund":
            billing.give_back_stray(session, shop, case.subject)
    elif decision == "refund" and plan is not None:
        if plan.state in _RUNNING:
            _change(session, shop, plan, "cancel")
        billing.give_back(session, shop, plan.id, attempt_id=case.facts.get("attempt", ""))
    elif plan is not None and plan.state in _RUNNING and decision != "resolve":
        _change(session, shop, plan, decision)


def _change(session: Session, shop: Shop, plan: Plan, verb: str) -> None:
    match verb:
        case "pause":
            plans.pause(session, plan, "paused_by_merchant")
        case "resume":
            plans.resume(session, plan, "resumed_by_merchant")
        case "cancel" if plan.state in _RUNNING:
            billing.stop(session, shop, plan.id, "cancelled", "cancelled_by_merchant")
        case _:
            raise NotFound(f"a plan that is {plan.state} has no {verb}")


def _tell_again(session: Session, row: Out) -> None:
    if row.state != "parked":
        return
    outbox.try_again(session, row, clock.now())
    message = session.get(Message, (row.shop_id, row.what), with_for_update=True)
    if message is not None and message.state == "bounced":
        moves.move(session, message, "queued", "tried again by a person")


def _locked(session: Session, model: type[Any], shop: Shop, row_id: str) -> Any:
    """The row, locked; 404 where the shop has none of that id."""
    row = session.get(model, (shop.id, row_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"no {row_id}")
    return row


def _done(shop: Shop, place: str, notice: str, *, rings: Iterable[str] = ()) -> Response:
    """Ring, now that it is committed, and back to the page it was done on."""
    for bell in rings:
        house().bells.ring(bell, shop.id)
    return redirect(f"/shops/{shop.id}/{place}?notice={notice}", 303)
