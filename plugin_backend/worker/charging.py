"""Collections fall due and are charged; unclear attempts are asked about. Prepare, ask, record."""

from dataclasses import dataclass

from plugin_backend.core import due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain import billing, merchants
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import gateway as sdk


def charge(shop: Shop) -> int:
    """Charge what is due today, without the customer."""
    with transaction(shop.id) as session:
        ids = due.take(session, Collection, shop.id)
    for collection_id in ids:
        charge_one(shop, collection_id, initiator="merchant")
    return len(ids)


def charge_one(shop: Shop, collection_id: str, *, initiator: billing.Initiator, return_url: str = "") -> None:
    """One attempt at a collection, if it may be charged at all."""
    with transaction(shop.id) as session:
        prepared = billing.prepare(session, shop, collection_id, initiator=initiator, return_url=return_url)
    if prepared is None:
        return
    outcome = billing.ask(prepared)
    with transaction(shop.id) as session:
        billing.record(session, shop, prepared.attempt_id, outcome)


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask about an attempt, and whom."""

    attempt_id: str
    reference: str
    gateway_id: str
    gateway: sdk.Gateway
    close: bool


def reconcile(shop: Shop) -> int:
    """Ask about attempts that are pending, in doubt, wait for their customer, or were left by a worker that died."""
    with transaction(shop.id) as session:
        ids = due.take(session, Attempt, shop.id)
    for attempt_id in ids:
        question = _question(shop, attempt_id)
        if question is not None:
            _answer(shop, question, _ask(question))
    return len(ids)


def _question(shop: Shop, attempt_id: str) -> Question | None:
    with transaction(shop.id) as session:
        attempt = billing.note_question(session, shop, attempt_id)
        if attempt is None:
            return None
        plan = session.get_one(Plan, (shop.id, attempt.plan_id))
        account = session.get_one(GatewayAccount, (shop.id, attempt.account_id))
        gateway = merchants.gateway_of(shop, account)
        close = gateway.capabilities.close and billing.must_close(session, plan, attempt)
        return Question(attempt_id, attempt.reference, attempt.gateway_id, gateway, close)


def _ask(question: Question) -> sdk.Outcome | sdk.Absent | sdk.Closed:
    assert_no_transaction()
    if question.close:
        return question.gateway.close(question.reference, question.gateway_id)
    return question.gateway.find(question.reference, question.gateway_id)


def _answer(shop: Shop, question: Question, answer: sdk.Outcome | sdk.Absent | sdk.Closed) -> None:
    with transaction(shop.id) as session:
        if isinstance(answer, sdk.Absent):
            billing.absent(session, shop, question.attempt_id, question.gateway.capabilities)
        else:
            billing.record(session, shop, question.attempt_id, answer)
