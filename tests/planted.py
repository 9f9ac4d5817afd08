"""Faults planted on purpose, each of which must turn a test red: ``python -m tests.planted``.

A fault is a piece of text in a file of a throw-away copy of the project, and what stands there instead; beside it stand
the tests that must notice. The copy is made anew for each fault; the project itself is never touched.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Fault:
    """``before`` must stand in ``file`` exactly once."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "a result is recorded twice",
        "plugin_backend/domain/billing/recording.py",
        "    if attempt.state not in OPEN:\n        _after_the_end(session, plan, attempt, outcome)\n        return\n",
        '    if attempt.state not in OPEN:\n        attempt.state, row.state = "sent", "in_flight"\n',
        ("tests/domain/test_billing.py",),
    ),
    Fault(
        "a cent is lost in a split",
        "plugin_backend/sdk/money.py",
        "[Money(share + remainder, self.currency)]",
        "[Money(share, self.currency)]",
        ("tests/unit/test_money.py",),
    ),
    Fault(
        "a webhook is kept twice",
        "plugin_backend/domain/inbox.py",
        '    ON CONFLICT (shop_id, source, identity) DO NOTHING\n"""',
        '"""',
        ("tests/web/test_webhooks.py",),
    ),
    Fault(
        "an offer is accepted twice",
        "plugin_backend/web/offer_pages.py",
        '_accept(session, shop, offer, secret) if offer.state == "open" else None',
        "_accept(session, shop, offer, secret)",
        ("tests/domain/test_main_job.py",),
    ),
    Fault(
        "one shopper gets two offers",
        "plugin_backend/domain/offers/__init__.py",
        "    if _another_open(session, customer):\n",
        "    if False and _another_open(session, customer):\n",
        ("tests/domain/test_main_job.py",),
    ),
    Fault(
        "a timeout is taken for a decline",
        "plugin_backend/domain/billing/recording.py",
        "            _in_doubt(session, row, attempt, outcome.reason)\n        case _:",
        '            _declined(session, shop, plan, row, attempt, sdk.Declined(sdk.Decline.SYSTEM, "timeout"))\n        case _:',
        ("tests/domain/test_main_job.py",),
    ),
    Fault(
        "a cancelled plan is charged",
        "plugin_backend/domain/billing/attempts.py",
        "    if plan.state not in states or row.state not in CHARGEABLE:\n",
        "    if row.state not in CHARGEABLE:\n",
        ("tests/domain/test_billing.py",),
    ),
    Fault(
        "one table has no row-level security",
        "plugin_backend/migrations/versions/0001_the_house.py",
        "        else:\n            protect(table, timer=table in TIMERS)\n",
        '        elif table == "sales":\n            share(table)\n        else:\n            protect(table, timer=table in TIMERS)\n',
        ("tests/domain/test_tenancy.py",),
    ),
)


def caught(fault: Fault) -> str:
    """The test that fails with the fault in place; "" where none does. An error outside a test counts for nothing."""
    with tempfile.TemporaryDirectory(prefix="reprise-planted-") as folder:
        copy = Path(folder) / "reprise"
        # Root's PostgreSQL account must be able to pass through.
        Path(folder).chmod(0o755)
        ignored = shutil.ignore_patterns(".git", ".venv", "instance", "__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(ROOT, copy, ignore=ignored)
        target = copy / fault.file
        text = target.read_text(encoding="utf-8")
        if text.count(fault.before) != 1:
            raise SystemExit(f"{fault.name}: the place to plant it is not there once in {fault.file}")
        target.write_text(text.replace(fault.before, fault.after), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *fault.tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode not in (0, 1):
        raise SystemExit(f"{fault.name}: the tests did not run\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    failed = re.search(r"^FAILED \S+::(\w+)", run.stdout, re.MULTILINE)
    return failed[1] if failed else ""


def main(names: list[str]) -> int:
    """Plant each fault (or those whose name holds a word given); 1 where one was not noticed."""
    chosen = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]
    missed = 0
    for fault in chosen:
        found = caught(fault)
        missed += not found
        print(f"{'caught' if found else 'MISSED'}  {fault.name}: {found}", flush=True)
    print(f"{len(chosen) - missed} caught, {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
