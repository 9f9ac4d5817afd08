"""PayXpert's answers and callbacks, read strictly. What cannot be read is no answer: it is never a decline."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from plugin_backend.gateways.payxpert.handles import TRANSACTION
from plugin_backend.sdk.errors import NoAnswer, NotOurs, Unreadable
from plugin_backend.sdk.gateway import ChargeChanged, GatewayEvent, SetupChanged
from plugin_backend.sdk.money import EXPONENTS, Money
from plugin_backend.sdk.payload import Country, Slim, Text, clean, read_object, text_of

# What begins a reference of ours: of a charge and of a set-up. PayXpert calls it the order's id.
CHARGE, SETUP = ("rp-", "probe-"), "set_"
OURS = (*CHARGE, SETUP)
_ID = validate.Regexp(rf"{TRANSACTION.pattern}\Z")
_MOST_MILLISECONDS = 253_402_300_799_000
_MOST_EVENTS = 50


class _Means(Slim):
    cardNumber = Text()
    cardBrand = Text(limit=40)
    cardExpireMonth = Text()
    cardExpireYear = Text()
    cardToken = Text()
    iinCountry = Country()


class _Transaction(Slim):
    transactionID = fields.String(required=True, validate=_ID)
    refTransactionID = Text()
    paymentMerchantToken = Text()
    operation = fields.String(required=True, validate=validate.Length(1, 40))
    resultCode = Text()
    status = Text()
    amount = fields.Integer(required=True, strict=True, validate=validate.Range(0, 10**12))
    currency = fields.String(required=True, validate=validate.OneOf(list(EXPONENTS)))
    date = fields.Integer(required=True, strict=True, validate=validate.Range(0, _MOST_MILLISECONDS))
    orderID = Text()
    isTest = fields.Boolean(load_default=None, allow_none=True)
    paymentMeanInfo = fields.Dict(load_default=dict, allow_none=True)


class _Method(Slim):
    paymentMethod = fields.String(required=True)
    currencies = fields.List(fields.String(), load_default=list, allow_none=True)


class _Account(Slim):
    name = Text()
    paymentMethods = fields.List(fields.Nested(_Method), required=True)


@dataclass(frozen=True, slots=True)
class Means:
    """The card of a transaction, as far as the account may see it; "" and 0 where it may not."""

    brand: str
    last4: str
    month: int
    year: int
    fingerprint: str = field(repr=False)
    country: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """One line of PayXpert's books. ``at`` is its real time; ``order`` the reference that was given with it, or with the
    payment it belongs to; ``parent`` the transaction it acts on."""

    id: str
    parent: str
    merchant: str = field(repr=False)
    operation: str
    code: str
    status: str
    amount: Money
    at: datetime
    order: str
    test: bool | None
    means: Means

    @property
    def done(self) -> bool:
        """PayXpert has said "Authorized" and "Accepted" of the same thing: its code decides, never the word."""
        return self.code == "000"


@dataclass(frozen=True, slots=True)
class Payment:
    """A prepared payment and all that happened to it; ``status`` is PayXpert's word for the whole."""

    status: str
    code: str
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """``currencies`` are those in which it takes cards; None where it takes none."""

    title: str
    currencies: frozenset[str] | None


def transaction(body: dict[str, Any]) -> Transaction:
    """One transaction, by itself or as the answer to a question about it; ``NoAnswer`` where it cannot be read."""
    found = body.get("transaction", body)
    read = _load(_Transaction, found) if isinstance(found, dict) else None
    if read is None:
        raise NoAnswer("the transaction could not be read")
    return _transaction(read)


def payment(body: dict[str, Any]) -> Payment:
    """``NoAnswer`` where any part of it cannot be read: a transaction passed over could be the one that took money."""
    listed = body.get("transactions", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise NoAnswer("the payment could not be read")
    status = clean(text_of(body.get("status")), 40)
    if not status and not listed:
        raise NoAnswer("the payment could not be read")
    code = clean(text_of(body.get("errorCode")), 10)
    return Payment(status, code, tuple(transaction(one) for one in listed))


def exported(body: dict[str, Any]) -> list[Transaction]:
    """Those of a list that are about us, by their reference. The merchant's other business is not ours to read."""
    listed = body.get("transactions")
    if not isinstance(listed, list):
        raise NoAnswer("the list could not be read")
    ours = (one for one in listed if isinstance(one, dict) and is_ours(text_of(one.get("orderID"))))
    return [transaction(one) for one in ours]


def is_ours(order: str) -> bool:
    return order.startswith(OURS)


def account(body: dict[str, Any]) -> Account:
    read = _load(_Account, body)
    if read is None:
        raise NoAnswer("the account could not be read")
    cards = [method for method in read["paymentMethods"] if method["paymentMethod"] == "CreditCard"]
    taken = frozenset(currency for method in cards for currency in method["currencies"] or [])
    return Account(read["name"], taken if cards else None)


def events(body: bytes) -> list[GatewayEvent]:
    """Whom a callback is about, and nothing else of it: it is not signed, so that all of it is read again. ``NotOurs`` where
    it is about no payment of ours, though only ours name this address."""
    told = read_object(body)
    if not isinstance(told.get("merchantToken"), str) or not told["merchantToken"]:
        raise Unreadable("merchantToken: missing")
    order = told.get("order")
    named = [text_of(order.get("id"))] if isinstance(order, dict) else []
    listed = told.get("transactions")
    if isinstance(listed, list):
        named += [text_of(one.get("orderID")) for one in listed[:_MOST_EVENTS] if isinstance(one, dict)]
    about = [name for name in dict.fromkeys(clean(name, 100) for name in named) if is_ours(name)]
    if not about:
        raise NotOurs("the callback is about no payment that was asked for here")
    return [SetupChanged(name) if name.startswith(SETUP) else ChargeChanged(name) for name in about]


def topic(body: bytes) -> str:
    try:
        told = read_object(body)
    except Unreadable:
        return ""
    return clean(text_of(told.get("operation")), 64)


def _transaction(read: dict[str, Any]) -> Transaction:
    return Transaction(
        id=read["transactionID"],
        parent=read["refTransactionID"],
        merchant=read["paymentMerchantToken"],
        operation=read["operation"],
        code=read["resultCode"],
        status=read["status"],
        amount=Money(read["amount"], read["currency"]),
        at=datetime.fromtimestamp(read["date"] // 1000, UTC),
        order=read["orderID"],
        test=read["isTest"],
        means=_means(read["paymentMeanInfo"] or {}),
    )


def _means(found: dict[str, Any]) -> Means:
    read = _load(_Means, found) or _made(_Means).load({})
    month, year = _number(read["cardExpireMonth"]), _number(read["cardExpireYear"])
    known = 1 <= month <= 12 and 2000 <= year <= 2999
    last4 = read["cardNumber"][-4:]
    return Means(
        brand=read["cardBrand"].lower(),
        last4=last4 if last4.isdecimal() else "",
        month=month if known else 0,
        year=year if known else 0,
        fingerprint=read["cardToken"],
        country=read["iinCountry"],
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 0


@cache
def _made(schema: type[Schema]) -> Schema:
    """One for all answers: to make one costs more than to read with it."""
    return schema()


def _load(schema: type[Schema], value: Any) -> dict[str, Any] | None:
    try:
        loaded: dict[str, Any] = _made(schema).load(value)
    except ValidationError:
        return None
    return loaded
