"""What a custom shop answers to our calls. What it sends by itself is read by ``sdk.standard_payload``."""

from datetime import datetime
from typing import Any

from plugin_backend.sdk.connector import CartChanged, OrderCancelled, OrderPlaced, Reserved
from plugin_backend.sdk.errors import NoAnswer, Unreadable
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import Anything, Flag, Key, Moment, Slim, Text, load, read_object, required
from plugin_backend.sdk.standard_payload import amount_of, cart_of


class _Answer(Slim):
    order_id = Key()
    cart = Anything()
    order = Anything()


class _Order(Slim):
    id = Key(required=True)
    at = Moment()
    paid = Flag()
    cancelled = Flag()
    reference = Text(limit=200)


_ANSWER, _ORDER = _Answer(), _Order()


def reserved(body: bytes) -> Reserved:
    """``{"order_id": "...", "amount_minor": ..., "currency": "..."}``; ``NoAnswer`` where it cannot be read: the shop
    may hold an order, and is asked again under the same key."""
    try:
        answer = read_object(body)
        return Reserved(order_key(body), amount_of(answer))
    except Unreadable as error:
        raise NoAnswer(f"the shop's answer cannot be read: {error}") from None


def order_key(body: bytes) -> str:
    """``NoAnswer`` where the answer names no order."""
    try:
        name = load(_ANSWER, read_object(body))["order_id"]
    except Unreadable as error:
        raise NoAnswer(f"the shop's answer cannot be read: {error}") from None
    if not name:
        raise NoAnswer("order_id: missing in the shop's answer")
    return f"order:{name}"


def state(body: bytes, at: datetime) -> CartChanged | OrderPlaced | OrderCancelled | None:
    """``{"order": {...}}`` or ``{"cart": {...}}``, of which the order counts; None where there is neither."""
    try:
        answer = load(_ANSWER, read_object(body))
        if answer["order"] is not None:
            return _order(answer["order"], at)
        return None if answer["cart"] is None else cart_of(answer["cart"], at, "cart.")
    except Unreadable as error:
        raise NoAnswer(f"the shop's answer cannot be read: {error}") from None


def _order(value: Any, at: datetime) -> OrderPlaced | OrderCancelled:
    read = load(_ORDER, value if isinstance(value, dict) else {}, "order.")
    moment = required(read["at"] or at, "order.at")
    if read["cancelled"]:
        return OrderCancelled(f"order:{read['id']}", moment, read["reference"])
    total: Money | None = (
        amount_of(value, "order.") if isinstance(value, dict) and "currency" in value else None
    )
    return OrderPlaced(
        order_key=f"order:{read['id']}",
        placed_at=moment,
        total=total,
        our_reference=read["reference"],
        paid=bool(read["paid"]),
    )
