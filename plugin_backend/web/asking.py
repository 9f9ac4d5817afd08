"""What a shop's page brought, read: an amount, a language, and the basket that it may speak for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, UnprocessableEntity

from plugin_backend.core.log import find_cards
from plugin_backend.domain import inbox
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import CartChanged, Connector, PaymentFailed, ShopEvent
from plugin_backend.sdk.errors import BadSignature, Unreadable
from plugin_backend.sdk.http import Delivery
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import read_object, text_of
from plugin_backend.web.fronts import Front

_MOST_MINOR = 10**12
_LONGEST = 500
_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
_NO_BASKET = "message or token: speaks for no basket of this shop"


@dataclass(frozen=True, slots=True)
class Basket:
    """The names of the basket that a page may speak for, and the signed message that says so, if one does."""

    names: tuple[str, ...]
    delivery: Delivery | None = None

    def keep(self, session: Session, shop_id: str, front: Front) -> str | None:
        """Keep the message like any delivery of the shop's; its id."""
        if self.delivery is None:
            return None
        identity = front.adapter.identify(self.delivery)
        return inbox.keep(session, shop_id, front.source, identity, self.delivery)


def amount() -> Money:
    """The total that the query names; ``BadRequest`` where it is none."""
    currency, minor = request.args.get("currency", ""), request.args.get("amount_minor", "")
    try:
        if minor:
            if not (minor.isascii() and minor.isdecimal() and len(minor) <= 13):
                raise ValueError("not a whole number of minor units")
            total = Money(int(minor), currency)
        else:
            total = Money.parse(request.args.get("amount", ""), currency)
    except ValueError as error:
        raise BadRequest(f"amount: {error}") from None
    if not 0 < total.minor <= _MOST_MINOR:
        raise BadRequest("amount: nothing, or too much to be true")
    return total


def country() -> str:
    """Where the shopper lives, as far as the page says; "" else."""
    given = request.args.get("country", "").upper()
    return given if len(given) == 2 and given.isascii() and given.isalpha() else ""


def body() -> dict[str, Any]:
    """The JSON object that was sent, whatever its type is said to be. ``BadRequest`` for anything else; a card number in a
    field of it is refused, but for the signed message, in which it is masked where that is kept."""
    try:
        told = json.loads(request.get_data(cache=True))
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(told, dict):
        raise BadRequest("the body is not a JSON object")
    for name in ("token", "email", "lang"):
        if isinstance(told.get(name), str) and find_cards(told[name]):
            raise UnprocessableEntity(f"the field {name} must not hold a card number")
    return told


def language(told: dict[str, Any]) -> str:
    """The page's language as it names it; "" where it does not."""
    given = told.get("lang")
    return given if isinstance(given, str) and _TAG.fullmatch(given) else ""


def basket(adapter: Connector, told: dict[str, Any]) -> Basket:
    """The basket that a page may speak for: by a message that its shop signed just now, or by a name that nobody could
    guess. ``BadRequest`` for everything else, in the same words."""
    message, token = told.get("message"), told.get("token")
    if (message is None) == (token is None):
        raise BadRequest("exactly one of message and token is needed")
    if message is not None:
        return _signed(adapter, message)
    names = adapter.basket_keys(token) if isinstance(token, str) and len(token) <= _LONGEST else ()
    if not names:
        raise BadRequest(_NO_BASKET)
    return Basket(names)


def plan(adapter: Connector) -> str:
    """The plan that the query's message names, which the shop signed just now; "" for everything else."""
    delivery = _delivery(request.args)
    try:
        adapter.verify(delivery)
        said = read_object(delivery.body)
    except (BadSignature, Unreadable):
        return ""
    told = said.get("data")
    return text_of(told.get("plan")) if said.get("type") == "plan.opened" and isinstance(told, dict) else ""


def _signed(adapter: Connector, message: Any) -> Basket:
    delivery = _delivery(message)
    try:
        adapter.verify(delivery)
        names = [name for event in adapter.parse(delivery) for name in _names(event)]
    except (BadSignature, Unreadable):
        names = []
    if not names:
        raise BadRequest(_NO_BASKET)
    return Basket(tuple(dict.fromkeys(names)), delivery)


def _delivery(message: Any) -> Delivery:
    """A signed message as if it had come with its headers."""
    told: Mapping[str, Any] = message if isinstance(message, Mapping) else {}
    headers = {
        f"webhook-{name}": value
        for name in ("id", "timestamp", "signature")
        if isinstance(value := told.get(name), str) and value.isascii() and len(value) <= _LONGEST
    }
    text = told.get("body")
    try:
        raw = text.encode() if isinstance(text, str) else b""
    except UnicodeEncodeError:
        raw = b""
    return Delivery(headers | {"content-type": "application/json"}, raw, clock.real_now())


def _names(event: ShopEvent) -> tuple[str, ...]:
    match event:
        case CartChanged(key=key, aliases=aliases):
            return (key, *aliases)
        case PaymentFailed(key=key, cart=cart):
            return (key, *_names(cart)) if cart else (key,)
        case _:
            return ()
