"""The fake's API and pages."""

import re
from typing import Any

from flask import Flask, Response, g, redirect, request
from flask.typing import ResponseReturnValue

from plugin_backend.demo.gateway.faults import ALL, ON_LOOK_UPS, Faults
from tests.contract.stripe_fake import errors, wire
from tests.contract.stripe_fake.errors import Refusal
from tests.contract.stripe_fake.hooks import Hooks
from tests.contract.stripe_fake.once import Once
from tests.contract.stripe_fake.payments import Payments
from tests.contract.stripe_fake.setups import Setups
from tests.contract.stripe_fake.store import Body, Store, account_of

KEY_PREFIX = "sk_test_fake"
_REVOKED = "revoked"
_POST = {
    "customers": "customer",
    "checkout/sessions": "page",
    "payment_intents": "create",
    "refunds": "refund",
}
_ACT = re.compile(r"(payment_intents|payment_methods)/([A-Za-z0-9_]+)/(confirm|cancel|detach)")
_LISTED = {"payment_intents": "payment_intent", "refunds": "refund", "events": "event"}
_SHOWN = {
    "refunds": "refund",
    "payment_methods": "payment_method",
    "charges": "charge",
    "events": "event",
}


class Fake:
    """All that is behind one address."""

    def __init__(self, store: Store, faults: Faults, url: str, window: float) -> None:
        self.store, self.faults = store, faults
        self.hooks = Hooks(store, faults)
        self.once = Once(store, faults, window)
        self.payments = Payments(store, self.hooks, url)
        self.setups = Setups(store, self.hooks, url)

    def post(self, account: str, path: str) -> Response:
        form = wire.form_of(request.get_data(as_text=True))
        expand = form.get("expand") or []
        acted = _ACT.fullmatch(path)

        def work() -> Body:
            done = self._acted(account, acted, form) if acted else self._made(account, path, form)
            return wire.shown(self.store, account, done, expand)

        key = request.headers.get("Idempotency-Key", "")
        if len(key) > 255:
            raise Refusal(400, "Idempotency keys may have up to 255 characters", type="idempotency_error")
        moves = path == "refunds" or (acted is not None and acted[3] == "confirm")
        return self.once.do(account, path, key, request.get_data(), work, moves=moves)

    def get(self, account: str, path: str) -> Response:
        match self.faults.draw(account, ON_LOOK_UPS, path):
            case "look_up_error":
                return wire.answer(500, {"error": {"type": "api_error", "message": "Broken"}})
            case "look_up_lost":
                return wire.drop()
        return wire.answer(200, self._shown(account, path, wire.form_of(request.query_string.decode())))

    def _made(self, account: str, path: str, form: Body) -> Body:
        match _POST.get(path):
            case "customer":
                return self.setups.customer(account, form)
            case "page":
                return self.setups.begin(account, form)
            case "create":
                return self.payments.create(account, form)
            case "refund":
                return self.payments.refund(account, form)
            case _:
                raise Refusal(404, f"Unrecognized request URL (POST: /v1/{path})")

    def _acted(self, account: str, acted: re.Match[str], form: Body) -> Body:
        kind, name, verb = acted.groups()
        if (kind, verb) == ("payment_methods", "detach"):
            return self.setups.detach(account, name, form)
        if (kind, verb) == ("payment_intents", "confirm"):
            return self.payments.confirm(account, name, form)
        if (kind, verb) == ("payment_intents", "cancel"):
            return self.payments.cancel(account, name, form)
        raise Refusal(404, "Unrecognized request URL")

    def _shown(self, account: str, path: str, query: Body) -> Body:
        if path == "account":
            return self._account(account)
        if path in _LISTED:
            return self._list(account, path, query)
        kind, _, name = path.rpartition("/")
        if kind == "country_specs":
            return {
                "id": name,
                "object": "country_spec",
                "supported_payment_currencies": self._taken(account),
            }
        expand = query.get("expand") or []
        if kind == "payment_intents":
            return wire.shown(self.store, account, self.payments.shown(account, name), expand)
        if kind == "checkout/sessions":
            return wire.shown(self.store, account, self.setups.session(account, name), expand)
        found = self.store.get(account, name, _SHOWN[kind]) if kind in _SHOWN else None
        if found is None:
            raise Refusal(404, f"No such {kind}: '{name}'", code="resource_missing", param="id")
        return wire.shown(self.store, account, found, expand)

    def _list(self, account: str, path: str, query: Body) -> Body:
        limit = int(query.get("limit", 10))
        if not 1 <= limit <= 100:
            raise Refusal(400, "This value must be between 1 and 100", param="limit")
        since = float((query.get("created") or {}).get("gte", 0))
        found, more = self.store.listed(
            account,
            _LISTED[path],
            since=since,
            after=query.get("starting_after", ""),
            limit=limit,
            customer=query.get("customer", ""),
            intent=query.get("payment_intent", ""),
        )
        if path == "payment_intents":
            found = [self.payments.settle(account, it) for it in found]
        expand = [name.removeprefix("data.") for name in query.get("expand") or []]
        data = [wire.shown(self.store, account, it, expand) for it in found]
        return {"object": "list", "data": data, "has_more": more, "url": f"/v1/{path}"}

    def _taken(self, account: str) -> list[str]:
        only = self.store.facts(account).get("takes_only", "")
        return [only.lower()] if only else errors.CURRENCIES

    def _account(self, account: str) -> Body:
        sepa = "active" if self.store.facts(account).get("sepa_debit") else "inactive"
        return {
            "id": account,
            "object": "account",
            "charges_enabled": True,
            "country": "FR",
            "capabilities": {"card_payments": "active", "sepa_debit_payments": sepa},
            "settings": {"dashboard": {"display_name": "A shop"}},
        }


