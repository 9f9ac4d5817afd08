"""Doing what moves money once per idempotency key, as the account's mode keeps keys, and misbehaving as switched."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway import bodies, charging, views
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.faults import ON_MOVES
from plugin_backend.demo.gateway.parts import drop, parts, reset
from plugin_backend.demo.gateway.records import Account

_KEY_LENGTH = 40
# Of the faults that may hit a request, those that a test can order by count; ``slow`` is a switch in seconds.
_COUNTED = tuple(kind for kind in ON_MOVES if kind != "slow")


def once(
    kind: str,
    schema: type[bodies.ChargeBody] | type[bodies.RefundBody],
    make: Callable[[dict[str, Any]], Any],
) -> ResponseReturnValue:
    """Answer a request that moves money: a key that is known gets the first answer again."""
    account, key = g.account, request.headers.get("Idempotency-Key", "")
    fault = _fault(account, f"{kind} {key}")
    if fault == "lost_before":
        return drop()
    if not 1 <= len(key) <= _KEY_LENGTH:
        raise Rejected(400, "no_key", f"Idempotency-Key needs 1 to {_KEY_LENGTH} characters.")
    if fault == "too_many":
        raise Rejected(429, "too_many_requests", "Ask again later.")
    if fault == "error_before" or charging.has_kept_error(account, kind, key, g.sent_at):
        return _broken(account, kind, key)
    if fault == "in_progress" and parts().faults.coin(account.id, key):
        raise Rejected(409, "key_in_progress", "A request with this key is still being worked on.")
    asked = bodies.read(schema, request.get_json(silent=True))
    asked |= {"key": key, "request": _print(asked), "sent_at": g.sent_at.isoformat()}
    with parts().working_on(account, kind, key):
        be_slow(account, late=fault == "slow")
        known = charging.known_key(account, kind, key, asked["request"], g.sent_at)
        made = known or make(asked)
    if fault == "error_after":
        return _broken(account, kind, key)
    return _answer(fault, 200 if known else 201, views.first_answer(made))


def be_slow(account: Account, *, late: bool = False) -> None:
    """Wait as long as is switched, and ``late`` by chance: then the work is done, whether or not the caller waited."""
    switches = parts().switches
    wait = switches.get(account.id, "slow") + switches.get(account.id, "latency") / 1000
    if late:
        wait += parts().faults.late(account.id)
    if wait:
        time.sleep(wait)


def _fault(account: Account, about: str) -> str:
    """What goes wrong with this request: what a test ordered, or what chance has for it."""
    ordered = next((kind for kind in _COUNTED if parts().switches.take(account.id, kind)), "")
    return ordered or parts().faults.draw(account.id, ON_MOVES, about)


def _print(asked: dict[str, Any]) -> str:
    """What makes two requests the same; where to call back does not count."""
    counted = {name: value for name, value in asked.items() if name != "callback_url"}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def _broken(account: Account, kind: str, key: str) -> ResponseReturnValue:
    """A 500, which some accounts keep under the key and give again."""
    if account.behaves.keeps_errors and (kind, key) not in account.errors:
        parts().book.write(account, "error.kept", of=kind, key=key, sent_at=g.sent_at.isoformat())
    return jsonify(error={"code": "internal", "message": "Something broke."}), 500


def _answer(fault: str, status: int, answer: dict[str, Any]) -> ResponseReturnValue:
    match fault:
        case "lost_answer":
            return drop()
        case "reset":
            return reset(answer, status)
        case "garbage":
            return Response("<html><body>It works!</body></html>", mimetype="text/html")
        case "in_progress":
            raise Rejected(409, "key_in_progress", "A request with this key is still being worked on.")
        case _:
            return jsonify(answer), status
