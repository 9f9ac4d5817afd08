"""The deliveries of an invented shop, with the bodies that Saleor would make of our subscription query."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.saleor.contract import world
from connectors.saleor.contract.shop import Shop, headers, snake
from connectors.saleor.contract.world import Checkout, Line, Order, Transaction, gid
from connectors.saleor.graphql import SUBSCRIPTION
from tests.contract.connector_golden import SECRET

_CONSENT = {"granted": True, "text_version": "2026-01", "at": "2026-03-02T10:19:00Z", "source": "storefront"}
_LINES = [Line("MIST-2", "Mist lamp, große", 2, 9250), Line("", "Card", 1, 905)]
_BASKET = Checkout(gid("Checkout", "f0c1"), _LINES, "2026-03-02T10:20:00.344522+00:00")
_ORDER = Order(
    gid("Order", "0b57"),
    _BASKET.id,
    _LINES,
    "2026-03-02T10:28:07+00:00",
    "2026-03-02T10:28:06+00:00",
    _BASKET.email,
)
_SOLD = [Transaction("ch_5501", 10155)]
_SENT = [
    ("FULFILLED", "2026-03-04T09:00:00+00:00"),
    ("FULFILLED", "2026-03-05T14:30:00+00:00"),
    ("CANCELED", "2026-03-06T08:00:00+00:00"),
]
_OURS = {"reprise_ref": "res_01jq8x"}
_USER = {"id": gid("User", "5"), "email": "ana@account.example", "firstName": "Ana", "lastName": "Ek"}


def deliveries() -> dict[str, tuple[dict[str, str], bytes]]:
    return {**_baskets(), **_orders(), **_odd()}


def _baskets() -> dict[str, tuple[dict[str, str], bytes]]:
    return {
        "checkout_created": _checkout("CheckoutCreated", _BASKET),
        "checkout_with_consent": _checkout("CheckoutMetadataUpdated", _changed(public=_meta(_CONSENT))),
        "checkout_withdrawn": _checkout("CheckoutUpdated", _changed(public=_meta({"granted": False}))),
        "checkout_with_consent_of_nonsense": _checkout(
            "CheckoutUpdated", _changed(public={"reprise_consent": "yes, [0] do"})
        ),
        "checkout_anonymous": _checkout(
            "CheckoutUpdated", _changed(email="", address=None, language="FR_CH")
        ),
        "checkout_of_an_account": _checkout("CheckoutUpdated", _changed(email="", user=_USER)),
        "checkout_empty": _checkout("CheckoutUpdated", _changed(lines=[])),
        "checkout_gone": _hook("CheckoutUpdated", {"checkout": None}),
    }


def _orders() -> dict[str, tuple[dict[str, str], bytes]]:
    ours = replace(_ORDER, private=_OURS)
    parts = [
        Transaction("ch_1", 3385, {"reprise_key": "pay_1"}),
        Transaction("ch_2", 3385, {"reprise_key": "pay_2"}),
    ]
    return {
        "order_created": _order("OrderCreated", _ORDER),
        "order_paid": _order("OrderFullyPaid", replace(_ORDER, transactions=_SOLD)),
        "order_fulfilled": _order(
            "OrderFulfilled", replace(_ORDER, status="FULFILLED", transactions=_SOLD, sent=_SENT)
        ),
        "order_fulfilled_in_part": _order(
            "OrderUpdated", replace(_ORDER, status="PARTIALLY_FULFILLED", transactions=_SOLD, sent=_SENT[:1])
        ),
        "order_draft": _order("OrderUpdated", replace(_ORDER, status="DRAFT")),
        "order_without_checkout": _order("OrderCreated", replace(_ORDER, checkout="")),
        "order_cancelled": _order("OrderCancelled", replace(_ORDER, status="CANCELED")),
        "order_expired": _order("OrderExpired", replace(_ORDER, status="EXPIRED")),
        "order_partly_refunded": _order("OrderRefunded", replace(_ORDER, refunded=1000, transactions=_SOLD)),
        "order_refunded": _order("OrderFullyRefunded", replace(_ORDER, refunded=10155, transactions=_SOLD)),
        "order_of_ours_reserved": _order("OrderCreated", ours),
        "order_of_ours_paid_in_part": _order("OrderUpdated", replace(ours, transactions=parts)),
        "order_of_ours_paid_natively": _order("OrderFullyPaid", replace(ours, transactions=_SOLD)),
        "order_marked_by_a_visitor": _order(
            "OrderCreated", replace(_ORDER, public=_OURS, transactions=_SOLD)
        ),
        "order_in_an_unknown_currency": _order("OrderCreated", replace(_ORDER, currency="XTS")),
    }


def _odd() -> dict[str, tuple[dict[str, str], bytes]]:
    known = json.loads(_checkout("CheckoutUpdated", _BASKET)[1])
    errors = [{"message": "Tax app is not available", "path": ["event", "checkout"]}]
    noise = {"amount": 101.55000000000001, "currency": "EUR"}
    return {
        "error_body": _raw(
            {"__typename": "CheckoutUpdated", "issuedAt": None, "checkout": None, "errors": errors}
        ),
        "float_with_noise": _raw(
            {**known, "checkout": {**known["checkout"], "totalPrice": {"gross": noise}}}
        ),
        "legacy_list": _raw([{"id": _BASKET.id, "type": "Checkout", "total_price_gross_amount": "101.55"}]),
        "another_query": _raw({"checkout": {"id": _BASKET.id}}),
        "event_of_no_interest": _raw(
            {"__typename": "ProductUpdated", "product": {"id": gid("Product", "1")}}
        ),
        "old_headers_only": _checkout("CheckoutUpdated", _changed(email="Ana@Shopper.example "), old=True),
    }


def _changed(**changes: Any) -> Checkout:
    return replace(_BASKET, **changes)


def _meta(consent: Mapping[str, Any]) -> dict[str, str]:
    return {"reprise_consent": json.dumps(consent)}


def _checkout(event: str, one: Checkout, *, old: bool = False) -> tuple[dict[str, str], bytes]:
    return _hook(event, {"checkout": world.checkout(one)}, old=old)


def _order(event: str, one: Order) -> tuple[dict[str, str], bytes]:
    return _hook(event, {"order": world.order(one)})


def _hook(event: str, what: dict[str, Any], *, old: bool = False) -> tuple[dict[str, str], bytes]:
    body = Shop().body(SUBSCRIPTION, event, what)
    return headers(body, snake(event), SECRET, old=old), body


def _raw(value: Any) -> tuple[dict[str, str], bytes]:
    body = json.dumps(value, ensure_ascii=False).encode()
    return headers(body, "checkout_updated", SECRET), body
