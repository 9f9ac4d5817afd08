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
_MONTH = timedelta(days=30)
_SOON = datetime.now(UTC) + timedelta(days=1)
_YEAR = _OF_PLAN * _MONTH
# The share of the baskets, the newest, that still wait for their moment.
_WAITING = 0.5

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

_NULL = r"\N"

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
        for size in sizes:
            _fill(admin, shop, size)
            for model in found:
                found[model].append(_claims(here, admin, model, shop))
            look = _looks(clock_engine)
            print(f"{size:14,}{found[Collection][-1]:24.1f}{found[Cart][-1]:18.1f}{look:20.1f}", flush=True)
    print(f"took {time.monotonic() - began:.0f} s")
    print(f"ratio_max_min {max(max(times) / min(times) for times in found.values()):.2f}")


@contextmanager
def _clock_engine(here: Stand) -> Iterator[Engine]:
    engine = create_engine(engine_url(here.postgres.url), connect_args=connect_args(CLOCK_ROLE))
    yield engine
    engine.dispose()


def _claims(here: Stand, admin: "psycopg.Connection[Any]", model: type[Any], shop: str) -> float:
    """Milliseconds to claim ``DUE`` rows, the next ones each time, and to commit: the median of several times, the
    first of which, that finds nothing warm, does not count."""
    times = []
    with here.app.app_context():
        for _ in range(REPEATS):
            ids = _make_due(admin, model, shop)
            began = time.perf_counter()
            with transaction(shop) as session:
                taken = due.take(session, model, shop, limit=DUE)
            times.append(1000 * (time.perf_counter() - began))
            assert taken == ids, f"{len(taken)} of {DUE} due rows were claimed"
            _settle(admin, model, shop, ids)
    return statistics.median(times[1:])


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


def _make_due(admin: "psycopg.Connection[Any]", model: type[Any], shop: str) -> list[str]:
    """Let the moment of the rows that are next have come; their ids, sorted."""
    soonest = f"SELECT id FROM {model.__tablename__} WHERE shop_id = %s AND due_at IS NOT NULL ORDER BY due_at LIMIT {DUE}"
    ids = sorted(row[0] for row in admin.execute(soonest.encode(), [shop]))
    _update(admin, model, "due_at = %s", [datetime.now(UTC) - timedelta(minutes=1), shop, ids])
    return ids


def _settle(admin: "psycopg.Connection[Any]", model: type[Any], shop: str, ids: list[str]) -> None:
    """Let them come to rest, as the work that they were claimed for does."""
    _update(admin, model, "due_at = %s, taken = false", [None, shop, ids])


def _update(admin: "psycopg.Connection[Any]", model: type[Any], change: str, values: list[Any]) -> None:
    statement = f"UPDATE {model.__tablename__} SET {change} WHERE shop_id = %s AND id = ANY(%s)"
    assert admin.execute(statement.encode(), values).rowcount == DUE


def _fill(admin: "psycopg.Connection[Any]", shop: str, size: int) -> None:
    """So many collections and carts, and the plans, offers and people they belong to: the plans of a year, each of
    twelve payments a month apart, so that half of all collections are paid and the others wait for their day."""
    admin.execute("TRUNCATE collections, plans, offers, carts, payment_methods, customers CASCADE")
    own, plans = {"shop_id": shop}, -(-size // _OF_PLAN)
    customer, method = _id(Customer, 0), _id(PaymentMethod, 0)
    _copy(admin, Customer, 1, own, lambda number: {})
    _copy(admin, PaymentMethod, 1, own, lambda number: {"customer_id": customer})
    _copy(admin, Cart, size, own, lambda number: _cart(number, size))
    done = {**own, "customer_id": customer, "due_at": _NULL}
    _copy(admin, Offer, plans, {**done, "state": "accepted"}, lambda number: {"cart_id": _id(Cart, number)})
    active = {**done, "state": "active", "method_id": method}
    _copy(
        admin,
        Plan,
        plans,
        active,
        lambda number: {"offer_id": _id(Offer, number), "cart_id": _id(Cart, number)},
    )
    _copy(admin, Collection, size, own, lambda number: _collection(number, plans))
    for model in (Cart, Offer, Plan, Collection):
        # As the database does by itself after a while.
        admin.execute(f"VACUUM ANALYZE {model.__tablename__}".encode())


def _cart(number: int, size: int) -> dict[str, str]:
    waits = number > size * (1 - _WAITING)
    return {
        "key": f"order:{number}",
        "state": "active" if waits else "ordered",
        "due_at": (_SOON + _YEAR * number / size).isoformat() if waits else _NULL,
    }


def _collection(number: int, plans: int) -> dict[str, str]:
    plan, payment = divmod(number, _OF_PLAN)
    scheduled = _SOON - _YEAR * (plans - plan) / plans + payment * _MONTH
    waits = scheduled > _SOON
    return {
        "plan_id": _id(Plan, plan),
        "number": str(payment + 1),
        "amount": "4333",
        "currency": "EUR",
        "state": "scheduled" if waits else "paid",
        "scheduled_at": scheduled.isoformat(),
        "due_at": scheduled.isoformat() if waits else _NULL,
    }


def _id(model: type[Any], number: int) -> str:
    return f"{model.prefix}_{number:026d}"


def _copy(
    admin: "psycopg.Connection[Any]", model: type[Any], count: int, fixed: dict[str, str], values: Values
) -> None:
    """Fill a table by COPY. What a row does not say is NULL or, where that may not be, a blank."""
    table = model.__table__
    blank = {column.name: _blank(column) for column in table.columns} | fixed
    statement = f"COPY {table.name} ({', '.join(blank)}) FROM STDIN"
    with admin.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for first in range(0, count, _CHUNK):
            chunk = range(first, min(first + _CHUNK, count))
            rows = (blank | {"id": _id(model, number)} | values(number) for number in chunk)
            copy.write("".join("\t".join(row.values()) + "\n" for row in rows))


def _blank(column: "Column[Any]") -> str:
    if column.nullable:
        return _NULL
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return _BLANKS[kind.python_type]


if __name__ == "__main__":
    main()
