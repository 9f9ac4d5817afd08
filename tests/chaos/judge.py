"""Our books against the gateway's own file: who is right about money is the gateway, always."""

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from plugin_backend.core.db import transaction
from plugin_backend.domain import invariants, vault
from plugin_backend.sdk.money import Money
from tests.chaos.played import Capture, Played

_SHOWN = 5
_FIRST = """
    SELECT s.id, c.id, a.reference FROM setups s
    JOIN plans p ON p.shop_id = s.shop_id AND p.offer_id = s.offer_id
    JOIN collections c ON c.shop_id = p.shop_id AND c.plan_id = p.id AND c.number = 1
    JOIN attempts a ON a.shop_id = c.shop_id AND a.collection_id = c.id AND a.state = 'succeeded'
    WHERE s.state = 'completed'"""


@dataclass
class Verdict:
    """What was found wrong, by collection. ``never_tried`` fell due and was not attempted; ``unpaid`` was, and is not
    paid although its card pays always."""

    captures: int = 0
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    never_tried: list[str] = field(default_factory=list)
    unpaid: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        found = (self.twice, self.lost, self.mismatched, self.never_tried, self.unpaid, self.broken)
        return not any(found)

    def also_wrong(self) -> list[str]:
        """What the last line does not say."""
        found = [f"{len(self.never_tried)} never tried"] if self.never_tried else []
        found += [f"{len(self.unpaid)} tried and not paid"] if self.unpaid else []
        return found + [f"broken: {sentence}" for sentence in self.broken]

    def last_line(self) -> str:
        return f"charged twice: {len(self.twice)}, lost: {len(self.lost)}, mismatched: {len(self.mismatched)}"


def judge(admin: "psycopg.Connection[Any]", captures: list[Capture], due: set[str]) -> Verdict:
    """Compare. ``captures`` are the gateway's, ``due`` the collections that fell due. A capture of which the gateway does not
    know the collection is that of the attempt whose reference it has, and nobody's where there is none; one under the
    reference of a set-up is that of the payment which the set-up was made for."""
    states = dict(admin.execute("SELECT id, state FROM collections").fetchall())
    ours: dict[str, dict[str, Money]] = defaultdict(dict)
    tried: dict[str, str] = {}
    rows = "SELECT collection_id, reference, state, amount, currency FROM attempts"
    for collection, reference, state, amount, currency in admin.execute(rows.encode()):
        tried[reference] = collection
        if state == "succeeded":
            ours[collection][reference] = Money(amount, currency)
    theirs: dict[str, list[Capture]] = defaultdict(list)
    first = {id: (collection, reference) for id, collection, reference in admin.execute(_FIRST.encode())}
    for capture in captures:
        collection, reference = first.get(capture.reference, (capture.collection, capture.reference))
        named = collection or tried.get(reference, reference)
        theirs[named].append(replace(capture, reference=reference))
    return _verdict(theirs, ours, states, due, tried=set(tried.values()))


def _verdict(
    theirs: dict[str, list[Capture]],
    ours: dict[str, dict[str, Money]],
    states: dict[str, str],
    due: set[str],
    *,
    tried: set[str],
) -> Verdict:
    verdict = Verdict(captures=sum(map(len, theirs.values())))
    for collection in sorted(theirs.keys() | ours.keys() | due):
        _compare(verdict, collection, theirs[collection], ours[collection])
        if collection in due and collection not in tried:
            verdict.never_tried.append(collection)
        elif collection in due and states[collection] != "paid":
            verdict.unpaid.append(collection)
    return verdict


def _compare(verdict: Verdict, collection: str, theirs: list[Capture], ours: dict[str, Money]) -> None:
    if len(theirs) > 1:
        verdict.twice.append(collection)
    captured = {capture.reference: capture.amount for capture in theirs}
    if captured.keys() - ours.keys():
        verdict.lost.append(collection)
    if ours.keys() - captured.keys() or any(
        captured[name] != ours[name] for name in captured.keys() & ours.keys()
    ):
        verdict.mismatched.append(collection)


def broken_invariants(shops: list[str]) -> list[str]:
    """What the product's own invariants say, and where the vault's log is broken, in an application's context."""
    found = []
    for shop in shops:
        with transaction(shop) as session:
            found += [f"{shop}: {sentence}" for sentence in invariants.broken(session)]
            if broken := vault.prove_log(session, shop).broken:
                found.append(f"{shop}: the vault's log: {broken}")
    return found


def shown(admin: "psycopg.Connection[Any]", gateway: Played, ledger: Path, verdict: Verdict) -> list[str]:
    """The whole history of a few collections of each fault, for whoever must find the cause."""
    lines = list(verdict.broken)
    for fault in ("twice", "lost", "mismatched", "never_tried", "unpaid"):
        for collection in getattr(verdict, fault)[:_SHOWN]:
            lines += [f"{fault}: {collection}", *_history(admin, gateway, ledger, collection)]
    return lines


def _history(admin: "psycopg.Connection[Any]", gateway: Played, ledger: Path, collection: str) -> list[str]:
    moves = """
        SELECT m.created_at, m.noun, m.row_id, m.before, m.after, m.reason FROM moves m
        WHERE m.row_id = %s OR m.row_id IN (SELECT id FROM attempts WHERE collection_id = %s) ORDER BY m.seq"""
    ours = [" ".join(map(str, row)) for row in admin.execute(moves.encode(), (collection, collection))]
    rows = "SELECT row_to_json(c) FROM collections c WHERE id = %s"
    ours += [json.dumps(row[0]) for row in admin.execute(rows.encode(), (collection,))]
    rows = "SELECT row_to_json(a) FROM attempts a WHERE collection_id = %s ORDER BY number"
    ours += [json.dumps(row[0]) for row in admin.execute(rows.encode(), (collection,))]
    rows = "SELECT reference FROM attempts WHERE collection_id = %s"
    references = [row[0] for row in admin.execute(rows.encode(), (collection,))]
    theirs = gateway.history(ledger, collection, references)
    return [f"  ours   {line}" for line in ours] + [f"  theirs {line}" for line in theirs]
