"""One comparison of one account: over which time it goes, and what is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays
from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, merchants, quarantine, schedules
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.ledger import Journal
from plugin_backend.domain.merchants import GatewayAccount, Listing, Shop
from plugin_backend.domain.vault import Use
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk

DAYS = 3
CANNOT_LIST = "cannot_list"
# How far before a moment of ours the gateway may have dated the same thing: two clocks are never one.
_APART = timedelta(hours=1)
# A restored run is not the last there was: what was captured in the day before its end is asked for again.
_MARGIN = timedelta(days=1)
# For how long comparisons may fail before a person is told.
_PATIENCE = timedelta(days=2)
_MOST_LISTED = 1000


class Reconciliation(Row, Base):
    """What one comparison came to: ``agrees``, ``differs`` or ``failed`` with a reason. ``counts`` has the four classes
    and what a person settled before; ``found`` the differences, each with the ids on both sides. Never changed."""

    __tablename__ = "reconciliations"
    prefix = "rec"
    noun = "reconciliation"

    account_id: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index("ix_reconciliations_account", "shop_id", "account_id", "until"),)


@dataclass(frozen=True, slots=True)
class Run:
    """What a comparison goes over. What we booked within ``since`` and ``until`` must be listed; the list is asked for
    from ``list_from``, which is earlier than anything of that can be dated. ``clears`` True: the account is held, and
    after this run it need not be."""

    shop_id: str
    account_id: str
    gateway: sdk.Gateway
    began: datetime
    since: datetime
    until: datetime
    list_from: datetime
    clears: bool


def begin(session: Session, shop: Shop, account_id: str, days: int = DAYS) -> Run | Reconciliation:
    """What is to be asked for and compared; where the gateway cannot list, the failure that is kept of it."""
    account = session.get_one(GatewayAccount, (shop.id, account_id), with_for_update=True)
    gateway, now = merchants.gateway_of(session, shop, account, Use("gateway_call", account.id)), clock.now()
    lag = gateway.capabilities.list_lag
    held = quarantine.holds(session, shop.id, account_id)
    noticed = quarantine.notice(session, account) if held else now
    if lag is None:
        _timer(session, account).rest(schedules.tonight(now, shop.zone))
        return _keep(session, account, "failed", CANNOT_LIST)
    since, until = now - timedelta(days=days), now - lag
    if held:
        since = min(since, _known_until(session, account) - _MARGIN)
    earliest = _first_sent(session, account, since, until)
    return Run(
        shop_id=shop.id,
        account_id=account_id,
        gateway=gateway,
        began=now,
        since=since,
        until=until,
        list_from=min(since, earliest or since) - _APART,
        # Who charged before us may have sent his last request just before we noticed; it must have had time to be listed.
        clears=held and now >= noticed + delays.DELAYS.lease + _silence(gateway),
    )


def hold_on(session: Session, run: Run) -> None:
    """A list has many pages: the lease of who asks for them is renewed."""
    session.execute(
        update(Listing)
        .where(
            Listing.shop_id == run.shop_id,
            Listing.account_id == run.account_id,
            Listing.taken.is_(True),
        )
        .values(due_at=clock.now() + delays.DELAYS.lease)
        .execution_options(synchronize_session=False)
    )


def reconcile_now(session: Session, shop_id: str) -> None:
    """A person does not want to wait for the night."""
    session.execute(
        update(Listing)
        .where(Listing.shop_id == shop_id, Listing.taken.is_(False))
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def fail(session: Session, shop: Shop, run: Run, reason: str) -> Reconciliation:
    """The list could not be had. It is tried again, and a person is told where that goes on for days."""
    account = _locked(session, run)
    kept = _keep(session, account, "failed", reason)
    _timer(session, account).rest(clock.now() + delays.DELAYS.compared_again)
    if clock.now() - _known_until(session, account) >= _PATIENCE:
        cases.open_case(session, shop.id, "not_reconciled", account.id, reason=reason)
    return kept


def finish(
    session: Session, shop: Shop, run: Run, counts: Mapping[str, int], found: Mapping[str, Sequence[Any]]
) -> Reconciliation:
    """Keep what was found. An account that was held may charge again where nothing can have been missed."""
    account = _locked(session, run)
    kept = _keep(session, account, "differs" if any(found.values()) else "agrees", "")
    kept.since, kept.until, kept.counts = run.since, run.until, dict(counts)
    kept.found = {verdict: list(entries[:_MOST_LISTED]) for verdict, entries in found.items()}
    cases.settle(session, shop.id, "not_reconciled", account.id, "compared again")
    if run.clears:
        quarantine.lift(session, account, "captures are known")
    if quarantine.holds(session, shop.id, account.id):
        until = quarantine.notice(session, account) + delays.DELAYS.lease + _silence(run.gateway)
        _timer(session, account).rest(until)
    else:
        _timer(session, account).rest(schedules.tonight(clock.now(), shop.zone))
    session.flush()
    return kept


def _silence(gateway: sdk.Gateway) -> timedelta:
    """How long after the last send the gateway may still not know of it, in its list or when it is asked."""
    promised = gateway.capabilities
    return max(
        promised.list_lag or timedelta(0), promised.absent_after if promised.finds("") else timedelta(0)
    )


def _locked(session: Session, run: Run) -> GatewayAccount:
    return session.get_one(
        GatewayAccount, (run.shop_id, run.account_id), with_for_update=True, populate_existing=True
    )


def _timer(session: Session, account: GatewayAccount) -> Listing:
    found = select(Listing).where(Listing.shop_id == account.shop_id, Listing.account_id == account.id)
    return session.scalars(found.with_for_update()).one()


def _keep(session: Session, account: GatewayAccount, state: str, reason: str) -> Reconciliation:
    row = Reconciliation(
        shop_id=account.shop_id,
        id=new_id(Reconciliation.prefix),
        account_id=account.id,
        state=state,
        reason=reason,
        counts={},
        found={},
    )
    session.add(row)
    return row


def _known_until(session: Session, account: GatewayAccount) -> datetime:
    """Up to when all that the account captured is known from its list; where it never was listed, since it is here."""
    found = select(func.max(Reconciliation.until)).where(
        Reconciliation.shop_id == account.shop_id, Reconciliation.account_id == account.id
    )
    return session.scalar(found) or account.created_at


def _first_sent(
    session: Session, account: GatewayAccount, since: datetime, until: datetime
) -> datetime | None:
    """When the first of those attempts was sent whose capture was booked in between: the gateway dates it after that."""
    found = (
        select(func.min(Attempt.first_sent_at))
        .join(Journal, (Journal.shop_id == Attempt.shop_id) & (Journal.source == Attempt.id))
        .where(
            Attempt.shop_id == account.shop_id,
            Attempt.account_id == account.id,
            Journal.kind == "capture",
            Journal.at.between(since, until),
        )
    )
    return session.scalar(found)
