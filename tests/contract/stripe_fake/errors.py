"""How the fake says no, and which parameters it knows (docs.stripe.com/api, as of 2026-03)."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An answer that is an error. ``kept``: was the request's execution begun, so that its key keeps the answer?"""

    def __init__(self, status: int, message: str, *, kept: bool = False, **error: Any) -> None:
        super().__init__(message)
        self.status, self.kept = status, kept
        self.body = {"error": {"type": "invalid_request_error", "message": message, **error}}


KNOWN = {
    "customers": {"email", "metadata", "name", "description"},
    "checkout/sessions": {
        *("mode", "customer", "payment_method_types", "success_url", "cancel_url", "locale"),
        *("client_reference_id", "metadata", "setup_intent_data", "currency", "expand"),
    },
    "payment_intents": {
        *(
            "amount",
            "currency",
            "customer",
            "payment_method",
            "payment_method_types",
            "description",
            "metadata",
        ),
        *("setup_future_usage", "payment_method_options", "expand", "statement_descriptor_suffix"),
    },
    "confirm": {
        "off_session",
        "error_on_requires_action",
        "return_url",
        "expand",
        "payment_method",
        "mandate",
    },
    "cancel": {"cancellation_reason", "expand"},
    "refunds": {"payment_intent", "amount", "reason", "metadata", "expand"},
    "detach": {"expand"},
}
MOST_METADATA, MOST_VALUE, MOST_DESCRIPTION = 50, 500, 1000
_ZERO = set("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
_THREE = set("bhd jod kwd omr tnd".split())
_WHOLE = {"isk", "ugx"}
_TWO = set("eur usd gbp chf sek nok dkk pln czk huf cad aud rub ron bgn".split())
CURRENCIES = sorted(_ZERO | _THREE | _WHOLE | _TWO)


def check(what: str, form: Mapping[str, Any]) -> None:
    """A parameter that nobody knows, or a text that is too long, is refused."""
    unknown = set(form) - KNOWN[what]
    if unknown:
        name = sorted(unknown)[0]
        raise Refusal(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    metadata = form.get("metadata") or {}
    if len(metadata) > MOST_METADATA or any(len(value) > MOST_VALUE for value in metadata.values()):
        raise Refusal(400, "Metadata values can have up to 500 characters", param="metadata")
    if len(form.get("description", "")) > MOST_DESCRIPTION:
        raise Refusal(400, "Invalid string: must be at most 1000 characters", param="description")


def need(form: Mapping[str, Any], name: str) -> Any:
    if form.get(name) in (None, ""):
        raise Refusal(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    return form[name]


def amount(form: Mapping[str, Any], currency: str) -> int:
    """Units as Stripe counts them; what the networks cannot carry is refused."""
    text = str(need(form, "amount"))
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise Refusal(400, "Invalid integer", code="parameter_invalid_integer", param="amount")
    units = int(text)
    if (currency in _THREE and units % 10) or (currency in _WHOLE and units % 100):
        raise Refusal(400, "Invalid amount", code="invalid_charge_amount", param="amount")
    if units > 99_999_999:
        raise Refusal(400, "Amount must be no more than 999,999.99", code="amount_too_large", param="amount")
    return units


def currency(form: Mapping[str, Any], taken: str) -> str:
    """``taken`` is the only one that the account takes, "" where it takes all."""
    code = str(need(form, "currency")).lower()
    if code not in CURRENCIES or (taken and code != taken.lower()):
        raise Refusal(400, f"Invalid currency: {code}.", code="currency_not_supported", param="currency")
    return code
