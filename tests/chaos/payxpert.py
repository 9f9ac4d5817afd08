"""PayXpert in the proof: what its account is set to, how its stand-in misbehaves, and what the stand-in's file says."""

import json
import math
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from plugin_backend.demo.gateway.faults import ON_CALLBACKS
from plugin_backend.gateways.payxpert.handles import Page
from plugin_backend.sdk.money import Money
from tests.chaos.played import Capture, Copies, Derived
from tests.chaos.sandbox import Faults
from tests.contract.payxpert_process import PayXpertProcess
from tests.payxpert import __main__ as process
from tests.payxpert.book import captured

_PROCESSING_SECONDS, _LAG_SECONDS = 120, 60
_TABLES = ("payments", "transactions")
# A lost answer is never sent again: it is asked about until it is found, or silence has proven itself.
_LIMITS = (300.0, 1200.0)


class PageFaults(Faults):
    """PayXpert calls back about its pages only, on which nobody is while plans fall due."""

    def missing(self) -> list[str]:
        return [kind for kind in super().missing() if kind not in ON_CALLBACKS]


class PlayedPayXpert:
    """``default`` lists at once what happened; ``lagging`` a minute later."""

    name = "payxpert"
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"default": _LIMITS, "lagging": _LIMITS}

    def __init__(self) -> None:
        self._lag = 0

    def scale(self, factor: float) -> None:
        """Its delays are settings of the account."""

    def main(self) -> int:
        return process.main()

    def driver(self, ledger: Path, url: str) -> PayXpertProcess:
        made = PayXpertProcess(ledger)
        made.url = url
        made.another_account(lag=self._lag)
        return made

    def settings(self, variant: str, factor: float) -> dict[str, str]:
        """The declared delays are whole seconds, rounded up on both sides alike."""
        self._lag = math.ceil(_LAG_SECONDS * factor) if variant == "lagging" else 0
        absent = math.ceil(_PROCESSING_SECONDS * factor) + self._lag
        return {"absent_seconds": str(absent), "lag_seconds": str(self._lag)}

    def names(self, ledger: Path, account: Mapping[str, str]) -> set[str]:
        payments, transactions = (_rows(ledger, table, account) for table in _TABLES)
        found = {row[name] for row in payments for name in ("merchant", "customer", "id")}
        return found | {row["id"] for row in transactions}

    def derived(self, ledger: Path, account: Mapping[str, str]) -> Mapping[str, Derived]:
        """A page's handle is sealed under the account's password."""
        pages = [Page(row["merchant"], row["customer"]) for row in _rows(ledger, "payments", account)]
        return {
            page.sealed(account["password"]): partial(_resealed, page, account["password"]) for page in pages
        }

    def copy(self, ledger: Path, account: Mapping[str, str], copies: Copies) -> None:
        known = {table: _rows(ledger, table, account) for table in _TABLES}
        with closing(sqlite3.connect(ledger)) as base, base:
            for told in copies(json.dumps(known)):
                for table, rows in json.loads(told).items():
                    for row in rows:
                        row.pop("seq", None)
                        marks = ", ".join("?" * len(row))
                        base.execute(
                            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
                        )

    def captures(self, ledger: Path) -> list[Capture]:
        """A capture has the set-up's reference, which the judge follows to the plan's first charge."""
        return [
            Capture("", row["orderid"], Money(row["amount"], row["currency"])) for row in captured(ledger)
        ]

    def history(self, ledger: Path, collection: str, references: list[str]) -> list[str]:
        return [json.dumps(row) for row in _rows(ledger, "transactions", {}) if row["orderid"] in references]

    def faults(self, url: str, seed: int, factor: float) -> "PageFaults":
        return PageFaults(url, seed, factor)


def _resealed(page: Page, password: str, renamed: Callable[[str], str]) -> str:
    return Page(renamed(page.merchant), renamed(page.customer)).sealed(password)


def _rows(ledger: Path, table: str, account: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of one originator; of all where none is named."""
    originator = account.get("originator", "")
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as base:
        base.row_factory = sqlite3.Row
        found = base.execute(f"SELECT * FROM {table}").fetchall()
    return [dict(row) for row in found if originator in ("", row["originator"])]


PLAYED = PlayedPayXpert()
