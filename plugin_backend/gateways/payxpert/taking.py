"""Money is taken and given back: looked first, sent once, and read again. Before the one request that moves money nothing
has happened; after it, whatever cannot be read is in doubt."""

from datetime import timedelta
from typing import Literal

from plugin_backend.gateways.payxpert import codes, reading
from plugin_backend.gateways.payxpert.api import Api, Said
from plugin_backend.gateways.payxpert.handles import TRANSACTION, Card, Page, card_of
from plugin_backend.gateways.payxpert.payload import Payment, Transaction
from plugin_backend.gateways.payxpert.requests import MOST, Json, Words
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.gateway import (
    Absent,
    ChargeRequest,
    Declined,
    InDoubt,
    NotExecuted,
    Outcome,
    Pending,
    RefundRequest,
    RequiresAction,
    Succeeded,
)
from plugin_backend.sdk.money import Money

# Banks hold an authorisation for a week; past this it is not rested on.
_HELD_FOR = timedelta(days=6)


def charge(api: Api, words: Words, password: str, request: ChargeRequest) -> Outcome:
    """The first payment is the capture of what the set-up's page authorised, of which there can be one; any other that its
    customer makes is a page, and what is taken without him a rebill."""
    if card_of(request.token) is None:
        return NotExecuted("the token is none of PayXpert's", permanent=True)
    if not 0 < request.amount.minor <= MOST:
        return NotExecuted("PayXpert takes no such amount", permanent=True)
    looked = _look(api, request)
    if isinstance(looked, NotExecuted):
        return looked
    card, payment = looked
    known = _known(payment, request)
    if not isinstance(known, Absent):
        return _of_amount(known, request.amount)
    if any(one.amount.currency != request.amount.currency for one in payment.transactions):
        return NotExecuted("the card was stored for another currency", permanent=True)
    if request.initiator == "merchant":
        base = reading.rebilled(payment, card)
        return _move(api, base, "rebill", words.rebill(request), request)
    if request.opening and _held(payment, card, request.amount):
        return _move(api, card.transaction, "capture", {"amount": request.amount.minor}, request)
    return _page(api, words, password, request)


def refund(api: Api, request: RefundRequest) -> Outcome:
    """PayXpert takes no reference with a refund: the one under way for a charge must be known to be the only one."""
    charge_id = request.charge_gateway_id
    if not TRANSACTION.fullmatch(charge_id):
        return NotExecuted("the charge has no transaction at PayXpert", permanent=True)
    return _move(api, charge_id, "refund", {"amount": request.amount.minor}, request)


def let_go(api: Api, token: str) -> None:
    """Cancel an authorisation that stands. Where there is none, or no longer, nothing is asked."""
    card = card_of(token)
    if card is None:
        return
    payment = api.payment(card.merchant)
    found = next((one for one in payment.transactions if one.id == card.transaction), None)
    if found is not None and found.done and found.operation == "authorize" and not _ended(payment, found):
        api.operate(found.id, "cancel", {"amount": found.amount.minor})


def _ended(payment: Payment, found: Transaction) -> bool:
    """Was the authorisation captured, or was that tried, or was it let go of?"""
    after = (one for one in payment.transactions if one.operation in ("capture", "cancel"))
    return any(one.parent == found.id for one in after)


def _look(api: Api, request: ChargeRequest) -> tuple[Card, Payment] | NotExecuted:
    """The card, and everything that ever happened with it. Nothing was sent where that cannot be had."""
    try:
        card = _card(api, request)
        return card, api.payment(card.merchant, request.deadline)
    except Refused as error:
        return NotExecuted(str(error), permanent=error.permanent)
    except (NotSent, NoAnswer) as error:
        return NotExecuted(f"not sent, since the card's payments could not be read: {error}")


def _card(api: Api, request: ChargeRequest) -> Card:
    """What is rebilled: the payment that the customer confirmed last, where there is one, else the one of his card."""
    stored, confirmed = card_of(request.token), request.network_transaction_id
    if stored is not None and not TRANSACTION.fullmatch(confirmed):
        return stored
    return Card(confirmed, api.transaction(confirmed, request.deadline).merchant)


def _known(payment: Payment, request: ChargeRequest) -> Outcome | Absent:
    """The same charge, where it was made before. A capture that was refused may be followed by a page."""
    named = reading.taken(payment.transactions, request.reference)
    if not isinstance(named, Absent) or not request.opening:
        return named
    first = reading.opening(payment)
    return Absent() if isinstance(first, Declined) else first


def _held(payment: Payment, card: Card, amount: Money) -> bool:
    """Does the set-up's authorisation still stand for so much?"""
    found = next((one for one in payment.transactions if one.id == card.transaction), None)
    if found is None or found.operation != "authorize" or not found.done or found.amount < amount:
        return False
    return not _ended(payment, found) and clock.real_now() - found.at < _HELD_FOR


def _move(
    api: Api,
    transaction: str,
    verb: Literal["rebill", "capture", "refund"],
    body: Json,
    request: ChargeRequest | RefundRequest,
) -> Outcome:
    """The one request that moves money."""
    try:
        said = api.operate(transaction, verb, body, request.deadline)
    except NotSent as error:
        return NotExecuted(str(error))
    except Refused as error:
        return NotExecuted(str(error), permanent=error.permanent)
    except NoAnswer as error:
        return InDoubt(str(error))
    if said.code == codes.DUPLICATE:
        return InDoubt("PayXpert has seen such a request before", said.transaction)
    if said.code != codes.SUCCESS:
        return Declined(codes.decline_of(said.code), said.code, said.transaction)
    return _read_again(api, said, transaction, verb, request)


def _read_again(
    api: Api, said: Said, parent: str, verb: str, request: ChargeRequest | RefundRequest
) -> Outcome:
    """An answer of success names no amount: what was made is read."""
    if not said.transaction:
        return InDoubt(f"{verb}: the answer names no transaction")
    try:
        made = api.transaction(said.transaction)
    except (NotSent, NoAnswer, Refused) as error:
        return InDoubt(f"{verb}: accepted, and could not be read again: {error}", said.transaction)
    if not _is_it(made, parent, verb, request):
        return InDoubt(f"{verb}: accepted, and is another transaction than was asked for", said.transaction)
    return reading.standing(made)


def _is_it(made: Transaction, parent: str, verb: str, request: ChargeRequest | RefundRequest) -> bool:
    operations = codes.GIVING if verb == "refund" else {verb}
    if made.operation not in operations or made.parent not in ("", parent):
        return False
    return verb != "rebill" or made.order == request.reference


def _page(api: Api, words: Words, password: str, request: ChargeRequest) -> Outcome:
    """A page of which nobody knows takes no money: where no answer came, nothing happened."""
    try:
        prepared = api.prepare(words.payment(request), request.deadline)
    except Refused as error:
        return NotExecuted(str(error), permanent=error.permanent)
    except (NotSent, NoAnswer) as error:
        return NotExecuted(f"no page was given to anybody: {error}")
    page = Page(prepared.merchant, prepared.customer)
    return RequiresAction(api.page(page.customer), page.sealed(password))


def _of_amount(known: Outcome, amount: Money) -> Outcome:
    if isinstance(known, Succeeded) and known.amount != amount:
        return InDoubt("another amount was taken under this reference", known.gateway_id)
    return InDoubt("it is under way", known.gateway_id) if isinstance(known, Pending) else known
