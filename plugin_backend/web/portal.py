"""The customer's page of a plan: see every payment, pay what was refused, change the card, cancel, withdraw. No login, no
account."""

from collections.abc import Callable
from typing import Any, Literal

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from plugin_backend.domain import billing, offers, paying, plans, setups, showing
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.web import links, reader

pages = Blueprint("portal", __name__, url_prefix="/p")


@pages.get("/<secret>")
def show(secret: str) -> Any:
    """The plan with its whole schedule."""

    def draw(session: Session, shop: Shop, plan: Plan) -> Response:
        view = showing.plan_view(session, shop, plan)
        receipts = {
            part.number: url_for("portal.receipt", secret=secret, number=part.number)
            for part in view.parts
            if part.state == "paid"
        }
        running = plan.state in ("active", "paused")
        return _page(
            "portal/plan.html",
            shop,
            plan,
            plan=view,
            cancel_url=url_for("portal.cancel", secret=secret),
            withdraw_url=url_for("portal.withdraw", secret=secret),
            card_url=url_for("portal.card", secret=secret) if running else "",
            pay_url=url_for("portal.pay", secret=secret) if _waits(session, plan) else "",
            receipts=receipts,
        )

    return _with_plan(secret, draw)


@pages.get("/<secret>/receipt/<int:number>")
def receipt(secret: str, number: int) -> Any:
    """A receipt to print."""

    def draw(session: Session, shop: Shop, plan: Plan) -> Response:
        rows = plans.collections_of(session, shop.id, plan.id)
        row = next((row for row in rows if row.number == number and row.paid_at), None)
        if row is None or row.paid_at is None:
            raise NotFound
        return _page(
            "portal/receipt.html",
            shop,
            plan,
            plan=showing.plan_view(session, shop, plan),
            part=showing.part(row),
            count=plan.count,
            paid_at=row.paid_at,
            portal_url=url_for("portal.show", secret=secret),
        )

    return _with_plan(secret, draw)


@pages.get("/<secret>/cancel")
def cancel(secret: str) -> Any:
    """What cancelling would do; the button is on this page."""
    return _with_plan(secret, lambda *of: _before_ending(secret, "cancel", *of))


@pages.get("/<secret>/withdraw")
def withdraw(secret: str) -> Any:
    """What withdrawing would do; the button is on this page."""
    return _with_plan(secret, lambda *of: _before_ending(secret, "withdraw", *of))


@pages.post("/<secret>/cancel")
def confirm_cancel(secret: str) -> Any:
    """Cancel. Nothing of this plan is charged any more."""
    return _with_plan(secret, lambda *of: _end(secret, "cancel", *of), post=True)


@pages.post("/<secret>/withdraw")
def confirm_withdraw(secret: str) -> Any:
    """Withdraw from the contract."""
    return _with_plan(secret, lambda *of: _end(secret, "withdraw", *of), post=True)


def _before_ending(
    secret: str, kind: Literal["cancel", "withdraw"], session: Session, shop: Shop, plan: Plan
) -> Response:
    if plan.state in plans.ENDED or (kind == "withdraw" and clock.now() >= plan.anchor + showing.WITHDRAWAL):
        return _to_plan(secret)
    return _page(
        f"portal/{kind}.html",
        shop,
        plan,
        plan=showing.plan_view(session, shop, plan),
        ending=showing.ending(session, plan, kind, clock.now()),
        action_url=request.path,
        back_url=url_for("portal.show", secret=secret),
    )


def _end(
    secret: str, kind: Literal["cancel", "withdraw"], session: Session, shop: Shop, plan: Plan
) -> Response:
    if kind == "withdraw" and clock.now() >= plan.anchor + showing.WITHDRAWAL:
        return _to_plan(secret)
    ending = showing.ending(session, plan, kind, clock.now())
    reason = request.form.get("reason", "")[:500] or "by the customer"
    plan = billing.stop(session, shop, plan.id, "cancelled" if kind == "cancel" else "withdrawn", reason)
    return _page(
        "portal/ended.html",
        shop,
        plan,
        plan=showing.plan_view(session, shop, plan),
        ending=ending,
        at=plan.ended_at or clock.now(),
        portal_url=url_for("portal.show", secret=secret),
    )


@pages.post("/<secret>/card")
def card(secret: str) -> Any:
    """Take another card for the plan."""

    def begin(session: Session, shop: Shop, plan: Plan) -> Response:
        setup = setups.latest(session, shop.id, plan.offer_id, lock=True)
        if plan.state in ("active", "paused") and (setup is None or setup.state not in ("begun", "waiting")):
            language = reader.locale(plan.locale)
            setups.begin(
                session,
                shop.id,
                plan.offer_id,
                plan.account_id,
                locale=language,
                ip=links.network(),
                plan_id=plan.id,
            )
        return _see(url_for("portal.card_page", secret=secret, wait="1"))

    return _with_plan(secret, begin, post=True, bells=("present",))


