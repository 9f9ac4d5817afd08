"""What the ledger file says about money, read without the gateway: it works while the process runs, and after kill -9."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from plugin_backend.demo.gateway.ledger import Entry, read_entries
from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved: ``kind`` says which way. ``key`` is the idempotency key of the request that moved it,
    ``at`` the account's own time."""

    account: str
    kind: Literal["charge", "refund"]
    reference: str
    key: str
    amount: Money
    at: datetime


def account_of(api_key: str) -> str:
    """The account's id in the ledger. It is made of the key, and the key cannot be read back from it. Keys that differ after
    a dot are those of one account."""
    return "acct_" + hashlib.sha256(first_part(api_key)).hexdigest()[:16]


def first_part(api_key: str) -> bytes:
    """What the keys of an account have in common."""
    return api_key.partition(".")[0].encode()


def movements(path: Path, api_key: str = "") -> list[Movement]:
    """Every capture and refund in the ledger file, in order; of one account where a key is given. A refund that failed
    after it was given back moved nothing in the end."""
    account, entries = account_of(api_key) if api_key else "", read_entries(path)
    failed = {entry["id"] for entry in entries if entry["kind"] == "refund.failed"}
    return [
        _movement(entry)
        for entry in entries
        if "moved" in entry and account in ("", entry["account"]) and entry["id"] not in failed
    ]


def captured(path: Path, reference: str, api_key: str = "") -> list[Money]:
    """The captures under one reference: none, one, or the two that nobody wants to see."""
    return [m.amount for m in movements(path, api_key) if m.kind == "charge" and m.reference == reference]


def _movement(entry: Entry) -> Movement:
    kind: Literal["charge", "refund"] = "refund" if entry["kind"].startswith("refund.") else "charge"
    moved = Money(entry["moved"]["amount"], entry["moved"]["currency"])
    at = datetime.fromisoformat(entry["at"])
    return Movement(entry["account"], kind, entry["reference"], entry["key"], moved, at)
