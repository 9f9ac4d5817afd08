"""A worker dies at every point of forgetting a customer, once each: each is forgotten once all the same, here and at the
gateway. Without ``KILL_POINTS=all`` every few points are taken, and all of those around the ask."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from plugin_backend.core.config import Config
from plugin_backend.domain import customers, erasing, merchants, vault
from plugin_backend.domain.erasing import Erasure, Tombstone
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import PaymentMethod, VaultKey, keys
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.connector import Person
from tests.chaos.test_kill_points import ALL, AROUND_THE_ASK, COMMITS, LIVED, Worker
from tests.contract.gateway_process import SandboxProcess
from tests.contract.sandbox_story import stored
from tests.domain.test_erasing import charge
from tests.house import TestHouse

EVERY = 1 if ALL else 7
MOST = 80 if ALL else 20


@pytest.fixture
def worker(settings: Config, gateway: SandboxProcess) -> Iterator[Worker]:
    made = Worker(settings, gateway)
    yield made
    made.close()


def begun(house: TestHouse, shop: Shop, gateway: SandboxProcess, number: int) -> tuple[str, str]:
    """An erasure of a customer who has a card, and the card's token."""
    token = stored(gateway)
    with house.of(shop) as session:
        customer = customers.meet(session, shop.id, Person(email=f"ida{number}@example.test"))
        assert customer is not None
        account = merchants.active_account(session, shop.id)
        card = sdk.CardStored(token, "visa", "4242", 11, 2038)
        vault.keep(session, shop.id, customer.id, account.id, card)
        row = erasing.begin(session, shop, customer.id, cause=erasing.BY_HAND, asked_by="a test")
        row.rest(None)
        return row.id, token


def due_now(house: TestHouse, shop: Shop, row_id: str) -> None:
    with house.of(shop) as session:
        session.get_one(Erasure, (shop.id, row_id)).rest(clock.now())


def test_a_worker_may_die_anywhere_and_each_customer_is_forgotten_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, worker: Worker
) -> None:
    rows = [begun(house, paying_shop, gateway, number) for number in range(MOST)]
    due_now(house, paying_shop, rows[0][0])
    labels, _ = worker.answer("erase", paying_shop)
    asks = {at for at, label in enumerate(labels, 1) if "bytes" in label or "answer" in label}
    points = [at for at in range(1, len(labels) + 1) if at in asks or (at - 1) % EVERY == 0]
    assert len(points) < MOST, labels
    died = []
    for at, (row_id, _) in zip(points, rows[1:], strict=False):
        due_now(house, paying_shop, row_id)
        seen, is_dead = worker.answer("erase", paying_shop, at)
        died.append(seen[-1] if is_dead else LIVED)
    assert set(died) >= (AROUND_THE_ASK | COMMITS if ALL else AROUND_THE_ASK), died

    house.leases_run_out(paying_shop)
    house.travel(paying_shop, hours=2)

    with house.of(paying_shop) as session:
        found = {row.id: row for row in session.scalars(select(Erasure))}
        stones = sorted(stone.customer_id for stone in session.scalars(select(Tombstone)))
        worked = [found[row_id] for row_id, _ in rows[: len(points) + 1]]
        assert {(row.state, row.reason) for row in worked} == {("shredded", "detached")}
        assert stones == sorted(row.customer_id for row in worked)
        forgotten = select(PaymentMethod.sealed).where(PaymentMethod.customer_id.in_(stones))
        assert set(session.scalars(forgotten)) == {None}
        destroyed = select(VaultKey.wrapped).where(
            VaultKey.kind == keys.CUSTOMER, VaultKey.owner_id.in_(stones)
        )
        assert set(session.scalars(destroyed)) == {None}
        for row in found.values():
            row.rest(clock.now())
    for _, token in rows[: len(points) + 1]:
        assert charge(gateway, token)[1]["error"]["code"] == "unknown_token"
