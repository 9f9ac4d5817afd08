"""What the fake remembers: one SQLite file, written before anything is answered. ``moves`` is append-only: it is the judge of
what was captured and given back."""

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY, id TEXT UNIQUE, account TEXT, kind TEXT, created REAL, body TEXT);
CREATE INDEX IF NOT EXISTS objects_listed ON objects (account, kind, seq);
CREATE INDEX IF NOT EXISTS objects_of ON objects (account, kind, json_extract(body, '$.customer'), seq);
CREATE TABLE IF NOT EXISTS keys (
  account TEXT, key TEXT, at REAL, asked TEXT, status INTEGER, body TEXT, PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS moves (
  seq INTEGER PRIMARY KEY, account TEXT, kind TEXT, object TEXT, reference TEXT, collection TEXT, units INTEGER,
  currency TEXT, at REAL);
CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY, facts TEXT);
"""


def account_of(api_key: str) -> str:
    return "acct_" + hashlib.sha256(api_key.encode()).hexdigest()[:20]


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Move:
    """Money that moved, in Stripe's own units. ``kind`` is ``charge`` or ``refund``."""

    account: str
    kind: str
    object: str
    reference: str
    collection: str
    units: int
    currency: str


class Store:
    """One connection, used by one thread at a time: whoever holds ``lock`` sees and changes everything. A process that is
    killed loses nothing that was committed; a power cut is not played."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLES)

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is written inside, or nothing."""
        with self.lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def now(self, account: str) -> float:
        """The account's own time, which a test can move."""
        return time.time() + float(self.facts(account).get("ahead", 0.0))

    def facts(self, account: str) -> Body:
        with self.lock:
            row = self._db.execute("SELECT facts FROM accounts WHERE account = ?", (account,)).fetchone()
        return json.loads(row[0]) if row else {}

    def set_facts(self, account: str, **facts: Any) -> None:
        with self.together():
            known = self.facts(account) | facts
            self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account, json.dumps(known)))

    def put(self, account: str, body: Body) -> Body:
        """Keep an object as it is now, new or not."""
        with self.together():
            text = json.dumps(body)
            changed = self._db.execute("UPDATE objects SET body = ? WHERE id = ?", (text, body["id"]))
            if changed.rowcount == 0:
                row = (body["id"], account, body["object"], body.get("created", self.now(account)), text)
                self._db.execute(
                    "INSERT INTO objects (id, account, kind, created, body) VALUES (?, ?, ?, ?, ?)", row
                )
        return body

    def get(self, account: str, name: str, kind: str = "") -> Body | None:
        with self.lock:
            row = self._db.execute(
                "SELECT body FROM objects WHERE id = ? AND account = ? AND ? IN ('', kind)",
                (name, account, kind),
            ).fetchone()
        return json.loads(row[0]) if row else None

    def listed(
        self,
        account: str,
        kind: str,
        *,
        since: float = 0.0,
        after: str = "",
        limit: int = 10,
        customer: str = "",
        intent: str = "",
    ) -> tuple[list[Body], bool]:
        """Newest first, and whether there are more."""
        whose = " AND json_extract(body, '$.customer') = ?" if customer else ""
        whose += " AND json_extract(body, '$.payment_intent') = ?" if intent else ""
        named = [name for name in (customer, intent) if name]
        with self.lock:
            found = self._db.execute(
                f"SELECT body FROM objects WHERE account = ? AND kind = ? AND created >= ?{whose}"
                " AND seq < coalesce((SELECT seq FROM objects WHERE id = ?), 9e15) ORDER BY seq DESC LIMIT ?",
                (account, kind, since, *named, after, limit + 1),
            ).fetchall()
        return [json.loads(row[0]) for row in found[:limit]], len(found) > limit

    def kept(self, account: str, key: str) -> tuple[float, str, int, str] | None:
        """What was answered under a key: when, to what, and how."""
        with self.lock:
            row = self._db.execute(
                "SELECT at, asked, status, body FROM keys WHERE account = ? AND key = ?", (account, key)
            ).fetchone()
        return tuple(row) if row else None

    def keep(self, account: str, key: str, asked: str, status: int, body: Body) -> None:
        with self.together():
            row = (account, key, self.now(account), asked, status, json.dumps(body))
            self._db.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)", row)

    def moved(self, account: str, kind: str, about: Body, units: int) -> None:
        told = about["metadata"]
        row = (
            account,
            kind,
            about["id"],
            told.get("reprise_reference", ""),
            told.get("reprise_collection", ""),
            units,
            about["currency"],
            self.now(account),
        )
        with self.together():
            self._db.execute(
                "INSERT INTO moves (account, kind, object, reference, collection, units, currency, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )


def moves(path: Path, account: str = "") -> list[Move]:
    """What moved, in order, read without the process: while it runs, and after it was killed. A refund that failed later is
    taken out again."""
    with _reading(path) as db:
        rows = db.execute(
            "SELECT account, kind, object, reference, collection, units, currency FROM moves"
            " WHERE ? IN ('', account) ORDER BY seq",
            (account,),
        ).fetchall()
    found = [Move(*row) for row in rows]
    failed = {move.object for move in found if move.kind == "refund_failed"}
    return [move for move in found if move.object not in failed]


def rows(path: Path, table: str, account: str = "") -> list[Body]:
    """The rows of a table, as they are."""
    with _reading(path) as db:
        db.row_factory = sqlite3.Row
        found = db.execute(f"SELECT * FROM {table} WHERE ? IN ('', account)", (account,)).fetchall()
    return [dict(row) for row in found]


def add_rows(path: Path, table: str, added: Iterator[Body]) -> None:
    """Add rows to the file of a fake that does not run; they are numbered anew."""
    with _reading(path) as db:
        for row in added:
            named = {name: value for name, value in row.items() if name != "seq"}
            places = ", ".join("?" * len(named))
            db.execute(f"INSERT INTO {table} ({', '.join(named)}) VALUES ({places})", tuple(named.values()))
        db.commit()


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, timeout=10.0)
    try:
        db.executescript(_TABLES)
        yield db
    finally:
        db.close()
