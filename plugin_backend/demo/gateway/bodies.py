"""The requests of the API, read strictly: what is not asked for in the documentation is refused."""

from functools import cache
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.sdk.money import EXPONENTS

REFERENCE = validate.Regexp(r"[A-Za-z0-9._:-]{1,64}\Z")
_TEXT = validate.Length(max=500)
_SERIES = validate.OneOf(["instalment", "subscription"])


def _address(text: str) -> None:
    if text and not text.startswith(("http://", "https://")):
        raise ValidationError("not an http address")


class _Body(Schema):
    class Meta:
        unknown = RAISE


class AmountBody(_Body):
    """Minor units of an ISO 4217 currency, more than nothing."""

    amount = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=10**12))
    currency = fields.String(required=True, validate=validate.OneOf(list(EXPONENTS)))


class SetupBody(_Body):
    reference = fields.String(required=True, validate=REFERENCE)
    amount = fields.Nested(AmountBody, required=True)
    return_url = fields.String(required=True, validate=[validate.Length(min=1, max=2000), _address])
    callback_url = fields.String(load_default="", validate=[validate.Length(max=2000), _address])
    customer = fields.String(load_default="", validate=_TEXT)
    locale = fields.String(load_default="en", validate=validate.Length(max=35))
    description = fields.String(load_default="", validate=_TEXT)
    series = fields.String(required=True, validate=_SERIES)
    method = fields.String(load_default="card", validate=validate.OneOf(["card", "sepa_debit"]))


class ChargeBody(_Body):
    reference = fields.String(required=True, validate=REFERENCE)
    amount = fields.Nested(AmountBody, required=True)
    token = fields.String(required=True, validate=_TEXT)
    initiator = fields.String(required=True, validate=validate.OneOf(["customer", "merchant"]))
    series = fields.String(required=True, validate=_SERIES)
    description = fields.String(load_default="", validate=_TEXT)
    collection = fields.String(load_default="", validate=_TEXT)
    authenticate = fields.Boolean(load_default=False)
    return_url = fields.String(load_default="", validate=[validate.Length(max=2000), _address])
    callback_url = fields.String(load_default="", validate=[validate.Length(max=2000), _address])


class RefundBody(_Body):
    reference = fields.String(required=True, validate=REFERENCE)
    charge = fields.String(required=True, validate=_TEXT)
    amount = fields.Nested(AmountBody, required=True)
    reason = fields.String(load_default="", validate=_TEXT)
    callback_url = fields.String(load_default="", validate=[validate.Length(max=2000), _address])


class CardNewsBody(_Body):
    """What the network says of a card: everything that is on it, and whether it is closed."""

    reference = fields.String(required=True, validate=REFERENCE)
    last4 = fields.String(load_default="4242", validate=validate.Regexp(r"[0-9]{4}\Z"))
    month = fields.Integer(load_default=12, strict=True, validate=validate.Range(1, 12))
    year = fields.Integer(load_default=2040, strict=True, validate=validate.Range(2000, 2999))
    closed = fields.Boolean(load_default=False)


class TokenBody(_Body):
    token = fields.String(required=True, validate=_TEXT)


@cache
def _made(schema: type[Schema]) -> Schema:
    """One for all requests: to make one costs more than to read with it."""
    return schema()


def read(schema: type[Schema], given: object) -> dict[str, Any]:
    """The fields of a request. ``Rejected`` with 422 names those that cannot be read, never a value."""
    try:
        loaded: dict[str, Any] = _made(schema).load(given)  # type: ignore[arg-type]
    except ValidationError as error:
        names = ", ".join(sorted(map(str, error.messages_dict)))
        raise Rejected(422, "invalid_request", f"Cannot read: {names}") from error
    return loaded
