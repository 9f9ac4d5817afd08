"""Customers, the hosted page that stores a card or a bank account, and what it stored."""

from tests.contract.stripe_fake import errors
from tests.contract.stripe_fake.cards import NUMBERS
from tests.contract.stripe_fake.errors import Refusal
from tests.contract.stripe_fake.hooks import Hooks
from tests.contract.stripe_fake.payments import method_body
from tests.contract.stripe_fake.store import Body, Store, new_id


class Setups:
    def __init__(self, store: Store, hooks: Hooks, url: str) -> None:
        self._store, self._hooks, self._url = store, hooks, url

    def customer(self, account: str, form: Body) -> Body:
        errors.check("customers", form)
        return self._store.put(
            account,
            {
                "id": new_id("cus_"),
                "object": "customer",
                "created": int(self._store.now(account)),
                "email": form.get("email"),
                "metadata": form.get("metadata") or {},
            },
        )

    def begin(self, account: str, form: Body) -> Body:
        errors.check("checkout/sessions", form)
        if errors.need(form, "mode") != "setup":
            raise Refusal(400, "Only setup mode is played here", param="mode")
        customer = self._store.get(account, str(form.get("customer")), "customer")
        if customer is None:
            raise Refusal(400, "No such customer", code="resource_missing", param="customer")
        kinds = errors.need(form, "payment_method_types")
        if "sepa_debit" in kinds and not self._store.facts(account).get("sepa_debit"):
            raise Refusal(400, "The payment method type sepa_debit is invalid", param="payment_method_types")
        told = form.get("setup_intent_data") or {}
        intent = self._store.put(
            account,
            {
                "id": new_id("seti_1"),
                "object": "setup_intent",
                "created": int(self._store.now(account)),
                "customer": customer["id"],
                "metadata": told.get("metadata") or {},
                "payment_method": None,
                "status": "requires_payment_method",
            },
        )
        name = new_id("cs_test_")
        return self._store.put(
            account,
            {
                "id": name,
                "object": "checkout.session",
                "client_reference_id": form.get("client_reference_id"),
                "created": intent["created"],
                "customer": customer["id"],
                "metadata": form.get("metadata") or {},
                "mode": "setup",
                "payment_method_types": kinds,
                "setup_intent": intent["id"],
                "status": "open",
                "success_url": errors.need(form, "success_url"),
                "url": f"{self._url}/c/pay/{account}/{name}",
            },
        )

    def session(self, account: str, name: str) -> Body:
        """A page is over after a day."""
        found = self._store.get(account, name, "checkout.session")
        if found is None:
            raise Refusal(404, f"No such checkout.session: {name}", code="resource_missing")
        if found["status"] == "open" and self._store.now(account) - found["created"] > 86_400:
            found |= {"status": "expired", "url": None}
            self._store.put(account, found)
        return found

    def typed(self, account: str, name: str, number: str) -> Body:
        """The customer gave a number and pressed the button. One that is refused leaves the page open."""
        session = self.session(account, name)
        behaves = NUMBERS.get(number)
        if session["status"] != "open" or behaves is None or not behaves.stored:
            return session
        if behaves.kind not in session["payment_method_types"]:
            return session
        intent = self._store.get(account, session["setup_intent"]) or {}
        method = method_body(number, behaves, session["customer"], int(self._store.now(account)))
        self._store.put(account, method)
        self._store.put(account, intent | {"status": "succeeded", "payment_method": method["id"]})
        session |= {"status": "complete", "url": None}
        self._store.put(account, session)
        self._hooks.tell(account, "checkout.session.completed", session)
        return session

    def method(self, account: str, name: str) -> Body:
        found = self._store.get(account, name, "payment_method")
        if found is None:
            raise Refusal(404, "No such PaymentMethod", code="resource_missing", param="payment_method")
        return found

    def detach(self, account: str, name: str, form: Body) -> Body:
        errors.check("detach", form)
        found = self.method(account, name)
        if found["customer"] is None:
            raise Refusal(
                400,
                "The payment method you provided is not attached to a customer so detachment is impossible.",
            )
        found |= {"customer": None, "fake_detached": True}
        self._store.put(account, found)
        self._hooks.tell(account, "payment_method.detached", found)
        return found

    def renewed(self, account: str, name: str, last4: str, year: int) -> Body:
        found = self.method(account, name)
        found["card"] |= {"last4": last4, "exp_year": year}
        self._store.put(account, found)
        self._hooks.tell(account, "payment_method.automatically_updated", found)
        return found
