"""The fake's whole memory: one SQLite file, written through before anything is answered."""

import json
import secrets
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.payxpert.cards import BY_NUMBER, OK, means

_TABLES = """
CREATE TABLE IF NOT EXISTS accounts (originator TEXT PRIMARY KEY, password TEXT, facts TEXT);
CREATE TABLE IF NOT EXISTS payments (
  merchant TEXT PRIMARY KEY, customer TEXT UNIQUE, id TEXT, originator TEXT, asked TEXT, expires REAL,
  status TEXT, code TEXT, card TEXT);
CREATE TABLE IF NOT EXISTS transactions (
  seq INTEGER PRIMARY KEY, id TEXT UNIQUE, payment TEXT, originator TEXT, parent TEXT, operation TEXT, amount INTEGER,
  currency TEXT, code TEXT, status TEXT, at INTEGER, listed_at REAL, orderid TEXT);
CREATE INDEX IF NOT EXISTS ix_payment ON transactions (payment);
CREATE INDEX IF NOT EXISTS ix_parent ON transactions (parent);
CREATE INDEX IF NOT EXISTS ix_time ON transactions (originator, at);
"""
_SHOWN = """
SELECT t.*, p.id AS payment_id, p.card AS card, (
  SELECT sum(r.amount) FROM transactions r WHERE r.parent = t.id AND r.operation = 'refund' AND r.code = '000') AS given_back
FROM transactions t JOIN payments p ON p.merchant = t.payment"""
_LIFE = {"PT1H": 3600.0, "P1D": 86_400.0}
_TAKING = ("sale", "capture", "rebill")
Row = sqlite3.Row


class No(Exception):
    """A logical error: PayXpert's code for it, under HTTP 200."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Book:
    """One connection and one lock: whatever is decided is written before the next is looked at."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.row_factory = Row
        self._base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)
        self.lock = threading.RLock()

    def add_account(self, originator: str, password: str, facts: dict[str, Any]) -> None:
        with self.lock:
            self._base.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", (originator, password, json.dumps(facts))
            )

    def account(self, originator: str, password: str) -> dict[str, Any] | None:
        """What the account is like; None where nobody has this password."""
        row = self._one(
            "SELECT facts FROM accounts WHERE originator = ? AND password = ?", originator, password
        )
        return None if row is None else dict(json.loads(row["facts"]))

    def facts(self, originator: str) -> dict[str, Any]:
        row = self._one("SELECT facts FROM accounts WHERE originator = ?", originator)
        return {} if row is None else dict(json.loads(row["facts"]))

    def begin_challenge(self, merchant: str, number: str) -> None:
        with self.lock:
            self._base.execute("UPDATE payments SET card = ? WHERE merchant = ?", (number, merchant))

    def prepare(self, originator: str, asked: dict[str, Any]) -> Row:
        merchant, customer = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        life = _LIFE.get(str(asked.get("timeOut")), 86_400.0)
        with self.lock:
            self._base.execute(
                "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, 'Not processed', '', '')",
                (
                    merchant,
                    customer,
                    f"pay{secrets.token_hex(10)}",
                    originator,
                    json.dumps(asked),
                    time.time() + life,
                ),
            )
        return self.payment(merchant)

    def payment(self, merchant: str, originator: str = "") -> Row:
        found = self._one("SELECT * FROM payments WHERE merchant = ?", merchant)
        if found is None or originator not in ("", found["originator"]):
            raise No("404", "Payment not found")
        return found

    def page(self, customer: str) -> Row:
        found = self._one("SELECT * FROM payments WHERE customer = ?", customer)
        if found is None:
            raise No("404", "Payment not found")
        return found

    def open(self, payment: Row) -> bool:
        return payment["status"] == "Not processed" and time.time() < payment["expires"]

    def expire(self, merchant: str) -> None:
        with self.lock:
            self._base.execute("UPDATE payments SET expires = 0 WHERE merchant = ?", (merchant,))

    def pay(self, payment: Row, number: str, lag: float, *, confirmed: bool = True) -> Row:
        """The customer pays on his page: at once, once, and only while it is open."""
        card, asked = BY_NUMBER[number], json.loads(payment["asked"])
        with self.lock:
            if not self.open(self.payment(payment["merchant"])):
                raise No("400", "The payment is over")
            code = card.page if confirmed else "005"
            root = self.add(payment, "", asked["operation"], asked["amount"], code, lag, asked["order"]["id"])
            words = ("Authorized", "000") if code == OK else ("Not authorized", code)
            self._base.execute(
                "UPDATE payments SET status = ?, code = ?, card = ? WHERE merchant = ?",
                (*words, number, payment["merchant"]),
            )
            if code == OK and card.lapses and asked["operation"] == "authorize":
                self.add(payment, root["id"], "cancel", asked["amount"], OK, lag, asked["order"]["id"])
        return root

    def add(
        self, payment: Row, parent: str, operation: str, amount: int, code: str, lag: float, order: str
    ) -> Row:
        now, made = time.time(), f"1x{secrets.token_hex(11)}"
        status = "Authorized" if code == OK else "Pending" if not code else "Not authorized"
        currency = json.loads(payment["asked"])["currency"]
        with self.lock:
            self._base.execute(
                "INSERT INTO transactions (id, payment, originator, parent, operation, amount, currency, code, status,"
                " at, listed_at, orderid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (made, payment["merchant"], payment["originator"], parent, operation, amount, currency, code,
                 status, int(now * 1000), now + lag, order),
            )  # fmt: skip
        return self.transaction(made)

    def transaction(self, id: str, originator: str = "") -> Row:
        found = self._one(_SHOWN + " WHERE t.id = ?", id)
        if found is None or originator not in ("", found["originator"]):
            raise No("312", "Transaction not found")
        return found

    def settle(self, id: str, code: str) -> None:
        """A transaction ends otherwise than it stood: what was pending is decided, a refund fails after all."""
        status = "Authorized" if code == OK else "Not authorized"
        with self.lock:
            self._base.execute(
                "UPDATE transactions SET code = ?, status = ? WHERE id = ?", (code, status, id)
            )

    def of_payment(self, merchant: str) -> list[Row]:
        return self._all(_SHOWN + " WHERE t.payment = ? ORDER BY t.seq", merchant)

    def between(self, originator: str, start: int, end: int) -> list[Row]:
        """What the export shows by now of a span of seconds."""
        return self._all(
            _SHOWN + " WHERE t.originator = ? AND t.at >= ? AND t.at < ? AND t.listed_at <= ? ORDER BY t.seq",
            originator, start * 1000, end * 1000, time.time(),
        )  # fmt: skip

    def children(self, parent: str, *operations: str) -> list[Row]:
        marks = ",".join("?" * len(operations))
        query = f"SELECT * FROM transactions WHERE parent = ? AND code = '000' AND operation IN ({marks})"
        return self._all(query, parent, *operations)

    def _one(self, query: str, *values: object) -> Row | None:
        with self.lock:
            found: Row | None = self._base.execute(query, values).fetchone()
            return found

    def _all(self, query: str, *values: object) -> list[Row]:
        with self.lock:
            return list(self._base.execute(query, values))


