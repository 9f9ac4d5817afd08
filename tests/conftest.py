"""The house under test: a real PostgreSQL and Redis, migrated once for each process of the test run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.core.db import engine_url, transaction
from plugin_backend.core.seal import make_keys
from plugin_backend.domain import invariants, merchants
from plugin_backend.migrations import upgrade
from tests.house import TestHouse
from tests.servers import postgres_admin_url, postgres_url, redis_url, servers

__all__ = ["postgres_admin_url", "postgres_url", "redis_url", "servers"]


@pytest.fixture(scope="session")
def settings(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The settings of a house whose mail goes nowhere, for tests that send none."""
    keys = tmp_path_factory.mktemp("keys")
    make_keys(keys)
    engine = create_engine(engine_url(postgres_url))
    upgrade(engine)
    engine.dispose()
    return Config(
        database_url=postgres_url,
        database_owner_url=postgres_url,
        redis_url=redis_url,
        base_url="http://reprise.test",
        keys=Path(keys),
        mail_url="smtp://127.0.0.1:1",
        mail_from="shop@reprise.test",
        sandbox_url="",
        clock_grain=10.0,
        log_level="ERROR",
    )


@pytest.fixture(scope="session")
def web_app(settings: Config) -> Flask:
    """The web process's application, which holds no key to tokens."""
    return create_app(settings, part="web")


@pytest.fixture(scope="session")
def worker_app(settings: Config) -> Flask:
    """The worker's application."""
    return create_app(settings, part="worker")


@pytest.fixture
def house(web_app: Flask, worker_app: Flask, settings: Config, postgres_url: str) -> Iterator[TestHouse]:
    """A house of one's own shops. When the test ends, every invariant holds for each of them."""
    made = TestHouse(web_app, worker_app, replace(settings))
    yield made
    made.close()
    with worker_app.app_context():
        for shop_id in made.shops:
            with transaction(shop_id) as session:
                assert invariants.broken(session) == []


@pytest.fixture
def client(web_app: Flask) -> Iterator[object]:
    with web_app.test_client() as client:
        yield client


@pytest.fixture
def shop(house: TestHouse) -> merchants.Shop:
    """A test shop on WooCommerce that is connected by webhooks only."""
    return house.add_shop()
