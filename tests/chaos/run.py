"""Thousands of collections fall due while everything that can break is broken: ``python -m tests.chaos.run``.

Read from the environment: ``COLLECTIONS`` (10000), ``SEED`` (any; it is printed), ``GATEWAY`` (sandbox, or another module of
this folder that has one), ``VARIANT`` (of its account), ``FACTOR`` (what every delay of the engine is multiplied by) and ``LIMIT`` (seconds). The last line says
what was found. The exit code is 0 where that is nothing, and every fault that is demanded was injected in time.
"""

import contextlib
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from sqlalchemy import create_engine

from plugin_backend.app import create_app
from plugin_backend.core import config
from plugin_backend.core.db import engine_url
from plugin_backend.core.delays import Delays
from plugin_backend.launcher.ports import LOOPBACK
from plugin_backend.migrations import upgrade
from tests.chaos import fill, judge
from tests.chaos.faults import GATEWAY_FAULTS, Faults, demanded
from tests.chaos.played import GATEWAY, Played, chosen
from tests.chaos.progress import Seen, look
from tests.chaos.stage import Stage, stage
from tests.conftest import close

WORKERS = 3
FACTOR = 1 / 20
# Leases for which nothing may stir at the end: longer than a late capture, or a worker that sleeps, can still come.
_QUIET = 1.3
# Once this share of the payments is paid, or is being asked about, the gateway is well: each further look-up that it breaks
# makes the next one come later, so that the last of them would be waited for by the hour. Where a charge is two requests, more
# than a tenth is in doubt at once.
_WELL_FROM = 0.9
# In a proof of fewer payments a rare kind of fault may never come: of a thousand requests, each of the eight kinds that meet
# 8 in a thousand of them stays away from one run in 3,000, and one of them from one in 400.
_EVERY_KIND_FROM = 2_000
_SAY_EVERY = 5.0
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be proven."""

    collections: int
    seed: int
    gateway: Played
    variant: str
    factor: float
    limit: float

    @property
    def shops(self) -> int:
        return min(8, max(2, self.collections // 250))

    @property
    def lease(self) -> float:
        return Delays().lease.total_seconds() * self.factor

    def told(self) -> str:
        return (
            f"{self.collections} collections in {self.shops} shops, seed {self.seed}, gateway {self.gateway.name} "
            f"({self.variant}), every delay times {self.factor:g} (a lease is {self.lease:g} s), {WORKERS} workers, "
            f"limit {self.limit:g} s"
        )


def asked() -> Asked:
    """``ValueError`` for a gateway, or a variant of its account, that cannot be played."""
    given, gateway = os.environ.get, chosen()
    collections, variant = int(given("COLLECTIONS") or 10_000), given("VARIANT") or "default"
    if variant not in gateway.limits:
        raise ValueError(f"no variant {variant} of {gateway.name}: {', '.join(gateway.limits)}")
    quick, full = gateway.limits[variant]
    return Asked(
        collections,
        int(given("SEED") or random.SystemRandom().randrange(1_000_000)),
        gateway,
        variant,
        float(given("FACTOR") or FACTOR),
        float(given("LIMIT") or (quick if collections <= 1_000 else full)),
    )


def main() -> int:
    try:
        ask, began = asked(), time.monotonic()
    except ValueError as error:
        print(error)
        return 1
    print(ask.told(), flush=True)
    # Ctrl-C and this unwind everything, and what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with stage(ask.factor, **{GATEWAY: ask.gateway.name}) as on, mail_server(on.ports["mail"]):
        proof = Proof(on, ask, began)
        proof.prepare()
        proof.live()
        verdict = proof.judged()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.monotonic() - began
    print(f"took {seconds:.0f} s of {ask.limit:g}, {used.ru_utime + used.ru_stime:.0f} s of processor time")
    failures = [*proof.missing(), *([] if seconds <= ask.limit else ["over the limit"])]
    for failure in (*failures, *verdict.also_wrong()):
        print(f"FAILED: {failure}")
    print(f"{proof.told_faults()}, seed {ask.seed}")
    print(verdict.last_line(), flush=True)
    return 0 if verdict.clean and not failures else 1


class Proof:
    """One run on a stage."""

    def __init__(self, on: Stage, ask: Asked, began: float) -> None:
        self._on, self._ask, self._began = on, ask, began
        self._shops: list[fill.Filled] = []
        self._due: set[str] = set()
        self._counts: dict[str, int] = {}
        self._gateway_counts: dict[str, int] = {}
        self._kinds_missing: list[str] = []

    def prepare(self) -> None:
        """The plans, and all processes."""
        engine = create_engine(engine_url(self._on.postgres.url))
        upgrade(engine)
        engine.dispose()
        self._on.start_gateway()
        settings = self._ask.gateway.settings(self._ask.variant, self._ask.factor)
        self._shops = fill.fill(self._on, self._ask.gateway, self._ask.collections, self._ask.shops, settings)
        with self._on.admin() as admin:
            self._due = {row[0] for row in admin.execute("SELECT id FROM collections WHERE number = 2")}
        assert len(self._due) == self._ask.collections
        self._on.start("web", "web", "--port", str(self._on.ports["web"]), "--workers", "1", port="web")
        for number in range(WORKERS):
            self._on.start(f"worker-{number}", "worker")
        self._on.start("clock", "clock")

    def live(self) -> None:
        """Everything falls due and everything breaks, until all is paid, every fault was injected, and nothing has
        stirred for longer than anything could still be late."""
        self._say("all fall due")
        gateway = self._ask.gateway.faults(self._on.gateway_url, self._ask.seed, self._ask.factor)
        faults = Faults(self._on, self._ask.collections, self._ask.seed, self._ask.lease)
        with self._on.admin() as admin:
            fill.let_fall_due(admin, self._shops)
        due_at, said, quiet_since = time.monotonic(), 0.0, None
        seen, well = Seen(), False
        while (now := time.monotonic()) - self._began < self._ask.limit:
            time.sleep(_LOOK_EVERY)
            self._on.repair()
            before, seen = seen, look(self._on) or seen
            faults.tick(seen.paid / self._ask.collections)
            if not well and seen.paid + seen.unclear >= _WELL_FROM * self._ask.collections:
                gateway.stop()
                well = True
            if before.paid < self._ask.collections <= seen.paid:
                self._say(f"all paid, {seen.paid / (now - due_at):.0f} a second, faults and all")
            if now - said > _SAY_EVERY:
                said = now
                self._say(
                    f"{seen.told(self._ask.collections)}; {faults.told()}, gateway {sum(gateway.counted().values())}"
                )
            rests = seen.rests(self._ask.collections) and not faults.left
            quiet_since = (quiet_since or now) if rests else None
            if quiet_since is not None and now - quiet_since > _QUIET * self._ask.lease:
                break
        self._gateway_counts = dict(gateway.counted())
        self._kinds_missing = gateway.missing()
        self._counts = dict(faults.done) | {GATEWAY_FAULTS: sum(self._gateway_counts.values())}

    def judged(self) -> judge.Verdict:
        """Our books against the gateway's, when nobody writes in either."""
        for name in ("clock", *self._on.names("worker"), "web", "gateway"):
            self._on.end(name)
        app = create_app(config.load(self._on.environment), part="worker")
        with self._on.admin() as admin, app.app_context():
            captures = self._ask.gateway.captures(self._on.ledger)
            verdict = judge.judge(admin, captures, self._due)
            verdict.broken = judge.broken_invariants([shop.shop_id for shop in self._shops])
            for line in judge.shown(admin, self._ask.gateway, self._on.ledger, verdict):
                print(line)
        close(app)
        restarts = ", ".join(f"{name} {count} times" for name, count in sorted(self._on.restarts.items()))
        self._say(f"{verdict.captures} captures in the gateway's file; started again: {restarts}")
        return verdict

    def missing(self) -> list[str]:
        """The faults that are demanded and were not injected, in words."""
        wanted = demanded(self._ask.collections)
        found = [
            f"{self._counts.get(kind, 0)} {kind}, {count} demanded"
            for kind, count in wanted.items()
            if self._counts.get(kind, 0) < count
        ]
        if self._ask.collections < _EVERY_KIND_FROM:
            return found
        return [*found, *(f"no {kind} at the gateway" for kind in self._kinds_missing)]

    def told_faults(self) -> str:
        counts = ", ".join(f"{self._counts.get(kind, 0)} {kind}" for kind in demanded(self._ask.collections))
        kinds = ", ".join(f"{count} {kind}" for kind, count in self._gateway_counts.items())
        return f"{counts} ({kinds})"

    def _say(self, words: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {words}", flush=True)


class _Letterbox:
    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        return "250 OK"


@contextlib.contextmanager
def mail_server(port: int) -> Iterator[None]:
    """One that takes every mail and forgets it."""
    controller = Controller(_Letterbox(), hostname=LOOPBACK, port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


if __name__ == "__main__":
    sys.exit(main())
