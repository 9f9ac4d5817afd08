"""Charges a second: due collections taken through the whole engine, beside a bare loop that only asks the gateway.

``python -m tests.bench.charge``. The gateway is the sandbox's real process, answering at once and after 80 ms; the loop
asks it for one charge after another with the same HTTP client. Neither is called back: nobody is there to be called. In the
end every collection is paid and every capture is
the gateway's own, once: a rate of anything else would mean nothing. ``ALL`` is how many fall due at once in the last run
(10,000).
"""

import json
import os
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import create_engine

from plugin_backend.core.db import engine_url
from plugin_backend.demo.gateway import judge
from plugin_backend.gateways.sandbox.gateway import Sandbox
from plugin_backend.migrations import upgrade
from plugin_backend.sdk.gateway import ChargeRequest, Succeeded
from plugin_backend.sdk.http import HttpClient, Request
from plugin_backend.sdk.money import Money
from tests.chaos.fill import fill, let_fall_due
from tests.chaos.played import played
from tests.chaos.stage import Stage, stage
from tests.contract.gateway_process import SandboxProcess

LOOP = 400
SOME = 2_000
ALL = int(os.environ.get("ALL") or 10_000)
LATENCY_MS = 80
_PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: how many charges in how many seconds, and the 99th percentile of the seconds from the moment at which
    they all fell due to the attempt."""

    charges: int
    seconds: float
    p99: float

    @property
    def rate(self) -> float:
        return self.charges / self.seconds


def main() -> None:
    loop, one = _run(SOME, workers=1, latency_ms=0)
    print(f"bare loop, 0 ms          {loop:7.0f} charges/s")
    _tell("one worker, 0 ms", one)
    _, two = _run(SOME, workers=2, latency_ms=0)
    _tell("two workers, 0 ms", two)
    _, slow = _run(SOME, workers=1, latency_ms=LATENCY_MS)
    _tell("one worker, 80 ms", slow)
    _, many = _run(ALL, workers=2, latency_ms=LATENCY_MS)
    _tell("two workers, 80 ms", many)
    print(f"ratio {one.rate / loop:.2f} charges_per_s_80ms {slow.rate:.0f} p99_due_s {many.p99:.0f}")


def _tell(what: str, seen: Seen) -> None:
    print(
        f"{what:24} {seen.rate:7.0f} charges/s   {seen.charges} in {seen.seconds:.1f} s, p99 {seen.p99:.1f} s",
        flush=True,
    )


def _run(count: int, *, workers: int, latency_ms: int) -> tuple[float, Seen]:
    """A stage of its own: so many collections fall due at one moment; also the rate of the bare loop there."""
    with stage(1.0) as on:
        engine = create_engine(engine_url(on.postgres.url))
        upgrade(engine)
        engine.dispose()
        on.start_gateway()
        filled = fill(on, played("sandbox"), count, 1, {})
        loop = _loop(on)
        _switch(on, latency_ms)
        for number in range(workers):
            on.start(f"worker-{number}", "worker")
        on.start("clock", "clock")
        on.supervisor.wait(lambda: all(on.working(name) for name in on.names("worker")), 60.0, "no worker")
        with on.admin() as admin:
            began = time.monotonic()
            let_fall_due(admin, filled)
        return loop, _seen(on, count, began)


def _loop(on: Stage) -> float:
    """Charges a second of one who only asks, with a card and an account of his own."""
    gateway = SandboxProcess(on.ledger)
    gateway.url = on.gateway_url
    client = HttpClient(allow_private=True)
    bare = Sandbox(gateway.settings(), client)
    token = bare.test_token()
    mark = secrets.token_hex(4)
    began = time.monotonic()
    for number in range(LOOP):
        request = ChargeRequest(
            reference=f"loop-{mark}-{number}",
            amount=Money(3333, "EUR"),
            token=token,
            initiator="merchant",
            series="instalment",
            description="bench",
            collection=f"col_{number}",
        )
        assert isinstance(bare.charge(request), Succeeded)
    rate = LOOP / (time.monotonic() - began)
    client.close()
    return rate


def _switch(on: Stage, latency_ms: int) -> None:
    client = HttpClient(allow_private=True)
    body = json.dumps({"latency": latency_ms, "callback_off": True}).encode()
    asked = Request("POST", f"{on.gateway_url}/_test/switches", {"Content-Type": "application/json"}, body)
    assert client.send(asked).status == 200
    client.close()


def _seen(on: Stage, count: int, began: float) -> Seen:
    done = "SELECT count(*) FROM collections WHERE number = 2 AND state = 'paid'"
    with on.admin() as admin:
        while True:
            (paid,) = admin.execute(done.encode()).fetchone() or (0,)
            if paid >= count:
                break
            assert time.monotonic() - began < _PATIENCE, f"{paid} of {count} were paid"
            time.sleep(0.1)
        seconds = time.monotonic() - began
        p99 = """
            SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM a.first_sent_at - c.scheduled_at))
            FROM attempts a JOIN collections c ON c.shop_id = a.shop_id AND c.id = a.collection_id
            WHERE c.number = 2"""
        (waited,) = admin.execute(p99.encode()).fetchone() or (0.0,)
    captured = [m for m in judge.movements(on.ledger) if m.kind == "charge"]
    assert len({m.reference for m in captured}) == len(captured), "something was captured twice"
    return Seen(count, seconds, float(waited))


if __name__ == "__main__":
    main()
