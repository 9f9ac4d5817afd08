"""The gateway's state as a fold over its ledger: writing an entry is the only way to change anything."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from plugin_backend.demo.gateway.judge import account_of, first_part
from plugin_backend.demo.gateway.ledger import Entry, Ledger
from plugin_backend.demo.gateway.records import Account, Card, Charge, Dispute, KeyUse, Refund, Setup
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.signing import hmac_sha256

# Both sides make the callback key of the API key, so that an account has one secret to configure and not two.
CALLBACK_KEY_OF = b"sandbox gateway callbacks v1"
# A stored card that every account has from the beginning, so that a program can try the account without a person.
READY_CARD = "tok_test"


def new_id(prefix: str) -> str:
    """An identifier that cannot be guessed: for a hosted page it is the only thing that opens it."""
    return f"{prefix}_{secrets.token_urlsafe(18)}"


class Book:
    """All accounts. Whoever reads and then writes holds ``lock`` in between."""

    def __init__(self, ledger: Ledger) -> None:
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.setups: dict[str, Setup] = {}
        self.charges: dict[str, Charge] = {}
        self._ledger = ledger
        for entry in ledger.entries:
            self._apply(entry)

    def entries(self) -> list[Entry]:
        with self.lock:
            return list(self._ledger.entries)

    def settle(self) -> None:
        """Wait until the disk has all that was written: nothing may be answered before."""
        self._ledger.settle()

    def open_account(self, api_key: str) -> Account:
        """The account of an API key, opened at the first request that brings the key."""
        with self.lock:
            account_id = account_of(api_key)
            if account_id not in self.accounts:
                callback_key = hmac_sha256(first_part(api_key), CALLBACK_KEY_OF)
                self._write(
                    account_id, clock.real_now(), "account.opened", {"callback_key": callback_key.hex()}
                )
            return self.accounts[account_id]

    def write(self, account: Account, kind: str, **data: Any) -> Entry:
        """Write one entry, then act on it. It is on the disk once ``settle`` came back."""
        return self._write(account.id, account.now(), kind, data)

    def _write(self, account_id: str, at: datetime, kind: str, data: dict[str, Any]) -> Entry:
        with self.lock:
            entry: Entry = {
                "n": len(self._ledger.entries) + 1,
                "account": account_id,
                "kind": kind,
                "at": at.isoformat(),
                "wrote_at": clock.real_now().isoformat(),
                **data,
            }
            self._ledger.append(entry)
            self._apply(entry)
            return entry

    def _apply(self, entry: Entry) -> None:
        at, wrote_at = _time(entry["at"]), _time(entry["wrote_at"])
        if entry["kind"] == "account.opened":
            key = bytes.fromhex(entry["callback_key"])
            self.accounts[entry["account"]] = _opened(entry["account"], key)
        account = self.accounts[entry["account"]]
        account.ahead = max(account.ahead, at - wrote_at)
        if "moved" in entry:
            account.movements.append(entry)
        if entry["kind"] in _FOLDS:
            _FOLDS[entry["kind"]](self, account, entry)


def _opened(account_id: str, callback_key: bytes) -> Account:
    card = Card(READY_CARD, "ok", "visa", "4242", 12, 2099, "", new_id("ntx"))
    return Account(account_id, callback_key, cards={READY_CARD: card})


def card_data(card: Card) -> dict[str, Any]:
    """A card as the ledger keeps it."""
    return asdict(card)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _money(data: dict[str, Any]) -> Money:
    return Money(data["amount"], data["currency"])


def _setup_begun(book: Book, account: Account, entry: Entry) -> None:
    setup = Setup(
        **{name: entry[name] for name in ("id", "account", "reference", "return_url", "callback_url")},
        **{name: entry[name] for name in ("customer", "locale", "description", "series")},
        amount=_money(entry["amount"]),
        at=_time(entry["at"]),
        begun=_time(entry["wrote_at"]),
        method=entry["method"],
    )
    account.setups[setup.reference] = book.setups[setup.id] = setup


def _setup_challenged(book: Book, account: Account, entry: Entry) -> None:
    setup = book.setups[entry["id"]]
    setup.state, setup.card = "challenge", Card(**entry["card"])


def _setup_refused(book: Book, account: Account, entry: Entry) -> None:
    setup = book.setups[entry["id"]]
    setup.state, setup.card, setup.refusals = "open", None, setup.refusals + 1


def _setup_completed(book: Book, account: Account, entry: Entry) -> None:
    setup, card = book.setups[entry["id"]], Card(**entry["card"])
    setup.state, setup.card, account.cards[card.token] = "completed", card, card


def _setup_failed(book: Book, account: Account, entry: Entry) -> None:
    setup = book.setups[entry["id"]]
    setup.state, setup.reason, setup.card = "failed", entry["reason"], None


def _charge_made(book: Book, account: Account, entry: Entry) -> None:
    charge = Charge(
        **{name: entry[name] for name in ("id", "account", "reference", "key", "token", "initiator")},
        **{name: entry[name] for name in ("series", "description", "collection", "return_url")},
        **{name: entry[name] for name in ("callback_url", "network_transaction_id", "state", "code")},
        amount=_money(entry["amount"]),
        advice=entry["advice"],
        at=_time(entry["at"]),
        first=(entry["state"], entry["code"]),
    )
    account.charges[charge.id] = book.charges[charge.id] = charge
    account.by_reference.setdefault(charge.reference, []).append(charge)
    account.cards[charge.token].charges += 1
    account.keys["charge", charge.key] = KeyUse(charge.id, entry["request"], _time(entry["sent_at"]))
    if charge.state == "pending":
        account.pending[charge.id] = charge


def _charge_moved(book: Book, account: Account, entry: Entry) -> None:
    charge = account.charges[entry["id"]]
    charge.state, charge.code = entry["kind"].removeprefix("charge."), entry.get("code", "")
    account.pending.pop(charge.id, None)


def _refund_made(book: Book, account: Account, entry: Entry) -> None:
    refund = Refund(
        **{name: entry[name] for name in ("id", "account", "reference", "key", "charge")},
        **{name: entry[name] for name in ("charge_reference", "reason", "callback_url", "state", "fails")},
        amount=_money(entry["amount"]),
        at=_time(entry["at"]),
        first=(entry["state"], ""),
    )
    account.refunds[refund.id] = refund
    account.refunds_by_reference.setdefault(refund.reference, refund)
    account.keys["refund", refund.key] = KeyUse(refund.id, entry["request"], _time(entry["sent_at"]))
    account.charges[refund.charge].refunded += refund.amount.minor
    if refund.state == "pending" or refund.fails:
        account.unsettled[refund.id] = refund


def _refund_settled(book: Book, account: Account, entry: Entry) -> None:
    refund = account.unsettled.pop(entry["id"])
    refund.state, refund.code = entry["kind"].removeprefix("refund."), entry.get("code", "")
    if refund.state == "failed":
        account.charges[refund.charge].refunded -= refund.amount.minor
        account.movements = [moved for moved in account.movements if moved["id"] != refund.id]


def _account_mode(book: Book, account: Account, entry: Entry) -> None:
    account.mode, account.lag = entry["mode"], timedelta(seconds=entry["lag"])


def _error_kept(book: Book, account: Account, entry: Entry) -> None:
    account.errors[entry["of"], entry["key"]] = _time(entry["sent_at"])


def _dispute_opened(book: Book, account: Account, entry: Entry) -> None:
    named = {name: entry[name] for name in ("id", "reference", "charge")}
    account.disputes[entry["id"]] = Dispute(**named, amount=_money(entry["amount"]))


def _dispute_ended(book: Book, account: Account, entry: Entry) -> None:
    account.disputes[entry["id"]].state = entry["kind"].removeprefix("dispute.")


def _card_news(book: Book, account: Account, entry: Entry) -> None:
    card = account.cards[entry["token"]]
    card.last4, card.expiry_month, card.expiry_year = entry["last4"], entry["month"], entry["year"]
    card.detached = card.detached or entry["closed"]


def _token_detached(book: Book, account: Account, entry: Entry) -> None:
    account.cards[entry["token"]].detached = True


_FOLDS: dict[str, Callable[[Book, Account, Entry], None]] = {
    "setup.begun": _setup_begun,
    "setup.challenged": _setup_challenged,
    "setup.refused": _setup_refused,
    "setup.completed": _setup_completed,
    "setup.failed": _setup_failed,
    "charge.made": _charge_made,
    "charge.captured": _charge_moved,
    "charge.declined": _charge_moved,
    "charge.closed": _charge_moved,
    "refund.made": _refund_made,
    "refund.refunded": _refund_settled,
    "refund.failed": _refund_settled,
    "account.mode": _account_mode,
    "error.kept": _error_kept,
    "dispute.opened": _dispute_opened,
    "dispute.won": _dispute_ended,
    "dispute.lost": _dispute_ended,
    "card.updated": _card_news,
    "token.detached": _token_detached,
}
