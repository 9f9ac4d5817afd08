"""The API, version 1. Every request carries the account's key; one that moves money carries an idempotency key."""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway import bodies, charging, setups, views
from plugin_backend.demo.gateway.book import new_id
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.parts import drop, parts, tell
from plugin_backend.demo.gateway.records import Account, Charge, Refund
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

api = Blueprint("api", __name__, url_prefix="/v1")

KEY_PREFIX = "sk_test_sandbox"
_KEY_LENGTH = 40
_PAGE = 100


@api.errorhandler(Rejected)
def rejected(error: Rejected) -> ResponseReturnValue:
    return jsonify(error={"code": error.code, "message": str(error)}), error.status


@api.before_request
def admit() -> ResponseReturnValue | None:
    """Who asks, at what time of his, and whether the gateway is up for him."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
        raise Rejected(401, "unknown_key", "No account has this API key.")
    account = g.account = parts().book.open_account(key)
    down = parts().switches.get(account.id, "down")
    if down:
        return drop() if down == "drop" else (jsonify(error={"code": "down", "message": "Down."}), 503)
    g.sent_at = _sent_at(request.headers.get("Sandbox-Time", ""))
    account.move_to(g.sent_at)
    if "Idempotency-Key" not in request.headers:
        _be_slow(account)
    for charge in charging.settle_pending(parts().book, account):
        tell(account, charge, "charge.captured", charge.callback_url)
    return None


def _sent_at(header: str) -> datetime:
    """The caller's own time; the machine's where he does not say."""
    if not header:
        return clock.real_now()
    with suppress(ValueError):
        at = datetime.fromisoformat(header)
        if at.tzinfo is not None:
            return at
    raise Rejected(400, "invalid_time", "A time must be ISO 8601 with an offset.")


def _be_slow(account: Account) -> None:
    time.sleep(parts().switches.get(account.id, "slow"))


@api.get("/account")
def get_account() -> ResponseReturnValue:
    return jsonify(id=g.account.id, test=True, now=g.account.now().isoformat())


@api.post("/setups")
def post_setup() -> ResponseReturnValue:
    """Begin a set-up, or give back the one that has this reference."""
    asked, account, book = (
        bodies.read(bodies.SetupBody, request.get_json(silent=True)),
        g.account,
        parts().book,
    )
    with book.lock:
        known = asked["reference"] in account.setups
        if not known:
            book.write(account, "setup.begun", id=new_id("su"), **asked)
        setup = account.setups[asked["reference"]]
    return jsonify(views.setup(setup)), 200 if known else 201


@api.get("/setups/<reference>")
def get_setup(reference: str) -> ResponseReturnValue:
    setup = g.account.setups.get(reference)
    if setup is None:
        raise Rejected(404, "setup_not_found", "No set-up has this reference.")
    setups.expire(setup)
    return jsonify(views.setup(setup))


@api.post("/tokens/detach")
def detach_token() -> ResponseReturnValue:
    """Make a stored card useless; again is no error."""
    token = bodies.read(bodies.TokenBody, request.get_json(silent=True))["token"]
    with parts().book.lock:
        card = g.account.cards.get(token)
        if card is None:
            raise Rejected(404, "token_not_found", "This account has no such stored card.")
        if not card.detached:
            parts().book.write(g.account, "token.detached", token=token)
    return jsonify(detached=True)


@api.post("/charges")
def post_charge() -> ResponseReturnValue:
    return _once("charge", bodies.ChargeBody, _charge)


def _charge(asked: dict[str, Any]) -> Charge:
    decline = parts().switches.take_decline(g.account.id)
    charge = charging.make_charge(parts().book, g.account, asked, decline)
    tell(g.account, charge, f"charge.{charge.state}", charge.callback_url)
    return charge


@api.get("/charges/<reference>")
def get_charge(reference: str) -> ResponseReturnValue:
    return jsonify(views.charge(_charge_of(reference)))


@api.post("/charges/<reference>/close")
def close_charge(reference: str) -> ResponseReturnValue:
    """Close an open challenge; the answer says how the charge stands, closed or not."""
    charge = _charge_of(reference)
    if charging.close(parts().book, g.account, charge):
        tell(g.account, charge, "charge.closed", charge.callback_url)
    return jsonify(views.charge(charge))


@api.post("/refunds")
def post_refund() -> ResponseReturnValue:
    return _once("refund", bodies.RefundBody, _refund)


def _refund(asked: dict[str, Any]) -> Refund:
    amount, callback_url = asked.pop("amount"), asked.pop("callback_url")
    charge = g.account.charges.get(asked["charge"])
    asked["charge_reference"] = charge.reference if charge else ""
    money = Money(amount["amount"], amount["currency"])
    refund = charging.make_refund(parts().book, g.account, asked, money)
    tell(g.account, refund, "refund.made", callback_url)
    return refund


@api.get("/refunds/<reference>")
def get_refund(reference: str) -> ResponseReturnValue:
    with parts().book.lock:
        refund = g.account.refund_of(reference)
    if refund is None:
        raise Rejected(404, "refund_not_found", "No refund has this reference.")
    return jsonify(views.refund(refund))


@api.get("/movements")
def get_movements() -> ResponseReturnValue:
    """What was captured and given back since a time, in order, a page at a time."""
    since, cursor = _sent_at(request.args.get("since", "")), request.args.get("cursor", "0") or "0"
    if not cursor.isascii() or not cursor.isdecimal():
        raise Rejected(422, "invalid_request", "Cannot read: cursor")
    with parts().book.lock:
        entries = [
            entry
            for entry in g.account.movements
            if entry["n"] > int(cursor) and datetime.fromisoformat(entry["at"]) >= since
        ]
    page, more = entries[:_PAGE], len(entries) > _PAGE
    return jsonify(
        movements=[views.movement(entry) for entry in page], cursor=str(page[-1]["n"]) if more else ""
    )


def _charge_of(reference: str) -> Charge:
    charge: Charge | None = g.account.charge_of(reference)
    if charge is None:
        raise Rejected(404, "charge_not_found", "No charge has this reference.")
    return charge


def _once(
    kind: str,
    schema: type[bodies.ChargeBody] | type[bodies.RefundBody],
    make: Callable[[dict[str, Any]], Any],
) -> ResponseReturnValue:
    """Do what moves money once per idempotency key, and then misbehave as switched."""
    switches, account = parts().switches, g.account
    if switches.take(account.id, "lost_before"):
        return drop()
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= _KEY_LENGTH:
        raise Rejected(400, "no_key", f"Idempotency-Key needs 1 to {_KEY_LENGTH} characters.")
    asked = bodies.read(schema, request.get_json(silent=True))
    asked |= {"key": key, "request": _print(asked), "sent_at": g.sent_at.isoformat()}
    with parts().working_on(account, kind, key):
        _be_slow(account)
        known = charging.known_key(account, kind, key, asked["request"], g.sent_at)
        made = known or make(asked)
    return _misbehaved(account, 200 if known else 201, views.first_answer(made))


def _print(asked: dict[str, Any]) -> str:
    """What makes two requests the same; where to call back does not count."""
    counted = {name: value for name, value in asked.items() if name != "callback_url"}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def _misbehaved(account: Account, status: int, answer: dict[str, Any]) -> ResponseReturnValue:
    switches = parts().switches
    if switches.take(account.id, "lost_answer"):
        return drop()
    if switches.take(account.id, "error_after"):
        return jsonify(error={"code": "internal", "message": "Something broke."}), 500
    if switches.take(account.id, "garbage"):
        return Response("<html><body>It works!</body></html>", mimetype="text/html")
    return jsonify(answer), status
