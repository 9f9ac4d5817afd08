"""The page behind the one mail of the double opt-in. GET and HEAD change nothing: mail scanners follow links."""

from typing import Any

from flask import Blueprint, request
from sqlalchemy.orm import Session

from plugin_backend.domain import consent, customers, offers, optins
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.optins import OptIn
from plugin_backend.web import links, reader

pages = Blueprint("opt_in", __name__, url_prefix="/c")


@pages.get("/<secret>")
def show(secret: str) -> Any:
    """Ask; nothing is answered by looking."""
    return links.visit("opt_in", secret, _asked)


@pages.post("/<secret>")
def answer(secret: str) -> Any:
    """Yes, or no for ever."""

    def work(session: Session, shop: Shop, row_id: str) -> Any:
        row = session.get_one(OptIn, (shop.id, row_id), with_for_update=True)
        if request.form.get("answer") == "no":
            consent.suppress(
                session, shop.id, customers.get(session, shop.id, row.customer_id).email, "unsubscribed"
            )
            return _page("portal/unsubscribed.html", shop, row)
        if not optins.confirm(session, shop, row):
            return _page("offer/not_found.html", shop, row, code=404)
        return _page("portal/opted_in.html", shop, row)

    return links.visit("opt_in", secret, work, post=True, bells=("offer",))


def _asked(session: Session, shop: Shop, row_id: str) -> Any:
    row = session.get_one(OptIn, (shop.id, row_id))
    if row.state != "asked":
        template = "portal/opted_in.html" if row.state == "confirmed" else "offer/not_found.html"
        return _page(template, shop, row, code=200 if row.state == "confirmed" else 404)
    return _page("portal/opt_in.html", shop, row, action_url=request.path)


def _page(template: str, shop: Shop, row: OptIn, *, code: int = 200, **context: Any) -> Any:
    return reader.shown(
        template, reader.locale(row.locale), code=code, shop=offers.shop_view(shop), **context
    )