def create_app(fake: Fake) -> Flask:
    app = Flask(__name__)

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        return wire.answer(refusal.status, refusal.body)

    @app.before_request
    def admit() -> None:
        if request.path.startswith(("/v1/", "/_test/account/")):
            g.account = _admitted(request.headers.get("Authorization", ""))

    @app.post("/v1/<path:path>")
    def post(path: str) -> Response:
        return fake.post(g.account, path)

    @app.get("/v1/<path:path>")
    def get(path: str) -> Response:
        return fake.get(g.account, path)

    _add_pages(app, fake)
    _add_controls(app, fake)
    return app


def _admitted(given: str) -> str:
    key = given.removeprefix("Bearer ")
    if not key.startswith(KEY_PREFIX):
        raise Refusal(401, "Invalid API Key provided")
    if _REVOKED in key:
        raise Refusal(401, "Expired API Key provided", code="api_key_expired")
    if not request.headers.get("Stripe-Version") and request.path.startswith("/v1/"):
        raise Refusal(400, "No version was named")
    return account_of(key)


def _add_pages(app: Flask, fake: Fake) -> None:
    @app.get("/c/pay/<account>/<name>")
    def card_page(account: str, name: str) -> str:
        return "<form method=post><input name=number><button>Save</button></form>"

    @app.post("/c/pay/<account>/<name>")
    def card_typed(account: str, name: str) -> ResponseReturnValue:
        with fake.store.together():
            session = fake.setups.typed(account, name, request.form.get("number", ""))
        if session["status"] != "complete":
            return "Your card was declined.", 402
        return redirect(session["success_url"], 303)

    @app.get("/3ds/<account>/<name>")
    def bank_page(account: str, name: str) -> str:
        return "<form method=post><button name=decision value=approve>Yes</button></form>"

    @app.post("/3ds/<account>/<name>")
    def bank_decides(account: str, name: str) -> ResponseReturnValue:
        back = fake.payments.intent(account, name).get("fake_back", "")
        with fake.store.together():
            approved = request.form.get("decision") == "approve"
            fake.payments.decide(account, name, approved=approved)
        return redirect(f"{back}?payment_intent={name}", 303)


def _add_controls(app: Flask, fake: Fake) -> None:
    @app.post("/_test/account/facts")
    def facts() -> Body:
        fake.store.set_facts(g.account, **_told())
        return fake.store.facts(g.account)

    @app.post("/_test/account/next")
    def following() -> Body:
        fake.once.ordered.update({(g.account, kind): count for kind, count in _told().items()})
        return {}

    @app.post("/_test/account/do/<verb>")
    def do(verb: str) -> Body:
        told = _told()
        with fake.store.together():
            match verb:
                case "settle":
                    intent = fake.payments.intent(g.account, told["intent"])
                    return fake.payments.settle(g.account, intent, now=True)
                case "end_refund":
                    return fake.payments.refund_ends(g.account, told["refund"], told["status"])
                case "dispute":
                    name = told.get("dispute", "")
                    return fake.payments.dispute(g.account, told["intent"], told["status"], name)
                case "renew":
                    return fake.setups.renewed(g.account, told["method"], told["last4"], told["year"])
        raise Refusal(404, "no such verb")

    @app.route("/_test/faults", methods=["POST", "GET", "DELETE"])
    def chance() -> Body:
        if request.method == "POST":
            fake.faults.plan(ALL, _told())
        if request.method == "DELETE":
            fake.faults.stop(ALL)
        return fake.faults.shown(ALL)


def _told() -> Any:
    return request.get_json()