def shown(row: Row, *, test: bool) -> dict[str, Any]:
    """A transaction as PayXpert tells it."""
    return {
        "paymentMerchantToken": row["payment"],
        "paymentMethod": "CreditCard",
        "paymentID": row["payment_id"],
        "transactionID": row["id"],
        **({"refTransactionID": row["parent"]} if row["parent"] else {}),
        "providerTransactionID": f"prov-{row['id']}",
        "operation": row["operation"],
        "date": row["at"],
        "amount": row["amount"],
        "refundedAmount": row["given_back"] or 0,
        "currency": row["currency"],
        "resultCode": row["code"] or None,
        "resultMessage": "Transaction successfully completed" if row["code"] == OK else "",
        "status": row["status"],
        "orderID": row["orderid"],
        "isTest": test,
        "paymentMeanInfo": means(row["card"]) if row["card"] else {},
        "shopper": {"id": "NA", "account": {}},
    }


def merchant_tokens(path: Path, originator: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        rows = base.execute("SELECT merchant FROM payments WHERE originator = ?", (originator,)).fetchall()
    return [row[0] for row in rows]


def moved(path: Path, originator: str, *operations: str) -> list[Row]:
    """What the file holds of these operations that succeeded, whether or not the process lives."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        base.row_factory = Row
        rows = base.execute("SELECT * FROM transactions WHERE code = '000' ORDER BY seq").fetchall()
    mine = (row for row in rows if originator in ("", row["originator"]))
    return [row for row in mine if row["operation"] in operations]


def captured(path: Path, originator: str = "") -> list[Row]:
    """Everything that took money."""
    return moved(path, originator, *_TAKING)
