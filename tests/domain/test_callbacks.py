"""What a gateway says by itself: it finds us, it is kept and read, and it makes us look."""

import json
import time

from sqlalchemy import select

from plugin_backend.domain import billing, inbox
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import GatewayAccount, Shop
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse


def callbacks(house: TestHouse, shop: Shop) -> list[str]:
    """What the gateway has told of charges by now, read or not."""
    with house.of(shop) as session:
        rows = session.scalars(
            select(DeliveryRow).join(GatewayAccount, GatewayAccount.id == DeliveryRow.source)
        )
        told = [row.topic or json.loads(inbox.as_delivery(session, row).body)["type"] for row in rows]
    return [kind for kind in told if kind.startswith("charge.")]


def wait_for(house: TestHouse, shop: Shop, count: int) -> None:
    patience = time.monotonic() + 15
    while len(callbacks(house, shop)) < count:
        assert time.monotonic() < patience, "the gateway did not call"
        time.sleep(0.05)


def test_a_callback_brings_up_a_payment_whose_worker_died_without_waiting_for_its_lease(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, site: str
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    wait_for(house, paying_shop, 1)
    second = story.collections(house, paying_shop)[1]
    with house.of(paying_shop) as session:
        prepared = billing.prepare(session, paying_shop, second.id, initiator="merchant")
    assert prepared is not None
    with house.worker.app_context():
        billing.ask(prepared)  # The answer is never recorded: the worker is dead.
    wait_for(house, paying_shop, 2)

    house.rest(paying_shop)

    assert story.states(house, paying_shop)[:2] == ["paid", "paid"]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
