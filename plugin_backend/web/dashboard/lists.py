"""Lists: a page of each noun, newest first. A page begins after the last id of the one before it, so that rows that
come in meanwhile move nothing."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from plugin_backend.core.db import transaction
from plugin_backend.core.views import Action, ListView, Row
from plugin_backend.domain import objects
from plugin_backend.domain.books import Json
from plugin_backend.web.dashboard import frame
from plugin_backend.web.dashboard.cells import SINGULAR, cell

pages = Blueprint("lists", __name__)

# What each list shows: the name of a value, and the label of its column where that is another word.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "carts": (
        ("created_at", "created_at"),
        ("customer", "customer"),
        ("total", "total"),
        ("state", "state"),
        ("reason", "reason"),
        ("offer", "offer"),
        ("updated_at", "updated_at"),
    ),
    "offers": (
        ("created_at", "created_at"),
        ("customer", "customer"),
        ("kind", "kind"),
        ("total", "total"),
        ("state", "state"),
        ("reason", "reason"),
        ("expires_at", "expires_at"),
    ),
    "plans": (
        ("created_at", "created_at"),
        ("customer", "customer"),
        ("kind", "kind"),
        ("agreed", "total"),
        ("received", "paid"),
        ("state", "state"),
        ("reason", "reason"),
        ("order_key", "order"),
    ),
    "collections": (
        ("scheduled_at", "scheduled_at"),
        ("number", "number"),
        ("amount", "amount"),
        ("state", "state"),
        ("reason", "reason"),
        ("due_at", "due_at"),
        ("attempts", "attempts"),
        ("paid_at", "paid_at"),
        ("plan", "plan"),
    ),
    "attempts": (
        ("first_sent_at", "first_sent_at"),
        ("number", "number"),
        ("amount", "amount"),
        ("state", "state"),
        ("decline", "decline"),
        ("code", "code"),
        ("advice", "advice"),
        ("reason", "reason"),
        ("reference", "reference"),
        ("gateway_id", "gateway_id"),
    ),
    "deliveries": (
        ("received_at", "received_at"),
        ("topic", "topic"),
        ("state", "state"),
        ("reason", "reason"),
        ("effect", "effect"),
    ),
    "messages": (
        ("created_at", "created_at"),
        ("kind", "kind"),
        ("to", "to"),
        ("subject", "subject"),
        ("state", "state"),
        ("reason", "reason"),
        ("sent_at", "sent_at"),
    ),
    "cases": (
        ("created_at", "created_at"),
        ("kind", "question"),
        ("subject", "about"),
        ("state", "state"),
        ("reason", "decision"),
    ),
    "credits": (
        ("created_at", "created_at"),
        ("amount", "amount"),
        ("taken_off", "taken_off"),
        ("given_back", "given_back"),
        ("first", "credit_first"),
        ("rest", "credit_rest"),
    ),
    "refunds": (
        ("created_at", "created_at"),
        ("amount", "amount"),
        ("state", "state"),
        ("reason", "reason"),
        ("due_at", "due_at"),
        ("plan", "plan"),
    ),
    "disputes": (
        ("created_at", "created_at"),
        ("amount", "amount"),
        ("state", "state"),
        ("gateway_id", "gateway_id"),
        ("plan", "plan"),
    ),
    "reconciliations": (
        ("created_at", "created_at"),
        ("state", "state"),
        ("reason", "reason"),
        ("gateway", "gateway"),
        ("counts.both", "both"),
        ("counts.ours_only", "ours_only"),
        ("counts.theirs_only", "theirs_only"),
        ("counts.differs", "differs"),
    ),
    "erasures": (
        ("created_at", "created_at"),
        ("customer", "customer"),
        ("cause", "cause"),
        ("state", "state"),
        ("reason", "reason"),
        ("due_at", "due_at"),
    ),
    "outbox": (
        ("created_at", "created_at"),
        ("kind", "kind"),
        ("state", "state"),
        ("reason", "reason"),
        ("tries", "tries"),
        ("due_at", "due_at"),
    ),
}


@pages.get("/shops/<shop_id>/<noun>")
def show(shop_id: str, noun: str) -> Response:
    """A page of one noun; 404 where there is no such noun."""
    shop = frame.shop_at(shop_id)
    if noun not in objects.NOUNS:
        raise NotFound(f"no list of {noun}")
    with transaction(shop.id) as session:
        found = objects.list_objects(
            session, shop.id, noun, objects.PAGE + 1, request.args.get("after") or None
        )
    more = len(found) > objects.PAGE
    found = found[: objects.PAGE]
    view = ListView(
        noun,
        labels(noun),
        rows(shop.id, noun, found),
        next_url=f"/shops/{shop.id}/{noun}?after={found[-1]['id']}" if more else "",
        actions=(Action("reconcile", f"/shops/{shop.id}/reconcile"),) if noun == "reconciliations" else (),
    )
    return frame.shown("dashboard/list.html", view, shop=shop, tab=noun)


def labels(noun: str) -> tuple[str, ...]:
    return tuple(label for _, label in COLUMNS[noun])


def rows(shop_id: str, noun: str, found: list[Json]) -> tuple[Row, ...]:
    """Objects as rows, each with the way to its own page where it has one."""
    singular = SINGULAR.get(noun) or {"attempts": "attempt", "credits": "credit", "outbox": "out"}[noun]
    return tuple(
        Row(
            tuple(cell(shop_id, singular, shown, name) for name, _ in COLUMNS[noun]),
            f"/shops/{shop_id}/{noun}/{shown['id']}" if noun in objects.NOUNS else "",
        )
        for shown in found
    )
