"""The database that is backed up or restored, reached as somebody whom row-level security does not bind."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from plugin_backend.core import config
from plugin_backend.core.db import first_line
from plugin_backend.launcher.backup.archive import BackupError
from plugin_backend.launcher.data import held, load_runtime
from plugin_backend.launcher.postgres import Postgres
from plugin_backend.launcher.supervisor import Supervisor

Database = psycopg.Connection[Any]
# What libpq reads from the environment: a password on a command line could be read by everybody on the machine.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


@contextlib.contextmanager
def database_of(data: Path | None, default: Path) -> Iterator[str]:
    """How to reach the database of ``data``, else of the environment, else of ``default``. The server of a folder in
    which nothing runs is started for as long as it is needed."""
    if data is None and os.environ.get("DATABASE_URL"):
        settings = config.load()
        yield as_superuser(settings.database_admin_url, settings.database_url)
        return
    folder = data or default
    running = load_runtime(folder)
    if running is not None:
        yield as_superuser(os.environ.get("DATABASE_ADMIN_URL", ""), running.environment["DATABASE_URL"])
        return
    with held(folder) as lock, Supervisor(folder / "logs", hold=lock) as supervisor:
        server = Postgres(folder)
        server.start(supervisor)
        yield make_conninfo(server.admin_url, dbname="reprise")


def as_superuser(named: str, url: str) -> str:
    """As DATABASE_ADMIN_URL says; where it says nothing, as the superuser of a server of ours, who is known by his
    socket. Whether that works shows when it is tried."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    if named:
        return make_conninfo(named, dbname=conninfo_to_dict(plain)["dbname"])
    own = str(conninfo_to_dict(plain).get("host", "")).startswith("/")
    return make_conninfo(plain, user="postgres") if own else plain


@contextlib.contextmanager
def connected(conninfo: str) -> Iterator[Database]:
    """A connection that refuses to see only a part of a table."""
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            connection.execute("SET row_security = off")
            yield connection
    except psycopg.OperationalError as error:
        raise BackupError(f"the database does not answer: {first_line(error)}") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise BackupError(
            f"{first_line(error)}: set DATABASE_ADMIN_URL to a superuser's, or a role's with BYPASSRLS"
        ) from None


def tool_environment(conninfo: str) -> Mapping[str, str]:
    """The environment in which pg_dump and pg_restore find the database."""
    named = {
        _VARIABLES[name]: str(value)
        for name, value in conninfo_to_dict(conninfo).items()
        if name in _VARIABLES
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return inherited | named


def major_of(connection: Database) -> int:
    return connection.info.server_version // 10000
