"""Thousands of collections fall due while everything that can break is broken: ``python -m tests.chaos.run``.

``COLLECTIONS`` (10000), ``SEED`` (printed), ``VARIANT`` (a mode of the gateway's account), ``GATEWAY`` (sandbox),
``FACTOR`` (what every delay of the engine is multiplied by) and ``LIMIT`` (seconds) are read from the environment. The
last line says what was found; the exit code is 0 where nothing was, and every fault that is demanded was injected.
"""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from aiosmtpd.controller import Controller
from sqlalchemy import create_engine

from plugin_backend.app import create_app
from plugin_backend.core import config, delays
from plugin_backend.core.db import engine_url
from plugin_backend.launcher.ports import LOOPBACK
from plugin_backend.migrations import upgrade
from tests.chaos import fill, judge
from tests.chaos.faults import GATEWAY, Faults, demanded
from tests.chaos.gateway_faults import GatewayFaults
from tests.chaos.stage import Stage, stage
from tests.conftest import close

WORKERS = 4
_SAY_EVERY = 5.0
_LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be proven."""

    collections: int
    seed: int
    variant: str
    gateway: str
    factor: float
    limit: float
    shops: int

    @property
    def lease(self) -> float:
        return delays.Delays().lease.total_seconds() * self.factor


@dataclass
class Seen:
    """How far the work is. ``open`` counts attempts that nobody knows the end of, ``unread`` callbacks."""

    paid: int = 0
    open: int = 0
    unread: int = 0
    untold: int = 0

    def told(self, collections: int) -> str:
        words = f"{self.open} unclear, {self.unread} callbacks unread, {self.untold} to tell"
        return f"{self.paid} of {collections} paid, {words}"


def asked() -> Asked:
    given = os.environ.get
    collections = int(given("COLLECTIONS") or 10_000)
    return Asked(
        collections,
        int(given("SEED") or random.SystemRandom().randrange(1_000_000)),
        given("VARIANT") or "default",
        given("GATEWAY") or "sandbox",
        float(given("FACTOR") or 1 / 40),
        float(given("LIMIT") or (600 if collections > 1_000 else 120)),
        min(8, max(2, collections // 250)),
    )


def main() -> int:
    ask = asked()
    print(
        f"{ask.collections} collections, seed {ask.seed}, gateway {ask.gateway} ({ask.variant}), delays x {ask.factor:g} "
        f"(lease {ask.lease:g} s), {WORKERS} workers, limit {ask.limit:g} s",
        flush=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    with stage(ask.factor) as on, _mail_server(on.ports["mail"]):
        verdict, counts = _prove(on, ask, began)
    missing = {kind: f"{counts.get(kind, 0)} of {n}" for kind, n in demanded(ask.collections).items()}
    short = {
        kind: told for kind, told in missing.items() if counts.get(kind, 0) < demanded(ask.collections)[kind]
    }
    print(f"faults: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}")
    print(f"took {time.monotonic() - began:.0f} s, seed {ask.seed}")
    if short:
        print(f"too few faults: {short}")
    if time.monotonic() - began > ask.limit:
        print(f"over the limit of {ask.limit:g} s")
    if not verdict.clean:
        print(
            f"never tried: {len(verdict.never_tried)}, unpaid: {len(verdict.unpaid)}, invariants broken: {len(verdict.broken)}"
        )
    print(verdict.last_line(), flush=True)
    return 0 if verdict.clean and not short and time.monotonic() - began <= ask.limit else 1


def _prove(on: Stage, ask: Asked, began: float) -> tuple[judge.Verdict, dict[str, int]]:
    engine = create_engine(engine_url(on.postgres.url))
    upgrade(engine)
    engine.dispose()
    on.start_gateway()
    filled = fill.fill(on, ask.collections, ask.shops, {})
    with on.admin() as admin:
        due = {row[0] for row in admin.execute("SELECT id FROM collections WHERE number = 2")}
    assert len(due) == ask.collections
    on.start("web", "web", "--port", str(on.ports["web"]), "--workers", "1", port="web")
    for number in range(WORKERS):
        on.start(f"worker-{number}", "worker")
    on.start("clock", "clock")
    print(
        f"{time.monotonic() - began:5.0f} s  filled {len(due)} in {len(filled)} shops; they fall due",
        flush=True,
    )
    with on.admin() as admin:
        fill.let_fall_due(admin, filled)
    gateway = GatewayFaults(on.gateway_url, ask.seed)
    faults = Faults(on, ask.collections, ask.seed, ask.lease)
    _break_everything(on, ask, faults, gateway, began)
    counts = dict(faults.done) | {GATEWAY: sum(gateway.counted().values())}
    print(f"gateway: {gateway.counted()}")
    print(f"started again: {dict(sorted(on.restarts.items()))}")
    for name in on.names("w") + on.names("clock"):
        on.end(name)
    return _judged(on, due, [shop.shop_id for shop in filled]), counts


def _break_everything(on: Stage, ask: Asked, faults: Faults, gateway: GatewayFaults, began: float) -> None:
    """Until all is paid, all faults were injected, and nothing stirs for longer than anything could still be late."""
    work_began = time.monotonic()
    quiet_since, said, seen, paid_at = None, 0.0, Seen(), 0.0
    wanted = demanded(ask.collections)[GATEWAY]
    while (now := time.monotonic()) - began < ask.limit:
        time.sleep(_LOOK_EVERY)
        on.repair()
        seen = _seen(on) or seen
        share = seen.paid / ask.collections
        faults.tick(share)
        gateway.top_up(min(wanted, int(wanted * share * 1.1) + 20))
        if seen.paid >= ask.collections and not paid_at:
            paid_at = now - work_began
            print(f"all paid after {paid_at:.0f} s: {seen.paid / paid_at:.0f} a second", flush=True)
        if now - said > _SAY_EVERY:
            said = now
            print(f"{now - began:5.0f} s  {seen.told(ask.collections)}; {faults.told()}", flush=True)
        resting = seen.paid >= ask.collections and not (seen.open or seen.unread or faults.left)
        quiet_since = (quiet_since or now) if resting else None
        if quiet_since is not None and now - quiet_since > ask.lease * 2:
            return


def _seen(on: Stage) -> Seen | None:
    query = """
        SELECT (SELECT count(*) FROM collections WHERE number = 2 AND state = 'paid'),
               (SELECT count(*) FROM attempts WHERE state IN ('sent', 'pending', 'requires_action', 'in_doubt')),
               (SELECT count(*) FROM deliveries WHERE state = 'received'),
               (SELECT count(*) FROM outbox WHERE state = 'queued')"""
    with contextlib.suppress(psycopg.OperationalError), on.admin() as admin:
        row = admin.execute(query.encode()).fetchone()
        return Seen(*row) if row else None
    return None


def _judged(on: Stage, due: set[str], shops: list[str]) -> judge.Verdict:
    app = create_app(config.load(on.environment), part="worker")
    with on.admin() as admin, app.app_context():
        verdict = judge.judge(admin, on.ledger, due)
        verdict.broken = judge.broken_invariants(shops)
        print("\n".join(judge.shown(admin, on.ledger, verdict)))
    close(app)
    return verdict


class _Letterbox:
    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        return "250 OK"


@contextlib.contextmanager
def _mail_server(port: int) -> Iterator[None]:
    controller = Controller(_Letterbox(), hostname=LOOPBACK, port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


if __name__ == "__main__":
    sys.exit(main())
