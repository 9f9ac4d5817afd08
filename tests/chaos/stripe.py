"""Stripe in the proof: what its account is set to, how the fake misbehaves, and what the fake's file says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from plugin_backend.demo.gateway.faults import ON_CALLBACKS
from plugin_backend.gateways.stripe import promises
from plugin_backend.sdk.gateway import GatewayCapabilities
from tests.chaos.played import Capture, Copies, Derived
from tests.chaos.sandbox import Faults
from tests.contract.stripe_fake import __main__ as process
from tests.contract.stripe_fake import once
from tests.contract.stripe_fake.store import account_of, add_rows, moves, rows
from tests.contract.stripe_process import StripeProcess, money

_TABLES = ("objects", "keys", "moves")
# Two requests for each charge, and an error that is kept under its key costs a new attempt.
_LIMITS = (300.0, 1200.0)


class AskedFaults(Faults):
    """Which address Stripe calls back is set in its dashboard and not by the adapter: in the proof it calls nobody, so that
    whatever is in doubt must be asked about."""

    def missing(self) -> list[str]:
        return [kind for kind in super().missing() if kind not in ON_CALLBACKS]


class PlayedStripe:
    name = "stripe"
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"default": _LIMITS}

    def scale(self, factor: float) -> None:
        """Keys are kept for so much shorter by the fake, and as the adapter declares it."""
        once.KEPT_SECONDS *= factor
        promised = promises.capabilities

        def capabilities(*, sepa_debit: bool) -> GatewayCapabilities:
            said = promised(sepa_debit=sepa_debit)
            assert said.idempotency_window is not None and said.list_lag is not None
            return replace(
                said,
                idempotency_window=said.idempotency_window * factor,
                absent_after=said.absent_after * factor,
                list_lag=said.list_lag * factor,
            )

        promises.capabilities = capabilities

    def main(self) -> int:
        return process.main()

    def driver(self, ledger: Path, url: str) -> StripeProcess:
        made = StripeProcess(ledger)
        made.url = url
        return made

    def settings(self, variant: str, factor: float) -> dict[str, str]:
        """Its delays are no settings."""
        return {}

    def names(self, ledger: Path, account: Mapping[str, str]) -> set[str]:
        return {row["id"] for row in rows(ledger, "objects", _account(account))}

    def derived(self, ledger: Path, account: Mapping[str, str]) -> Mapping[str, Derived]:
        return {}

    def copy(self, ledger: Path, account: Mapping[str, str], copies: Copies) -> None:
        known = {table: rows(ledger, table, _account(account)) for table in _TABLES}
        told = [json.loads(text) for text in copies(json.dumps(known))]
        for table in _TABLES:
            add_rows(ledger, table, (row for one in told for row in one[table]))

    def captures(self, ledger: Path) -> list[Capture]:
        return [
            Capture(it.collection, it.reference, money(it.units, it.currency))
            for it in moves(ledger)
            if it.kind == "charge"
        ]

    def history(self, ledger: Path, collection: str, references: list[str]) -> list[str]:
        found: list[dict[str, Any]] = [
            *(row for row in rows(ledger, "objects") if _is_of(row["body"], collection, references)),
            *(row for row in rows(ledger, "keys") if any(row["key"].startswith(one) for one in references)),
            *(row for row in rows(ledger, "moves") if row["reference"] in references),
        ]
        return [json.dumps(row) for row in found]

    def faults(self, url: str, seed: int, factor: float) -> AskedFaults:
        return AskedFaults(url, seed, factor)


def _account(settings: Mapping[str, str]) -> str:
    return account_of(settings["api_key"])


def _is_of(body: str, collection: str, references: list[str]) -> bool:
    return collection in body or any(reference in body for reference in references)


PLAYED = PlayedStripe()
