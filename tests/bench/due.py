"""Claiming 500 due rows among ten thousand to a million: it must not matter how many there are.

``python -m tests.bench.due``; ``FULL=1`` goes to ten million. One shop has all the rows, which is the hard case: its
part of the index holds every moment to come. What is claimed is claimed by the product's own ``due.take``, as the role
that its processes work as, and committed to a durable PostgreSQL.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import Column, Engine, TypeDecorator, create_engine

from plugin_backend.core import due
from plugin_backend.core.db import CLOCK_ROLE, connect_args, engine_url, transaction
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.worker import jobs
from plugin_backend.worker.clock import due_shops
from tests.bench.stand import Stand, stand

SIZES = [10_000, 100_000, 1_000_000]
FULL_SIZE = 10_000_000
DUE = 500
REPEATS = 9
OTHER_SHOPS = 20
_OF_PLAN = 12
_CHUNK = 5_000
_SOON = datetime.now(UTC) + timedelta(days=1)
_MINUTES = 365 * 24 * 60
# Of ten rows so many wait for a moment; the others are at rest.
_WAITING = {Collection: 6, Cart: 1}
# What stands in a column that must hold something and that no bench looks at, by what it is in Python.
_BLANKS: dict[type[Any], str] = {
    bool: "f",
    bytes: "",
    datetime: "2026-01-01 00:00:00+00",
    object: "{}",  # JSON
    int: "0",
    list: "{}",
    str: "",
}

Values = Callable[[int], dict[str, str]]


def main() -> None:
    sizes = SIZES + ([FULL_SIZE] if os.environ.get("FULL") == "1" else [])
    began = time.monotonic()
    found: dict[type[Any], list[float]] = {Collection: [], Cart: []}
    print(
        f"{'rows in each':>14}{'claim 500 collections':>24}{'claim 500 carts':>18}{'clock, all tables':>20}   (ms)"
    )
    with stand() as here, here.admin() as admin, _clock_engine(here) as clock_engine:
        shop, _ = here.add_shop()
        for _ in range(OTHER_SHOPS):
            here.add_shop()
        filled = 0
        for size in sizes:
            _fill(admin, shop, filled, size)
            filled = size
            for model in found:
                found[model].append(_claims(here, admin, model, shop, size))
            look = _looks(clock_engine)
            print(f"{size:14,}{found[Collection][-1]:24.1f}{found[Cart][-1]:18.1f}{look:20.1f}", flush=True)
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"ratio_max_min {max(max(times) / min(times) for times in found.values()):.2f}")


@contextmanager
def _clock_engine(here: Stand) -> Iterator[Engine]:
    engine = create_engine(engine_url(here.postgres.url), connect_args=connect_args(CLOCK_ROLE))
    yield engine
    engine.dispose()


def _claims(here: Stand, admin: "psycopg.Connection[Any]", model: type[Any], shop: str, size: int) -> float:
    """Milliseconds to claim ``DUE`` rows that lie scattered among the others, the median of several times."""
    times = []
    with here.app.app_context():
        for repeat in range(REPEATS):
            ids = _make_due(admin, model, shop, size, repeat)
            began = time.perf_counter()
            with transaction(shop) as session:
                taken = due.take(session, model, shop, limit=DUE)
            times.append(1000 * (time.perf_counter() - began))
            assert taken == ids, f"{len(taken)} of {DUE} due rows were claimed"
            _let_go(admin, model, shop, ids)
    return statistics.median(times)


def _looks(engine: Engine) -> float:
    """Milliseconds in which the clock sees which shops have something due, the median of several times."""
    timers = [(model.__tablename__, bell) for model, bell in jobs.timers()]
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        with engine.connect() as connection:
            due_shops(connection, timers)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _make_due(
    admin: "psycopg.Connection[Any]", model: type[Any], shop: str, size: int, repeat: int
) -> list[str]:
    """Let the moment of some waiting rows have come; their ids, sorted."""
    # Every tenth row waits.
    ids = sorted(_id(model, (place * (size // DUE) + repeat * 10) % size) for place in range(DUE))
    moment = datetime.now(UTC) - timedelta(minutes=1)
    _update(admin, model, "due_at = %s", [moment, shop, ids])
    return ids


def _let_go(admin: "psycopg.Connection[Any]", model: type[Any], shop: str, ids: list[str]) -> None:
    """Let them wait again, as the work that they were claimed for would."""
    _update(admin, model, "due_at = %s, taken = false", [datetime.now(UTC) + timedelta(days=30), shop, ids])


def _update(admin: "psycopg.Connection[Any]", model: type[Any], change: str, values: list[Any]) -> None:
    statement = f"UPDATE {model.__tablename__} SET {change} WHERE shop_id = %s AND id = ANY(%s)"
    assert admin.execute(statement.encode(), values).rowcount == DUE


def _fill(admin: "psycopg.Connection[Any]", shop: str, start: int, end: int) -> None:
    """Bring collections and carts from ``start`` to ``end`` rows, with the plans, offers and people they belong to."""
    own = {"shop_id": shop}
    customer, method = _id(Customer, 0), _id(PaymentMethod, 0)
    if start == 0:
        _copy(admin, Customer, range(1), own, lambda number: {})
        _copy(admin, PaymentMethod, range(1), own, lambda number: {"customer_id": customer})
    _copy(admin, Cart, range(start, end), own, _cart)
    plans = range(-(-start // _OF_PLAN), -(-end // _OF_PLAN))
    done = {"customer_id": customer, "due_at": r"\N"}
    _copy(admin, Offer, plans, {**own, **done, "state": "accepted"}, lambda n: {"cart_id": _id(Cart, n)})
    active = {**own, **done, "state": "active", "method_id": method}
    _copy(admin, Plan, plans, active, lambda n: {"offer_id": _id(Offer, n), "cart_id": _id(Cart, n)})
    _copy(admin, Collection, range(start, end), own, _collection)
    for model in (Cart, Offer, Plan, Collection):
        # As the database does by itself after a while.
        admin.execute(f"VACUUM ANALYZE {model.__tablename__}".encode())


def _cart(number: int) -> dict[str, str]:
    waits = number % 10 < _WAITING[Cart]
    return {
        "key": f"order:{number}",
        "state": "active" if waits else "ordered",
        "due_at": _later(number) if waits else r"\N",
    }


def _collection(number: int) -> dict[str, str]:
    waits = number % 10 < _WAITING[Collection]
    return {
        "plan_id": _id(Plan, number // _OF_PLAN),
        "number": str(number % _OF_PLAN + 1),
        "amount": "4333",
        "currency": "EUR",
        "state": "scheduled" if waits else "paid",
        "scheduled_at": _later(number),
        "due_at": _later(number) if waits else r"\N",
    }


def _later(number: int) -> str:
    """A moment of the year to come; neighbours are far apart."""
    return (_SOON + timedelta(minutes=number * 7919 % _MINUTES)).isoformat()


def _id(model: type[Any], number: int) -> str:
    return f"{model.prefix}_{number:026d}"


def _copy(
    admin: "psycopg.Connection[Any]", model: type[Any], numbers: range, fixed: dict[str, str], values: Values
) -> None:
    table = model.__table__
    blank = {column.name: _blank(column) for column in table.columns} | fixed
    statement = f"COPY {table.name} ({', '.join(blank)}) FROM STDIN"
    with admin.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for first in range(numbers.start, numbers.stop, _CHUNK):
            chunk = range(first, min(first + _CHUNK, numbers.stop))
            rows = (blank | {"id": _id(model, number)} | values(number) for number in chunk)
            copy.write("".join("\t".join(row.values()) + "\n" for row in rows))


def _blank(column: "Column[Any]") -> str:
    if column.nullable:
        return r"\N"
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return _BLANKS[kind.python_type]


if __name__ == "__main__":
    main()
