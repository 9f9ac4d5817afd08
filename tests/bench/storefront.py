"""What a shop's page waits for: the plans for an amount and the asking for a plan, beside a view that does nothing.

``python -m tests.bench.storefront``. The product's web process as it ships, each request from another visitor, as through a
proxy. What is told is how long 99 of 100 requests waited at half of what the servers can do, and at a pace that a busy shop
has; the promise is 50 ms. Every inquiry that was taken must be in the table when the bench ends.
"""

import base64
import json
import os
import statistics
from dataclasses import dataclass, field

from plugin_backend.domain import storefronts
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import sign_standard
from tests.bench.load import CONNECTIONS, PROCESSES, Load, Seen, Target
from tests.bench.stand import Stand, stand

ROUNDS = 3
SECONDS = 3.0
BUSY_SHOP = 100.0
PROMISE_MS = 50.0
# The connector takes any secret that is base64 as a Standard Webhooks one.
_SECRET = base64.b64encode(b"a bench's secret").decode()
_BARE = (
    "gunicorn --worker-class gthread --workers 2 --threads 16 --keep-alive 30 --bind 127.0.0.1:{port}".split()
)


@dataclass(frozen=True)
class Plans:
    """Pages that ask which plans exist, each for an amount of its own."""

    port: int
    path: str

    def request(self, number: int) -> bytes:
        line = f"GET {self.path}?amount_minor={5000 + number % 90_000}&currency=EUR&lang=fr"
        return f"{line} HTTP/1.1\r\n{_head(self.port, number)}\r\n".encode()


@dataclass(frozen=True)
class Inquiries:
    """Pages that ask for a plan, each for a basket of its own that its shop signed."""

    port: int
    path: str

    def request(self, number: int) -> bytes:
        told = json.dumps({"message": _message(number), "declined": True, "lang": "fr"}).encode()
        sizes = f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(told)}\r\n"
        return f"POST {self.path} HTTP/1.1\r\n{_head(self.port, number)}{sizes}\r\n".encode() + told


def _head(port: int, number: int) -> str:
    visitor = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return (
        f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:9\r\nAccept: */*\r\n"
        f"X-Forwarded-For: {visitor}\r\n"
    )


def _message(number: int) -> dict[str, str]:
    now = clock.real_now()
    basket = {
        "id": f"k-{number}",
        "updated_at": now.isoformat(),
        "currency": "EUR",
        "amount_minor": 10000,
        "lines": [{"title": "Lamp", "quantity": "1", "total_amount_minor": 10000}],
        "customer": {"email": f"a{number}@example.test", "country": "FR"},
    }
    body = json.dumps({"type": "payment.failed", "data": {"at": now.isoformat(), "cart": basket}})
    signed = sign_standard(f"whsec_{_SECRET}", f"msg_{number}", now, body.encode())
    return {name.removeprefix("webhook-"): value for name, value in signed.items()} | {"body": body}


@dataclass
class Rung:
    """One kind of request to one server. ``kept`` counts those that must be found in the table."""

    name: str
    target: Target
    keeps: bool = False
    kept: int = 0
    rates: list[float] = field(default_factory=list)
    at_half: list[Seen] = field(default_factory=list)
    at_shop: list[Seen] = field(default_factory=list)

    def count(self, seen: Seen) -> Seen:
        """A refused or a lost request is a fault of the bench or of the server."""
        if seen.refused or seen.lost:
            raise SystemExit(f"{self.name}: {seen.refused} were refused and {seen.lost} got no answer")
        self.kept += seen.accepted if self.keeps else 0
        return seen


def main() -> None:
    with stand() as here, Load() as load:
        rungs = _rungs(here)
        for rung in rungs:
            rung.count(load.drive(rung.target, 1.0))
        for _ in range(ROUNDS):
            for rung in rungs:
                rung.rates.append(rung.count(load.drive(rung.target, SECONDS)).in_time / SECONDS)
        for _ in range(ROUNDS):
            for rung in rungs:
                half = statistics.median(rung.rates) / 2
                rung.at_half.append(rung.count(load.drive(rung.target, SECONDS, rate=half)))
                rung.at_shop.append(rung.count(load.drive(rung.target, SECONDS, rate=BUSY_SHOP)))
        _check(here, sum(rung.kept for rung in rungs))
    _tell(rungs)


def _rungs(here: Stand) -> list[Rung]:
    here.environment["REPRISE_TRUSTED_PROXIES"] = "127.0.0.1"
    shop, _ = here.add_shop(charging=True, secret=_SECRET)
    with here.app.app_context():
        path = storefronts.path(shop)
    _, web = here.serve_product()
    _, bare = here.serve("bare", [*_BARE, "tests.bench.rivals:bare()"])
    return [
        Rung("plans", Target(web, Plans(web, f"{path}plans"))),
        Rung("inquiries", Target(web, Inquiries(web, f"{path}inquiries")), keeps=True),
        Rung("bare Flask view", Target(bare, Plans(bare, "/plans"))),
    ]


def _check(here: Stand, taken: int) -> None:
    with here.admin() as admin:
        (kept,) = admin.execute("SELECT count(*) FROM inquiries").fetchone() or (0,)
    assert kept == taken, f"{taken} inquiries were taken and {kept} kept"


def _tell(rungs: list[Rung]) -> None:
    print(f"{PROCESSES * CONNECTIONS} connections, {os.cpu_count()} cores; p99 in ms")
    print(f"{'':18}{'req/s':>8}{'p99 at half':>13}{f'p99 at {BUSY_SHOP:.0f}/s':>14}{'of 50 ms':>10}")
    for rung in rungs:
        half, shop = _p99(rung.at_half), _p99(rung.at_shop)
        rate = statistics.median(rung.rates)
        print(f"{rung.name:18}{rate:8.0f}{half:13.1f}{shop:14.1f}{shop / PROMISE_MS:10.2f}")
    plans, bare = rungs[0], rungs[-1]
    ratio = statistics.median(plans.rates) / statistics.median(bare.rates)
    print(f"ratio {ratio:.2f} of a bare view; plans p99_ms {_p99(plans.at_shop):.1f} of {PROMISE_MS:.0f}")


def _p99(rounds: list[Seen]) -> float:
    return statistics.median(seen.percentile(0.99) for seen in rounds)


if __name__ == "__main__":
    main()
