"""The door to which a shop's keys come: from its server, or by its owner's browser. What is brought is dropped for a
worker, who tries it at the address that was typed; nothing in it says whose it is."""

import re

from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import BadRequest, Gone, NotFound
from werkzeug.wrappers import Response as AnyResponse

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import handovers, merchants, staff
from plugin_backend.domain.handovers import Handover
from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Delivery
from plugin_backend.web.dashboard import visitors

pages = Blueprint("handover", __name__)

_SECRET = re.compile(r"[a-z2-7]{32}")


@pages.post("/handover/<secret>")
def take(secret: str) -> Response:
    """Keys from the shop's own server: exactly 200, which some platforms insist on, or they are not kept there either."""
    _bring(secret, begun_by=None)
    return Response("{}", 200, mimetype="application/json")


@pages.get("/handover/<secret>")
def come_back(secret: str) -> AnyResponse:
    """What the owner's browser brings back from his shop. It must be the browser that was sent there: else somebody could
    have his own keys brought by another's browser."""
    token = request.cookies.get(visitors.cookie_name(), "")
    shop_id = _bring(secret, begun_by=staff.session_id(token))
    return redirect(f"/shops/{shop_id}/connection", 303)


def _bring(secret: str, *, begun_by: str | None) -> str:
    """Drop it for the worker. 404 where the path leads nowhere, 410 where no keys are waited for; the shop's id."""
    shop_id = _shop_behind(secret)
    delivery = Delivery(
        {},
        request.get_data(cache=False),
        clock.real_now(),
        method=request.method,
        query=request.query_string.decode("latin-1"),
    )
    with transaction(shop_id) as session, merchants.shop_time(merchants.get_shop(session, shop_id)):
        row = handovers.newest(session, shop_id, lock=True)
        if row is None:
            raise NotFound("no keys are waited for")
        if begun_by is not None and begun_by != row.begun_by:
            raise BadRequest("this browser was not sent to the shop")
        if not handovers.bring(session, row, delivery):
            raise Gone("no keys are waited for any more")
    house().bells.ring(Handover.bell, shop_id)
    return shop_id


def _shop_behind(secret: str) -> str:
    if not _SECRET.fullmatch(secret):
        raise NotFound("no such path")
    with transaction(None) as session:
        door = merchants.knock(session, "handover", secret)
    if door is None:
        raise NotFound("no such path")
    return door.shop_id
