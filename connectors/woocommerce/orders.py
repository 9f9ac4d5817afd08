"""What we write into the shop's orders. Every write looks first whether it was done."""

from dataclasses import replace
from typing import Any

from connectors.woocommerce.api import Api
from connectors.woocommerce.goods import (
    TITLE,
    content,
    read_order,
    readable,
    sold_out,
    sold_out_of,
    with_tax_inside,
)
from connectors.woocommerce.payload import (
    BASKETS,
    CART,
    GONE,
    PAYMENT_METHOD,
    REFERENCE,
    Order,
    payment_of,
    state_of,
)
from plugin_backend.sdk.connector import (
    CartChanged,
    Change,
    OrderCancelled,
    OrderPlaced,
    PaidWith,
    PaymentBooked,
    Person,
    PlanCredited,
    PlanEnded,
    RenewalBooked,
    Reservation,
    Reserved,
    WrittenBack,
)
from plugin_backend.sdk.errors import Refused, SoldOut

PLAN = "_reprise_plan"
PLAN_WORDS = "_reprise_plan_words"
PAYMENTS = "_reprise_payments"
ENDED = "_reprise_plan_ended"
FIRST_ORDER = "_reprise_first_order"


def number_of(order_key: str) -> str:
    """The shop's number of ``order:19``; ``""`` for the key of something else."""
    kind, _, number = order_key.partition(":")
    return number if kind == "order" and number.isascii() and number.isdecimal() and len(number) < 20 else ""


def state(api: Api, key: str) -> CartChanged | OrderPlaced | OrderCancelled | None:
    """The order of that key as it stands. A basket that is no order yet lives in the shopper's session, which no API
    shows: None."""
    number = number_of(key)
    value = api.get_or_none(f"orders/{number}") if number else None
    if value is None:
        return None
    order = read_order(value)
    stands = readable(state_of, order)
    return replace(stands, sold_out=sold_out(api, order)) if isinstance(stands, CartChanged) else stands


def paid_with(api: Api, order_key: str) -> PaidWith | None:
    """How a paid order was paid: payment modules leave what they know of it in the order's meta."""
    number = number_of(order_key)
    value = api.get_or_none(f"orders/{number}") if number else None
    return None if value is None else readable(payment_of, read_order(value))


def reserve(api: Api, wanted: Reservation) -> Reserved:
    """The basket's own order made pending and ours, or the order that an earlier call made, or a new one. Before a new one
    its goods are looked for: nobody could look at a basket that is no order before."""
    number = number_of(wanted.cart_key)
    value = api.get_or_none(f"orders/{number}") if number else None
    if value is not None:
        own = _own_order(api, read_order(value), wanted)
        if own is not None:
            return own
    known = find(api, wanted.key)
    if known is None:
        if gone := sold_out_of(api, wanted.lines):
            raise SoldOut(gone)
        known = read_order(api.post("orders", _new_order(wanted)))
    if known.status in GONE:
        raise Refused("cancelled_in_shop")
    if known.status in BASKETS:
        known = with_tax_inside(api, known, wanted.lines, wanted.total)
    return _reserved(known)


def _own_order(api: Api, order: Order, wanted: Reservation) -> Reserved | None:
    """The basket's own order, held; None where it is gone and another must be made."""
    if order.status in BASKETS:
        metas = {REFERENCE: wanted.key, PLAN_WORDS: wanted.plan_words}
        held = {"status": "pending", **_ours(), "meta_data": _meta(metas)}
        done = order.our_reference == wanted.key and order.status == "pending"
        return _reserved(order if done else read_order(api.put(f"orders/{order.id}", held)))
    if order.status in GONE:
        return None
    if order.our_reference == wanted.key:
        return _reserved(order)
    raise Refused("already_bought")


def _reserved(order: Order) -> Reserved:
    return Reserved(order.key, readable(lambda one: one.total, order))


def find(api: Api, key: str) -> Order | None:
    """The order that carries our key. The API cannot search by meta: first its full-text search, which finds a
    transaction id and what shops add to it, then the hundred newest orders, among which one of ours stands whose
    answer was lost."""
    for query in ({"search": key}, {"orderby": "id", "order": "desc"}):
        orders, _ = api.get_page("orders", **query)
        for value in orders:
            if isinstance(value, dict) and _carries(value, key):
                return read_order(value)
    return None


def _carries(value: dict[str, Any], key: str) -> bool:
    metas = value.get("meta_data")
    return isinstance(metas, list) and any(
        isinstance(meta, dict) and meta.get("key") == REFERENCE and meta.get("value") == key for meta in metas
    )


def _ours() -> dict[str, str]:
    return {"payment_method": PAYMENT_METHOD, "payment_method_title": TITLE}


