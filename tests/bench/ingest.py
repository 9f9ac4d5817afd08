"""Webhooks a second: the product as it ships, beside a bare Flask view and beside one ORM insert for each request.

``python -m tests.bench.ingest``. The three servers take turns on the same machine, PostgreSQL keeps what it confirms,
and every delivery that was accepted must be in the table when the bench ends.
"""

import statistics
import time
from dataclasses import dataclass, field

from tests.bench.load import CONNECTIONS, PROCESSES, Load, Seen, Target
from tests.bench.orders import BODY_BYTES, Orders
from tests.bench.stand import SECRET, Stand, stand

ROUNDS = 5
PACED_ROUNDS = 3
SECONDS = 2.5
WARM_UP_SECONDS = 1.0
# Where a generating process takes this share of a core, it may be what was measured.
TOO_BUSY = 0.9
_GUNICORN = (
    "gunicorn --worker-class gthread --workers 2 --threads 16 --keep-alive 30 --bind 127.0.0.1:{port}".split()
)


@dataclass
class Rung:
    """One server and what was seen of it. ``keeps`` is the shop whose deliveries it keeps, if it keeps any."""

    name: str
    target: Target
    keeps: str = ""
    accepted: int = 0
    rates: list[float] = field(default_factory=list)
    saturated: list[Seen] = field(default_factory=list)
    paced: list[Seen] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second, the median of the rounds."""
        return statistics.median(self.rates)

    def ratio(self, other: "Rung") -> float:
        """Its rate as a share of the other's, the median of the rounds: the two of one round ran side by side, so that
        what else the machine did counts for both."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))

    def count(self, seen: Seen) -> Seen:
        """Add up what it accepted. A refused or a lost request is a fault of the bench or of the server."""
        if seen.refused or seen.lost:
            raise SystemExit(
                f"{self.name}: {seen.refused} requests were refused and {seen.lost} got no answer"
            )
        self.accepted += seen.accepted
        return seen


def main() -> None:
    began = time.monotonic()
    with stand() as here, Load() as load:
        rungs = _rungs(here)
        _measure(rungs, load)
        for rung in rungs:
            if rung.keeps:
                kept = here.deliveries(rung.keeps)
                assert kept == rung.accepted, (
                    f"{rung.name} accepted {rung.accepted} deliveries and kept {kept}"
                )
    _tell(rungs, time.monotonic() - began)


def _rungs(here: Stand) -> list[Rung]:
    shop, path = here.add_shop()
    other, _ = here.add_shop()
    here.environment["BENCH_SECRET"] = SECRET
    _, web = here.serve_product()
    _, bare = here.serve("bare", [*_GUNICORN, "tests.bench.rivals:bare()"])
    _, orm = here.serve("orm", [*_GUNICORN, "tests.bench.rivals:orm()"])
    return [
        Rung("product", Target(web, Orders(web, path, SECRET)), keeps=shop),
        Rung("bare Flask view", Target(bare, Orders(bare, "/hooks/any", SECRET))),
        Rung("one ORM insert", Target(orm, Orders(orm, f"/hooks/{other}", SECRET)), keeps=other),
    ]


def _measure(rungs: list[Rung], load: Load) -> None:
    for rung in rungs:
        rung.count(load.drive(rung.target, WARM_UP_SECONDS))
    for _ in range(ROUNDS):
        for rung in rungs:
            seen = rung.count(load.drive(rung.target, SECONDS))
            rung.rates.append(seen.in_time / SECONDS)
            rung.saturated.append(seen)
    for _ in range(PACED_ROUNDS):
        for rung in rungs:
            rung.paced.append(rung.count(load.drive(rung.target, SECONDS, rate=rung.rate / 2)))


def _tell(rungs: list[Rung], took: float) -> None:
    print(
        f"signed WooCommerce orders of {BODY_BYTES} bytes over {PROCESSES * CONNECTIONS} connections, {took:.0f} s"
    )
    print(
        f"{'':18}{'req/s':>8}{'lowest':>8}{'highest':>8}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}{'p99 ms at half':>16}"
    )
    for rung in rungs:
        print(_line(rung, rungs[1]))
    busiest = max(seen.busy for rung in rungs for seen in rung.saturated)
    print(
        f"a generating process took up to {busiest:.0%} of a core"
        + (": IT MAY BE THE LIMIT" if busiest > TOO_BUSY else "")
    )
    print(f"ratio {rungs[0].ratio(rungs[1]):.2f} p99_ms {_median(rungs[0].paced, 0.99):.0f}")


def _line(rung: Rung, bare: Rung) -> str:
    figures = f"{rung.rate:8.0f}{min(rung.rates):8.0f}{max(rung.rates):8.0f}{rung.ratio(bare):7.2f}"
    waits = f"{_median(rung.saturated, 0.5):8.1f}{_median(rung.saturated, 0.99):8.1f}{_median(rung.paced, 0.99):16.1f}"
    return f"{rung.name:18}{figures}{waits}"


def _median(rounds: list[Seen], share: float) -> float:
    return statistics.median(seen.percentile(share) for seen in rounds)


if __name__ == "__main__":
    main()
