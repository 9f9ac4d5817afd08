"""The database: one session per context, one transaction per ``transaction()``, one shop per transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Dialect, MetaData, Text, TypeDecorator, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError as DatabaseError
from sqlalchemy.orm import DeclarativeBase, Session

APP_ROLE = "reprise_app"
CLOCK_ROLE = "reprise_clock"
# Which history of the database this is. It changes where the past may be another one than ours: with a restored dump
# (the table is made anew), a server made anew, a promoted standby, a recovery to an earlier moment. Asked of the server
# each time, so that no connection can go on after a change without being told.
LINEAGE = """(SELECT concat_ws('-', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
    'gateway_accounts'::regclass::oid) FROM pg_control_system())"""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept and given back in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without its zone")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables. JSON is jsonb, text has no length, a moment is UTC."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        str: Text,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


# The extension gives engine and session; the tables stand on a typed base of our own, which its model class is not.
db = SQLAlchemy(session_options={"expire_on_commit": False})

# How many keys were refused by now comes with the statement that every transaction begins with anyway.
_SET_SHOP = text("SELECT set_config('app.shop', :shop, true), (SELECT refusals FROM installation)")
REFUSALS = "refusals"


@contextmanager
def transaction(shop_id: str | None) -> Iterator[Session]:
    """One transaction, in which row-level security shows the rows of ``shop_id`` only (of no shop, where None).

    Whatever was loaded is let go at the end, so that no later transaction works on what an earlier one saw.
    """
    session = db.session()
    assert_no_transaction()
    try:
        with session.begin():
            if shop_id is not None:
                set_shop(session, shop_id)
            yield session
    finally:
        session.expunge_all()


def set_shop(session: Session, shop_id: str) -> None:
    """From here on the transaction is one of this shop's."""
    _, refusals = session.execute(_SET_SHOP, {"shop": shop_id}).one()
    session.info[REFUSALS] = refusals or 0


def assert_no_transaction() -> None:
    """The outside is never asked while a transaction is open: a slow gateway would hold our locks, and a crash would
    undo the very row that says we asked."""
    if db.session().in_transaction():
        raise RuntimeError("a transaction is open")


def connect_args(role: str) -> dict[str, str]:
    """Every connection of a process works as ``role``, which is no owner and has no way round row-level security."""
    return {"options": f"-c role={role}", "application_name": "reprise"}


def engine_url(url: str) -> str:
    """The URL with the driver we use, whatever spelling the operator has."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme.startswith("postgres") else url


def first_line(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0][:200] if str(cause).strip() else type(cause).__name__


__all__ = [
    "APP_ROLE",
    "CLOCK_ROLE",
    "LINEAGE",
    "REFUSALS",
    "Base",
    "DatabaseError",
    "UtcDateTime",
    "assert_no_transaction",
    "connect_args",
    "db",
    "engine_url",
    "first_line",
    "set_shop",
    "transaction",
]
