"""Details: one object with everything that is known of it and what may be done about it."""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from plugin_backend.core.db import transaction
from plugin_backend.core.render.words import LABELS
from plugin_backend.core.views import Action, DetailView, Fact, Row, Section
from plugin_backend.domain import merchants, objects
from plugin_backend.domain.books import Json
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.sdk.money import Money
from plugin_backend.web.dashboard import actions, frame, lists
from plugin_backend.web.dashboard.cells import SINGULAR, cell

pages = Blueprint("details", __name__)

_FIRST = (("id", "id"), ("state", "state"), ("reason", "reason"), ("created_at", "created_at"))
# What each page tells, beside what every page tells: the name of a value, and its label.
FACTS: dict[str, tuple[tuple[str, str], ...]] = {
    "carts": (
        ("key", "key"),
        ("customer", "customer"),
        ("total", "total"),
        ("country", "country"),
        ("locale", "language"),
        ("decline", "decline"),
        ("failed_at", "failed_at"),
        ("updated_at", "updated_at"),
        ("changed_at", "changed_at"),
        ("due_at", "due_at"),
        ("offer", "offer"),
    ),
    "offers": (
        ("cause", "cause"),
        ("kind", "kind"),
        ("customer", "customer"),
        ("total", "total"),
        ("country", "country"),
        ("verdict.reason", "verdict"),
        ("verdict.source", "source"),
        ("locale", "language"),
        ("expires_at", "expires_at"),
        ("viewed_at", "viewed_at"),
        ("accepted_at", "accepted_at"),
        ("link", "url"),
        ("cart", "cart"),
        ("plan", "plan"),
    ),
    "plans": (
        ("kind", "kind"),
        ("customer", "customer"),
        ("agreed", "total"),
        ("books.taken_off", "taken_off"),
        ("books.captured", "captured"),
        ("books.refunded", "refunded"),
        ("books.disputed", "disputed"),
        ("books.received", "paid"),
        ("books.outstanding", "outstanding"),
        ("order_key", "order"),
        ("country", "country"),
        ("locale", "language"),
        ("started_at", "started_at"),
        ("supplied_at", "supplied_at"),
        ("ended_at", "ended_at"),
        ("due_at", "due_at"),
        ("card.brand", "card"),
        ("card.last4", "last4"),
        ("card.expires", "card_expires"),
        ("offer", "offer"),
        ("cart", "cart"),
        ("mandate.accepted_at", "accepted_at"),
        ("mandate.text", "mandate"),
    ),
    "collections": (
        ("number", "number"),
        ("amount", "amount"),
        ("scheduled_at", "scheduled_at"),
        ("due_at", "due_at"),
        ("paid_at", "paid_at"),
        ("declines", "declines"),
        ("plan", "plan"),
    ),
    "deliveries": (
        ("received_at", "received_at"),
        ("topic", "topic"),
        ("identity", "delivery_id"),
        ("source", "source"),
        ("sha256", "sha256"),
        ("effect", "effect"),
        ("due_at", "due_at"),
    ),
    "messages": (
        ("kind", "kind"),
        ("to", "to"),
        ("subject", "subject"),
        ("locale", "language"),
        ("about", "about"),
        ("not_after", "expires_at"),
        ("sent_at", "sent_at"),
    ),
    "refunds": (
        ("amount", "amount"),
        ("number", "number"),
        ("plan", "plan"),
        ("reference", "reference"),
        ("gateway_id", "gateway_id"),
        ("code", "code"),
        ("first_sent_at", "first_sent_at"),
        ("last_sent_at", "last_sent_at"),
        ("due_at", "due_at"),
    ),
    "disputes": (("amount", "amount"), ("plan", "plan"), ("gateway_id", "gateway_id")),
    "erasures": (
        ("customer", "customer"),
        ("payment_method", "payment_method"),
        ("cause", "cause"),
        ("asked_by", "asked_by"),
        ("tries", "tries"),
        ("due_at", "due_at"),
    ),
    "cases": (("kind", "question"), ("subject", "about")),
    "reconciliations": (
        ("gateway", "gateway"),
        ("account", "account"),
        ("since", "since"),
        ("until", "until"),
        ("counts.both", "both"),
        ("counts.ours_only", "ours_only"),
        ("counts.theirs_only", "theirs_only"),
        ("counts.differs", "differs"),
        ("counts.settled", "settled"),
    ),
}
_MOVE = (("at", "at"), ("before", "from_state"), ("after", "to_state"), ("reason", "reason"))
# The tables within a page: the name of the values, and the heading.
SECTIONS: dict[str, tuple[str, ...]] = {
    "plans": ("collections", "credits", "refunds", "disputes"),
    "collections": ("attempts",),
}
PREVIEW_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'self'"
)


