"""The settings of a PayXpert account, and what an owner is told about them."""

import re

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.sdk.gateway import AccountGuide
from plugin_backend.sdk.wording import N_

CONNECT2PAY = "https://connect2.payxpert.com"


def _address(text: str) -> None:
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValidationError("Not an address that begins with http:// or https://.")


class PayXpertSettings(Schema):
    """``mode`` is what the originator is: PayXpert tells it of a transaction, and of an account never.
    ``context_place`` is where ``payment.context`` belongs in a request: PayXpert names the words and, in public, not the
    place; "" sends none. ``absent_seconds`` is for how long a silence of PayXpert's proves nothing, ``lag_seconds`` for
    how long its export may lack a transaction."""

    originator = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 200), metadata={"secret": True})
    mode = fields.String(load_default="test", validate=validate.OneOf(["test", "live"]))
    callback_url = fields.String(load_default="", validate=_address)
    url = fields.String(load_default=CONNECT2PAY, validate=[validate.Length(min=1), _address])
    theme = fields.String(load_default="", validate=validate.Regexp(r"[0-9]{0,9}\Z"))
    context_place = fields.String(
        load_default="", validate=validate.Regexp(r"([A-Za-z]{1,40}(\.[A-Za-z]{1,40}){0,3})?\Z")
    )
    absent_seconds = fields.Integer(load_default=1800, validate=validate.Range(1, 86_400))
    lag_seconds = fields.Integer(load_default=900, validate=validate.Range(0, 86_400))


GUIDE = AccountGuide(
    steps=(
        N_("PayXpert gives you an originator and its password, by mail, when it opens your account."),
        N_("A test originator and a live one are two accounts: say below which of them this is."),
        N_("Our address for callbacks goes along with each payment: there is nothing to enter at PayXpert."),
    ),
    labels={
        "originator": N_("Originator"),
        "password": N_("Password of the originator"),
        "mode": N_("Test or live originator"),
        "callback_url": N_("Address of callbacks"),
        "url": N_("Address of Connect2Pay"),
        "theme": N_("Number of a theme of the payment page"),
        "context_place": N_("Place of payment.context in requests"),
        "absent_seconds": N_("Seconds for which silence proves nothing"),
        "lag_seconds": N_("Seconds by which the list of transactions may lag"),
    },
)
