"""What is asked of Stripe, in the words of its library. The same asked twice is the same bytes, under the same key."""

from collections.abc import Callable

from stripe import StripeClient, StripeObject
from stripe.params import (
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    RefundListParams,
)
from stripe.params.checkout import SessionCreateParams

from plugin_backend.gateways.stripe.amounts import to_stripe
from plugin_backend.gateways.stripe.payload import REFERENCE, SEPA, kind_and_id
from plugin_backend.sdk.gateway import ChargeRequest, RefundRequest, SetupRequest
from plugin_backend.sdk.payload import clean

Call = Callable[[StripeClient], StripeObject]

_MOST_LISTED = 100
# A description may have a thousand characters, a value of metadata five hundred.
_DESCRIPTION, _VALUE = 1000, 500
# The languages of the hosted page (docs.stripe.com/api/checkout/sessions/create); any other is the browser's.
_LANGUAGES = frozenset(
    "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru sk sl sv th"
    " tr vi zh zh-HK zh-TW".split()
)


def customer(request: SetupRequest) -> Call:
    """Whose the payment method will be: without a customer it could be charged once only."""
    key = f"{request.reference}-customer"
    named = {"reprise_customer": clean(request.customer, _VALUE)}
    if request.email:
        return lambda api: api.v1.customers.create(
            {"email": request.email, "metadata": named}, {"idempotency_key": key}
        )
    return lambda api: api.v1.customers.create({"metadata": named}, {"idempotency_key": key})


def page(request: SetupRequest, customer_id: str) -> Call:
    """The hosted page. It stores and does not charge: the first payment comes after it, for the amount the shop then
    confirms. ``setup`` mode stores for payments without the customer, and authenticates for that."""
    ours = {REFERENCE: request.reference}
    asked: SessionCreateParams = {
        "mode": "setup",
        "customer": customer_id,
        "success_url": request.return_url,
        "cancel_url": request.return_url,
        "locale": _language(request.locale),
        "client_reference_id": request.reference,
        "metadata": ours,
        "setup_intent_data": {"description": clean(request.description, _DESCRIPTION), "metadata": ours},
    }
    kinds = [SEPA if request.kind == SEPA else "card"]
    asked["payment_method_types"] = kinds  # type: ignore[typeddict-unknown-key]
    return lambda api: api.v1.checkout.sessions.create(asked, {"idempotency_key": request.reference})


def page_again(page_id: str) -> Call:
    return lambda api: api.v1.checkout.sessions.retrieve(page_id, {"expand": ["setup_intent.payment_method"]})


def create(request: ChargeRequest) -> Call:
    """A payment of which no bank knows yet. ``NotTaken`` where Stripe has no such amount."""
    kind, method_id = kind_and_id(request.token)
    asked: PaymentIntentCreateParams = {
        "amount": to_stripe(request.amount),
        "currency": request.amount.currency.lower(),
        "payment_method": method_id,
        "description": clean(request.description, _DESCRIPTION),
        "metadata": {
            REFERENCE: request.reference,
            "reprise_collection": clean(request.collection, _VALUE),
            "reprise_series": request.series,
        },
    }
    asked["payment_method_types"] = [kind]  # type: ignore[typeddict-unknown-key]
    if request.gateway_customer:
        asked["customer"] = request.gateway_customer
    if request.authenticate and kind == "card":
        asked["setup_future_usage"] = "off_session"
        asked["payment_method_options"] = {"card": {"request_three_d_secure": "any"}}
    return lambda api: api.v1.payment_intents.create(asked, {"idempotency_key": request.reference})


def confirm(request: ChargeRequest, intent_id: str, *, again: bool = False) -> Call:
    """The bank is asked. Without the customer, or without a page to bring him back to, a payment that he would have to confirm
    fails at once instead of waiting for him. A debit never waits for anybody: its mandate was given before."""
    kind, _ = kind_and_id(request.token)
    present = request.initiator == "customer" and kind == "card"
    asked: PaymentIntentConfirmParams = {"expand": ["latest_charge"]}
    if not present:
        asked["off_session"] = True
    if present and request.return_url:
        asked["return_url"] = request.return_url
    elif kind == "card":
        asked["error_on_requires_action"] = True
    key = f"{request.reference}-confirm" + ("-again" if again else "")
    return lambda api: api.v1.payment_intents.confirm(intent_id, asked, {"idempotency_key": key})


def intent_again(intent_id: str) -> Call:
    return lambda api: api.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})


def cancel(intent_id: str, reference: str) -> Call:
    key = f"{reference}-cancel"
    return lambda api: api.v1.payment_intents.cancel(
        intent_id, {"cancellation_reason": "abandoned"}, {"idempotency_key": key}
    )


def intents(since: int | None, after: str, *, customer: str = "") -> Call:
    asked: PaymentIntentListParams = {"limit": _MOST_LISTED, "expand": ["data.latest_charge"]}
    if customer:
        asked["customer"] = customer
    if since is not None:
        asked["created"] = {"gte": since}
    if after:
        asked["starting_after"] = after
    return lambda api: api.v1.payment_intents.list(asked)


def refund(request: RefundRequest) -> Call:
    metadata = {REFERENCE: request.reference, "reprise_charge": request.charge_reference}
    if request.reason:
        metadata["reprise_reason"] = clean(request.reason, _VALUE)
    units = to_stripe(request.amount)
    return lambda api: api.v1.refunds.create(
        {"payment_intent": request.charge_gateway_id, "amount": units, "metadata": metadata},
        {"idempotency_key": request.reference},
    )


def refund_again(refund_id: str) -> Call:
    return lambda api: api.v1.refunds.retrieve(refund_id)


def refunds(since: int | None, after: str, *, intent: str = "") -> Call:
    asked: RefundListParams = {"limit": _MOST_LISTED}
    if intent:
        asked["payment_intent"] = intent
    if since is not None:
        asked["created"] = {"gte": since}
    if after:
        asked["starting_after"] = after
    return lambda api: api.v1.refunds.list(asked)


def method(token: str) -> Call:
    _, method_id = kind_and_id(token)
    return lambda api: api.v1.payment_methods.retrieve(method_id)


def account() -> Call:
    return lambda api: api.v1.accounts.retrieve_current()


def country(code: str) -> Call:
    return lambda api: api.v1.country_specs.retrieve(code)


def charge_again(charge_id: str) -> Call:
    return lambda api: api.v1.charges.retrieve(charge_id)


def detach(token: str) -> Call:
    _, method_id = kind_and_id(token)
    return lambda api: api.v1.payment_methods.detach(
        method_id, None, {"idempotency_key": f"detach-{method_id}"}
    )


def _language(locale: str) -> str:
    """The page's language for a tag such as ``fr-FR``."""
    tag = locale.replace("_", "-")
    plain = tag.partition("-")[0].lower()
    return next((one for one in (tag, plain) if one in _LANGUAGES), "auto")