@pages.get("/shops/<shop_id>/<noun>/<row_id>")
def show(shop_id: str, noun: str, row_id: str) -> Response:
    """One object of the shop; 404 where there is none."""
    shop = frame.shop_at(shop_id)
    shown = _object(shop, noun, row_id)
    view = DetailView(
        SINGULAR[noun],
        shown["id"],
        facts=_facts(shop, noun, shown),
        sections=tuple(_sections(shop, noun, shown)),
        actions=tuple(_actions(shop, noun, shown)),
        back_url=f"/shops/{shop.id}/{noun}",
        raw=_raw(noun, shown),
        preview_url=f"/shops/{shop.id}/messages/{row_id}/preview" if noun == "messages" else "",
    )
    return frame.shown("dashboard/detail.html", view, shop=shop, tab=noun)


@pages.get("/shops/<shop_id>/messages/<row_id>/preview")
def preview(shop_id: str, row_id: str) -> Response:
    """A mail as it looks, for a frame of ours: it can run nothing, send nothing and load nothing but pictures."""
    shop = frame.shop_at(shop_id)
    with transaction(shop.id) as session:
        message = session.get(Message, (shop.id, row_id))
        if message is None:
            raise NotFound(f"no message {row_id}")
        response = Response(message.html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = PREVIEW_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Cache-Control"] = "no-store"
    return response


def _object(shop: Shop, noun: str, row_id: str) -> Json:
    if noun not in objects.NOUNS:
        raise NotFound(f"no page of {noun}")
    with transaction(shop.id) as session:
        try:
            return objects.show_object(session, shop.id, noun, row_id)
        except merchants.Unknown as error:
            raise NotFound(str(error)) from None


def _facts(shop: Shop, noun: str, shown: Json) -> tuple[Fact, ...]:
    told = [
        Fact(label, cell(shop.id, SINGULAR[noun], shown, name)) for name, label in (*_FIRST, *FACTS[noun])
    ]
    if noun == "cases":
        known = (name for name in shown["facts"] if name in LABELS)
        told += [Fact(name, cell(shop.id, SINGULAR[noun], shown["facts"], name)) for name in known]
    return tuple(told)


def _sections(shop: Shop, noun: str, shown: Json) -> list[Section]:
    own = [_table(shop, name, shown[name]) for name in SECTIONS.get(noun, ())]
    if noun == "carts":
        own.append(
            _listed(
                shop,
                "lines",
                (("title", "item"), ("quantity", "quantity"), ("total", "price")),
                shown["lines"],
            )
        )
    if noun == "offers":
        columns = (("number", "number"), ("due_at", "scheduled_at"), ("amount", "amount"))
        own.append(_listed(shop, "payments", columns, shown["parts"]))
    if noun == "reconciliations":
        columns = (("reason", "reason"), ("reference", "reference"), ("amount", "amount"))
        own.append(
            _listed(shop, "differences", (*columns, ("at", "at"), ("id", "about")), shown["differences"])
        )
    if noun == "deliveries":
        headers = [{"name": name, "value": value} for name, value in sorted(shown["headers"].items())]
        own.append(_listed(shop, "headers", (("name", "name"), ("value", "value")), headers))
    linked = [_table(shop, name, shown[name]) for name in ("cases", "outbox") if shown[name]]
    return [*own, *linked, _listed(shop, "moves", _MOVE, shown["history"], noun=SINGULAR[noun])]


def _table(shop: Shop, name: str, found: list[Json]) -> Section:
    return Section(name, lists.labels(name), lists.rows(shop.id, name, found))


def _listed(
    shop: Shop, title: str, columns: tuple[tuple[str, str], ...], found: list[Json], *, noun: str = ""
) -> Section:
    """A table of values that have no page of their own."""
    rows = tuple(Row(tuple(cell(shop.id, noun, shown, name) for name, _ in columns)) for shown in found)
    return Section(title, tuple(label for _, label in columns), rows)


def _actions(shop: Shop, noun: str, shown: Json) -> list[Action]:
    here = f"/shops/{shop.id}"
    parked = [out for out in shown["outbox"] if out["state"] == "parked"]
    again = [Action("retry", f"{here}/outbox/{out['id']}/retry") for out in parked]
    match noun:
        case "deliveries" if shown["body"] is not None or shown["sealed"]:
            return [Action("replay", f"{here}/deliveries/{shown['id']}/replay")]
        case "plans":
            verbs = actions.plan_verbs(shown)
            credit = Action("credit", f"{here}/plans/{shown['id']}/credit", leads=True)
            buttons = [_button(verb, f"{here}/plans/{shown['id']}/{verb}") for verb in verbs]
            return [*again, credit, *buttons, *_forget(here, shown["customer"])]
        case "carts":
            return [*again, *_forget(here, shown["customer"])]
        case "cases" if shown["state"] == "open":
            decisions = actions.decisions(shown["kind"])
            return [
                *_same_here(here, shown),
                *_asked_for_data(here, shown),
                *_asked_to_forget(here, shown),
                *(_button(word, f"{here}/cases/{shown['id']}/resolve/{word}") for word in decisions),
            ]
        case _:
            return again


def _same_here(here: str, case: Json) -> list[Action]:
    """The shop gave something back by itself: the way to do the same here, shown first."""
    if case["kind"] not in ("refunded_in_shop", "order_stopped"):
        return []
    facts = case["facts"]
    wanted = {"case": case["id"]}
    if amount := facts.get("amount"):
        wanted["amount"] = Money(amount["amount"], amount["currency"]).decimal()
    elif case["kind"] == "order_stopped":
        wanted["everything"] = "1"
    plan = facts.get("plan") or case["subject"]
    return [Action("same_here", f"{here}/plans/{plan}/credit?{urlencode(wanted)}", leads=True)]


def _forget(here: str, customer: Json | None) -> list[Action]:
    """The way to forgetting a customer who is not forgotten yet."""
    if customer is None or not customer["email"]:
        return []
    return [Action("erase", f"{here}/customers/{customer['id']}/erase", leads=True)]


def _asked_for_data(here: str, case: Json) -> list[Action]:
    """A customer asks what is kept of him: the way to all of it, where he is known."""
    if case["kind"] != "data_requested" or not case["subject"].startswith(f"{Customer.prefix}_"):
        return []
    return [Action("data", f"{here}/customers/{case['subject']}/data", leads=True)]


def _asked_to_forget(here: str, case: Json) -> list[Action]:
    """A platform passed on a customer's wish that could not be done by itself."""
    if case["kind"] != "customer_redacted" or "reason" not in case["facts"]:
        return []
    return [Action("erase", f"{here}/customers/{case['subject']}/erase", leads=True)]


def _button(verb: str, url: str) -> Action:
    return Action(verb, url, danger=verb in ("cancel", "refund", "lift"), asks=verb == "lift")


def _raw(noun: str, shown: Json) -> str:
    match noun:
        case "deliveries":
            return str(shown["body"] or "")
        case "messages":
            return str(shown["text"])
        case "cases":
            other: dict[str, Any] = {
                name: value for name, value in shown["facts"].items() if name not in LABELS
            }
            facts = json.dumps(other, indent=2, ensure_ascii=False, default=str) if other else ""
            return "\n\n".join(filter(None, (facts, shown["exchange"])))
        case _:
            return ""
