"""The test side: switches, the ledger as JSON, and a page on which a person sees what the gateway saw.

None of it asks for a key: the process listens on loopback only.
"""

from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway.cards import CARDS
from plugin_backend.demo.gateway.judge import account_of
from plugin_backend.demo.gateway.ledger import Entry
from plugin_backend.demo.gateway.parts import parts
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


def _shown(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name not in _NEVER_SHOWN}


def _newest(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda item: item.at, reverse=True)[:_SHOWN]
