"""What we booked is compared with what gateways list: nightly, when a person asks, and before quarantine is lifted."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain import quarantine, reconciliation
from plugin_backend.domain.merchants import Listing, Shop
from plugin_backend.domain.reconciliation import Comparison, Finding, Origin, Reconciliation, Run, Settled
from plugin_backend.sdk.errors import NoAnswer, RepriseError
from plugin_backend.sdk.gateway import (
    Absent,
    Captured,
    Declined,
    DisputeChanged,
    InDoubt,
    NotExecuted,
    Outcome,
)
from plugin_backend.worker import asking

log = structlog.get_logger(__name__)

_DIFFERENCES = ("ours_only", "theirs_only", "differs")


def compare(shop: Shop) -> int:
    """Compare the accounts whose night has come, or that have come into quarantine."""
    with transaction(shop.id) as session:
        quarantine.hasten(session, shop.id)
        ids = due.take(session, Listing, shop.id)
        accounts = [session.get_one(Listing, (shop.id, listing_id)).account_id for listing_id in ids]
    for account_id in accounts:
        compare_account(shop, account_id)
    return len(ids)


def compare_account(shop: Shop, account_id: str, days: int = reconciliation.DAYS) -> Reconciliation:
    """Compare one account over so many days, and settle what can be settled. What is kept of it."""
    with transaction(shop.id) as session:
        run = reconciliation.begin(session, shop, account_id, days)
    if isinstance(run, Reconciliation):
        return run
    try:
        listed, disputes = _listed(run)
    except RepriseError as error:
        log.warning("not_listed", account=account_id, error=str(error))
        with transaction(shop.id) as session:
            return reconciliation.fail(session, shop, run, str(error)[:300])
    with transaction(shop.id) as session:
        comparison = reconciliation.compare(session, run, reconciliation.named(session, run, listed))
    counts, found = _settle(shop, run, comparison)
    if disputes:
        with transaction(shop.id) as session:
            reconciliation.take_in_disputes(session, shop, run, disputes)
    if run.clears and not lost_are_known(shop, run):
        with transaction(shop.id) as session:
            return reconciliation.fail(session, shop, run, "it cannot be asked about what may be lost")
    with transaction(shop.id) as session:
        return reconciliation.finish(session, shop, run, counts, found)


def lost_are_known(shop: Shop, run: Run) -> bool:
    """Ask about the tries that a restored database may have lost, and write down those that the gateway knows; a refused
    one may have been tried again. False where it did not answer."""
    if not run.gateway.capabilities.finds(""):
        return True
    with transaction(shop.id) as session:
        asked = reconciliation.untold(session, run)
    while asked:
        outcomes: dict[str, Outcome | Absent] = {}
        for told in asking.answers([{name: partial(_find, run, name) for name in asked}]):
            outcomes |= told
            with transaction(shop.id) as session:
                reconciliation.hold_on(session, run)
                _write_down(session, shop, run, {asked[name]: outcome for name, outcome in told.items()})
        if len(outcomes) < len(asked) or any(isinstance(told, InDoubt) for told in outcomes.values()):
            return False
        refused = {asked[name].collection_id for name, told in outcomes.items() if isinstance(told, Declined)}
        with transaction(shop.id) as session:
            asked = reconciliation.untold(session, run, refused) if refused else {}
    return True


def _write_down(session: Session, shop: Shop, run: Run, told: Mapping[Origin, Outcome | Absent]) -> None:
    """Locks are taken in the order of the plans' ids, with which those of their collections begin."""
    for origin in sorted(told, key=lambda origin: origin.collection_id):
        outcome = told[origin]
        if not isinstance(outcome, Absent | NotExecuted | InDoubt):
            reconciliation.bring_back(session, shop, run.account_id, origin, outcome, run.began)


def _find(run: Run, reference: str) -> Outcome | Absent:
    assert_no_transaction()
    return run.gateway.find(reference, since=run.list_from)


def _listed(run: Run) -> tuple[list[Captured], list[DisputeChanged]]:
    """All that the gateway lists, each movement once, and the disputes. ``NoAnswer`` where it turns in a circle."""
    found: dict[tuple[str, str], Captured] = {}
    disputes: list[DisputeChanged] = []
    cursor, seen = "", {""}
    while True:
        assert_no_transaction()
        page = run.gateway.list_since(run.list_from, cursor)
        found.update({(moved.kind, moved.gateway_id): moved for moved in page.movements})
        disputes += page.disputes
        cursor = page.cursor
        if not cursor:
            return list(found.values()), disputes
        if cursor in seen:
            raise NoAnswer("the gateway's list has no end")
        seen.add(cursor)
        with transaction(run.shop_id) as session:
            reconciliation.hold_on(session, run)


def _settle(shop: Shop, run: Run, comparison: Comparison) -> tuple[dict[str, int], dict[str, list[Any]]]:
    """Settle each finding in a transaction of its own: how many fell into each class, and what is told of differences."""
    counts = dict.fromkeys(("both", *_DIFFERENCES, "settled"), 0) | {"both": comparison.agreed}
    found: dict[str, list[Any]] = {verdict: [] for verdict in _DIFFERENCES}
    for settled in _brought_to_an_end(shop, run, comparison.findings):
        counts[settled.counts_as] += 1
        if settled.counts_as in found:
            found[settled.counts_as].append(settled.told)
    return counts, found


def _brought_to_an_end(shop: Shop, run: Run, findings: Sequence[Finding]) -> Iterator[Settled]:
    """Unknown references are looked for among lost attempts for as long as one is found: a payment that is known again
    can bring the next one of its subscription into being."""
    left = list(findings)
    while True:
        with transaction(shop.id) as session:
            origins = reconciliation.origins(session, run, left)
        if not origins:
            break
        known = frozenset(origins)
        for finding in (one for one in left if _reference(one) in known):
            yield _settle_one(shop, run, finding, origins.pop(_reference(finding), None))
        left = [one for one in left if _reference(one) not in known]
    for finding in left:
        yield _settle_one(shop, run, finding, None)


def _reference(finding: Finding) -> str:
    return finding.moved.reference if finding.moved else ""


def _settle_one(shop: Shop, run: Run, finding: Finding, origin: Origin | None) -> Settled:
    with transaction(shop.id) as session:
        return reconciliation.settle(session, shop, run, finding, origin)
