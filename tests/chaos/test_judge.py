"""The judge of the proof finds what it is there to find."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plugin_backend.domain import billing, plans
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.chaos.faults import DEMANDED, demanded
from tests.chaos.judge import Verdict, judge
from tests.chaos.sandbox import PLAYED
from tests.house import TestHouse

PART = Money(3000, "EUR")


@pytest.fixture
def admin(postgres_admin_url: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres_admin_url, dbname="reprise", autocommit=True) as connection:
        yield connection


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    return plan_story.add_paying_shop(house)


@pytest.fixture
def paid(house: TestHouse, shop: Shop) -> tuple[str, str]:
    """A collection that is paid in our books, and the reference it was paid under."""
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(9000, "EUR"))
        collection = plan_story.charged(session, shop, plan.id, 1)
        (attempt,) = billing.attempts_of(session, shop.id, collection)
        return collection, attempt.reference


@pytest.fixture
def untried(house: TestHouse, shop: Shop) -> str:
    """A collection that nobody tried."""
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(9000, "EUR"), "bea@example.test")
        return plans.collection(session, shop.id, plan.id, 2).id


def remember(ledger: Path, *captures: tuple[str, str, int]) -> None:
    """The gateway captured so much for these collections, under these references."""
    lines = [
        {
            "kind": "charge.made",
            "id": f"ch_{number}",
            "collection": collection,
            "reference": reference,
            "moved": {"amount": amount, "currency": "EUR"},
        }
        for number, (collection, reference, amount) in enumerate(captures)
    ]
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))


def judged(admin: "psycopg.Connection[Any]", ledger: Path, *due: str) -> Verdict:
    """Of these collections only: others of this database belong to other tests."""
    verdict = judge(admin, PLAYED.captures(ledger), set(due))
    for found in (verdict.twice, verdict.lost, verdict.mismatched, verdict.never_tried, verdict.unpaid):
        found[:] = [collection for collection in found if collection in due]
    return verdict


def test_books_that_agree_are_clean(admin: Any, tmp_path: Path, paid: tuple[str, str]) -> None:
    remember(tmp_path / "ledger", (*paid, 3000))
    verdict = judged(admin, tmp_path / "ledger", paid[0])
    assert verdict.clean
    assert verdict.last_line() == "charged twice: 0, lost: 0, mismatched: 0"


def test_two_captures_of_one_collection_are_charged_twice(
    admin: Any, tmp_path: Path, paid: tuple[str, str]
) -> None:
    remember(tmp_path / "ledger", (*paid, 3000), (*paid, 3000))
    assert judged(admin, tmp_path / "ledger", paid[0]).twice == [paid[0]]


def test_a_second_capture_under_another_reference_is_charged_twice_and_lost(
    admin: Any, tmp_path: Path, paid: tuple[str, str]
) -> None:
    remember(tmp_path / "ledger", (*paid, 3000), (paid[0], "rp-other", 3000))
    verdict = judged(admin, tmp_path / "ledger", paid[0])
    assert (verdict.twice, verdict.lost) == ([paid[0]], [paid[0]])


def test_a_capture_that_we_do_not_know_is_lost(admin: Any, tmp_path: Path, untried: str) -> None:
    remember(tmp_path / "ledger", (untried, "rp-lost", 3000))
    verdict = judged(admin, tmp_path / "ledger", untried)
    assert (verdict.lost, verdict.never_tried) == ([untried], [untried])


def test_what_only_we_know_and_another_amount_are_mismatched(
    admin: Any, tmp_path: Path, paid: tuple[str, str]
) -> None:
    (tmp_path / "ledger").touch()
    assert judged(admin, tmp_path / "ledger", paid[0]).mismatched == [paid[0]]
    remember(tmp_path / "ledger", (*paid, 2999))
    assert judged(admin, tmp_path / "ledger", paid[0]).mismatched == [paid[0]]


def test_a_collection_that_nobody_tried_does_not_pass(admin: Any, tmp_path: Path, untried: str) -> None:
    (tmp_path / "ledger").touch()
    verdict = judged(admin, tmp_path / "ledger", untried)
    assert not verdict.clean
    assert verdict.also_wrong() == ["1 never tried"]


def test_a_smaller_proof_demands_its_share_of_every_fault() -> None:
    assert demanded(10_000) == DEMANDED
    assert demanded(1_000) == {kind: -(-count // 10) for kind, count in DEMANDED.items()}
    assert min(demanded(10).values()) == 1
