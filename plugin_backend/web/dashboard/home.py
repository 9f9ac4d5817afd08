"""The first pages: the operator's shops, and what a shop's money does."""

from flask import Blueprint, redirect
from sqlalchemy import select
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.views import AccountLine, Action, HomeView, Link, ListView, Reason, Row, State
from plugin_backend.domain import merchants, objects
from plugin_backend.domain.cases import Case
from plugin_backend.web.dashboard import frame

pages = Blueprint("home", __name__)

_MOST_CASES = 20


@pages.get("/")
def begin() -> Response:
    return redirect("/shops", 303)


@pages.get("/shops")
def shops() -> Response:
    """Every shop of the operator's merchant."""
    found = tuple(
        Row(
            (shop.name, shop.platform, State("shop", shop.mode), State("shop", shop.state)),
            f"/shops/{shop.id}/",
        )
        for shop in frame.own_shops()
    )
    view = ListView(
        "shops",
        ("name", "platform", "mode", "state"),
        found,
        actions=(Action("connect", "/connect", leads=True),),
    )
    return frame.shown("dashboard/list.html", view)


@pages.get("/shops/<shop_id>/")
def show(shop_id: str) -> Response:
    """What was recovered, what is to come, what is at risk (each currency by itself), and what waits for a person."""
    shop = frame.shop_at(shop_id)
    words = frame.words()
    with transaction(shop.id) as session:
        waiting = session.scalars(
            select(Case)
            .where(Case.shop_id == shop.id, Case.state == "open")
            .order_by(Case.id.desc())
            .limit(_MOST_CASES)
        )
        view = HomeView(
            recovered=tuple(objects.recovered(session, shop.id)),
            expected=tuple(objects.expected_30_days(session, shop.id)),
            at_risk=tuple(objects.at_risk(session, shop.id)),
            cases=tuple(
                Link(words.reason(case.kind), f"/shops/{shop.id}/cases/{case.id}") for case in waiting
            ),
            collections_url=f"/shops/{shop.id}/collections",
            accounts=tuple(
                AccountLine(row.gateway, State("account", row.state), Reason(row.reason))
                for row in merchants.accounts_of(session, shop.id)
            ),
        )
    return frame.shown("dashboard/home.html", view, shop=shop, tab="home")
