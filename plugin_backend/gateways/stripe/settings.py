"""What a merchant fills in to connect his Stripe account, and what the page tells him meanwhile."""

import re
from collections.abc import Mapping
from typing import Literal

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.gateways.stripe.api import ADDRESS
from plugin_backend.sdk.accounts import AccountGuide, Mode
from plugin_backend.sdk.wording import N_

_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]{8,255}")


def _secret_key(text: str) -> None:
    if text.startswith("pk_"):
        raise ValidationError("This is the publishable key. The secret one begins with sk_ or rk_.")
    if not _KEY.fullmatch(text):
        raise ValidationError("A secret key begins with sk_test_, sk_live_, rk_test_ or rk_live_.")


def _signing_secret(text: str) -> None:
    if not re.fullmatch(r"whsec_[A-Za-z0-9+/=_-]{8,255}", text):
        raise ValidationError("A signing secret begins with whsec_.")


def _address(text: str) -> None:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValidationError("Not an address that begins with http:// or https://.")


class StripeSettings(Schema):
    """The account's secret or restricted key, the signing secret of its webhook endpoint, and whether SEPA debits are
    offered beside cards. ``url`` is another one than Stripe's for tests only."""

    api_key = fields.String(required=True, validate=_secret_key, metadata={"secret": True})
    webhook_secret = fields.String(
        required=True, validate=_signing_secret, metadata={"secret": True, "verifies": True}
    )
    sepa_debit = fields.Boolean(load_default=False)
    url = fields.String(load_default=ADDRESS, validate=[validate.Length(max=500), _address])


def mode_of(settings: Mapping[str, str]) -> Mode | Literal[""]:
    """Of which mode the account is, as its key says. Where only the door's settings are there, they say it."""
    found = _KEY.fullmatch(settings.get("api_key", ""))
    said = found[1] if found else settings.get("mode", "")
    return "test" if said == "test" else "live" if said == "live" else ""


GUIDE = AccountGuide(
    steps=(
        N_(
            "In Stripe's dashboard, choose test mode or live mode first: keys and endpoints of one do not work in the other."
        ),
        N_(
            "Open Developers, API keys, and copy the secret key. A restricted key will do as well, as the README says."
        ),
        N_(
            "Open Developers, Webhooks, and add an endpoint with the address %(callback_url)s. The README has the list of the"
            " events to choose for it."
        ),
        N_("Open that endpoint and copy its signing secret, which begins with whsec_."),
        N_(
            "Leave subscriptions and retries in Stripe alone: when something is charged is decided here only."
        ),
    ),
    labels={
        "api_key": N_("Secret key (sk_... or rk_...)"),
        "webhook_secret": N_("Signing secret of the endpoint (whsec_...)"),
        "sepa_debit": N_("Offer SEPA direct debit beside cards"),
        "url": N_("Address of Stripe's API (leave it as it is)"),
    },
)
