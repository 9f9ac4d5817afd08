"""Refunds are asked like charges: written down, asked with nothing open, recorded once, and looked up where no answer
came. An answer that is lost never makes a second refund: the same key is sent again only while the gateway remembers it,
and a new try begins only when the one before has proven not to have happened.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.core.db import assert_no_transaction
from plugin_backend.domain import (
    cases,
    ledger,
    letters,
    merchants,
    moves,
    outbox,
    plans,
    probing,
    quarantine,
    vault,
)
from plugin_backend.domain.billing.attempts import Attempt, ask_again
from plugin_backend.domain.billing.disputes import disputed
from plugin_backend.domain.billing.refunds import (
    UNSETTLED,
    Refund,
    begin,
    follow,
    refund_by_reference,
    refunds_of,
)
from plugin_backend.domain.billing.resolving import REPLAYS
from plugin_backend.domain.billing.strays import Stray
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk

# From this try on a refund that does not come about is shown to a person: by then an hour has passed.
_SHOWN_FROM = 5


@dataclass(frozen=True, slots=True)
class RefundAsk:
    """What to ask of whom: to give back (``send``), or how a giving back stands. ``again`` True where the same was sent
    before, first at ``since``; ``fence`` is the number of this ask."""

    refund_id: str
    request: sdk.RefundRequest
    gateway: sdk.Gateway
    gateway_id: str
    since: datetime | None
    trace: sdk.Trace
    send: bool
    again: bool
    fence: int

    @property
    def findable(self) -> bool:
        """Could the gateway tell how this refund stands at all?"""
        return self.gateway.capabilities.finds(self.gateway_id)


def prepare_refund(session: Session, shop: Shop, refund_id: str) -> RefundAsk | None:
    """Write down that it is asked; None where it must not be asked now. Whatever was sent before is looked up first."""
    row, captured = _locked(session, shop, refund_id)
    if row.state != "due":
        return _ask(session, shop, row, captured, send=False)
    if quarantine.holds(session, shop.id, captured.account_id):
        row.rest(clock.now() + delays.DELAYS.held)
        return None
    if _disputed(session, captured, "open"):
        # The bank holds the money: to give it back as well would pay the customer twice.
        row.rest(clock.now() + delays.DELAYS.looked_at_again)
        return None
    if _disputed(session, captured, "lost"):
        moves.move(session, row, "void", "a dispute gave it back")
        row.rest(None)
        return None
    if _another_is_under_way(session, shop, row, captured):
        row.rest(clock.now() + delays.DELAYS.held)
        return None
    moves.move(session, row, "sent")
    return _ask(session, shop, row, captured, send=True)


def prepare_refund_again(session: Session, shop: Shop, asked: RefundAsk) -> RefundAsk | None:
    """The gateway knows nothing of a refund that was sent: the same once more under the same key, well inside the time
    for which the gateway remembers keys; None past that, or where it remembers none."""
    row, captured = _locked(session, shop, asked.refund_id)
    window = asked.gateway.capabilities.idempotency_window
    if asked.send or row.asked != asked.fence or row.state not in ("sent", "in_doubt"):
        return None
    if asked.findable and row.asked > 2 * REPLAYS:
        # Each was a look and a send. From here on silence must be able to prove something.
        return None
    account = session.get_one(GatewayAccount, (shop.id, captured.account_id))
    if probing.why_not_unattended(account):
        # An account that does not do what it declares: its keys are no keys.
        return None
    if window is None or row.first_sent_at is None or quarantine.holds(session, shop.id, captured.account_id):
        return None
    if clock.now() - row.first_sent_at >= window * delays.REPLAY_SHARE:
        return None
    return _ask(session, shop, row, captured, send=True)


def _locked(session: Session, shop: Shop, refund_id: str) -> tuple[Refund, Attempt | Stray]:
    """The refund and what captured the money. A stray has no plan, or none that its refund could change."""
    known = session.get_one(Refund, (shop.id, refund_id))
    if known.attempt_id is not None:
        plans.locked(session, shop.id, known.plan_id)
    row = session.get_one(Refund, (shop.id, refund_id), with_for_update=True, populate_existing=True)
    if row.attempt_id is None:
        return row, session.get_one(Stray, (shop.id, row.stray_id))
    return row, session.get_one(Attempt, (shop.id, row.attempt_id), populate_existing=True)


def _disputed(session: Session, captured: Attempt | Stray, state: str) -> bool:
    return isinstance(captured, Attempt) and bool(disputed(session, captured, state))


def _ask(session: Session, shop: Shop, row: Refund, captured: Attempt | Stray, *, send: bool) -> RefundAsk:
    again = row.first_sent_at is not None
    row.asked += 1
    row.due_at, row.taken = clock.now() + delays.DELAYS.lease, True
    if send:
        row.last_sent_at = clock.now()
        row.first_sent_at = row.first_sent_at or row.last_sent_at
        row.absent_at = None
    request = sdk.RefundRequest(
        reference=row.reference,
        charge_reference=captured.reference,
        charge_gateway_id=captured.gateway_id,
        amount=row.money,
        # Half the lease: past it somebody else may already be asking about this refund.
        deadline=time.monotonic() + delays.DELAYS.lease.total_seconds() / 2,
    )
    account = session.get_one(GatewayAccount, (shop.id, captured.account_id))
    use = vault.to_refund(row) if send else vault.Use("gateway_call", row.id)
    gateway = merchants.gateway_of(session, shop, account, use)
    return RefundAsk(
        row.id,
        request,
        gateway,
        row.gateway_id,
        row.first_sent_at,
        _trace(session, row, captured),
        send,
        again,
        row.asked,
    )


def _trace(session: Session, row: Refund, captured: Attempt | Stray) -> sdk.Trace:
    others = frozenset(other.gateway_id for other in refunds_of(session, captured) if other.id != row.id)
    return sdk.Trace(charge=captured.gateway_id, amount=row.money, others=others - {""})


def _another_is_under_way(session: Session, shop: Shop, row: Refund, captured: Attempt | Stray) -> bool:
    """Was another refund of the same charge sent, whose outcome nobody knows, at a gateway that keeps no reference of
    refunds? Which of the two a movement is could not be told."""
    unclear = [
        other.id
        for other in refunds_of(session, captured)
        if other.id != row.id and other.state in ("sent", "in_doubt")
    ]
    if not unclear:
        return False
    account = session.get_one(GatewayAccount, (shop.id, captured.account_id))
    use = vault.Use("gateway_call", row.id)
    return merchants.gateway_of(session, shop, account, use).capabilities.traces


def ask_refund(ask: RefundAsk) -> sdk.Outcome | sdk.Absent:
    """Ask the gateway, with no transaction open."""
    assert_no_transaction()
    if ask.send:
        return ask.gateway.refund(ask.request)
    if not ask.findable:
        return sdk.InDoubt("it cannot be looked up")
    return ask.gateway.find_refund(ask.request.reference, ask.gateway_id, ask.since, ask.trace)


def refund_evidence(session: Session, shop: Shop, account: GatewayAccount, event: sdk.RefundChanged) -> None:
    """The gateway says that something happened to a refund: look now, settled or not, even where a worker holds it. Where
    nothing can be looked up, what a signed callback says is all there will ever be, and is entered."""
    found = refund_by_reference(session, shop.id, event.reference)
    if found is None:
        return
    row, attempt = _locked(session, shop, found.id)
    if row.state == "due" or attempt.account_id != account.id:
        return
    use = vault.Use("gateway_call", row.id)
    capabilities = merchants.gateway_of(session, shop, account, use).capabilities
    if event.outcome is None or capabilities.finds(row.gateway_id):
        row.due_at = clock.now()
    else:
        _enter(session, shop, row, attempt, event.outcome, capabilities)


def record_refund(session: Session, shop: Shop, ask: RefundAsk, outcome: sdk.Outcome | sdk.Absent) -> None:
    """Enter what became of it. Entering it again changes nothing."""
    row, captured = _locked(session, shop, ask.refund_id)
    unsettled = row.state in UNSETTLED
    if unsettled and row.asked != ask.fence and not isinstance(outcome, sdk.Succeeded):
        # Somebody asked after us; what was true before that may be no longer. What they find is entered by them.
        return
    if unsettled and ask.send and ask.again and not isinstance(outcome, sdk.Succeeded | sdk.Pending):
        # That the second send was refused says nothing of the first.
        outcome = sdk.InDoubt("sent again without an answer to believe")
    _enter(session, shop, row, captured, outcome, ask.gateway.capabilities)


def _enter(
    session: Session,
    shop: Shop,
    row: Refund,
    captured: Attempt | Stray,
    outcome: sdk.Outcome | sdk.Absent,
    capabilities: sdk.GatewayCapabilities,
) -> None:
    if row.state not in UNSETTLED:
        _after_the_end(session, row, captured, outcome)
        return
    match outcome:
        case sdk.Succeeded():
            _given_back(session, shop, row, captured, outcome)
            if row.state == "succeeded" and capabilities.async_refunds:
                # It may fail days later, and the callback that says so may be lost: one more look.
                row.rest(clock.now() + delays.DELAYS.give_up)
        case sdk.Declined(code=code):
            row.code = code
            _failed(session, row, "declined", code)
        case sdk.Pending() | sdk.RequiresAction():
            row.gateway_id = outcome.gateway_id or row.gateway_id
            _wait(session, row, "pending", "under way at the gateway")
        case sdk.NotExecuted(reason=reason, permanent=True):
            _failed(session, row, "not_executed", reason)
        case sdk.NotExecuted(reason=reason):
            _once_more(session, row, captured, reason)
        case sdk.InDoubt(reason=reason):
            _wait(session, row, "in_doubt", reason)
        case sdk.Absent():
            _absent(session, row, captured, capabilities)
        case _:
            assert_never(outcome)


def _given_back(
    session: Session, shop: Shop, row: Refund, captured: Attempt | Stray, outcome: sdk.Succeeded
) -> None:
    if outcome.amount != row.money:
        # Another amount than we asked for is nothing we may book; the money is real, so a person must look.
        cases.open_case(session, row.shop_id, "amount_differs", row.id, refunded=outcome.amount.as_json())
        _wait(session, row, "in_doubt", "amount differs")
        row.rest(clock.now() + delays.DELAYS.looked_at_again)
        return
    moves.move(session, row, "succeeded")
    row.gateway_id = outcome.gateway_id or row.gateway_id
    _settled(session, row)
    _book(session, row, "refund", debit=_owed_to(row), credit=ledger.GATEWAY)
    session.flush()
    if isinstance(captured, Stray):
        return
    follow(session, captured)
    plan = plans.locked(session, shop.id, row.plan_id)
    session.flush()
    letters.refund_made(session, shop, plan, row.money, captured.method_id)
    if plan.order_key:
        outbox.post(session, shop.id, "write_back", subject=plan.order_key, what=row.id, change="refund")


def _failed(session: Session, row: Refund, state: str, reason: str) -> None:
    """It will not come about by itself: a person decides whether it is tried again."""
    moves.move(session, row, state, reason)
    _settled(session, row)
    cases.open_case(
        session, row.shop_id, "refund_refused", row.id, plan=row.plan_id, refund=row.id, code=reason
    )


def _settled(session: Session, row: Refund) -> None:
    _clear(session, row)
    cases.settle(session, row.shop_id, "refund_delayed", _what(row), "it was found out")


def _clear(session: Session, row: Refund) -> None:
    row.rest(None)
    for kind in ("in_doubt", "in_doubt_for_a_week"):
        cases.settle(session, row.shop_id, kind, row.id, "it was found out")


def _wait(session: Session, row: Refund, state: str, reason: str) -> None:
    if row.state != state:
        moves.move(session, row, state, reason)
    row.rest(clock.now() + _ask_again(row))
    if state == "in_doubt" and row.first_sent_at is not None:
        unclear = clock.now() - row.first_sent_at
        for kind, after in (
            ("in_doubt", delays.DELAYS.alarm),
            ("in_doubt_for_a_week", delays.DELAYS.give_up),
        ):
            if unclear >= after:
                cases.open_case(session, row.shop_id, kind, row.id, plan=row.plan_id)


def _once_more(session: Session, row: Refund, captured: Attempt | Stray, reason: str) -> None:
    """It did not happen: the next try, a row of its own under a reference of its own."""
    moves.move(session, row, "not_executed", reason)
    _clear(session, row)
    session.flush()
    table = delays.DELAYS
    wait = min(table.not_executed * 2 ** min(row.number - 1, 8), table.not_executed_longest)
    begin(
        session,
        captured,
        row.amount,
        credit_id=row.credit_id,
        number=row.number + 1,
        at=clock.now() + wait,
    )
    if row.number >= _SHOWN_FROM:
        cases.open_case(session, row.shop_id, "refund_delayed", _what(row), plan=row.plan_id)


def _absent(
    session: Session, row: Refund, captured: Attempt | Stray, capabilities: sdk.GatewayCapabilities
) -> None:
    """As with charges: silence proves something when the last send is long ago, and when it is said twice, ten minutes
    apart."""
    now, table = clock.now(), delays.DELAYS
    believable = (
        row.last_sent_at is not None and now - row.last_sent_at >= table.lease + capabilities.absent_after
    )
    if believable and row.absent_at is not None and now - row.absent_at >= table.absent_twice:
        _once_more(session, row, captured, "absent at the gateway, twice")
        return
    _wait(session, row, "in_doubt", "absent for now")
    if believable and row.absent_at is None:
        row.absent_at = now
    if row.absent_at is not None:
        row.rest(min(row.due_at or now, row.absent_at + table.absent_twice))


def _ask_again(row: Refund) -> timedelta:
    return ask_again(clock.now() - (row.first_sent_at or clock.now()))


def _after_the_end(
    session: Session, row: Refund, captured: Attempt | Stray, outcome: sdk.Outcome | sdk.Absent
) -> None:
    """It was settled before, and somebody says that something happened to it. What was given back may fail later; what
    did not happen may have happened after all. Neither goes unseen; the first answer stays what it was."""
    row.rest(clock.now() + _ask_again(row) if isinstance(outcome, sdk.InDoubt) else None)
    if row.state == "succeeded" and isinstance(outcome, sdk.Declined):
        moves.move(session, row, "reversed", outcome.code)
        row.code = outcome.code
        _book(session, row, "refund_reversed", debit=ledger.GATEWAY, credit=_owed_to(row))
        session.flush()
        if isinstance(captured, Attempt):
            follow(session, captured)
        cases.open_case(
            session, row.shop_id, "refund_reversed", row.id, plan=row.plan_id, refund=row.id, code=row.code
        )
    elif row.state != "succeeded" and isinstance(outcome, sdk.Succeeded):
        _book(session, row, "unexpected_refund", debit=ledger.SUSPENSE, credit=ledger.GATEWAY)
        cases.open_case(session, row.shop_id, "refunded_after_all", row.id, plan=row.plan_id)


def _book(session: Session, row: Refund, kind: str, *, debit: str, credit: str) -> None:
    ledger.book(session, row.shop_id, kind, row.id, row.plan_id, row.money, debit=debit, credit=credit)


def _what(row: Refund) -> str:
    """The id of what captured the money."""
    return row.attempt_id or row.stray_id or row.id


def _owed_to(row: Refund) -> str:
    """Where the money stood that goes back: with the customer, or with nobody that we know."""
    return ledger.CUSTOMER if row.stray_id is None else ledger.SUSPENSE
