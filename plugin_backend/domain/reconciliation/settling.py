"""Settling: what follows from a difference. A person decides about money; nothing here charges or gives back."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain import billing, cases
from plugin_backend.domain.billing import OPEN, Attempt, Refund, Stray
from plugin_backend.domain.billing.strays import UNKNOWN
from plugin_backend.domain.ledger import Journal
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.reconciliation.comparing import Finding
from plugin_backend.domain.reconciliation.lost import Origin, bring_back
from plugin_backend.domain.reconciliation.runs import Run
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """In which class it counts (``settled``: a person decided it before), and what is told of it."""

    counts_as: str
    told: Json


def settle(session: Session, shop: Shop, run: Run, finding: Finding, origin: Origin | None = None) -> Settled:
    """Do what follows from one finding, once however often it is found."""
    # Two runs at once take turns. No lock of a plan or an attempt is held before this one.
    account = GatewayAccount.shop_id == run.shop_id, GatewayAccount.id == run.account_id
    session.execute(select(GatewayAccount.id).where(*account).with_for_update(key_share=True))
    if finding.moved is None:
        return _not_listed(session, shop, finding)
    if origin is not None:
        moved = finding.moved
        captured = sdk.Succeeded(moved.gateway_id, moved.amount)
        attempt_id = bring_back(session, shop, run.account_id, origin, captured, moved.at)
        if attempt_id:
            return Settled("theirs_only", _told(finding.moved, attempt_id, "brought_back"))
    if not finding.ours or finding.twice:
        return _stray(session, shop, run, finding.moved, finding.ours)
    if finding.moved.kind == "charge":
        return _charge(session, shop, finding, finding.moved)
    return _refund(session, shop, finding, finding.moved)


def _not_listed(session: Session, shop: Shop, finding: Finding) -> Settled:
    """We say that it was captured, or given back, and the gateway does not."""
    row = _ours(session, shop, finding.ours)
    plan = {"plan": row.plan_id} if row.plan_id else {}
    cases.open_once(
        session,
        shop.id,
        "not_listed",
        row.id,
        **plan,
        reference=row.reference,
        gateway_id=row.gateway_id,
        amount=row.money.as_json(),
    )
    told = {"id": row.id, "reference": row.reference, "gateway_id": row.gateway_id} | {
        "amount": row.money.as_json()
    }
    return Settled(_unless_settled(session, shop, "ours_only", "not_listed", row.id), told)


def _charge(session: Session, shop: Shop, finding: Finding, moved: sdk.Captured) -> Settled:
    attempt = session.get_one(Attempt, (shop.id, finding.ours))
    told = _told(moved, attempt.id)
    if attempt.state in OPEN:
        billing.evidence(session, attempt)
        return Settled(finding.verdict, told | {"ours": attempt.money.as_json()})
    if attempt.state == "succeeded":
        if finding.verdict == "both":
            return Settled("both", told)
        facts = {
            "captured": moved.amount.as_json(),
            "agreed": attempt.money.as_json(),
            "plan": attempt.plan_id,
        }
        cases.open_once(session, shop.id, "amount_differs", attempt.id, **facts)
        counts = _unless_settled(session, shop, "differs", "amount_differs", attempt.id)
        return Settled(counts, told | {"ours": attempt.money.as_json()})
    if not _booked(session, shop, attempt.id):
        billing.record(session, shop, attempt.id, sdk.Succeeded(moved.gateway_id, moved.amount))
        session.flush()
    counts = _unless_settled(session, shop, "theirs_only", "captured_after_all", attempt.collection_id)
    return Settled(counts, told)


def _refund(session: Session, shop: Shop, finding: Finding, moved: sdk.Captured) -> Settled:
    row = session.get_one(Refund, (shop.id, finding.ours))
    told = _told(moved, row.id)
    if row.state != "succeeded":
        # Looked at again, settled or not: what it finds then is booked, and shown to a person.
        if row.state != "due":
            row.due_at = clock.now()
        counts = _unless_settled(session, shop, finding.verdict, "refunded_after_all", row.id)
        return Settled(counts, told)
    if finding.verdict == "both":
        return Settled("both", told)
    facts = {"refunded": moved.amount.as_json(), "agreed": row.money.as_json()}
    cases.open_once(session, shop.id, "amount_differs", row.id, **facts)
    return Settled(_unless_settled(session, shop, "differs", "amount_differs", row.id), told)


def _stray(session: Session, shop: Shop, run: Run, moved: sdk.Captured, ours: str) -> Settled:
    """A movement that nothing of ours explains. ``ours`` is what it repeats, "" where it repeats nothing."""
    plan_id = _ours(session, shop, ours).plan_id if ours else ""
    billing.keep_stray(session, shop.id, run.account_id, moved, plan_id)
    session.flush()
    stray_id = session.scalars(
        select(Stray.id).where(
            Stray.shop_id == shop.id,
            Stray.account_id == run.account_id,
            Stray.kind == moved.kind,
            Stray.gateway_id == moved.gateway_id,
        )
    ).one()
    counts = _unless_settled(session, shop, "theirs_only", UNKNOWN[moved.kind], stray_id)
    return Settled(counts, _told(moved, stray_id))


def _ours(session: Session, shop: Shop, row_id: str) -> Attempt | Refund:
    return session.get(Attempt, (shop.id, row_id)) or session.get_one(Refund, (shop.id, row_id))


def _booked(session: Session, shop: Shop, attempt_id: str) -> bool:
    found = select(Journal.id).where(
        Journal.shop_id == shop.id, Journal.source == attempt_id, Journal.kind == "unexpected_capture"
    )
    return session.scalar(found) is not None


def _unless_settled(session: Session, shop: Shop, counts_as: str, kind: str, subject: str) -> str:
    settled = cases.standing(session, shop.id, kind, subject) == "resolved"
    return "settled" if settled else counts_as


def _told(moved: sdk.Captured, ours: str, what: str = "") -> Json:
    told = {
        "id": ours,
        "kind": moved.kind,
        "reference": moved.reference,
        "gateway_id": moved.gateway_id,
        "amount": moved.amount.as_json(),
        "at": moved.at.isoformat(),
    }
    return told | ({"what": what} if what else {})
