"""A shop's settings that an operator may change: how refused payments are tried again."""

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.views import SettingsView
from plugin_backend.domain import dunning, merchants
from plugin_backend.domain.merchants import Shop
from plugin_backend.web.dashboard import frame

pages = Blueprint("settings", __name__)


@pages.get("/shops/<shop_id>/settings")
def show(shop_id: str) -> Response:
    """What is set, in a form."""
    shop = frame.shop_at(shop_id)
    return _form(shop, ", ".join(map(str, shop.retry_days)), str(shop.visa_retries))


@pages.post("/shops/<shop_id>/settings")
def change(shop_id: str) -> Response:
    """Set it within its bounds; the same form with what is wrong, and 422, beyond them."""
    shop = frame.shop_at(shop_id)
    days, visa = request.form.get("retry_days", "")[:100], request.form.get("visa_retries", "")[:10]
    try:
        ladder, retries = dunning.read_ladder(days), int(visa)
        dunning.check_visa_retries(retries)
    except ValueError:
        return _form(shop, days, visa, wrong=True)
    with transaction(shop.id) as session:
        merchants.set_retries(merchants.get_shop(session, shop.id), ladder, retries)
    return redirect(f"/shops/{shop.id}/settings?notice=done", 303)


def _form(shop: Shop, days: str, visa: str, *, wrong: bool = False) -> Response:
    view = SettingsView(
        action_url=f"/shops/{shop.id}/settings",
        retry_days=days,
        visa_retries=visa,
        most_steps=dunning.MOST_STEPS,
        most_days=dunning.MOST_DAYS,
        most_visa_retries=dunning.MOST_VISA_RETRIES,
        wrong=wrong,
    )
    response = frame.shown("dashboard/settings.html", view, shop=shop, tab="settings")
    response.status_code = 422 if wrong else 200
    return response
