"""What the engine is for: the same faults met by the design that everybody begins with. ``python -m tests.chaos.naive``.

A job for each payment, RQ's own ``Retry(max=3)``, no idempotency key that outlives a try, and "paid" written after the answer.
Where the queue ran dry and something is unpaid, all of that is enqueued again, as the next night's run would: three
nights. Nothing of this is in the product; its last line is a measure, and no pass or fail.
"""

import json
import os
import secrets
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry, SimpleWorker
from sqlalchemy import create_engine

from plugin_backend.core.db import engine_url
from plugin_backend.core.delays import Delays
from plugin_backend.demo.gateway.ledger import read_entries
from plugin_backend.migrations import upgrade
from plugin_backend.sdk.http import HttpClient, Request
from tests.chaos import fill
from tests.chaos.faults import CLOCKS_KILLED, Faults
from tests.chaos.process import READY
from tests.chaos.run import WORKERS, Asked, asked, mail_server
from tests.chaos.sandbox import PLAYED as SANDBOX
from tests.chaos.stage import Stage, stage

NIGHTS = 3
_DATABASE, _TIMEOUT = "NAIVE_DATABASE", "NAIVE_TIMEOUT"
# By name: to a job this file is no main program.
_JOB = "tests.chaos.naive.charge"
_TABLE = """
    CREATE TABLE naive_payments (
        id text PRIMARY KEY, url text, api_key text, token text, amount bigint, currency text, paid boolean)"""


def charge(payment_id: str) -> None:
    """The job. Whatever goes wrong is raised, and tried again by the queue."""
    with psycopg.connect(os.environ[_DATABASE], autocommit=True) as database:
        query = "SELECT url, api_key, token, amount, currency, paid FROM naive_payments WHERE id = %s"
        url, api_key, token, amount, currency, paid = database.execute(query, (payment_id,)).fetchone() or ()
        if paid:
            return
        _ask(url, api_key, token, payment_id, {"amount": amount, "currency": currency})
        database.execute("UPDATE naive_payments SET paid = true WHERE id = %s", (payment_id,))


def _ask(url: str, api_key: str, token: str, payment_id: str, amount: dict[str, Any]) -> None:
    once = f"naive-{secrets.token_hex(12)}"
    body = {
        "reference": once,
        "amount": amount,
        "token": token,
        "initiator": "merchant",
        "series": "instalment",
        "collection": payment_id,
    }
    headers = {
        "Authorization": f"Bearer {api_key}",
        "Idempotency-Key": once,
        "Content-Type": "application/json",
    }
    client = HttpClient(allow_private=True, timeout=float(os.environ[_TIMEOUT]))
    answer = client.send(Request("POST", f"{url}/v1/charges", headers, json.dumps(body).encode()))
    client.close()
    if json.loads(answer.body).get("state") != "captured":
        raise RuntimeError(f"answered {answer.status}")


def work() -> int:
    connection: Any = Redis.from_url(os.environ["REDIS_URL"])
    worker = SimpleWorker([_queue(connection)], connection=connection)
    worker.max_connection_wait_time = 5
    Path(os.environ[READY]).write_text(str(os.getpid()))
    worker.work(logging_level="ERROR")
    return 0


def _queue(connection: Any) -> Queue:
    return Queue("naive", connection=connection, default_timeout=60)


