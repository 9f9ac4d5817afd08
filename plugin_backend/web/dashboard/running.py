"""The next run: who will be charged without being there, as a dry run, and holding it back as a whole or by account."""

from datetime import timedelta

from flask import Blueprint, redirect, request
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import Link, Reason, Row, RunAccount, RunView, State
from plugin_backend.domain import merchants
from plugin_backend.domain.billing import runs
from plugin_backend.domain.merchants import GatewayAccount
from plugin_backend.sdk import clock
from plugin_backend.web.dashboard import frame

pages = Blueprint("running", __name__)

AHEAD = timedelta(hours=24)
DAYS = (1, 3, 7)
_COLUMNS = ("id", "email", "amount", "due_at", "state", "reason", "held")


@pages.get("/shops/<shop_id>/run")
def show(shop_id: str) -> Response:
    """What falls due within a day, and what would keep it back."""
    shop = frame.shop_at(shop_id)
    with merchants.shop_time(shop), transaction(shop.id) as session:
        now = clock.now()
        found = runs.coming(session, shop, now + AHEAD)
        held = shop.charges_held_until
        view = RunView(
            columns=_COLUMNS,
            rows=tuple(_row(shop.id, it) for it in found),
            action_url=f"/shops/{shop.id}/run",
            days=DAYS,
            held_until=held if held is not None and held > now else None,
            accounts=tuple(
                RunAccount(row.gateway, row.paused, f"/shops/{shop.id}/run/accounts/{row.id}")
                for row in merchants.accounts_of(session, shop.id)
            ),
        )
    return frame.shown("dashboard/run.html", view, shop=shop, tab="run")


def _row(shop_id: str, it: runs.Coming) -> Row:
    url = f"/shops/{shop_id}/collections/{it.collection_id}"
    cells = (
        Link(it.collection_id, url),
        it.email,
        it.amount,
        it.at,
        State("collection", it.state),
        Reason(it.reason),
        Reason(it.held),
    )
    return Row(cells)


@pages.post("/shops/<shop_id>/run")
def hold(shop_id: str) -> Response:
    """Hold the run for some days, or let it go."""
    shop = frame.shop_at(shop_id)
    days = request.form.get("days", "")
    if days not in {"0", *map(str, DAYS)}:
        raise BadRequest("no such number of days")
    with merchants.shop_time(shop), transaction(shop.id) as session:
        row = merchants.get_shop(session, shop.id)
        if days == "0":
            runs.let_go(session, row)
        else:
            runs.hold(session, row, clock.now() + timedelta(days=int(days)))
    return _done(shop.id)


@pages.post("/shops/<shop_id>/run/accounts/<account_id>")
def pause(shop_id: str, account_id: str) -> Response:
    """Pause an account, or resume it."""
    shop = frame.shop_at(shop_id)
    verb = request.form.get("verb", "")
    if verb not in ("pause", "resume"):
        raise BadRequest("no such verb")
    with merchants.shop_time(shop), transaction(shop.id) as session:
        account = session.get(GatewayAccount, (shop.id, account_id))
        if account is None:
            raise NotFound(f"no account {account_id}")
        (runs.pause if verb == "pause" else runs.resume)(session, account)
    return _done(shop.id)


def _done(shop_id: str) -> Response:
    house().bells.ring("charge", shop_id)
    return redirect(f"/shops/{shop_id}/run?notice=done", 303)
