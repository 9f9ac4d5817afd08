"""The stand of the benches: a durable PostgreSQL and a Redis of their own, migrated, with servers on top."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import create_engine, select

from plugin_backend.app import create_app
from plugin_backend.core import config
from plugin_backend.core.db import db, engine_url, transaction
from plugin_backend.core.seal import make_keys
from plugin_backend.domain import merchants, onboarding
from plugin_backend.domain.merchants import Connection
from plugin_backend.launcher.data import held, wipe
from plugin_backend.launcher.ports import LOOPBACK, free_port
from plugin_backend.launcher.postgres import Postgres
from plugin_backend.launcher.redis import Redis, find_server
from plugin_backend.launcher.supervisor import Child, Program, Supervisor, base_environment
from plugin_backend.migrations import upgrade

SECRET = "bench-secret"
ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60.0


@dataclass
class Stand:
    """``environment`` is what an operator gives the product's processes, ``app`` the product as the command line has
    it."""

    supervisor: Supervisor
    postgres: Postgres
    redis: Redis
    environment: dict[str, str] = field(repr=False)
    app: Flask

    def serve(self, name: str, arguments: Sequence[str]) -> tuple[Child, int]:
        """Start ``python -m`` with the arguments, ``{port}`` filled in, and wait until it listens; the process, and
        its port."""
        port = free_port()
        command = [sys.executable, "-m", *(part.format(port=port) for part in arguments)]
        child = self.supervisor.start(
            Program(name, command, {**base_environment(), **self.environment}, folder=ROOT)
        )
        self.supervisor.wait_for(child, lambda: _listens(port), seconds=_READY_SECONDS)
        return child, port

    def serve_product(self) -> tuple[Child, int]:
        """The product's web process, with the settings that every operator gets."""
        return self.serve("web", ["plugin_backend.cli", "web", "--port", "{port}"])

    def add_shop(self, *, charging: bool = False, secret: str = SECRET) -> tuple[str, str]:
        """A shop on WooCommerce, with a gateway account if it is to charge: its id, and the path of its webhooks."""
        shop_id = onboarding.new_shop_id()
        facts = {"url": "http://127.0.0.1:9/shop", "secret": secret}
        with self.app.app_context(), transaction(shop_id) as session:
            shop = onboarding.add_shop(session, shop_id, platform="woocommerce", settings=facts, mode="test")
            if charging:
                onboarding.add_account(
                    session, shop, "sandbox", {"url": "http://127.0.0.1:9", "api_key": "k"}
                )
            row_id = session.scalars(select(Connection.id)).one()
            return shop_id, merchants.hook_path(row_id, shop_id)

    def admin(self) -> "psycopg.Connection[Any]":
        """The superuser's way into the product's database, past row-level security."""
        return psycopg.connect(self.postgres.admin_url, dbname="reprise", autocommit=True)

    def deliveries(self, shop_id: str) -> int:
        """How many deliveries of the shop are kept."""
        with self.admin() as admin:
            query = "SELECT count(*) FROM deliveries WHERE shop_id = %s"
            (found,) = admin.execute(query, (shop_id,)).fetchone() or (0,)
            return int(found)


@contextlib.contextmanager
def stand() -> Iterator[Stand]:
    """A stand that is gone with all its processes and files when the context ends."""
    # A short path that root's PostgreSQL account may pass through.
    root = Path(tempfile.mkdtemp(prefix="reprise-bench-"))
    root.chmod(0o711 if os.geteuid() == 0 else 0o700)
    data = root / "data"
    try:
        with held(data) as lock, Supervisor(data / "logs", hold=lock) as supervisor:
            made = _stand(supervisor, data)
            yield made
            made.app.extensions["reprise"].close()
            with made.app.app_context():
                db.engine.dispose()
        wipe(data)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _stand(supervisor: Supervisor, data: Path) -> Stand:
    postgres, redis = Postgres(data), Redis(data / "redis", find_server())
    postgres.start(supervisor)
    redis.start(supervisor)
    make_keys(data / "keys")
    engine = create_engine(engine_url(postgres.url))
    upgrade(engine)
    engine.dispose()
    environment = {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "REPRISE_URL": "http://reprise.example",
        "REPRISE_KEYS": str(data / "keys"),
        "MAIL_URL": f"smtp://{LOOPBACK}:9",
    }
    app = create_app(config.load({**os.environ, **environment}), part="cli")
    return Stand(supervisor, postgres, redis, environment, app)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1.0):
        return True
    return False