def main() -> int:
    ask, began = asked(), time.monotonic()
    print(f"the naive design: {ask.told()}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with stage(ask.factor) as on, mail_server(on.ports["mail"]):
        filled = _prepare(on, ask)
        faults, gateway = _live(on, ask, began)
        print(
            f"after {time.monotonic() - began:.0f} s: {faults.told()}, gateway {sum(gateway.values())} ({dict(gateway)})"
        )
        due = sum(shop.plans for shop in filled)
        print(f"naive, seed {ask.seed}: {_measured(on, due)}", flush=True)
    return 0


def _prepare(on: Stage, ask: Asked) -> list[fill.Filled]:
    engine = create_engine(engine_url(on.postgres.url))
    upgrade(engine)
    engine.dispose()
    on.start_gateway()
    filled = fill.fill(on, SANDBOX, ask.collections, ask.shops, SANDBOX.settings(ask.variant, ask.factor))
    tokens = {
        entry["collection"]: entry["token"]
        for entry in read_entries(on.ledger)
        if entry["kind"] == "charge.made"
    }
    keys = {shop.shop_id: shop.account["api_key"] for shop in filled}
    with on.admin() as admin, admin.cursor() as cursor:
        admin.execute(_TABLE)
        rows = admin.execute(
            "SELECT s.id, f.id, s.shop_id, s.amount, s.currency FROM collections s "
            "JOIN collections f USING (shop_id, plan_id) WHERE s.number = 2 AND f.number = 1"
        ).fetchall()
        with cursor.copy("COPY naive_payments FROM STDIN") as copy:
            for second, first, shop, amount, currency in rows:
                copy.write_row((second, on.gateway_url, keys[shop], tokens[first], amount, currency, False))
    on.environment[_DATABASE] = on.postgres.admin_url.replace("/postgres?", "/reprise?")
    on.environment[_TIMEOUT] = str(Delays().outside.total_seconds() * ask.factor)
    for number in range(WORKERS):
        on.start(f"worker-{number}", "worker", module="tests.chaos.naive")
    return filled


def _live(on: Stage, ask: Asked, began: float) -> tuple[Faults, Counter[str]]:
    """Until all is marked as paid, or three nights are over."""
    gateway = SANDBOX.faults(on.gateway_url, ask.seed, ask.factor)
    faults = Faults(on, ask.collections, ask.seed, ask.lease, without=(CLOCKS_KILLED,))
    nights, said = 0, 0.0
    while (now := time.monotonic()) - began < ask.limit:
        time.sleep(0.25)
        on.repair()
        unpaid = _unpaid(on)
        faults.tick(1 - len(unpaid) / ask.collections)
        if now - said > 5:
            said = now
            print(
                f"{now - began:5.0f} s  night {nights}, {len(unpaid)} not marked as paid; {faults.told()}",
                flush=True,
            )
        if unpaid and nights < NIGHTS and _dry(on):
            nights += _enqueued(on, unpaid)
        elif not unpaid or (nights == NIGHTS and _dry(on)):
            break
    gateway.stop()
    return faults, gateway.counted()


def _enqueued(on: Stage, unpaid: list[str]) -> bool:
    with Redis.from_url(on.redis.url) as connection:
        queue = _queue(connection)
        jobs = [Queue.prepare_data(_JOB, (name,), retry=Retry(max=3)) for name in unpaid]
        queue.enqueue_many(jobs)
    return True


def _dry(on: Stage) -> bool:
    """Is nothing waiting, and nobody at work?"""
    try:
        with Redis.from_url(on.redis.url) as connection:
            queue = _queue(connection)
            return not queue.count and not queue.started_job_registry.get_job_ids(cleanup=False)
    except RedisError:
        return False


def _unpaid(on: Stage) -> list[str]:
    with on.admin() as admin:
        return [row[0] for row in admin.execute("SELECT id FROM naive_payments WHERE NOT paid ORDER BY id")]


def _measured(on: Stage, due: int) -> str:
    captured: dict[str, int] = defaultdict(int)
    for capture in SANDBOX.captures(on.ledger):
        captured[capture.collection] += 1
    with on.admin() as admin:
        paid = dict(admin.execute("SELECT id, paid FROM naive_payments").fetchall())
    twice = sum(captured[name] > 1 for name in paid)
    too_often = sum(max(0, captured[name] - 1) for name in paid)
    lost = sum(captured[name] > 0 and not is_paid for name, is_paid in paid.items())
    never = sum(captured[name] == 0 for name in paid)
    return f"of {due}, charged twice or more: {twice} ({too_often} charges too many), captured and not marked: {lost}, never captured: {never}"


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1:] == ["worker"] else main())
