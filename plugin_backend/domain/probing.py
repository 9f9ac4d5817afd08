"""The probe of a gateway account in test mode: what its adapter declares, the account must do.

The same key sent twice must be one charge, and the charge must be found again; then it is given back. A probe that broke
off is begun anew under the next number, and gives back what the one before it left.
"""

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.core.db import assert_no_transaction
from plugin_backend.domain import cases, merchants, moves, vault
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.money import Money

# What a probe's references begin with: reconciliation knows by it that nobody is to be asked about them.
PREFIX = "probe-"
UNDER_WAY = ("probing", "waiting")
_LEFT_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe to be made (``new``), or one whose charge is looked for once more."""

    account_id: str
    number: int
    request: sdk.ChargeRequest
    gateway: sdk.Gateway
    new: bool
    last_look: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The account keeps its promises."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It does not keep ``promise``; what it did stands in ``facts``."""

    promise: str
    facts: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class NotYet:
    """Charged, and not found yet: it is looked for again when the gateway says that it must be there."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """No answer to rest on: the probe proves nothing, and is made again."""

    reason: str


Verdict = Kept | Broken | NotYet | Unclear


def reference(account_id: str, number: int, what: str = "charge") -> str:
    """A reference of a probe: the same whenever it is made, and never one of a collection's."""
    digest = hashlib.sha256(f"reprise|probe|{account_id}|{number}|{what}".encode()).digest()
    return PREFIX + base64.b32encode(digest)[:32].decode().lower()


def is_probe(given: str) -> bool:
    """Is this a reference under which an account was probed?"""
    return given.startswith(PREFIX)


def promises_nothing(capabilities: sdk.GatewayCapabilities) -> bool:
    """Neither keys nor a look-up, or not meant for it: nobody can charge there exactly once without the customer."""
    neither = capabilities.idempotency_window is None and capabilities.look_up == "none"
    return neither or not capabilities.unattended


def why_not_unattended(account: GatewayAccount) -> Literal["", "probe_failed", "probe_under_way"]:
    """Why nothing may be charged with this account without the customer now, "" where it may. An account that cannot be
    probed (live, or without a test card) rests on what its gateway declares. One under probe has its next moment in
    ``due_at``."""
    if account.state == "failed":
        return "probe_failed"
    return "probe_under_way" if account.due_at is not None else ""


def again(session: Session, account: GatewayAccount) -> None:
    """Have an account probed, or probed once more; where a probe is under way that one does."""
    if account.mode == "test" and account.state not in UNDER_WAY:
        if account.state != "not_probed":
            moves.move(session, account, "not_probed", "asked for again")
        account.rest(clock.now())


def prepare(session: Session, shop: Shop, account_id: str) -> Probe | None:
    """Write down that an account is about to be probed; None where it cannot be, or need not be any more."""
    row = _locked(session, shop, account_id)
    gateway = merchants.gateway_of(session, shop, row, vault.Use("gateway_call", row.id))
    token = gateway.test_token() if row.mode == "test" else ""
    if not token:
        row.reason = "no_test_card"
    if not token or row.state not in ("not_probed", *UNDER_WAY):
        row.rest(None)
        return None
    new = row.state != "waiting"
    if new:
        if row.state == "not_probed":
            moves.move(session, row, "probing")
        row.probe_number += 1
        row.probed_at = clock.now()
    request = sdk.ChargeRequest(
        reference=reference(row.id, row.probe_number),
        amount=Money(100, shop.currency),
        token=token,
        initiator="customer",
        series="instalment",
        description="Reprise: probe of the account",
        collection=reference(row.id, row.probe_number),
        deadline=time.monotonic() + delays.DELAYS.lease.total_seconds() / 2,
    )
    return Probe(row.id, row.probe_number, request, gateway, new, _is_last_look(row, gateway))


def _is_last_look(row: GatewayAccount, gateway: sdk.Gateway) -> bool:
    """Is the time over within which the gateway may still not know the charge?"""
    assert row.probed_at is not None
    return clock.now() - row.probed_at >= gateway.capabilities.absent_after


def ask(probe: Probe) -> Verdict:
    """Try the account, with no transaction open. What was captured is given back before anything is said to hold."""
    assert_no_transaction()
    try:
        verdict = _judge(probe)
        given_back = isinstance(verdict, NotYet) or _give_back(probe)
    except (NotSent, NoAnswer, Refused) as error:
        return Unclear(str(error))
    if isinstance(verdict, Kept) and not given_back:
        return Unclear("the charge could not be given back")
    return verdict


def _judge(probe: Probe) -> Verdict:
    ids = _charged(probe) if probe.new else []
    if isinstance(ids, Broken | Unclear):
        return ids
    listed = [m for m in _listed(probe) if m.kind == "charge" and m.reference == probe.request.reference]
    distinct = {*ids, *(movement.gateway_id for movement in listed)}
    if len(distinct) > 1 or len(listed) > 1:
        return Broken("charged_twice", {"reference": probe.request.reference, "captures": len(distinct)})
    if not listed:
        return _missing(probe, "not_listed")
    return _found(probe, listed[0].gateway_id)


