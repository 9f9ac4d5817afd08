"""Comparing: each movement on either side falls into one of four classes. Nothing is changed here."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from plugin_backend.domain import probing
from plugin_backend.domain.billing import Attempt, Refund, Stray
from plugin_backend.domain.ledger import Journal
from plugin_backend.domain.reconciliation.runs import Run
from plugin_backend.sdk.gateway import Captured
from plugin_backend.sdk.money import Money

Verdict = Literal["both", "ours_only", "theirs_only", "differs"]
_AT_ONCE = 1000
# We hold that no money moved.
ENDED_OTHERWISE = ("declined", "not_executed", "closed", "void")


@dataclass(frozen=True, slots=True)
class Finding:
    """A movement that needs a look. ``ours`` is the id of our attempt or refund, "" where there is none; ``moved`` is
    the gateway's side, None where it has none. ``twice`` True: ours has another movement already."""

    verdict: Verdict
    ours: str
    moved: Captured | None
    twice: bool = False


@dataclass(slots=True)
class Comparison:
    """``agreed`` counts what is settled on both sides alike; ``findings`` is all the rest, by the gateway's time."""

    agreed: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ours:
    """An attempt or a refund of ours, as far as a list can know it."""

    id: str
    gateway_id: str
    money: Money
    state: str


def compare(session: Session, run: Run, listed: Sequence[Captured]) -> Comparison:
    """What was asked is written down before it is asked: whatever the list has, we have, or never had. Our rows are
    therefore read after the list. The other way round only what the gateway has had time to list is missed."""
    found = Comparison()
    # What a probe of the account charged, it has given back: nobody is to be asked about that.
    theirs = [moved for moved in listed if not probing.is_probe(moved.reference)]
    charges = [moved for moved in theirs if moved.kind == "charge"]
    refunds = [moved for moved in theirs if moved.kind == "refund"]
    _sort(found, charges, _attempts(session, run, charges))
    _sort(found, refunds, _refunds(session, run))
    listed_references = {moved.reference for moved in listed}
    for row_id, reference in _booked(session, run):
        if reference not in listed_references:
            found.findings.append(Finding("ours_only", row_id, None))
    found.findings.sort(key=lambda finding: (finding.moved is None, finding.moved and finding.moved.at))
    return found


def _sort(found: Comparison, listed: Sequence[Captured], ours: dict[str, _Ours]) -> None:
    by_reference = defaultdict(list)
    for moved in listed:
        by_reference[moved.reference].append(moved)
    for reference, movements in by_reference.items():
        known = ours.get(reference)
        if known is None:
            found.findings += [Finding("theirs_only", "", moved) for moved in movements]
            continue
        movements.sort(key=lambda moved: (moved.gateway_id != known.gateway_id, moved.at))
        first, *more = movements
        found.findings += [Finding("theirs_only", known.id, moved, twice=True) for moved in more]
        if first.amount != known.money:
            found.findings.append(Finding("differs", known.id, first))
        elif known.state in ("succeeded", "reversed"):
            found.agreed += 1
        else:
            ended = known.state in ENDED_OTHERWISE
            found.findings.append(Finding("theirs_only" if ended else "both", known.id, first))


def _attempts(session: Session, run: Run, charges: Sequence[Captured]) -> dict[str, _Ours]:
    references = sorted({moved.reference for moved in charges})
    return {
        row.reference: _Ours(row.id, row.gateway_id, Money(row.amount, row.currency), row.state)
        for some in _chunks(references)
        for row in session.execute(
            select(
                Attempt.id,
                Attempt.reference,
                Attempt.gateway_id,
                Attempt.amount,
                Attempt.currency,
                Attempt.state,
            ).where(
                Attempt.shop_id == run.shop_id,
                Attempt.account_id == run.account_id,
                Attempt.reference.in_(some),
            )
        )
    }


def _refunds(session: Session, run: Run) -> dict[str, _Ours]:
    """Every refund of the account that was ever sent, by its reference."""
    return {
        row.reference: _Ours(row.id, row.gateway_id, Money(row.amount, row.currency), row.state)
        for row in _refund_rows(session, run)
    }


def _refund_rows(session: Session, run: Run) -> Iterator[Row[str, str, str, int, str, str]]:
    wanted = select(
        Refund.id, Refund.reference, Refund.gateway_id, Refund.amount, Refund.currency, Refund.state
    )
    of_attempts = wanted.join(
        Attempt, (Attempt.shop_id == Refund.shop_id) & (Attempt.id == Refund.attempt_id)
    ).where(Attempt.account_id == run.account_id)
    of_strays = wanted.join(Stray, (Stray.shop_id == Refund.shop_id) & (Stray.id == Refund.stray_id)).where(
        Stray.account_id == run.account_id
    )
    for rows in (of_attempts, of_strays):
        yield from session.execute(
            rows.where(Refund.shop_id == run.shop_id, Refund.first_sent_at.is_not(None))
        )


def _booked(session: Session, run: Run) -> Iterator[tuple[str, str]]:
    """(id, reference) of what we booked as captured or given back within the time that is compared."""
    booked = Journal.at.between(run.since, run.until)
    captures = (
        select(Attempt.id, Attempt.reference)
        .join(Journal, (Journal.shop_id == Attempt.shop_id) & (Journal.source == Attempt.id))
        .where(Attempt.shop_id == run.shop_id, Attempt.account_id == run.account_id)
        .where(Journal.kind == "capture", booked)
    )
    for row in session.execute(captures.order_by(Attempt.id)):
        yield row.id, row.reference
    given = select(Journal.source).where(Journal.shop_id == run.shop_id, Journal.kind == "refund", booked)
    sources = set(session.scalars(given))
    for refund in _refund_rows(session, run):
        if refund.id in sources:
            yield refund.id, refund.reference


def _chunks(references: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(references), _AT_ONCE):
        yield references[start : start + _AT_ONCE]
