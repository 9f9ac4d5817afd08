"""The webhook door while the queue or the database is away: nothing that was answered with 200 is ever lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from flask import Flask
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.domain.merchants import Shop
from plugin_backend.launcher.ports import free_port
from tests.conftest import close
from tests.house import TestHouse
from tests.web.test_webhooks import kept, order, post


@contextmanager
def another_web(settings: Config) -> Iterator[Flask]:
    app = create_app(settings, part="web")
    try:
        yield app
    finally:
        close(app)


def test_with_redis_down_deliveries_are_kept_all_the_same(
    house: TestHouse, shop: Shop, settings: Config
) -> None:
    with another_web(replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}")) as app:
        away = TestHouse(app, house.worker, settings)
        for total in ("100.00", "110.00", "120.00"):
            assert post(away, house.hook(shop), order(total=total)).status_code == 200
    assert len(kept(house, shop)) == 3
    house.rest(shop)
    assert {row.state for row in kept(house, shop)} == {"read"}


@contextmanager
def no_database(admin_url: str, url: str) -> Iterator[None]:
    """The database hangs up on everybody and takes nobody."""
    name = conninfo_to_dict(url)["dbname"]
    allow = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(allow.format(Identifier(str(name)), SQL("false")))
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            admin.execute(allow.format(Identifier(str(name)), SQL("true")))


def test_with_the_database_down_the_sender_is_told_to_come_again_and_then_it_is_kept(
    house: TestHouse, shop: Shop, postgres_admin_url: str, postgres_url: str
) -> None:
    hook = house.hook(shop)
    assert post(house, hook, order()).status_code == 200
    stranger = house.add_shop()
    unknown = house.hook(stranger)
    with no_database(postgres_admin_url, postgres_url):
        for path in (hook, unknown):
            answer = post(house, path, order(total="120.00"))
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"] == "5"
            assert answer.content_type == "application/problem+json"
    for path in (hook, unknown):
        assert post(house, path, order(total="120.00")).status_code == 200
    assert len(kept(house, shop)) == 2
