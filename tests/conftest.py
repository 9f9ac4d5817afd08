"""The house under test: a real PostgreSQL and Redis, migrated once for each process of the test run."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, delete
from werkzeug.serving import make_server

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.core.db import db, engine_url, transaction
from plugin_backend.core.seal import make_keys
from plugin_backend.domain import invariants, merchants
from plugin_backend.domain.staff import User
from plugin_backend.launcher.ports import free_port
from plugin_backend.migrations import upgrade
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox, letterbox
from tests.servers import postgres_admin_url, postgres_url, redis_url, servers

# No test is timed: how long a machine takes for an example says nothing of what it shows.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")

__all__ = ["postgres_admin_url", "postgres_url", "redis_url", "servers"]


@pytest.fixture(scope="session")
def post_office() -> Iterator[Letterbox]:
    with letterbox() as box:
        yield box


@pytest.fixture
def mails(post_office: Letterbox) -> Letterbox:
    """The mail server, emptied."""
    post_office.messages.clear()
    post_office.refuse = ""
    return post_office


@pytest.fixture(scope="session")
def gateway_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("gateway") / "ledger.jsonl") as process:
        yield process


@pytest.fixture
def gateway(gateway_process: SandboxProcess) -> SandboxProcess:
    """The sandbox gateway as a process, with an account of the test's own."""
    gateway_process.another_account()
    return gateway_process


@pytest.fixture(scope="session")
def settings(
    postgres_url: str, redis_url: str, post_office: Letterbox, tmp_path_factory: pytest.TempPathFactory
) -> Config:
    """The settings of a house that is migrated and has keys."""
    keys = tmp_path_factory.mktemp("keys")
    make_keys(keys)
    engine = create_engine(engine_url(postgres_url))
    upgrade(engine)
    engine.dispose()
    return Config(
        database_url=postgres_url,
        database_owner_url=postgres_url,
        redis_url=redis_url,
        base_url=f"http://127.0.0.1:{free_port()}",
        keys=Path(keys),
        mail_url=post_office.url,
        mail_from="shop@reprise.test",
        sandbox_url="",
        clock_grain=10.0,
        log_level="ERROR",
    )


@pytest.fixture(scope="session")
def web_app(settings: Config) -> Iterator[Flask]:
    """The web process's application, which holds no key to tokens."""
    app = create_app(settings, part="web")
    yield app
    close(app)


@pytest.fixture(scope="session")
def site(web_app: Flask, settings: Config) -> Iterator[str]:
    """The web application, served where its own links say it is."""
    port = int(settings.base_url.rpartition(":")[2])
    server = make_server("127.0.0.1", port, web_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield settings.base_url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def worker_app(settings: Config) -> Iterator[Flask]:
    """The worker's application."""
    app = create_app(settings, part="worker")
    yield app
    close(app)


def close(app: Flask) -> None:
    """Give back what an application holds open, as the end of its process would."""
    app.extensions["reprise"].close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def house(web_app: Flask, worker_app: Flask, settings: Config, postgres_url: str) -> Iterator[TestHouse]:
    """A house of one's own shops, whose people are nobody else's. When the test ends, every invariant holds for each of
    them."""
    made = TestHouse(web_app, worker_app, replace(settings))
    yield made
    made.close()
    with worker_app.app_context():
        with transaction(None) as session:
            # Whoever may see a merchant's shops is written to about each of them.
            session.execute(delete(User))
        for shop_id in made.shops:
            with transaction(shop_id) as session:
                assert invariants.broken(session) == []


@pytest.fixture
def client(web_app: Flask) -> Iterator[object]:
    with web_app.test_client() as client:
        yield client


@pytest.fixture
def paying_shop(house: TestHouse, gateway: SandboxProcess, mails: Letterbox) -> merchants.Shop:
    """A test shop with a sandbox account, whose mails arrive."""
    return house.add_shop(sandbox=gateway.settings(), name="Boutique Luna", contact="luna@shop.test")


@pytest.fixture
def shop(house: TestHouse) -> merchants.Shop:
    """A test shop on WooCommerce that is connected by webhooks only."""
    return house.add_shop()
