"""Payment intents and refunds. An intent is paid once or never, whoever confirms it how often."""

from typing import Any

from tests.contract.stripe_fake import errors
from tests.contract.stripe_fake.cards import ALIASES, NUMBERS, Behaviour, Wrong
from tests.contract.stripe_fake.errors import Refusal
from tests.contract.stripe_fake.hooks import Hooks
from tests.contract.stripe_fake.store import Body, Store, new_id

DAY = 86_400.0
_SETTLES_AFTER = 5 * DAY


class Payments:
    def __init__(self, store: Store, hooks: Hooks, url: str) -> None:
        self._store, self._hooks, self._url = store, hooks, url

    def create(self, account: str, form: Body) -> Body:
        errors.check("payment_intents", form)
        currency = errors.currency(form, self._store.facts(account).get("takes_only", ""))
        units = errors.amount(form, currency)
        method = self.method(account, errors.need(form, "payment_method"), form)
        kinds = form.get("payment_method_types") or ["card"]
        if method["type"] not in kinds:
            raise Refusal(400, "The PaymentMethod is of another type", param="payment_method")
        options = (form.get("payment_method_options") or {}).get("card") or {}
        return self._store.put(
            account,
            {
                "id": new_id("pi_3"),
                "object": "payment_intent",
                "amount": units,
                "amount_received": 0,
                "created": int(self._store.now(account)),
                "currency": currency,
                "customer": form.get("customer"),
                "description": form.get("description"),
                "last_payment_error": None,
                "latest_charge": None,
                "livemode": False,
                "metadata": form.get("metadata") or {},
                "next_action": None,
                "payment_method": method["id"],
                "payment_method_options": {"card": options},
                "payment_method_types": kinds,
                "setup_future_usage": form.get("setup_future_usage"),
                "status": "requires_confirmation",
            },
        )

    def confirm(self, account: str, name: str, form: Body) -> Body:
        errors.check("confirm", form)
        intent = self.intent(account, name)
        if intent["status"] != "requires_confirmation":
            raise _unexpected(intent, "confirm")
        method = self.method(account, intent["payment_method"], intent)
        off_session = form.get("off_session") == "true"
        behaves = NUMBERS[method["fake_number"]]
        becomes = behaves.absent if off_session else behaves.present
        asked_for = intent["payment_method_options"]["card"].get("request_three_d_secure") == "any"
        if becomes == "paid" and asked_for and not off_session:
            becomes = "challenge"
        if becomes == "challenge" and (off_session or form.get("error_on_requires_action") == "true"):
            becomes = Wrong("authentication_required", "authentication_required")
        if isinstance(becomes, Wrong):
            self._refuse(account, intent, becomes)
        if becomes == "challenge":
            return self._challenge(account, intent, form)
        if becomes == "processing":
            return self._under_way(account, intent)
        return self._paid(account, intent)

    def decide(self, account: str, name: str, *, approved: bool) -> Body:
        """The customer at his bank. Whoever comes too late changes nothing."""
        intent = self.intent(account, name)
        if intent["status"] != "requires_action":
            return intent
        intent["next_action"] = None
        if approved:
            return self._paid(account, intent)
        wrong = Wrong("payment_intent_authentication_failure")
        return self._failed(account, intent, wrong)

    def cancel(self, account: str, name: str, form: Body) -> Body:
        errors.check("cancel", form)
        intent = self.intent(account, name)
        if intent["status"] in ("succeeded", "canceled", "processing"):
            raise _unexpected(intent, "cancel")
        intent |= {"status": "canceled", "cancellation_reason": form.get("cancellation_reason")}
        intent["next_action"] = None
        self._store.put(account, intent)
        self._hooks.tell(account, "payment_intent.canceled", intent)
        return intent

    def settle(self, account: str, intent: Body, *, now: bool = False) -> Body:
        """A debit that is under way ends after some days, or ``now``."""
        if intent["status"] != "processing":
            return intent
        if not now and self._store.now(account) < intent["created"] + _SETTLES_AFTER:
            return intent
        method = self._store.get(account, intent["payment_method"]) or {}
        becomes = NUMBERS[method["fake_number"]].settles
        if isinstance(becomes, Wrong):
            return self._failed(account, intent, becomes)
        return self._paid(account, intent)

    def intent(self, account: str, name: str) -> Body:
        found = self._store.get(account, name, "payment_intent")
        if found is None:
            raise Refusal(404, f"No such payment_intent: '{name}'", code="resource_missing", param="intent")
        return found

    def shown(self, account: str, name: str) -> Body:
        return self.settle(account, self.intent(account, name))

    def method(self, account: str, name: str, form: Body) -> Body:
        """The payment method of a payment: it must be the customer's, or fresh."""
        found = self._alias(account, name) if name in ALIASES else self._store.get(account, name)
        if found is None or found["object"] != "payment_method":
            raise Refusal(
                400, f"No such PaymentMethod: '{name}'", code="resource_missing", param="payment_method"
            )
        if found.get("fake_detached") or (found["customer"] or None) != (form.get("customer") or None):
            raise Refusal(
                400,
                "This PaymentMethod was previously used without being attached to a Customer or was detached.",
                code="payment_method_unexpected_state",
                param="payment_method",
            )
        return found

    def refund(self, account: str, form: Body) -> Body:
        errors.check("refunds", form)
        intent = self.intent(account, errors.need(form, "payment_intent"))
        if intent["status"] != "succeeded":
            raise Refusal(400, "This PaymentIntent has no successful charge", code="charge_not_refundable")
        units = errors.amount(form, intent["currency"]) if "amount" in form else intent["amount"]
        if units + self._given_back(account, intent["id"]) > intent["amount"]:
            raise Refusal(
                400, "Refund amount is greater than unrefunded amount", code="charge_already_refunded"
            )
        body = {
            "id": new_id("re_3"),
            "object": "refund",
            "amount": units,
            "charge": intent["latest_charge"],
            "created": int(self._store.now(account)),
            "currency": intent["currency"],
            "metadata": form.get("metadata") or {},
            "payment_intent": intent["id"],
            "reason": form.get("reason"),
            "status": "pending" if "sepa_debit" in intent["payment_method_types"] else "succeeded",
        }
        self._store.put(account, body)
        self._store.moved(account, "refund", body, units)
        self._hooks.tell(account, "refund.created", body)
        return body

    def refund_ends(self, account: str, name: str, status: str) -> Body:
        body = self._store.get(account, name, "refund")
        assert body is not None
        body["status"] = status
        if status == "failed":
            body["failure_reason"] = "lost_or_stolen_card"
            self._store.moved(account, "refund_failed", body, body["amount"])
        self._store.put(account, body)
        self._hooks.tell(account, "refund.failed" if status == "failed" else "refund.updated", body)
        return body

    def dispute(self, account: str, intent_name: str, status: str, name: str = "") -> Body:
        intent = self.intent(account, intent_name)
        body = {
            "id": name or new_id("dp_1"),
            "object": "dispute",
            "amount": intent["amount"],
            "charge": intent["latest_charge"],
            "created": int(self._store.now(account)),
            "currency": intent["currency"],
            "metadata": {},
            "payment_intent": intent["id"],
            "reason": "fraudulent",
            "status": status,
        }
        self._store.put(account, body)
        ended = status in ("won", "lost", "warning_closed")
        self._hooks.tell(account, f"charge.dispute.{'closed' if ended else 'created'}", body)
        return body

    def _given_back(self, account: str, intent_name: str) -> int:
        found, _ = self._store.listed(account, "refund", limit=100_000)
        counted = ("succeeded", "pending")
        same = (it for it in found if it["payment_intent"] == intent_name and it["status"] in counted)
        return sum(it["amount"] for it in same)

    def _alias(self, account: str, name: str) -> Body:
        number = ALIASES[name]
        body = method_body(number, NUMBERS[number], None, int(self._store.now(account)))
        return self._store.put(account, body)

    def _paid(self, account: str, intent: Body) -> Body:
        charge = self._charge(account, intent, "succeeded")
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
        self._store.put(account, intent)
        self._store.moved(account, "charge", intent, intent["amount"])
        self._hooks.tell(account, "payment_intent.succeeded", intent)
        return intent

    def _under_way(self, account: str, intent: Body) -> Body:
        charge = self._charge(account, intent, "pending")
        intent |= {"status": "processing", "latest_charge": charge["id"]}
        self._store.put(account, intent)
        self._hooks.tell(account, "payment_intent.processing", intent)
        return intent

    def _challenge(self, account: str, intent: Body, form: Body) -> Body:
        back = form.get("return_url") or ""
        page = {"return_url": back, "url": f"{self._url}/3ds/{account}/{intent['id']}"}
        intent |= {"status": "requires_action", "fake_back": back}
        intent["next_action"] = (
            {"type": "redirect_to_url", "redirect_to_url": page} if back else {"type": "use_stripe_sdk"}
        )
        self._store.put(account, intent)
        self._hooks.tell(account, "payment_intent.requires_action", intent)
        return intent

    def _refuse(self, account: str, intent: Body, wrong: Wrong) -> None:
        failed = self._failed(account, intent, wrong)
        error = {**failed["last_payment_error"], "payment_intent": failed}
        raise Refusal(402, error.pop("message"), kept=True, **error)

    def _failed(self, account: str, intent: Body, wrong: Wrong) -> Body:
        error: dict[str, Any] = {"type": "card_error", "code": wrong.code, "message": "It was declined."}
        told = {
            "decline_code": wrong.decline,
            "advice_code": wrong.advice,
            "network_advice_code": wrong.network_advice,
        }
        error |= {name: value for name, value in told.items() if value}
        intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
        self._store.put(account, intent)
        self._hooks.tell(account, "payment_intent.payment_failed", intent)
        return intent

    def _charge(self, account: str, intent: Body, status: str) -> Body:
        kind = intent["payment_method_types"][0]
        details: Body = {"type": kind, kind: {}}
        if kind == "card":
            details["card"] = {"network_transaction_id": str(int(new_id("")[:12], 16)).zfill(15)[:15]}
        return self._store.put(
            account,
            {
                "id": new_id("ch_3" if kind == "card" else "py_3"),
                "object": "charge",
                "created": int(self._store.now(account)),
                "payment_intent": intent["id"],
                "payment_method": intent["payment_method"],
                "payment_method_details": details,
                "status": status,
            },
        )


def method_body(number: str, behaves: Behaviour, customer: str | None, created: int) -> Body:
    told = {"country": "FR", "fingerprint": f"fp{number[-12:].lower()}", "last4": number[-4:]}
    if behaves.kind == "card":
        told |= {"brand": behaves.brand, "exp_month": 12, "exp_year": 2034, "funding": "credit"}  # type: ignore[dict-item]
    return {
        "id": new_id("pm_1"),
        "object": "payment_method",
        "created": created,
        "customer": customer,
        "fake_number": number,
        "metadata": {},
        "type": behaves.kind,
        behaves.kind: told,
    }


def _unexpected(intent: Body, verb: str) -> Refusal:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return Refusal(400, message, code="payment_intent_unexpected_state", payment_intent=intent)
