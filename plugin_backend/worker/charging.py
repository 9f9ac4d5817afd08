"""Collections fall due and are charged; unclear attempts are asked about. Prepare, ask, record: each in batches, the asks
at the same time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain import billing, cases, enrolments, merchants, vault
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import gateway as sdk
from plugin_backend.worker import asking

log = structlog.get_logger(__name__)

# All of a batch, and whatever is under way beside it, is asked within a lease, even where each ask takes as long as it may.
BATCH = 200
# How many batches are charged in a row, each prepared while the one before is asked.
BATCHES = 5


def charge(shop: Shop) -> int:
    """Charge what is due today, without the customer: so many of them. 0 where nothing is due."""
    taken: list[str] = []
    _ask_all(shop, _due_now(shop, taken))
    return len(taken)


def _due_now(shop: Shop, taken: list[str]) -> Iterator[list[billing.Prepared]]:
    """What is due, prepared a batch at a time; ``taken`` gets the ids of all that was looked at."""
    for _ in range(BATCHES):
        with transaction(shop.id) as session:
            ids = due.take(session, Collection, shop.id, limit=BATCH)
        taken += ids
        if ids:
            with transaction(shop.id) as session:
                prepared = billing.prepare_all(session, shop, ids, initiator="merchant")
            yield prepared
        if len(ids) < BATCH:
            return


def charge_one(shop: Shop, collection_id: str, *, initiator: billing.Initiator, back: str = "") -> None:
    """One attempt at a collection, if it may be charged at all."""
    with transaction(shop.id) as session:
        prepared = billing.prepare(session, shop, collection_id, initiator=initiator, back=back)
    if prepared is not None:
        _ask_all(shop, [[prepared]])


def _ask_all(shop: Shop, batches: Iterable[list[billing.Prepared]]) -> None:
    asks = ({one.attempt_id: partial(billing.ask, one) for one in batch} for batch in batches)
    for outcomes in asking.answers(asks):
        _record(shop, outcomes, of_sends=True)


def _record(shop: Shop, outcomes: Mapping[str, sdk.Outcome | sdk.Closed], *, of_sends: bool = False) -> None:
    """Enter a group of outcomes. One that cannot be entered must not cost the others theirs: they are entered one by
    one, and it stays open, to be asked about again and shown to a person."""
    if not outcomes:
        return
    try:
        with transaction(shop.id) as session:
            billing.record_all(session, shop, outcomes, of_sends=of_sends)
        _find_out_why(shop, outcomes)
    except OperationalError:
        # A deadlock or a lost connection: nothing was entered, and all of them are asked about again.
        raise
    except Exception as error:
        if len(outcomes) > 1:
            for attempt_id, outcome in outcomes.items():
                _record(shop, {attempt_id: outcome}, of_sends=of_sends)
            return
        (attempt_id,) = outcomes
        log.exception("outcome_not_recorded", attempt=attempt_id)
        with transaction(shop.id) as session:
            cases.open_case(session, shop.id, "work_failed", attempt_id, error=type(error).__name__)


def _find_out_why(shop: Shop, outcomes: Mapping[str, sdk.Outcome | sdk.Closed]) -> None:
    """Where a gateway refuses requests as such it is asked what is wrong with the account, so that a person reads a sentence
    and not a status."""
    refused = [
        attempt_id
        for attempt_id, outcome in outcomes.items()
        if isinstance(outcome, sdk.NotExecuted) and outcome.permanent
    ]
    if refused:
        with transaction(shop.id) as session:
            enrolments.find_out(session, shop, billing.accounts_of(session, shop.id, refused))


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask about an attempt, and whom. Nothing is asked where the gateway could not tell (``findable``)."""

    reference: str
    gateway_id: str
    since: datetime
    gateway: sdk.Gateway
    trace: sdk.Trace
    close: bool
    findable: bool
    fence: int


Answer = sdk.Outcome | sdk.Absent | sdk.Closed


def reconcile(shop: Shop) -> int:
    """Ask about attempts that are pending, in doubt, wait for their customer, or were left by a worker that died."""
    with transaction(shop.id) as session:
        ids = due.take(session, Attempt, shop.id, limit=BATCH)
    questions = _questions(shop, ids)
    unknown: dict[str, Answer] = {}
    for told in asking.answers([{id: partial(_ask, question) for id, question in questions.items()}]):
        # Whom the gateway does not know, or whom it cannot be asked about, may be sent once more.
        known = {
            id: answer
            for id, answer in told.items()
            if not isinstance(answer, sdk.Absent) and questions[id].findable
        }
        _record(shop, known)
        unknown |= {id: answer for id, answer in told.items() if id not in known}
    _send_again(shop, questions, unknown)
    return len(ids)


def _questions(shop: Shop, ids: Sequence[str]) -> dict[str, Question]:
    with transaction(shop.id) as session:
        attempts = billing.note_questions(session, shop, ids)
        gateways: dict[str, sdk.Gateway] = {}
        for account_id in {attempt.account_id for attempt in attempts}:
            account = session.get_one(GatewayAccount, (shop.id, account_id))
            gateways[account_id] = merchants.gateway_of(
                session, shop, account, vault.Use("gateway_call", account_id)
            )
        return {attempt.id: _question(session, attempt, gateways[attempt.account_id]) for attempt in attempts}


def _question(session: Session, attempt: Attempt, gateway: sdk.Gateway) -> Question:
    plan = session.get_one(Plan, (attempt.shop_id, attempt.plan_id))
    return Question(
        attempt.reference,
        attempt.gateway_id,
        attempt.first_sent_at,
        gateway,
        trace=billing.trace_of(session, attempt),
        close=gateway.capabilities.close and billing.must_close(session, plan, attempt),
        findable=gateway.capabilities.finds(attempt.gateway_id),
        fence=attempt.asked,
    )


def _ask(question: Question) -> Answer:
    assert_no_transaction()
    if question.close:
        return question.gateway.close(question.reference, question.gateway_id)
    if question.findable:
        return question.gateway.find(question.reference, question.gateway_id, question.since, question.trace)
    return sdk.InDoubt("it cannot be looked up")


def _send_again(shop: Shop, questions: Mapping[str, Question], unknown: Mapping[str, Answer]) -> None:
    """What the gateway does not know, or cannot be asked about, is asked for once more in the same words where that is
    safe; else silence must prove itself."""
    if not unknown:
        return
    looks = {id: billing.Look(questions[id].gateway, questions[id].fence) for id in unknown}
    with transaction(shop.id) as session:
        replays = billing.prepare_replays(session, shop, looks)
    _ask_all(shop, [replays])
    left = {id: answer for id, answer in unknown.items() if id not in {one.attempt_id for one in replays}}
    silent = {id: looks[id] for id, answer in left.items() if isinstance(answer, sdk.Absent)}
    if silent:
        with transaction(shop.id) as session:
            billing.absent(session, shop, silent)
    _record(shop, {id: answer for id, answer in left.items() if not isinstance(answer, sdk.Absent)})