def _charged(probe: Probe) -> list[str] | Broken | Unclear:
    """The gateway's ids for the charge, asked for once, and once more where a key should make that the same one."""
    asks = 1 if probe.gateway.capabilities.idempotency_window is None else 2
    ids = []
    for _ in range(asks):
        match probe.gateway.charge(probe.request):
            case sdk.Succeeded(gateway_id=gateway_id):
                ids.append(gateway_id)
            case sdk.Declined(code=code):
                return Broken("test_charge_refused", {"code": code})
            case sdk.NotExecuted(permanent=True, reason=reason):
                return Broken("test_charge_refused", {"code": reason})
            case sdk.NotExecuted(reason=reason) | sdk.InDoubt(reason=reason):
                return Unclear(reason)
            case sdk.Pending() | sdk.RequiresAction():
                return Unclear("the test card does not pay at once")
            case _ as outcome:
                assert_never(outcome)
    return ids


def _found(probe: Probe, gateway_id: str) -> Verdict:
    if probe.gateway.capabilities.look_up == "none":
        return Kept()
    match probe.gateway.find(probe.request.reference, gateway_id):
        case sdk.Succeeded(gateway_id=found, amount=amount):
            same = found == gateway_id and amount == probe.request.amount
            return Kept() if same else Broken("found_otherwise", {"reference": probe.request.reference})
        case sdk.Absent():
            return _missing(probe, "not_found")
        case sdk.InDoubt(reason=reason):
            return Unclear(reason)
        case _:
            return Broken("found_otherwise", {"reference": probe.request.reference})


def _missing(probe: Probe, promise: str) -> Verdict:
    """Not there: a broken promise once the gateway has had the time that it declares."""
    facts: dict[str, str | int] = {"reference": probe.request.reference}
    return Broken(promise, facts) if probe.last_look else NotYet()


def _listed(probe: Probe) -> Iterator[sdk.Captured]:
    """What the gateway remembers of the last day, by real time: a test shop's clock may stand far ahead of it."""
    since, cursor = clock.real_now() - _LEFT_WITHIN, ""
    while True:
        page = probe.gateway.list_since(since, cursor)
        yield from page.movements
        cursor = page.cursor
        if not cursor:
            return


def _give_back(probe: Probe) -> bool:
    """Give back every capture of this account's probes that was not: those that broke off, too. True where all is."""
    ours = {reference(probe.account_id, number) for number in range(1, probe.number + 1)}
    movements = list(_listed(probe))
    returned = {movement.reference for movement in movements if movement.kind == "refund"}
    outcomes = [
        probe.gateway.refund(request)
        for movement in movements
        if movement.kind == "charge" and movement.reference in ours
        for request in [_refund_of(probe.account_id, movement)]
        if request.reference not in returned
    ]
    return all(isinstance(outcome, sdk.Succeeded | sdk.Pending) for outcome in outcomes)


def _refund_of(account_id: str, charge: sdk.Captured) -> sdk.RefundRequest:
    own = reference(account_id, 0, f"refund of {charge.gateway_id}")
    return sdk.RefundRequest(own, charge.reference, charge.gateway_id, charge.amount, "probe")


def record(session: Session, shop: Shop, probe: Probe, verdict: Verdict) -> None:
    """Enter what came of it; of a probe that was begun anew meanwhile nothing is entered."""
    row = _locked(session, shop, probe.account_id)
    if row.state not in UNDER_WAY or row.probe_number != probe.number:
        return
    match verdict:
        case Kept():
            moves.move(session, row, "passed")
            row.rest(None)
            cases.settle(session, shop.id, "probe_failed", row.id, "passed")
        case Broken(promise=promise, facts=facts):
            moves.move(session, row, "failed", promise)
            row.rest(None)
            cases.open_case(session, shop.id, "probe_failed", row.id, promise=promise, **facts)
        case NotYet():
            if row.state == "probing":
                moves.move(session, row, "waiting")
            row.rest(_found_by(row, probe.gateway))
        case Unclear(reason=reason):
            row.reason = reason[:500]
            steps = delays.DELAYS.ask_again
            row.rest(clock.now() + steps[min(row.probe_number, len(steps)) - 1])
        case _:
            assert_never(verdict)


def _found_by(row: GatewayAccount, gateway: sdk.Gateway) -> datetime:
    assert row.probed_at is not None
    return max(row.probed_at + gateway.capabilities.absent_after, clock.now())


def _locked(session: Session, shop: Shop, account_id: str) -> GatewayAccount:
    return session.get_one(
        GatewayAccount, (shop.id, account_id), with_for_update=True, populate_existing=True
    )
