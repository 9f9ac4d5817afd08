"""The API, version 1. Every request carries the account's key; one that moves money carries an idempotency key."""

from bisect import bisect_right
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flask import Blueprint, g, jsonify, request
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway import bodies, charging, setups, views
from plugin_backend.demo.gateway.book import new_id
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.faults import ON_LOOK_UPS
from plugin_backend.demo.gateway.modes import MODES
from plugin_backend.demo.gateway.once import be_slow, once
from plugin_backend.demo.gateway.parts import drop, parts, tell
from plugin_backend.demo.gateway.records import Account, Charge, Refund
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

api = Blueprint("api", __name__, url_prefix="/v1")

KEY_PREFIX = "sk_test_sandbox"
REVOKED = ".revoked"
_PAGE = 100
_LOOK_UPS = {"api.get_charge", "api.get_refund", "api.get_movements"}


@api.errorhandler(Rejected)
def rejected(error: Rejected) -> ResponseReturnValue:
    return jsonify(error={"code": error.code, "message": str(error)}), error.status


@api.before_request
def admit() -> ResponseReturnValue | None:
    """Who asks, at what time of his, and whether the gateway is up for him."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
        raise Rejected(401, "unknown_key", "No account has this API key.")
    if key.endswith(REVOKED):
        raise Rejected(403, "key_revoked", "This API key was revoked.")
    account = g.account = parts().book.open_account(key)
    down = parts().switches.get(account.id, "down")
    if down:
        return drop() if down == "drop" else (jsonify(error={"code": "down", "message": "Down."}), 503)
    g.sent_at = _sent_at(request.headers.get("Sandbox-Time", ""))
    account.move_to(g.sent_at)
    _take_mode(account, request.headers.get("Sandbox-Mode", ""), request.headers.get("Sandbox-Lag", ""))
    if "Idempotency-Key" not in request.headers:
        be_slow(account)
    for charge in charging.settle_pending(parts().book, account):
        tell(account, charge, "charge.captured", charge.callback_url)
    for refund in charging.settle_refunds(parts().book, account):
        tell(account, refund, f"refund.{refund.state}", refund.callback_url)
    return _unlucky_look_up(account) if request.endpoint in _LOOK_UPS else None


def _take_mode(account: Account, mode: str, lag: str) -> None:
    """The account behaves as its last request said; one that says nothing changes nothing."""
    if not mode:
        return
    if mode not in MODES or not (lag.isascii() and lag.isdecimal() and len(lag) < 9):
        raise Rejected(400, "invalid_mode", f"The modes are {', '.join(MODES)}, with a lag in seconds.")
    asked = mode, timedelta(seconds=int(lag))
    with parts().book.lock:
        if (account.mode, account.lag) != asked:
            parts().book.write(account, "account.mode", mode=mode, lag=int(lag))


def _unlucky_look_up(account: Account) -> ResponseReturnValue | None:
    match parts().faults.draw(account.id, ON_LOOK_UPS, request.path):
        case "look_up_error":
            return jsonify(error={"code": "internal", "message": "Something broke."}), 500
        case "look_up_lost":
            return drop()
        case _:
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


@api.get("/account")
def get_account() -> ResponseReturnValue:
    return jsonify(
        id=g.account.id, test=True, now=g.account.now().isoformat(), currencies=_currencies(g.account)
    )


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


def _currencies(account: Account) -> list[str]:
    """Those that the account takes; none named where it takes all."""
    return str(parts().switches.get(account.id, "currencies")).split()


@api.post("/tokens/show")
def show_token() -> ResponseReturnValue:
    """The card or bank account behind a token of this account."""
    token = bodies.read(bodies.TokenBody, request.get_json(silent=True))["token"]
    card = g.account.cards.get(token)
    if card is None or card.detached:
        raise Rejected(404, "token_not_found", "This account has no such stored card.")
    return jsonify(views.card(card))


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
    return once("charge", bodies.ChargeBody, _charge)


def _charge(asked: dict[str, Any]) -> Charge:
    taken = _currencies(g.account)
    if taken and asked["amount"]["currency"] not in taken:
        raise Rejected(422, "currency_not_taken", "This account does not take this currency.")
    decline, advice = parts().switches.take_decline(g.account.id)
    charge = charging.make_charge(parts().book, g.account, asked, decline, advice)
    tell(g.account, charge, f"charge.{charge.state}", charge.callback_url)
    return charge


@api.get("/charges/<reference>")
def get_charge(reference: str) -> ResponseReturnValue:
    charge = _charge_of(reference)
    if not g.account.shows(charge):
        raise Rejected(404, "charge_not_found", "No charge has this reference.")
    return jsonify(views.charge(charge))


@api.post("/charges/<reference>/close")
def close_charge(reference: str) -> ResponseReturnValue:
    """Close an open challenge; the answer says how the charge stands, closed or not."""
    charge = _charge_of(reference)
    if charging.close(parts().book, g.account, charge):
        tell(g.account, charge, "charge.closed", charge.callback_url)
    return jsonify(views.charge(charge))


@api.post("/refunds")
def post_refund() -> ResponseReturnValue:
    return once("refund", bodies.RefundBody, _refund)


def _refund(asked: dict[str, Any]) -> Refund:
    amount, fails = asked.pop("amount"), parts().switches.take(g.account.id, "refund_fails")
    charge = g.account.charges.get(asked["charge"])
    asked["charge_reference"] = charge.reference if charge else ""
    money = Money(amount["amount"], amount["currency"])
    refund = charging.make_refund(parts().book, g.account, asked, money, fails=fails)
    tell(g.account, refund, f"refund.{refund.state}", refund.callback_url)
    return refund


@api.get("/refunds/<reference>")
def get_refund(reference: str) -> ResponseReturnValue:
    _must_look_up()
    refund = g.account.refunds_by_reference.get(reference)
    if refund is None or not g.account.shows(refund):
        raise Rejected(404, "refund_not_found", "No refund has this reference.")
    return jsonify(views.refund(refund))


@api.get("/movements")
def get_movements() -> ResponseReturnValue:
    """What was captured and given back since a time, in order, a page at a time."""
    since, cursor = _sent_at(request.args.get("since", "")), request.args.get("cursor", "0") or "0"
    if not cursor.isascii() or not cursor.isdecimal():
        raise Rejected(422, "invalid_request", "Cannot read: cursor")
    with parts().book.lock:
        movements = g.account.movements
        first = bisect_right(movements, int(cursor), key=lambda entry: entry["n"])
        later = (e for e in islice(movements, first, None) if datetime.fromisoformat(e["at"]) >= since)
        entries = list(islice(later, _PAGE + 1))
    page, more = entries[:_PAGE], len(entries) > _PAGE
    return jsonify(
        movements=[views.movement(entry) for entry in page], cursor=str(page[-1]["n"]) if more else ""
    )


def _must_look_up() -> None:
    if not g.account.behaves.looks_up:
        raise Rejected(405, "no_look_up", "This account finds nothing by its reference.")


def _charge_of(reference: str) -> Charge:
    _must_look_up()
    charge: Charge | None = g.account.charge_of(reference)
    if charge is None:
        raise Rejected(404, "charge_not_found", "No charge has this reference.")
    return charge
