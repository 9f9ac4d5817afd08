"""Captures, rebills, refunds and cancellations, as PayXpert documents them."""

import json
from typing import Any

from tests.payxpert.book import Book, No, Row
from tests.payxpert.cards import BY_NUMBER, OK

_TAKING = ("sale", "capture", "rebill")


def rebill(book: Book, origin: Row, asked: dict[str, Any], lag: float) -> Row:
    """Of a sale, of an authorisation that was not captured, or of a capture: another charge each time it is asked."""
    if origin["operation"] not in ("sale", "authorize", "capture") or origin["code"] != OK:
        raise No("400", "This transaction cannot be rebilled")
    if origin["operation"] == "authorize" and book.children(origin["id"], "capture"):
        raise No("400", "The capture must be named")
    payment = book.payment(origin["payment"])
    card = BY_NUMBER[payment["card"]]
    code = card.confirmed if origin["operation"] == "sale" else card.rebill
    order = str(asked.get("orderId") or origin["orderid"])
    return book.add(payment, origin["id"], "rebill", _amount(asked), code, lag, order)


def capture(book: Book, origin: Row, asked: dict[str, Any], lag: float) -> Row:
    """Of what is authorised, not captured and not cancelled."""
    if origin["operation"] != "authorize" or origin["code"] != OK:
        raise No("400", "Only an authorisation can be captured")
    if book.children(origin["id"], "capture", "cancel"):
        return book.add(book.payment(origin["payment"]), origin["id"], "capture", _amount(asked), "080", lag, origin["orderid"])  # fmt: skip
    payment, amount = book.payment(origin["payment"]), _amount(asked)
    code = BY_NUMBER[payment["card"]].capture if amount <= origin["amount"] else "064"
    return book.add(payment, origin["id"], "capture", amount, code, lag, origin["orderid"])


def refund(book: Book, origin: Row, asked: dict[str, Any], lag: float) -> Row:
    """Never more than was taken. It carries the reference of what it gives back, and none of its own."""
    if origin["operation"] not in _TAKING or origin["code"] != OK:
        raise No("400", "This transaction cannot be refunded")
    gone = sum(one["amount"] for one in book.children(origin["id"], "refund"))
    if gone + _amount(asked) > origin["amount"]:
        raise No("400", "More than was taken")
    payment = book.payment(origin["payment"])
    return book.add(payment, origin["id"], "refund", _amount(asked), OK, lag, origin["orderid"])


def cancel(book: Book, origin: Row, asked: dict[str, Any], lag: float) -> Row:
    if origin["operation"] != "authorize" or book.children(origin["id"], "capture", "cancel"):
        raise No("400", "This transaction cannot be cancelled")
    payment = book.payment(origin["payment"])
    return book.add(payment, origin["id"], "cancel", origin["amount"], OK, lag, origin["orderid"])


def chargeback(book: Book, origin: Row, operation: str, lag: float) -> Row:
    """A bank takes money back (``chargeback``), or gives it again (``representment``, of the chargeback)."""
    payment = book.payment(origin["payment"])
    return book.add(payment, origin["id"], operation, origin["amount"], OK, lag, origin["orderid"])


MOVES = {"rebill": rebill, "capture": capture, "refund": refund, "cancel": cancel}


def _amount(asked: dict[str, Any]) -> int:
    amount = asked.get("amount")
    if not isinstance(amount, int) or not 0 < amount <= 9_999_999_999:
        raise No("400", "amount: a positive number in minor units")
    return amount


def told(book: Book, payment: Row, transactions: list[dict[str, Any]]) -> dict[str, Any]:
    """A payment's status, as an answer and as the body of a callback."""
    asked = json.loads(payment["asked"])
    over = payment["status"] == "Not processed" and not book.open(payment)
    return {
        "apiVersion": "002.70",
        "status": "Expired" if over else payment["status"],
        "merchantToken": payment["merchant"],
        "operation": asked["operation"],
        "errorCode": payment["code"],
        "errorMessage": "",
        "transactions": transactions,
        "order": asked["order"],
        "currency": asked["currency"],
        "amount": asked["amount"],
        "ctrlCustomData": asked.get("ctrlCustomData", ""),
    }