@pages.get("/<secret>/card")
def card_page(secret: str) -> Any:
    """Lead to the gateway's page once it is there."""

    def draw(session: Session, shop: Shop, plan: Plan) -> Response:
        setup = setups.latest(session, shop.id, plan.offer_id)
        if setup is None or setup.state not in ("begun", "waiting"):
            return _to_plan(secret)
        way_back = "checking" in request.args
        if setup.state == "waiting" and not way_back and "wait" not in request.args:
            return _see(setup.url)
        plain = url_for("portal.card_page", secret=secret)
        return reader.renewing(
            reader.locale(plan.locale),
            to=url_for("portal.card_page", secret=secret, checking="1") if way_back else plain,
            shop=offers.shop_view(shop),
            check_url=plain,
        )

    return _with_plan(secret, draw)


@pages.route("/<secret>/back", methods=["GET", "POST"])
def back(secret: str) -> Any:
    """The browser comes back from the gateway or the bank: a reason to look, and no proof of anything: what a gateway's
    page posts along is not read."""

    def look(session: Session, shop: Shop, plan: Plan) -> Response:
        setup = setups.latest(session, shop.id, plan.offer_id, lock=True)
        if setup is not None:
            setups.evidence(session, setup)
        row = _under_way(session, plan)
        for attempt in billing.attempts_of(session, shop.id, row.id) if row else ():
            billing.evidence(session, attempt)
        return _see(url_for("portal.pay" if row else "portal.card_page", secret=secret, checking="1"))

    return _with_plan(secret, look, bells=("present", "reconcile"))


@pages.get("/<secret>/pay")
def pay(secret: str) -> Any:
    """Where a mail leads whose payment waits for the customer: on to his bank's page, or to the choice between paying
    with the same card and giving another one."""
    return _with_plan(secret, lambda *of: _paying(secret, *of))


@pages.post("/<secret>/pay")
def pay_now(secret: str) -> Any:
    """Pay what was refused with the plan's own card: once, however often it is pressed, and in however many tabs."""

    def want(session: Session, shop: Shop, plan: Plan) -> Response:
        paying.want(session, plans.locked(session, shop.id, plan.id))
        return _see(url_for("portal.pay", secret=secret, wait="1"))

    return _with_plan(secret, want, post=True, bells=("present",))


def _paying(secret: str, session: Session, shop: Shop, plan: Plan) -> Response:
    row = _under_way(session, plan)
    came_back = "checking" in request.args
    if row is not None and row.state == "requires_action" and not came_back:
        # Continued where it stands, however late and in whichever tab: it is never replaced by another attempt.
        url = billing.attempts_of(session, shop.id, row.id)[-1].action_url
        return _page("offer/action.html", shop, plan, amount=row.money, action_url=url)
    if row is not None or plan.paying:
        plain = url_for("portal.pay", secret=secret)
        language = reader.locale(plan.locale)
        back = url_for("portal.pay", secret=secret, checking="1") if came_back else plain
        return reader.renewing(language, to=back, shop=offers.shop_view(shop), check_url=plain)
    if not _waits(session, plan):
        return _to_plan(secret)
    return _choice(secret, session, shop, plan)


def _choice(secret: str, session: Session, shop: Shop, plan: Plan) -> Response:
    """With the same card, where that may be tried, or with another one."""
    row = paying.payable(session, plan)
    return _page(
        "portal/pay.html",
        shop,
        plan,
        plan=showing.plan_view(session, shop, plan),
        amount=row.money if row else None,
        pay_url=url_for("portal.pay_now", secret=secret) if row else "",
        card_url=url_for("portal.card", secret=secret),
        portal_url=url_for("portal.show", secret=secret),
    )


def _under_way(session: Session, plan: Plan) -> Collection | None:
    """The payment that has left and not come to an end, or is about to leave."""
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    return next((row for row in rows if row.state in (*plans.UNDER_WAY, "due")), None)


def _waits(session: Session, plan: Plan) -> bool:
    """Is there something that only the customer can do: pay what was refused, or give a card that can pay?"""
    if paying.waits_for_customer(plan):
        return True
    rows = plans.collections_of(session, plan.shop_id, plan.id)
    return plan.state == "active" and any(row.state in (*paying.REFUSED, "requires_action") for row in rows)


def _with_plan(
    secret: str,
    work: Callable[[Session, Shop, Plan], Any],
    *,
    post: bool = False,
    bells: tuple[str, ...] = (),
) -> Any:
    """Do ``work`` with the plan behind a link. What a form changes, the customer and the shop are told at once."""
    return links.visit(
        "plan",
        secret,
        lambda session, shop, plan_id: work(session, shop, session.get_one(Plan, (shop.id, plan_id))),
        post=post,
        bells=bells or (("deliver",) if post else ()),
    )


def _page(template: str, shop: Shop, row: Plan, **context: Any) -> Response:
    return reader.shown(template, reader.locale(row.locale), shop=offers.shop_view(shop), **context)


def _to_plan(secret: str) -> Response:
    return _see(url_for("portal.show", secret=secret))


def _see(url: str) -> Response:
    answer = redirect(url, 303)
    assert isinstance(answer, Response)
    return answer
