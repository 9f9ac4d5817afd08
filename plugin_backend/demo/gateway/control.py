"""The test side: switches, the ledger as JSON, and a page on which a person sees what the gateway saw.

None of it asks for a key: the process listens on loopback only.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway import bodies, charging, views
from plugin_backend.demo.gateway.cards import CARDS
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.judge import account_of
from plugin_backend.demo.gateway.ledger import Entry
from plugin_backend.demo.gateway.parts import parts, tell_of
from plugin_backend.demo.gateway.records import Account, Dispute
from plugin_backend.demo.gateway.switches import ALL, DEFAULTS
from plugin_backend.demo.gateway.texts import TEXTS, price

control = Blueprint("control", __name__)

_SHOWN = 200
_NEVER_SHOWN = {"callback_key", "card", "token"}


@control.get("/_test/switches")
def get_switches() -> ResponseReturnValue:
    return jsonify(parts().switches.shown(_scope()))


@control.post("/_test/switches")
def post_switches() -> ResponseReturnValue:
    """Set switches for the account whose key the request carries, for all accounts where it carries none."""
    given = request.get_json(silent=True)
    try:
        parts().switches.change(_scope(), given if isinstance(given, dict) else {"body": None})
    except ValueError as error:
        return jsonify(error={"code": "invalid_request", "message": str(error)}), 422
    return jsonify(parts().switches.shown(_scope()))


@control.delete("/_test/switches")
def delete_switches() -> ResponseReturnValue:
    """Back to normal: one account, or everything."""
    parts().switches.reset(_scope())
    return jsonify(parts().switches.shown(_scope()))


@control.get("/_test/faults")
def get_faults() -> ResponseReturnValue:
    """What is injected by chance, and how much of each kind was."""
    return jsonify(parts().faults.shown(_scope()))


@control.post("/_test/faults")
def post_faults() -> ResponseReturnValue:
    """Inject faults by chance from now on: ``seed``, ``rates`` by kind, ``late`` in seconds."""
    given = request.get_json(silent=True)
    try:
        parts().faults.plan(_scope(), given if isinstance(given, dict) else {"body": None})
    except ValueError as error:
        return jsonify(error={"code": "invalid_request", "message": str(error)}), 422
    return jsonify(parts().faults.shown(_scope()))


@control.delete("/_test/faults")
def delete_faults() -> ResponseReturnValue:
    parts().faults.stop(_scope())
    return jsonify(parts().faults.shown(_scope()))


@control.post("/_test/disputes")
def post_dispute() -> ResponseReturnValue:
    """The cardholder disputes the account's charge of a ``reference``."""
    account = _account()
    charge = account.charge_of(_text("reference"))
    if charge is None:
        raise Rejected(404, "charge_not_found", "No charge has this reference.")
    return _dispute(account, charging.open_dispute(parts().book, account, charge)), 201


@control.post("/_test/disputes/<dispute_id>")
def end_dispute(dispute_id: str) -> ResponseReturnValue:
    """A dispute ends: ``state`` is ``won`` or ``lost``, for the merchant."""
    account, state = _account(), _text("state")
    dispute = account.disputes.get(dispute_id)
    if dispute is None or state not in ("won", "lost"):
        raise Rejected(422, "invalid_request", "A dispute of this account ends won or lost.")
    charging.end_dispute(parts().book, account, dispute, state)
    return _dispute(account, dispute)


def _dispute(account: Account, dispute: Dispute) -> Response:
    shown = views.dispute(dispute)
    tell_of(account, f"dispute.{dispute.state}", account.charges[dispute.charge].callback_url, shown)
    return jsonify(shown)


@control.post("/_test/card_news")
def post_card_news() -> ResponseReturnValue:
    """The network has news of the card that paid the charge of a ``reference``: new digits and date, or ``closed``."""
    news = bodies.read(bodies.CardNewsBody, request.get_json(silent=True))
    account = _account()
    charge = account.charge_of(news.pop("reference"))
    if charge is None:
        raise Rejected(404, "charge_not_found", "No charge has this reference.")
    parts().book.write(account, "card.updated", token=charge.token, **news)
    card = account.cards[charge.token]
    tell_of(account, "card.closed" if card.detached else "card.updated", card.callback_url, views.news(card))
    return jsonify(updated=True)


@control.errorhandler(Rejected)
def rejected(error: Rejected) -> ResponseReturnValue:
    return jsonify(error={"code": error.code, "message": str(error)}), error.status


@control.get("/_test/ledger")
def get_ledger() -> ResponseReturnValue:
    """Every entry, or those of the account whose key the request carries; without tokens and keys for callbacks."""
    scope = _scope()
    entries = [_shown(e) for e in parts().book.entries() if scope in (ALL, e["account"])]
    return jsonify(entries=entries)


@control.get("/_test/cards")
def get_cards() -> ResponseReturnValue:
    return jsonify(cards={card.name: card.number for card in CARDS})


@control.get("/healthz")
def healthz() -> ResponseReturnValue:
    return jsonify(ok=True)


@control.get("/")
def seen_page() -> ResponseReturnValue:
    language = request.accept_languages.best_match(list(TEXTS), "en")
    with parts().book.lock:
        accounts = list(parts().book.accounts.values())
        seen = {
            "setups": _newest([s for a in accounts for s in a.setups.values()]),
            "charges": _newest([c for a in accounts for c in a.charges.values()]),
            "refunds": _newest([r for a in accounts for r in a.refunds.values()]),
        }
    return render_template(
        "seen.html",
        t=TEXTS[language],
        language=language,
        price=price,
        **seen,
        accounts=[account.id for account in accounts],
        switches=parts().switches.shown(ALL),
        numbers=[name for name, value in DEFAULTS.items() if type(value) in (int, float)],
        flags=[name for name, value in DEFAULTS.items() if type(value) is bool],
    )


@control.post("/switches")
def submit_switches() -> ResponseReturnValue:
    """The form of the page. A box that is not ticked is not sent, and means off."""
    account = request.form.get("account", ALL)
    if "reset" in request.form:
        parts().switches.reset(account)
        return redirect(url_for("control.seen_page"), 303)
    values: dict[str, Any] = {name: False for name, value in DEFAULTS.items() if type(value) is bool}
    values |= {name: value for name, value in request.form.items() if name in DEFAULTS}
    try:
        parts().switches.change(account, values)
    except ValueError as error:
        return f"{error}", 422
    return redirect(url_for("control.seen_page"), 303)


def _scope() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return account_of(key) if scheme.lower() == "bearer" and key else ALL


def _account() -> Account:
    account = parts().book.accounts.get(_scope())
    if account is None:
        raise Rejected(401, "unknown_key", "This needs the key of an account that was used.")
    return account


def _text(name: str) -> str:
    given = request.get_json(silent=True)
    return str(given.get(name, "")) if isinstance(given, dict) else ""


def _shown(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in _NEVER_SHOWN}


def _newest(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: item.at, reverse=True)[:_SHOWN]