def _meta(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _new_order(wanted: Reservation) -> dict[str, Any]:
    metas = {REFERENCE: wanted.key, PLAN_WORDS: wanted.plan_words}
    if wanted.cart_key.startswith("cart:"):
        metas[CART] = wanted.cart_key
    return {
        "status": "pending",
        "currency": wanted.total.currency,
        **_ours(),
        **_who(wanted.person),
        **content(wanted.lines, wanted.total),
        "meta_data": _meta(metas),
    }


def _who(person: Person) -> dict[str, Any]:
    first, _, last = person.name.partition(" ")
    billing = {
        "first_name": first,
        "last_name": last,
        "email": person.email,
        "phone": person.phone,
        "country": person.country,
    }
    number = person.platform_id
    return {
        "customer_id": int(number) if number.isascii() and number.isdecimal() else 0,
        # An empty e-mail is refused by the API, so that what is not known is left out.
        "billing": {name: value for name, value in billing.items() if value},
    }


def write_back(api: Api, change: Change) -> WrittenBack:
    match change:
        case PaymentBooked():
            return _payment(api, change)
        case RenewalBooked():
            return _renewal(api, change)
        case PlanEnded():
            return _ended(api, change)
        case PlanCredited():
            return _credited(api, change)


def _order_to_write(api: Api, order_key: str) -> Order:
    number = number_of(order_key)
    if not number:
        raise Refused("the key names no order of WooCommerce")
    return read_order(api.get(f"orders/{number}"))


def _payment(api: Api, change: PaymentBooked) -> WrittenBack:
    order = _order_to_write(api, change.order_key)
    booked = _booked(order)
    if not any(entry.get("key") == change.key for entry in booked):
        entry = {
            "key": change.key,
            "number": change.number,
            "amount": change.amount.decimal(),
            "currency": change.amount.currency,
            "transaction_id": change.transaction_id,
            "paid_at": change.paid_at.isoformat(),
        }
        # One request: the payment is in the meta exactly when the order has the state that goes with it.
        body = {
            **_advance(order, change),
            "meta_data": _meta({PLAN: change.plan_key, PAYMENTS: [*booked, entry]}),
        }
        api.put(f"orders/{order.id}", body)
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _booked(order: Order) -> list[dict[str, Any]]:
    entries = order.meta(PAYMENTS)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _advance(order: Order, change: PaymentBooked) -> dict[str, Any]:
    """What the payment does to the order's state. An order that the shop cancelled, refunded or already sold stays
    as the shop has it."""
    settles = change.number == (change.count if change.ship == "fully_paid" and change.count else 1)
    transaction = {**_ours(), "transaction_id": change.transaction_id}
    if settles and order.status in BASKETS:
        return {**transaction, "set_paid": True}
    if settles and order.status == "on-hold":
        # ``set_paid`` does nothing to an order on hold.
        return {**transaction, "status": _done(order)}
    if change.ship == "fully_paid" and order.status in BASKETS:
        return {**_ours(), "status": "on-hold"}
    return {}


def _note(api: Api, order: Order, key: str, words: str) -> None:
    """One note under our key; its text carries the key, by which it is found again."""
    notes, _ = api.get_page(f"orders/{order.id}/notes")
    mark = f"[{key}]"
    if not any(isinstance(note, dict) and mark in str(note.get("note")) for note in notes):
        api.post(f"orders/{order.id}/notes", {"note": f"{words} {mark}", "customer_note": False})


def _renewal(api: Api, change: RenewalBooked) -> WrittenBack:
    order = find(api, change.key)
    if order is None:
        metas = {REFERENCE: change.key, PLAN: change.plan_key, FIRST_ORDER: change.first_order_key}
        body = {
            "currency": change.amount.currency,
            **_ours(),
            **_who(change.person),
            **content(change.lines, change.amount),
            "set_paid": True,
            "transaction_id": change.transaction_id,
            "meta_data": _meta(metas),
        }
        order = read_order(api.post("orders", body))
    order = with_tax_inside(api, order, change.lines, change.amount)
    if readable(lambda one: one.total, order) != change.amount:
        raise Refused("the shop's total of the order is another than what was paid")
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _ended(api: Api, change: PlanEnded) -> WrittenBack:
    order = _order_to_write(api, change.order_key)
    ended = order.meta(ENDED)
    if not isinstance(ended, dict) or ended.get("key") != change.key:
        body = {
            "meta_data": _meta({ENDED: {"key": change.key, "plan": change.plan_key, "reason": change.reason}})
        }
        api.put(f"orders/{order.id}", body)
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _credited(api: Api, change: PlanCredited) -> WrittenBack:
    order = _order_to_write(api, change.order_key)
    if change.settled and order.status == "on-hold":
        api.put(f"orders/{order.id}", {"status": _done(order)})
    _note(api, order, change.key, change.words)
    return WrittenBack(order.key)


def _done(order: Order) -> str:
    return "completed" if order.read["needs_processing"] is False else "processing"
