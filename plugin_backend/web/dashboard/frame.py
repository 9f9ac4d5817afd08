"""What is around every page of the dashboard: the shop one is in, its tabs, its clock, and the reader's language."""

from typing import Any

from flask import Response, request
from werkzeug.exceptions import NotFound

from plugin_backend.core import i18n
from plugin_backend.core.db import transaction
from plugin_backend.core.render.words import NOTICES, Words
from plugin_backend.core.views import ClockBar, DashboardView, Tab
from plugin_backend.domain import merchants, objects, quarantine
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.web import reader
from plugin_backend.web.dashboard.visitors import secure, visitor

_LANGUAGE = "reprise_lang"
_YEAR = 365 * 24 * 3600


def language() -> str:
    """The language that was chosen on a page, now or earlier, else what the browser asks for."""
    return reader.locale(request.cookies.get(_LANGUAGE, ""))


def words() -> Words:
    return Words(i18n.translator(language()))


def remember_language(response: Response) -> Response:
    chosen = request.args.get("lang", "")
    if chosen in i18n.LANGUAGES:
        response.set_cookie(_LANGUAGE, chosen, max_age=_YEAR, secure=secure(), httponly=True, samesite="Lax")
    return response


def shop_at(shop_id: str) -> Shop:
    """The shop of an address; 404 where there is none, or where it is another merchant's."""
    try:
        shop = merchants.load_shop(shop_id)
    except merchants.Unknown as error:
        raise NotFound(str(error)) from None
    if shop.merchant_id != visitor().merchant_id:
        raise NotFound(f"no shop {shop_id}")
    return shop


def own_shops() -> list[Shop]:
    """Every shop of the operator's merchant."""
    with transaction(None) as session:
        return [shop for shop in merchants.all_shops(session) if shop.merchant_id == visitor().merchant_id]


def shown(template: str, view: Any, *, shop: Shop | None = None, tab: str = "") -> Response:
    """A page of the dashboard, within a shop or outside of any."""
    around = DashboardView(user=visitor().email, shops_url="/shops", logout_url="/logout", notice=_notice())
    if shop is not None:
        around = _around(shop, tab)
    return reader.shown(template, language(), dashboard=around, view=view, csrf=visitor().csrf)


def _around(shop: Shop, tab: str) -> DashboardView:
    with transaction(shop.id) as session:
        held = bool(quarantine.held(session, shop.id))
    return DashboardView(
        user=visitor().email,
        shops_url="/shops",
        logout_url="/logout",
        shop=shop.name,
        timezone=shop.timezone,
        tabs=(
            Tab("home", f"/shops/{shop.id}/"),
            *(Tab(noun, f"/shops/{shop.id}/{noun}") for noun in objects.NOUNS),
            Tab("run", f"/shops/{shop.id}/run"),
            Tab("connection", f"/shops/{shop.id}/connection"),
            Tab("accounts", f"/shops/{shop.id}/accounts"),
            Tab("watch", f"/shops/{shop.id}/watch"),
            Tab("settings", f"/shops/{shop.id}/settings"),
        ),
        tab=tab,
        test=shop.test,
        clock=ClockBar(clock.real_now() + shop.clock_offset, f"/shops/{shop.id}/clock")
        if shop.test
        else None,
        notice=_notice(),
        quarantine=held,
    )


def _notice() -> str:
    said = request.args.get("notice", "")
    return said if said in NOTICES else ""
