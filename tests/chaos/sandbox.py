"""The sandbox gateway in the proof: what its account is set to, how it misbehaves, and what its file says."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from plugin_backend.demo.gateway import __main__ as process
from plugin_backend.demo.gateway.faults import KINDS, ON_CALLBACKS, ON_LOOK_UPS, ON_MOVES, REFUSED
from plugin_backend.demo.gateway.judge import account_of
from plugin_backend.demo.gateway.ledger import Entry, read_entries
from plugin_backend.demo.gateway.modes import MODES
from plugin_backend.gateways.sandbox import modes as declared
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.gateway import GatewayCapabilities
from plugin_backend.sdk.http import HttpClient, Request, raise_for_status
from plugin_backend.sdk.money import Money
from tests.chaos.played import Capture, Copies, Derived
from tests.contract.gateway_process import SandboxProcess

# How often each kind happens to each request of its sort.
_RATES = {
    REFUSED: 0.015,
    **dict.fromkeys(ON_MOVES, 0.008),
    **dict.fromkeys(ON_LOOK_UPS, 0.03),
    **dict.fromkeys(ON_CALLBACKS, 0.012),
}
_PROCESSING_SECONDS, _LAG_SECONDS = 120, 60
# A late capture comes before the end of what the gateway declares as processing.
_LATE_SHARE = 0.8
_TRIES = 20
_OTHER_LIMIT = (240.0, 900.0)


class Faults:
    """Faults of all kinds by chance, drawn from the seed."""

    def __init__(self, url: str, seed: int, factor: float) -> None:
        self._url = f"{url}/_test/faults"
        self._http = HttpClient(allow_private=True, timeout=10.0)
        self._counted: Counter[str] = Counter()
        late = _PROCESSING_SECONDS * factor * _LATE_SHARE
        self._ask("POST", {"seed": seed, "rates": _RATES, "late": late})

    def counted(self) -> Counter[str]:
        self._counted = Counter(self._ask("GET")["injected"])
        return self._counted

    def missing(self) -> list[str]:
        return [kind for kind in KINDS if not self._counted[kind]]

    def stop(self) -> None:
        self._ask("DELETE")

    def _ask(self, method: str, body: Any = None) -> Any:
        """The gateway refuses connections as it is told: we are refused as well, and try again."""
        raw = b"" if body is None else json.dumps(body).encode()
        sent = Request(method, self._url, {"Content-Type": "application/json"}, raw)
        for _ in range(_TRIES):
            try:
                return json.loads(raise_for_status(self._http.send(sent), "faults").body)
            except (NotSent, NoAnswer):
                continue
        raise NoAnswer("the gateway does not answer its test side")


class PlayedSandbox:
    """The variants are the modes of its account."""

    name = "sandbox"
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        **dict.fromkeys(MODES, _OTHER_LIMIT),
        "default": (120.0, 600.0),
        "no_keys": (240.0, 900.0),
        "lagging": (180.0, 720.0),
    }

    def scale(self, factor: float) -> None:
        """Its other delays are settings of the account."""
        for name, mode in MODES.items():
            MODES[name] = replace(mode, key_window=_times(mode.key_window, factor))
        promised = declared.capabilities

        def capabilities(*given: Any, **named: Any) -> GatewayCapabilities:
            said = promised(*given, **named)
            return replace(said, idempotency_window=_times(said.idempotency_window, factor))

        declared.capabilities = capabilities

    def main(self) -> int:
        return process.main()

    def driver(self, ledger: Path, url: str) -> SandboxProcess:
        made = SandboxProcess(ledger)
        made.url = url
        return made

    def settings(self, variant: str, factor: float) -> dict[str, str]:
        """The declared delays are whole seconds, rounded up on both sides alike."""
        return {
            "mode": variant,
            "processing_seconds": str(math.ceil(_PROCESSING_SECONDS * factor)),
            "lag_seconds": str(math.ceil(_LAG_SECONDS * factor)),
        }

    def names(self, ledger: Path, account: Mapping[str, str]) -> set[str]:
        entries = _entries(ledger, account)
        tokens = {entry["card"]["token"] for entry in entries if "card" in entry}
        return tokens | {entry["id"] for entry in entries if "id" in entry}

    def derived(self, ledger: Path, account: Mapping[str, str]) -> Mapping[str, Derived]:
        return {}

    def copy(self, ledger: Path, account: Mapping[str, str], copies: Copies) -> None:
        known = [entry for entry in _entries(ledger, account) if entry["kind"] != "account.opened"]
        lines = "".join(json.dumps(entry) + "\n" for entry in known)
        with ledger.open("a") as file:
            file.writelines(copies(lines))

    def captures(self, ledger: Path) -> list[Capture]:
        charges, found = {}, []
        for entry in read_entries(ledger):
            if entry["kind"] == "charge.made":
                charges[entry["id"]] = entry["collection"]
            if "moved" in entry and entry["kind"].startswith("charge."):
                amount = Money(entry["moved"]["amount"], entry["moved"]["currency"])
                found.append(Capture(charges[entry["id"]], entry["reference"], amount))
        return found

    def history(self, ledger: Path, collection: str, references: list[str]) -> list[str]:
        return [
            json.dumps(entry)
            for entry in read_entries(ledger)
            if entry.get("collection") == collection or entry.get("reference") in references
        ]

    def faults(self, url: str, seed: int, factor: float) -> Faults:
        return Faults(url, seed, factor)


def _entries(ledger: Path, account: Mapping[str, str]) -> list[Entry]:
    own = account_of(account["api_key"])
    return [entry for entry in read_entries(ledger) if entry["account"] == own]


def _times(span: timedelta | None, factor: float) -> timedelta | None:
    return None if span is None else span * factor


PLAYED = PlayedSandbox()
