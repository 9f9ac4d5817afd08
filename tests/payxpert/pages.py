"""The customer's page: a card, perhaps 3-D Secure, and the way back to the shop by a form that posts itself."""

import html
import json
from collections.abc import Callable
from typing import Any

from tests.payxpert import callbacks
from tests.payxpert.book import Book, No, Row
from tests.payxpert.cards import BY_NUMBER

Tell = Callable[[str], dict[str, Any]]


def page(book: Book, customer: str, *, challenge: bool) -> str:
    """What the customer sees; where the payment is over, the way back."""
    payment = book.page(customer)
    if not book.open(payment):
        return "<html><body><h1>This payment is over</h1></body></html>"
    if challenge:
        return _form("Your bank", "", ("decision",))
    return _form("Pay by card", "", ("number", "expiry", "code"))


def submit(
    book: Book, tell: Tell, customer: str, form: dict[str, Any], lag: float, *, challenge: bool
) -> str:
    """The card is typed, or the bank's question answered; the next page."""
    payment = book.page(customer)
    if not book.open(payment):
        return _back(payment, tell(payment["merchant"]))
    if challenge:
        book.pay(payment, payment["card"], lag, confirmed=form.get("decision") == "approve")
        return _back(payment, tell(payment["merchant"]))
    card = BY_NUMBER.get(str(form.get("number")))
    if card is None:
        raise No("400", "No test card")
    if card.challenge:
        book.begin_challenge(payment["merchant"], card.number)
        return _form("Your bank", f"/payment/{customer}/challenge", ("decision",))
    book.pay(payment, card.number, lag)
    return _back(payment, tell(payment["merchant"]))


def _back(payment: Row, told: dict[str, Any]) -> str:
    asked = json.loads(payment["asked"])
    data = callbacks.redirect_data(payment["merchant"], told)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in (("data", data), ("customer", payment["customer"]))
    )
    action = html.escape(asked["ctrlRedirectURL"])
    return f'<html><body><form id="back" method="post" action="{action}">{hidden}</form></body></html>'


def _form(title: str, action: str, names: tuple[str, ...]) -> str:
    fields = "".join(f'<input name="{name}">' for name in names)
    return f'<html><body><h1>{title}</h1><form id="next" method="post" action="{action}">{fields}</form></body></html>'
