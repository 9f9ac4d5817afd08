"""The processes: web, worker, clock; and the doctor, who looks at them."""

import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from plugin_backend.app import check_ready, clock_of, create_app
from plugin_backend.cli.context import (
    at_work,
    data_option,
    json_option,
    seconds,
    shop_option,
    tell,
)
from plugin_backend.core import config, queue
from plugin_backend.core.db import transaction
from plugin_backend.domain import invariants, merchants, quarantine
from plugin_backend.worker import holding


@click.command()
@click.option("--port", type=int, default=8000, show_default=True)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Other than loopback only behind a proxy."
)
@click.option("--workers", type=int, default=2, show_default=True, help="Processes that answer.")
def web(port: int, host: str, workers: int) -> None:
    """Answer the outside: webhooks, offer pages, dashboard."""
    check_ready(create_app(part="web"))
    Granian(
        "plugin_backend.app:create_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=16,
        backlog=1024,
        factory=True,
        log_access=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(queue.QUEUES),
    help="Which bells to answer (default: all, a waiting customer first, then money).",
)
def worker(queues: tuple[str, ...]) -> None:
    """Do what is due: read deliveries, make offers, charge, tell the outside."""
    settings = config.load(root=True)
    app = create_app(settings, part="worker")
    check_ready(app)
    connection: Any = queue.connect_worker(settings.redis_url)
    with app.app_context():
        listening = [queue.queue(connection, name) for name in queues or queue.QUEUES]
        answering = BellWorker(
            listening,
            connection=connection,
            job_class=queue.BellJob,
            serializer=JSONSerializer,
            maintenance_interval=60,
        )
        answering.max_connection_wait_time = 5
        with holding.reporting(app):
            answering.work(logging_level="WARNING")


class BellWorker(SimpleWorker):
    """Works in its own process, without forking for each job: a job is a drain with its own socket timeouts, and a warm
    database connection is worth more than a fork's isolation."""


@click.group(invoke_without_command=True)
@click.pass_context
def clock(context: click.Context) -> None:
    """Ring for what is due. Two may run at once."""
    if context.invoked_subcommand is None:
        run_clock()


@clock.command()
@click.argument("span", metavar="SPAN")
@shop_option
@data_option
@json_option
def advance(span: str, shop_id: str, data: Path | None, as_json: bool) -> None:
    """Let the clock of a test shop run ahead by SPAN, such as 30d or 2h: from due moment to due moment, each worked
    off before the next. The running clock process does the travelling."""
    with at_work(data), transaction(None) as session:
        goal = merchants.travel(
            session, merchants.get_shop(session, shop_id), timedelta(seconds=seconds(span))
        )
    tell(
        {"shop": shop_id, "travels_to": goal.isoformat()},
        as_json=as_json,
        lines=lambda it: [it["travels_to"]],
    )


def run_clock() -> None:
    """Be the clock process until it is asked to stop."""
    app = create_app(part="clock")
    check_ready(app)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock_of(app).run(stop)


@click.command()
@data_option
@json_option
def doctor(data: Path | None, as_json: bool) -> None:
    """Check the installation and the books; exit 1 where something does not hold."""
    with at_work(data) as app:
        check_ready(app)
        with transaction(None) as session:
            shops = [shop.id for shop in merchants.all_shops(session)]
        broken = {}
        for shop_id in shops:
            with transaction(shop_id) as session:
                broken[shop_id] = invariants.broken(session)
        held = [{"shop": shop, "account": account} for shop, account in quarantine.everywhere()]
    found = {"shops": len(shops), "broken": {shop: what for shop, what in broken.items() if what}}
    found["quarantine"] = held
    tell(found, as_json=as_json, lines=_doctor_lines)
    if found["broken"]:
        raise click.exceptions.Exit(1)


def _doctor_lines(found: Any) -> list[str]:
    held = [
        f"{one['shop']}: {one['account']} is in quarantine: it charges nobody" for one in found["quarantine"]
    ]
    if not found["broken"]:
        return [*held, f"{found['shops']} shops: everything holds"]
    return [*held, *(f"{shop}: {what}" for shop, whats in found["broken"].items() for what in whats)]


COMMANDS = [web, worker, clock, doctor]
