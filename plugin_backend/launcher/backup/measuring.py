"""What a database holds, as figures that must be the same after it was restored."""

from typing import Any

from psycopg import sql

from plugin_backend.launcher.backup.database import Database

Figures = dict[str, Any]
# What is dumped apart from the data: whoever has both can open every stored card, together with a root key.
KEY_TABLES = ("vault_roots", "vault_keys")
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1"""
_LEDGER = """
    SELECT j.currency || ' ' || p.account, sum(p.amount)::text FROM postings p
    JOIN journals j ON j.shop_id = p.shop_id AND j.id = p.journal_id GROUP BY 1 ORDER BY 1"""


def tables(connection: Database) -> list[str]:
    return [name for (name,) in connection.execute(_TABLES)]


def figures(connection: Database) -> Figures:
    """``rows`` by table of the data, and ``ledger``: the sum of every account's postings by currency, in minor units. In
    one transaction it is one moment."""
    rows = {name: count(connection, name) for name in tables(connection) if name not in KEY_TABLES}
    ledger = {account: int(amount) for account, amount in connection.execute(_LEDGER)}
    return {"rows": rows, "ledger": ledger}


def count(connection: Database, table: str) -> int:
    """How many rows a table has."""
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
    return int(counted.fetchall()[0][0])
