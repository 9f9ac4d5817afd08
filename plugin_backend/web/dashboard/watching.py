"""What the shop lost before it was connected: asked for by a worker, shown as it goes on, and the last lost basket as its
customer would have seen it."""

import secrets
from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from plugin_backend.core import i18n
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.render import previews
from plugin_backend.core.storefronts import Look
from plugin_backend.core.views import Reason, ShopView, WatchView
from plugin_backend.domain import hindsight, lookbacks, merchants, offers
from plugin_backend.domain.lookbacks import Lookback
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.web.dashboard import frame
from plugin_backend.web.dashboard.details import PREVIEW_POLICY

pages = Blueprint("watching", __name__)

_OPEN_DAYS = timedelta(days=7)


@pages.get("/shops/<shop_id>/watch")
def show(shop_id: str) -> Response:
    """What was found, or how far the look has come; then the page renews itself."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        view = _view(shop, lookbacks.of_shop(session, shop.id))
    response = frame.shown("dashboard/watch.html", view, shop=shop, tab="watch")
    if view.running:
        response.headers["Refresh"] = "3"
    return response


@pages.post("/shops/<shop_id>/watch")
def begin(shop_id: str) -> Response:
    """Look back, anew where that was done before; while a look is under way, that one goes on."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session, merchants.shop_time(shop):
        lookbacks.begin(session, shop.id, secrets.token_bytes(32))
    house().bells.ring(Lookback.bell, shop.id)
    return redirect(f"/shops/{shop.id}/watch", 303)


@pages.get("/shops/<shop_id>/watch/page")
def offer_page(shop_id: str) -> Response:
    """The last lost basket's offer page, for a frame of ours."""
    return _framed(_preview(frame.shop_at(shop_id)).page)


@pages.get("/shops/<shop_id>/watch/mail")
def offer_mail(shop_id: str) -> Response:
    """The mail about it, for a frame of ours."""
    return _framed(_preview(frame.shop_at(shop_id)).mail.html)


def _view(shop: Shop, row: Lookback | None) -> WatchView:
    here = f"/shops/{shop.id}/watch"
    if row is None or (row.found is None and row.due_at is None):
        return WatchView(here, hindsight.DAYS, problem=Reason(row.problem if row else ""))
    if row.found is None:
        return WatchView(here, hindsight.DAYS, running=True, done=row.done, total=row.total)
    shown = row.found["last"] is not None
    return WatchView(
        here,
        hindsight.DAYS,
        found=True,
        amounts=tuple(lookbacks.money(told) for told in row.found["amounts"]),
        offerable_amounts=tuple(lookbacks.money(told) for told in row.found["offerable_amounts"]),
        **{name: row.found[name] for name in ("unpaid", "declined", "offerable", "by_mail")},
        page_url=f"{here}/page" if shown else "",
        mail_url=f"{here}/mail" if shown else "",
    )


def _preview(shop: Shop) -> previews.Preview:
    with transaction(shop.id) as session, merchants.shop_time(shop):
        row = lookbacks.of_shop(session, shop.id)
        if row is None or row.found is None or row.found["last"] is None:
            raise NotFound("no basket to show")
        return _drawn(session, shop, row.found)


def _drawn(session: Session, shop: Shop, found: dict[str, Any]) -> previews.Preview:
    basket, now = lookbacks.last_basket(found), clock.now()
    rules = lookbacks.rules(session, shop)
    offer = hindsight.offer_for(basket, rules, shop.zone, now, now + _OPEN_DAYS)
    kind = "offer_after_decline" if basket.declined else "offer"
    locale = i18n.negotiate(shop.locale)
    return previews.draw(
        _dressed(shop, Look(**found["look"])), offer, kind, locale, basket.country or shop.country
    )


def _dressed(shop: Shop, look: Look) -> ShopView:
    """The shop as its customers know it, with what its front page shows."""
    plain = offers.shop_view(shop)
    return ShopView(
        plain.name,
        plain.locale,
        plain.timezone,
        logo_url=look.logo_url,
        color=look.color,
        contact_email=plain.contact_email,
        test=plain.test,
    )


def _framed(html: str) -> Response:
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = PREVIEW_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Cache-Control"] = "no-store"
    return response
