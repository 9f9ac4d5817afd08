"""Asking for what changed: lists of orders, for whatever no webhook told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from connectors.woocommerce.api import Api, Listed
from connectors.woocommerce.payload import Order, decline_noted, events_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import (
    OrderCancelled,
    OrderFulfilled,
    OrderPlaced,
    OrderRefunded,
    Page,
    PaymentFailed,
    ShopEvent,
)
from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.payload import Whole

_SIZE = 100
# How often the place of a page is looked for, in a list that changes meanwhile.
_TRIES = 12
# Why a payment failed is looked up where that was lately: an offer is made at once or never.
_LATELY = timedelta(days=1)
# A basket is an order that is not paid yet; one in the trash was removed. Drafts are the block checkout's: a shop without it
# knows no such status, and refuses the whole list for it.
_DRAFT = "checkout-draft,"
_STATUSES = {"carts": f"{_DRAFT}pending,failed,trash", "orders": "any"}
_NUMBER = Whole()
# What is read of an order: all else costs the shop time to put together, seconds for a hundred orders.
_ORDER = (
    "id,status,currency,total,date_created_gmt,date_modified_gmt,date_paid_gmt,date_completed_gmt,customer_id,created_via,"
    "payment_method,billing,shipping,refunds,meta_data"
)
_FIELDS = {"carts": f"{_ORDER},line_items,payment_url", "orders": _ORDER}


def fetch(api: Api, kind: Literal["carts", "orders"], since: datetime, cursor: str) -> Page:
    """Orders changed since then, by number, a hundred at a time.

    The API turns pages by counting, and an order that leaves the list meanwhile (a basket that is paid) moves all behind
    it up by one. So each page must begin at the number that was seen last, or at one before it, and end behind it: where
    it does not, something has moved, and the place is looked for.
    """
    begin, seen = _place(cursor)
    for _ in range(_TRIES):
        answer = _asked(api, kind, since, begin)
        listed = [value for value in answer.objects if isinstance(value, dict)]
        numbers = [_number(value) for value in listed]
        if begin and not (numbers and numbers[0] <= seen):
            begin = max(0, begin - _SIZE)
        elif len(listed) >= _SIZE and numbers[-1] <= seen:
            begin += _SIZE - 1
        else:
            return _page(api, answer, kind, begin, seen)
    raise NoAnswer("the shop shows the same orders again and again")


def _page(api: Api, answer: Listed, kind: Literal["carts", "orders"], begin: int, seen: int) -> Page:
    listed = [value for value in answer.objects if isinstance(value, dict)]
    new = [value for value in listed if _number(value) > seen]
    events = [event for value in new for event in _told(api, value) if _fits(event, kind)]
    more = len(listed) >= _SIZE
    following = f"{begin + len(listed) - 1}:{_number(listed[-1])}" if more else ""
    return Page(tuple(events), following, answer.at, len(new), answer.total)


def _asked(api: Api, kind: Literal["carts", "orders"], since: datetime, begin: int) -> Listed:
    statuses = _STATUSES[kind]
    try:
        return _listed(api, kind, statuses, since, begin)
    except Refused as refused:
        if refused.status != 400 or not statuses.startswith(_DRAFT):
            raise
    return _listed(api, kind, statuses.removeprefix(_DRAFT), since, begin)


def _listed(api: Api, kind: Literal["carts", "orders"], statuses: str, since: datetime, begin: int) -> Listed:
    return api.get_listed(
        "orders",
        per_page=_SIZE,
        offset=begin,
        modified_after=since.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        dates_are_gmt="true",
        orderby="id",
        order="asc",
        status=statuses,
        _fields=_FIELDS[kind],
    )


def _place(cursor: str) -> tuple[int, int]:
    """Where the next page begins, and the greatest number seen; the beginning where it cannot be read."""
    begin, _, seen = cursor.partition(":")
    good = all(part.isascii() and part.isdecimal() and len(part) < 20 for part in (begin, seen))
    return (int(begin), int(seen)) if good else (0, 0)


def _number(value: dict[str, Any]) -> int:
    return int(_NUMBER.read(value.get("id")) or 0)


def _told(api: Api, value: dict[str, Any]) -> list[ShopEvent]:
    """The events of one order; what cannot be read in a list is passed over: its webhook tells a person."""
    try:
        order = Order(value)
        return [_explained(api, order, event) for event in events_of(order)]
    except Unreadable:
        return []


def _explained(api: Api, order: Order, event: ShopEvent) -> ShopEvent:
    """A failed payment with why, where that stands in no meta and so in no webhook: gateways' plugins leave it in a note."""
    if not isinstance(event, PaymentFailed) or event.decline != "unknown":
        return event
    if order.modified < clock.real_now() - _LATELY:
        return event
    try:
        notes = api.get(f"orders/{order.id}/notes")
    except Refused as refused:
        if not refused.permanent:
            raise
        return event
    return replace(event, decline=decline_noted(notes, order))


def _fits(event: ShopEvent, kind: Literal["carts", "orders"]) -> bool:
    """Whether a poll for ``kind`` asked for this event."""
    of_orders = isinstance(event, OrderPlaced | OrderCancelled | OrderRefunded | OrderFulfilled)
    return of_orders == (kind == "orders")
