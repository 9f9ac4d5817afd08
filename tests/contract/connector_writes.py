"""What is written into a shop, as scenarios for every connector, and the requests that come of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from plugin_backend.sdk.connector import (
    Connector,
    Line,
    PaymentBooked,
    Person,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
    Reserved,
)
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.http import Request
from plugin_backend.sdk.money import Money
from tests.contract.connector_golden import connector
from tests.contract.connector_shops import Shop

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOTAL = Money(10000, "EUR")
LINES = (
    Line("Lamp", "2", Money(8000, "EUR"), "LAMP-1"),
    Line("Bulbs", "3", Money(1000, "EUR")),
)
PERSON = Person(email="ana@shopper.example", name="Ana Lind Ek", country="SE", locale="sv")


def reservation(cart_key: str, key: str = "res_01jq8x", total: Money = TOTAL) -> Reservation:
    return Reservation(key, cart_key, total, LINES, PERSON, "3 payments of 33.34, 33.33 and 33.33 EUR")


def payment(
    order_key: str, number: int = 1, ship: Literal["first_payment", "fully_paid"] = "first_payment"
) -> PaymentBooked:
    amounts = [Money(3334, "EUR"), Money(3333, "EUR"), Money(3333, "EUR")]
    return PaymentBooked(
        key=f"pay_{number}_01jq8x",
        plan_key="pln_01jq8x",
        order_key=order_key,
        number=number,
        count=3,
        amount=amounts[number - 1],
        paid_so_far=Money(sum(amount.minor for amount in amounts[:number]), "EUR"),
        plan_total=TOTAL,
        transaction_id=f"ch_{number}",
        paid_at=AT,
        ship=ship,
        words=f"Payment {number} of 3 was paid.",
    )


def renewal(order_key: str) -> RenewalBooked:
    return RenewalBooked(
        key="ren_2_01jq8x",
        plan_key="pln_01jq8x",
        first_order_key=order_key,
        number=2,
        amount=TOTAL,
        lines=LINES,
        person=PERSON,
        transaction_id="ch_9",
        paid_at=AT,
        words="The second month was paid.",
    )


def ended(order_key: str) -> PlanEnded:
    return PlanEnded(
        "end_01jq8x", "pln_01jq8x", order_key, "cancelled_by_customer", "The plan was cancelled."
    )


def credited(order_key: str) -> PlanCredited:
    nothing = Money(0, TOTAL.currency)
    return PlanCredited(
        "rfd_01jq8x", "pln_01jq8x", order_key, TOTAL, nothing, settled=True, words="All of it went back."
    )


def reserve(one: Connector, shop: Shop) -> Reserved:
    return one.reserve(reservation(shop.leave_basket()))


@dataclass(frozen=True, slots=True)
class Write:
    """One thing that is written. ``prepare`` brings about what it is about, from a basket that was left, and gives its
    key; ``act`` writes."""

    act: Callable[[Connector, str], object]
    prepare: Callable[[Connector, str], str] = lambda _, cart: cart


def _held(one: Connector, cart: str) -> str:
    return one.reserve(reservation(cart)).order_key


WRITES: dict[str, Write] = {
    "reserve": Write(lambda one, cart: one.reserve(reservation(cart))),
    "reserve_without_own_order": Write(
        lambda one, cart: one.reserve(reservation(cart)), lambda _one, _cart: "cart:elsewhere"
    ),
    "first_payment": Write(lambda one, order: one.write_back(payment(order)), _held),
    "second_payment": Write(lambda one, order: one.write_back(payment(order, 2)), _held),
    "part_payment": Write(lambda one, order: one.write_back(payment(order, 1, "fully_paid")), _held),
    "renewal": Write(lambda one, order: one.write_back(renewal(order)), _held),
    "plan_ended": Write(lambda one, order: one.write_back(ended(order)), _held),
    "plan_credited": Write(lambda one, order: one.write_back(credited(order)), _held),
}


def exchange(platform: str, name: str, shop: Shop) -> list[dict[str, Any]]:
    """The requests of one scenario, without what differs each time: signatures, times and nonces. The last is the reason
    where the platform has no such thing and the connector says so."""
    one = connector(platform, shop)
    refused: list[dict[str, Any]] = []
    try:
        WRITES[name].act(one, WRITES[name].prepare(one, shop.leave_basket()))
    except Refused as error:
        refused = [{"refused": error.reason}]
    return [_shown(request) for request in shop.requests] + refused


def _shown(request: Request) -> dict[str, Any]:
    parts = urlsplit(request.url)
    body = json.loads(request.body) if request.body else None
    if isinstance(body, dict):
        body.pop("timestamp", None)
    shown: dict[str, Any] = {"method": request.method, "path": parts.path, "query": parts.query, "body": body}
    return shown | ({"webhook-id": request.headers["webhook-id"]} if "webhook-id" in request.headers else {})
