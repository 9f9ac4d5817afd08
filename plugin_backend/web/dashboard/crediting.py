"""Crediting a plan: the amount is asked for, what it comes to is shown both ways, and exactly what was shown is done.

The form and the preview are one page, read by its address; only the confirmation is sent. Nobody outside is asked here.
"""

from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, redirect, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import CreditLine, CreditOption, CreditStep, CreditView, State
from plugin_backend.domain import billing, carts, cases, credits, merchants, plans
from plugin_backend.domain.billing import Standing
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.credits import Credit, Wish
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk.money import Money
from plugin_backend.web.dashboard import frame

pages = Blueprint("crediting", __name__)


@pages.get("/shops/<shop_id>/plans/<row_id>/credit")
def ask(shop_id: str, row_id: str) -> Response:
    """The form, and below it what was asked for comes to. Looking changes nothing."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        view = _view(session, shop, _plan(session, shop, row_id), request.args)
    return _shown(shop, view, code=422 if view.problem else 200)


@pages.post("/shops/<shop_id>/plans/<row_id>/credit")
def confirm(shop_id: str, row_id: str) -> Response:
    """Do what was shown; sent twice it is done once. Where the plan has changed meanwhile, it is shown anew (409)."""
    shop = frame.shop_at(shop_id)
    anew = None
    with transaction(shop.id) as session, merchants.shop_time(shop):
        plan = _plan(session, shop, row_id)
        wish = _confirmed(plan, request.form)
        try:
            billing.credit(session, shop, plan.id, wish, request.form.get("fingerprint", ""))
            _decide(session, shop, plan, request.form.get("case", ""))
        except (billing.PlanChanged, credits.Impossible):
            anew = _view(session, shop, plan, request.form, changed=True)
    if anew is not None:
        return _shown(shop, anew, code=409)
    for bell in ("refund", "deliver"):
        house().bells.ring(bell, shop.id)
    return redirect(f"/shops/{shop.id}/plans/{row_id}?notice=credited", 303)


def _shown(shop: Shop, view: CreditView, *, code: int) -> Response:
    response = frame.shown("dashboard/credit.html", view, shop=shop, tab="plans")
    response.status_code = code
    return response


def _plan(session: Session, shop: Shop, plan_id: str) -> Plan:
    plan = session.get(Plan, (shop.id, plan_id))
    if plan is None:
        raise NotFound(f"no {plan_id}")
    return plan


def _decide(session: Session, shop: Shop, plan: Plan, case_id: str) -> None:
    """The case that led here is settled by what was done."""
    case = session.get(Case, (shop.id, case_id), with_for_update=True) if case_id else None
    if case is not None and case.state == "open" and plan.id in (case.subject, case.facts.get("plan")):
        cases.resolve(session, case, "credit")


def _confirmed(plan: Plan, form: Mapping[str, str]) -> Wish:
    try:
        amount = Money.parse(form.get("amount", ""), plan.currency)
        return Wish(amount, _first(form), cast(credits.Rest, _one_of(form.get("rest", ""), credits.LOWER)))
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _first(form: Mapping[str, str]) -> credits.First:
    return cast(credits.First, _one_of(form.get("first") or "schedule", ("schedule", "card")))


def _one_of(word: str, words: Any) -> str:
    if word not in words:
        raise BadRequest("not one of the choices")
    return word


def _view(session: Session, shop: Shop, plan: Plan, asked: Any, *, changed: bool = False) -> CreditView:
    now = billing.standing(session, plan)
    lines = _lines(session, plan, asked)
    amount, problem = _amount(plan, now, lines, asked)
    first, made = _first(asked), list[tuple[Credit, str]]()
    if amount is not None:
        try:
            made = [now.shown(Wish(amount, first, rest)) for rest in credits.LOWER]
        except credits.Impossible as error:
            problem = error.reason
    return CreditView(
        plan=plan.id,
        most=now.most,
        amount=asked.get("amount", "")[:32],
        first=first,
        lines=lines,
        under_way=now.under_way,
        problem=problem,
        changed=changed,
        case=asked.get("case", ""),
        url=f"/shops/{shop.id}/plans/{plan.id}/credit",
        back_url=f"/shops/{shop.id}/plans/{plan.id}",
        options=_options(made),
        steps=_steps(session, plan, [credit for credit, _ in made]),
        taken_off=made[0][0].taken_off if made else None,
        given_back=made[0][0].given_back if made else None,
        refunds=tuple(part.left for part in made[0][0].refunds) if made else (),
    )


def _lines(session: Session, plan: Plan, asked: Any) -> tuple[CreditLine, ...]:
    """The lines of the basket that say what they cost, and whether each was chosen."""
    basket = carts.lines_of(session.get_one(Cart, (plan.shop_id, plan.cart_id)).lines)
    chosen = set(asked.getlist("line"))
    return tuple(
        CreditLine(str(number), line.title, line.quantity, line.total, chosen=str(number) in chosen)
        for number, line in enumerate(basket)
        if line.total is not None and line.total.currency == plan.currency
    )


def _amount(plan: Plan, now: Standing, lines: tuple[CreditLine, ...], asked: Any) -> tuple[Money | None, str]:
    """What is to be credited: everything, what was typed, or what was chosen. A comma is a point to half of the
    world."""
    typed = asked.get("amount", "").strip().replace("\u202f", "").replace("\xa0", "").replace(",", ".")
    if "everything" in asked:
        return now.most, ""
    if typed:
        try:
            return Money.parse(typed, plan.currency), ""
        except ValueError:
            return None, "unreadable"
    chosen = [line.total.minor for line in lines if line.chosen]
    if chosen:
        return Money(sum(chosen), plan.currency), ""
    return None, "unreadable" if "amount" in asked else ""


def _options(made: list[tuple[Credit, str]]) -> tuple[CreditOption, ...]:
    """Each way that comes to something else is a button of its own."""
    options = [CreditOption(credit.wish.rest, fingerprint) for credit, fingerprint in made]
    same = len({credit.steps for credit, _ in made}) == 1
    return tuple(options[:1] if same else options)


def _steps(session: Session, plan: Plan, made: list[Credit]) -> tuple[CreditStep, ...]:
    if not made:
        return ()
    rows = {row.id: row for row in plans.collections_of(session, plan.shop_id, plan.id)}
    from_the_end, spread = made
    return tuple(
        CreditStep(
            end.number,
            rows[end.collection].scheduled_at,
            State("collection", rows[end.collection].state),
            end.before,
            end.after,
            even.after,
        )
        for end, even in zip(from_the_end.steps, spread.steps, strict=True)
    )
