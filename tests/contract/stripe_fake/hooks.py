"""Webhooks: signed, at least once, in whatever order chance makes of it."""

import hashlib
import hmac
import json
import threading
import time

from plugin_backend.demo.gateway.faults import ON_CALLBACKS, Faults
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import HttpClient, Request
from tests.contract.stripe_fake.store import Body, Store, new_id

_TRIES, _PAUSE_SECONDS = 5, 0.3


class Hooks:
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store, self._faults = store, faults
        self._http = HttpClient(allow_private=True, timeout=5.0)

    def tell(self, account: str, kind: str, about: Body) -> None:
        """An event, kept, and sent to the account's endpoint where it has one."""
        event = {
            "id": new_id("evt_1"),
            "object": "event",
            "created": int(self._store.now(account)),
            "data": {"object": _public(about)},
            "livemode": False,
            "pending_webhooks": 1,
            "type": kind,
        }
        self._store.put(account, event)
        facts = self._store.facts(account)
        if facts.get("endpoint"):
            fault = self._faults.draw(account, ON_CALLBACKS, str(event["id"]))
            sent = (facts["endpoint"], facts["secret"], json.dumps(event).encode(), account, fault)
            threading.Thread(target=self._send, args=sent, daemon=True).start()

    def _send(self, url: str, secret: str, body: bytes, account: str, fault: str) -> None:
        if fault == "callback_lost":
            return
        if fault in ("callback_late", "callback_out_of_order"):
            time.sleep(self._faults.late(account) if fault == "callback_late" else 0.5)
        for _ in range(2 if fault == "callback_twice" else 1):
            self._post(url, secret, body)

    def _post(self, url: str, secret: str, body: bytes) -> None:
        for _ in range(_TRIES):
            headers = {"Content-Type": "application/json", "Stripe-Signature": signature(secret, body)}
            try:
                answer = self._http.send(Request("POST", url, headers, body))
            except (NotSent, NoAnswer):
                answer = None
            if answer is not None and 200 <= answer.status < 300:
                return
            time.sleep(_PAUSE_SECONDS)


def signature(secret: str, body: bytes) -> str:
    stamp = str(int(time.time()))
    signed = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={signed}"


def _public(body: Body) -> Body:
    return {name: value for name, value in body.items() if not name.startswith("fake_")}
