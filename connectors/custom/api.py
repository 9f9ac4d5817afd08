"""Our calls to a custom shop: Standard Webhooks, whose id is our key, so that the shop does each once."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import (
    Change,
    Line,
    PaymentBooked,
    Person,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
)
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.http import Client, Request, Response, raise_for_status
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.signing import sign_standard


@dataclass(frozen=True, slots=True)
class Api:
    """The one address of the shop that hears from us."""

    http: Client
    url: str
    secret: str

    def tell(self, kind: str, key: str, data: Mapping[str, Any]) -> bytes:
        """The body of the answer. 409 says that it was done before, and answers like the first time; other 4xx are
        ``Refused``."""
        response = self._send(kind, key, data)
        if response.status != 409:
            raise_for_status(response, kind)
        return response.body

    def ask(self, kind: str, data: Mapping[str, Any]) -> bytes | None:
        """The body of the answer to a question; None where the shop has no such thing."""
        response = self._send(kind, f"ask_{uuid.uuid4().hex}", data)
        if response.status == 404:
            return None
        return raise_for_status(response, kind).body

    def _send(self, kind: str, key: str, data: Mapping[str, Any]) -> Response:
        now = clock.real_now()
        body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": dict(data)}).encode()
        try:
            signed = sign_standard(self.secret, key, now, body)
        except ValueError:
            raise Refused("the secret for calls to the shop is not base64") from None
        return self.http.send(Request("POST", self.url, {"Content-Type": "application/json", **signed}, body))


def reservation_data(wanted: Reservation) -> dict[str, Any]:
    return {
        "reference": wanted.key,
        "cart_id": wanted.cart_key.removeprefix("cart:"),
        **_money(wanted.total),
        "lines": [_line(line) for line in wanted.lines],
        "customer": _person(wanted.person),
        "plan": {"words": wanted.plan_words},
    }


def change_data(change: Change) -> tuple[str, dict[str, Any]]:
    """The type and the data of what the shop is told."""
    match change:
        case PaymentBooked():
            return "order.payment_accepted", _payment(change)
        case RenewalBooked():
            return "order.renewed", _renewal(change)
        case PlanEnded():
            return "plan.ended", {
                "plan_id": change.plan_key,
                "order_id": _order_id(change.order_key),
                "reason": change.reason,
                "words": change.words,
            }
        case PlanCredited():
            return "plan.credited", {
                "plan_id": change.plan_key,
                "order_id": _order_id(change.order_key),
                "given_back_minor": change.given_back.minor,
                "taken_off_minor": change.taken_off.minor,
                "currency": change.given_back.currency,
                "settled": change.settled,
                "words": change.words,
            }


def _payment(change: PaymentBooked) -> dict[str, Any]:
    total = change.plan_total
    return {
        "plan_id": change.plan_key,
        "order_id": _order_id(change.order_key),
        "number": change.number,
        "count": change.count,
        **_money(change.amount),
        "paid_so_far_minor": change.paid_so_far.minor,
        "plan_total_minor": None if total is None else total.minor,
        "ship": change.ship,
        "transaction_id": change.transaction_id,
        "paid_at": change.paid_at.isoformat(),
        "words": change.words,
    }


def _renewal(change: RenewalBooked) -> dict[str, Any]:
    return {
        "reference": change.key,
        "plan_id": change.plan_key,
        "first_order_id": _order_id(change.first_order_key),
        "number": change.number,
        **_money(change.amount),
        "lines": [_line(line) for line in change.lines],
        "customer": _person(change.person),
        "transaction_id": change.transaction_id,
        "paid_at": change.paid_at.isoformat(),
        "words": change.words,
    }


def _order_id(order_key: str) -> str:
    return order_key.removeprefix("order:")


def _money(amount: Money) -> dict[str, Any]:
    return {"amount_minor": amount.minor, "currency": amount.currency}


def _line(line: Line) -> dict[str, Any]:
    total = None if line.total is None else line.total.minor
    return {"title": line.title, "quantity": line.quantity, "sku": line.sku, "total_amount_minor": total}


def _person(person: Person) -> dict[str, str]:
    return {
        "id": person.platform_id,
        "email": person.email,
        "name": person.name,
        "phone": person.phone,
        "locale": person.locale,
        "country": person.country,
    }
