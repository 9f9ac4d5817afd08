"""What Stripe says of the account itself, and of a payment method that the shop's own orders were paid with."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from marshmallow import fields, validate

from plugin_backend.gateways.stripe import amounts, asks, payload
from plugin_backend.gateways.stripe.api import Answer, Api
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer
from plugin_backend.sdk.gateway import CardStored, Checked, Flaw, Mode, PaidWith
from plugin_backend.sdk.payload import Country, Part, Slim, Text, clean
from plugin_backend.sdk.wording import N_

UNREACHABLE = Flaw(
    "unreachable", N_("Look at status.stripe.com, and whether this server may open https addresses")
)
_KEYS = N_("In Stripe's dashboard: Developers, API keys")
_RIGHTS = N_("In Stripe's dashboard: Developers, API keys, Edit key, with the rights that the README names")
_ACTIVATE = N_("In Stripe's dashboard: Settings, Business, Account status")
_METHODS = N_("In Stripe's dashboard: Settings, Payments, Payment methods")
_REVOKED = frozenset(("api_key_expired", "platform_api_key_expired", "account_invalid"))
# What payment modules leave in an order, under whatever name: ids that say themselves what they are.
_METHOD_ID = re.compile(r"pm_[A-Za-z0-9]{1,100}")
_INTENT_ID = re.compile(r"pi_[A-Za-z0-9]{1,100}")
_CHARGE_ID = re.compile(r"(?:ch|py)_[A-Za-z0-9]{1,100}")


class _Capabilities(Slim):
    sepa_debit_payments = Text()


class _Named(Slim):
    display_name = Text(limit=100)


class _Shown(Slim):
    dashboard = Part(_Named)


class _Missing(Slim):
    disabled_reason = Text(limit=100)


class _Account(Slim):
    id = fields.String(required=True, validate=validate.Regexp(r"acct_[A-Za-z0-9]{1,100}\Z"))
    charges_enabled = fields.Boolean(load_default=True)
    country = Country()
    capabilities = Part(_Capabilities)
    settings = Part(_Shown)
    requirements = Part(_Missing)


class _CountrySpec(Slim):
    supported_payment_currencies = fields.List(fields.String(), required=True)


class _PaidBy(Slim):
    """A payment intent or a charge. ``payment_method`` is an id."""

    status = fields.String(required=True)
    payment_method = fields.String(load_default="", allow_none=True)


def checked(api: Api, mode: Mode | Literal[""], *, sepa_debit: bool) -> Checked:
    """How the account stands. ``NotSent`` and ``NoAnswer`` where nobody can say."""
    answer = api.ask(asks.account())
    if not answer.good:
        return Checked((_flaw(answer),), mode)
    read = payload.load(_Account, answer.body)
    if read is None:
        return Checked((Flaw("refused", detail="the account could not be read"),), mode)
    flaws = []
    if not read["charges_enabled"]:
        flaws.append(Flaw("refused", _ACTIVATE, read["requirements"]["disabled_reason"]))
    if sepa_debit and read["capabilities"]["sepa_debit_payments"] != "active":
        flaws.append(Flaw("method_off", _METHODS))
    title = read["settings"]["dashboard"]["display_name"]
    return Checked(tuple(flaws), mode, _currencies(api, read["country"]), read["id"], title)


def _flaw(answer: Answer) -> Flaw:
    if answer.says("code") in _REVOKED:
        return Flaw("revoked", _KEYS)
    if answer.status == 401:
        return Flaw("wrong_key", _KEYS)
    if answer.status == 403:
        return Flaw("rights", _RIGHTS)
    return Flaw("refused", detail=clean(payload.why(answer), 100))


def _currencies(api: Api, country: str) -> frozenset[str] | None:
    """What can be charged by an account of this country; None where Stripe does not say."""
    read = payload.load(_CountrySpec, api.ask(asks.country(country)).body) if country else None
    if read is None:
        return None
    named = {code.upper() for code in read["supported_payment_currencies"]}
    return frozenset(code for code in named if amounts.takes(code))


def recognise(api: Api, paid: PaidWith) -> CardStored | None:
    """The method that the shop's own module stored with this account. One that was for that payment only has no customer,
    and could not be charged again."""
    method_id = _method_id(api, paid)
    answer = api.ask(asks.method(method_id)) if method_id else None
    if answer is None or answer.status == 404:
        return None
    method = payload.load(payload.Method, payload.good(answer, "payment method").body)
    if method is None:
        raise NoAnswer("payment method: the answer could not be read")
    if method["type"] != "card" or not method["customer"] or _is_expired(method["card"]):
        return None
    return payload.stored(method)


def _method_id(api: Api, paid: PaidWith) -> str:
    told = [paid.transaction_id, *paid.references.values()]
    named = next((value for value in told if _METHOD_ID.fullmatch(value)), "")
    if named:
        return named
    for value in told:
        if _INTENT_ID.fullmatch(value):
            return _paid_by(api.ask(asks.intent_again(value)))
        if _CHARGE_ID.fullmatch(value):
            return _paid_by(api.ask(asks.charge_again(value)))
    return ""


def _paid_by(answer: Answer) -> str:
    """What paid, "" where it was not paid, or this account knows nothing of it."""
    if answer.status == 404:
        return ""
    read = payload.load(_PaidBy, payload.good(answer, "payment").body)
    found = read["payment_method"] if read and read["status"] == "succeeded" else ""
    return str(found) if found and _METHOD_ID.fullmatch(found) else ""


def _is_expired(card: Mapping[str, Any]) -> bool:
    today = clock.now()
    return (card["exp_year"], card["exp_month"]) < (today.year, today.month)
