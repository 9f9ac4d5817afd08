"""Many asks at once: apart from one another, in the time of their shop, and with nothing open."""

import threading
import time
from datetime import timedelta

from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.worker import asking
from tests.house import TestHouse


def test_asks_are_made_at_the_same_time_and_told_as_they_come_in(house: TestHouse) -> None:
    together = threading.Barrier(3, timeout=10)
    told = []
    with house.worker.app_context():
        for group in asking.answers(dict.fromkeys("abc", together.wait)):
            told += group
    assert sorted(told) == ["a", "b", "c"]


def test_an_ask_that_raises_costs_no_other_its_answer(house: TestHouse) -> None:
    def broken() -> int:
        raise RuntimeError("a fault of an adapter")

    with house.worker.app_context():
        found = {k: v for group in asking.answers({"a": broken, "b": lambda: 2}) for k, v in group.items()}
    assert found == {"b": 2}


def test_an_ask_has_no_transaction_though_another_is_open_and_lives_in_the_shops_time(
    house: TestHouse, shop: Shop
) -> None:
    def ask() -> float:
        assert_no_transaction()
        time.sleep(0.05)
        return clock.now().timestamp() - time.time()

    with house.worker.app_context(), clock.shifted(timedelta(days=3)):
        groups = asking.answers(dict.fromkeys("abcd", ask))
        with transaction(shop.id):
            found = [ahead for group in groups for ahead in group.values()]
    assert len(found) == 4
    assert all(abs(ahead - 3 * 86400) < 60 for ahead in found)
