"""What is kept of a customer, for him; and forgetting him: what that means is shown first, and done where it is confirmed.
Nobody outside is asked here."""

import json

from flask import Blueprint, redirect, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import ErasureView
from plugin_backend.domain import customers, erasing, merchants, plans, portability
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing import Erasure, NotNow
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.web.dashboard import frame
from plugin_backend.web.dashboard.visitors import visitor

pages = Blueprint("forgetting", __name__)


@pages.get("/shops/<shop_id>/customers/<customer_id>/data")
def data(shop_id: str, customer_id: str) -> Response:
    """All that is kept of the customer, as a file to be sent to him."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        found = portability.everything_about(session, shop, _customer(session, shop, customer_id))
    response = Response(
        json.dumps(found, indent=2, ensure_ascii=False, default=str), mimetype="application/json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{customer_id}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.get("/shops/<shop_id>/customers/<customer_id>/erase")
def ask(shop_id: str, customer_id: str) -> Response:
    """What forgetting the customer means. Looking changes nothing."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        view = _view(session, shop, _customer(session, shop, customer_id))
    return _shown(shop, view)


@pages.post("/shops/<shop_id>/customers/<customer_id>/erase")
def confirm(shop_id: str, customer_id: str) -> Response:
    """Have the customer forgotten; sent twice it is done once. Where it cannot be done now, the page says why (409)."""
    shop = frame.shop_at(shop_id)
    problem = None
    with transaction(shop.id) as session, merchants.shop_time(shop):
        customer = _customer(session, shop, customer_id)
        try:
            row_id = _begin(session, shop, customer)
        except NotNow as error:
            problem = _view(session, shop, customer, problem=error.why)
    if problem is not None:
        return _shown(shop, problem, code=409)
    for bell in (Erasure.bell, "deliver"):
        house().bells.ring(bell, shop.id)
    return redirect(f"/shops/{shop.id}/erasures/{row_id}?notice=erasing", 303)


def _begin(session: Session, shop: Shop, customer: Customer) -> str:
    """The id of the erasure."""
    cancel = request.form.get("cancel_plans") == "yes"
    return erasing.begin(
        session,
        shop,
        customer.id,
        cause=erasing.BY_HAND,
        asked_by=visitor().email,
        cancel_plans=cancel,
    ).id


def _customer(session: Session, shop: Shop, customer_id: str) -> Customer:
    """404 where the shop has none of that id, or he is forgotten already."""
    customer = customers.find(session, shop.id, customer_id)
    if customer is None or not customer.email:
        raise NotFound(f"no {customer_id}")
    return customer


def _view(session: Session, shop: Shop, customer: Customer, problem: str = "") -> ErasureView:
    running = select(Plan.id).where(
        Plan.shop_id == shop.id, Plan.customer_id == customer.id, Plan.state.not_in(plans.ENDED)
    )
    return ErasureView(
        email=customer.email,
        runs=session.scalar(running.limit(1)) is not None,
        problem=problem,
        url=f"/shops/{shop.id}/customers/{customer.id}/erase",
        back_url=f"/shops/{shop.id}/plans",
    )


def _shown(shop: Shop, view: ErasureView, *, code: int = 200) -> Response:
    response = frame.shown("dashboard/erase.html", view, shop=shop, tab="erasures")
    response.status_code = code
    return response
