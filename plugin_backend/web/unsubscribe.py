"""Stopping mails: a page with a button, and the one-click POST of RFC 8058. GET and HEAD change nothing."""

from flask import Blueprint, Response, request

from plugin_backend.core.db import transaction
from plugin_backend.domain import consent, customers, merchants, offers
from plugin_backend.web import links, reader

pages = Blueprint("unsubscribe", __name__, url_prefix="/u")


@pages.route("/<secret>", methods=["GET", "POST"])
def unsubscribe(secret: str) -> Response:
    """The customer behind the link gets no more offers; mails about what he ordered still reach him. The POST needs no
    cookie and no origin: a mail program sends it."""
    way = links.follow("unsubscribe", secret)
    if way is None:
        return reader.shown("offer/not_found.html", reader.locale(), code=404)
    with transaction(way.shop_id) as session:
        shop = merchants.get_shop(session, way.shop_id)
        customer = customers.get(session, way.shop_id, way.row_id)
        view, language = offers.shop_view(shop), reader.locale(customer.locale)
        if request.method != "POST":
            return reader.shown("portal/unsubscribe.html", language, shop=view, action_url=request.path)
        consent.suppress(session, shop.id, customer.email, "unsubscribed")
    return reader.shown("portal/unsubscribed.html", language, shop=view)
