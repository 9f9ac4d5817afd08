"""A delivery that was answered 2xx is kept, whatever happens to Redis and to the process that answered."""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from redis import Redis

from plugin_backend.core.config import Config
from plugin_backend.domain.merchants import Shop
from tests.bench.orders import Orders
from tests.flow.web_process import WebProcess, status, web_process
from tests.house import SECRET, TestHouse
from tests.servers import Servers

SENDERS = 4


@pytest.fixture
def web(servers: Servers, settings: Config) -> Iterator[WebProcess]:
    with web_process(servers.supervisor, settings) as process:
        yield process


def kept(servers: Servers, shop: Shop) -> set[int]:
    """The numbers of the deliveries that are in the table."""
    query = "SELECT headers->>'x-wc-webhook-delivery-id' FROM deliveries WHERE shop_id = %s"
    with psycopg.connect(servers.postgres.url, options="-c role=reprise_app") as connection:
        connection.execute("SELECT set_config('app.shop', %s, true)", (shop.id,))
        return {int(number) for (number,) in connection.execute(query, (shop.id,))}


def test_with_redis_away_deliveries_are_answered_and_kept(
    servers: Servers, house: TestHouse, shop: Shop, web: WebProcess
) -> None:
    orders = Orders(web.port, house.hook(shop), SECRET)
    assert web.ask(orders.request(1)) == 200
    servers.supervisor.kill("redis")
    try:
        began = time.monotonic()
        assert [web.ask(orders.request(number)) for number in range(2, 22)] == [200] * 20
        assert time.monotonic() - began < 10
    finally:
        servers.supervisor.children.pop("redis")
        servers.redis.start(servers.supervisor)
    assert kept(servers, shop) == set(range(1, 22))
    # The clock finds them without any ring.
    house.rest(shop)
    assert web.ask(orders.request(22)) == 200


def test_the_last_of_many_deliveries_is_rung_for(
    redis_url: str, house: TestHouse, shop: Shop, web: WebProcess
) -> None:
    orders = Orders(web.port, house.hook(shop), SECRET)
    mark = f"bell:read:{shop.id}"
    with Redis.from_url(redis_url) as redis:
        for number in range(5):
            assert web.ask(orders.request(number)) == 200
        # As the drain does when it answers the ring.
        assert eventually(lambda: redis.delete(mark) == 1)
        assert web.ask(orders.request(5)) == 200
        assert eventually(lambda: redis.exists(mark) == 1)


def eventually(met: Callable[[], object], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_kill_minus_nine_loses_no_delivery_that_was_answered(
    servers: Servers, house: TestHouse, shop: Shop, web: WebProcess
) -> None:
    orders = Orders(web.port, house.hook(shop), SECRET)
    answered: list[int] = []
    senders = [threading.Thread(target=send, args=(web, orders, first, answered)) for first in range(SENDERS)]
    for sender in senders:
        sender.start()
    assert eventually(lambda: len(answered) > 200, 60.0)
    servers.supervisor.kill(web.child.name)
    for sender in senders:
        sender.join()
    in_flight = kept(servers, shop) - set(answered)
    assert set(answered) <= kept(servers, shop)
    assert len(in_flight) <= SENDERS


def send(web: WebProcess, orders: Orders, first: int, answered: list[int]) -> None:
    """One delivery after the other on one connection until it breaks."""
    number = first
    try:
        with web.connect() as connection:
            while True:
                connection.sendall(orders.request(number))
                if status(connection) != 200:
                    return
                answered.append(number)
                number += SENDERS
    except OSError:
        return
