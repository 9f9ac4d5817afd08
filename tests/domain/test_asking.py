"""Many asks at once: apart from one another, in the time of their shop, and with nothing open."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.worker import asking
from tests.house import TestHouse


def test_asks_are_made_at_the_same_time_and_told_as_they_come_in(house: TestHouse) -> None:
    together = threading.Barrier(3, timeout=10)
    told = []
    with house.worker.app_context():
        for group in asking.answers([dict.fromkeys("abc", together.wait)]):
            told += group
    assert sorted(told) == ["a", "b", "c"]


def test_an_ask_that_raises_costs_no_other_its_answer(house: TestHouse) -> None:
    def broken() -> int:
        raise RuntimeError("a fault of an adapter")

    with house.worker.app_context():
        found = {k: v for group in asking.answers([{"a": broken, "b": lambda: 2}]) for k, v in group.items()}
    assert found == {"b": 2}


def test_an_ask_has_no_transaction_though_another_is_open_and_lives_in_the_shops_time(
    house: TestHouse, shop: Shop
) -> None:
    def ask() -> float:
        assert_no_transaction()
        time.sleep(0.05)
        return clock.now().timestamp() - time.time()

    with house.worker.app_context(), clock.shifted(timedelta(days=3)):
        groups = asking.answers([dict.fromkeys("abcd", ask)])
        with transaction(shop.id):
            found = [ahead for group in groups for ahead in group.values()]
    assert len(found) == 4
    assert all(abs(ahead - 3 * 86400) < 60 for ahead in found)


def test_the_next_batch_is_prepared_while_the_last_is_asked_and_no_sooner_than_it_can_be_asked(
    house: TestHouse,
) -> None:
    answer = threading.Event()
    prepared: list[int] = []

    def batches() -> Iterator[dict[str, Callable[[], bool]]]:
        for number in range(3):
            prepared.append(number)
            if number == 1:
                # All of the first batch wait, and this one is prepared nevertheless.
                answer.set()
            yield {f"{number}-{name}": partial(answer.wait, 10) for name in range(asking.AT_ONCE - 1)}

    seen = 0
    with house.worker.app_context():
        for group in asking.answers(batches()):
            assert all(group.values())
            seen += len(group)
            assert len(prepared) * (asking.AT_ONCE - 1) - seen < 2 * asking.AT_ONCE
    assert (prepared, seen) == ([0, 1, 2], 3 * (asking.AT_ONCE - 1))


def test_what_is_under_way_is_told_though_the_next_batch_cannot_be_had(house: TestHouse) -> None:
    def batches() -> Iterator[dict[str, Callable[[], int]]]:
        yield {"a": lambda: 1}
        raise RuntimeError("the database is gone")

    told: dict[str, int] = {}
    with house.worker.app_context(), pytest.raises(RuntimeError):
        for group in asking.answers(batches()):
            told |= group
    assert told == {"a": 1}
