"""A real PostgreSQL and a real Redis for the tests, started by the tests and gone with them.

Every process of pytest-xdist has its own pair: roles belong to a whole cluster and FLUSHALL to a whole Redis, so that
a shared pair would let one test disturb another. A pair costs about a second. The variables DATABASE_URL and
REDIS_URL are not looked at: tests empty tables.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from plugin_backend.launcher.data import held, wipe
from plugin_backend.launcher.postgres import Postgres
from plugin_backend.launcher.redis import Redis, find_server
from plugin_backend.launcher.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Servers:
    """The pair of this process. ``supervisor`` can pull the plug of ``postgres`` and ``redis``, and the two objects
    can start them again."""

    supervisor: Supervisor
    postgres: Postgres
    redis: Redis


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # A short path that root's PostgreSQL account may pass through, which pytest's own folders are not.
    root = Path(tempfile.mkdtemp(prefix="reprise-tests-"))
    root.chmod(0o711 if os.geteuid() == 0 else 0o700)
    data = root / "data"
    try:
        with held(data) as lock, Supervisor(data / "logs", hold=lock) as supervisor:
            pair = Servers(supervisor, Postgres(data, durable=False), Redis(data / "redis", find_server()))
            pair.postgres.start(supervisor)
            pair.redis.start(supervisor)
            yield pair
        wipe(data)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(servers: Servers) -> str:
    """The database ``reprise`` as its owner, who is no superuser and may make further roles and databases."""
    return servers.postgres.url


@pytest.fixture(scope="session")
def postgres_admin_url(servers: Servers) -> str:
    """The superuser's way in, for looking past row-level security."""
    return servers.postgres.admin_url


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    return servers.redis.url
