"""A backup is one moment, proves itself, and comes back as a whole or not at all; what was charged after it is found."""

import json
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import select

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.domain import invariants, merchants, quarantine
from plugin_backend.domain.cases import Case
from plugin_backend.launcher import backup
from plugin_backend.launcher.backup import BackupError
from tests import story
from tests.conftest import close
from tests.contract.gateway_process import SandboxProcess
from tests.domain.test_tenancy import OPEN, UNPROTECTED
from tests.house import TestHouse


@pytest.fixture
def source(postgres_admin_url: str) -> str:
    return make_conninfo(postgres_admin_url, dbname="reprise")


@pytest.fixture
def target(postgres_admin_url: str) -> Iterator[str]:
    """An empty database of the owner's, as one would be given on a new server."""
    name = f"restored_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER reprise").format(sql.Identifier(name)))
        yield make_conninfo(postgres_admin_url, dbname=name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def restored_house(house: TestHouse, settings: Config, postgres_url: str, target: str) -> TestHouse:
    """The house as it goes on in the restored database."""
    name = psycopg.conninfo.conninfo_to_dict(target)["dbname"]
    url = postgres_url.replace("/reprise?", f"/{name}?")
    there = replace(settings, database_url=url, database_owner_url=url)
    return TestHouse(create_app(there, part="web"), create_app(there, part="worker"), there)


def tables(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = 'public' AND relkind = 'r'"
        ).fetchall()
    return int(count)


def test_what_was_charged_after_the_backup_is_never_charged_again(
    house: TestHouse,
    paying_shop: merchants.Shop,
    gateway: SandboxProcess,
    settings: Config,
    postgres_url: str,
    source: str,
    target: str,
    tmp_path: Path,
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    made = backup.dump(source, tmp_path / "r.backup", overwrite=False)
    house.travel(paying_shop, days=26)
    assert story.states(house, paying_shop)[:2] == ["paid", "paid"]
    reference = story.attempts(house, paying_shop)[1].reference

    restored = backup.restore(target, tmp_path / "r.backup", replace=False, verify=True)

    assert restored.ok, [check for check in restored.checks if not check.ok]
    assert {check.what for check in restored.checks} >= {f"rows of {name}" for name in made["rows"]}
    there = restored_house(house, settings, postgres_url, target)
    try:
        assert story.states(there, paying_shop)[:2] == ["paid", "scheduled"]
        assert there.client().get("/readyz").get_data(as_text=True).startswith("ok, in quarantine")
        gateway.switch(down="503")
        there.travel(paying_shop, days=26)
        assert story.collections(there, paying_shop)[1].held == "quarantine"
        assert len(story.attempts(there, paying_shop)) == 1

        gateway.switch(down="")
        there.travel(paying_shop, hours=1)
        assert story.states(there, paying_shop)[:2] == ["paid", "paid"]
        there.travel(paying_shop, minutes=20)

        with there.of(paying_shop) as session:
            assert quarantine.held(session, paying_shop.id) == []
            assert session.scalars(select(Case.reason).where(Case.kind == "quarantine")).all() == [
                "captures are known"
            ]
            assert invariants.broken(session) == []
        assert len(gateway.captured(reference)) == 1
        there.travel(paying_shop, days=30)
        assert story.states(there, paying_shop) == ["paid", "paid", "paid"]
        assert story.plan_of(there, paying_shop).id == plan.id
        assert story.captured(there, paying_shop, gateway) == [3334, 3333, 3333]
    finally:
        there.close()
        for app in (there.web, there.worker):
            close(app)


def test_a_restored_database_keeps_each_tenant_to_itself(
    house: TestHouse,
    paying_shop: merchants.Shop,
    gateway: SandboxProcess,
    source: str,
    target: str,
    tmp_path: Path,
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    backup.dump(source, tmp_path / "r.backup", overwrite=False)
    backup.restore(target, tmp_path / "r.backup", replace=False, verify=False)

    with psycopg.connect(target) as admin:
        assert {row[0] for row in admin.execute(UNPROTECTED)} == OPEN
        assert admin.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall() == [("reprise",)]
        admin.execute("SET ROLE reprise_app")
        assert admin.execute("SELECT 1 FROM plans").fetchall() == []
        admin.execute("SELECT set_config('app.shop', %s, false)", [paying_shop.id])
        assert len(admin.execute("SELECT 1 FROM plans").fetchall()) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("DELETE FROM journals")


def test_a_backup_is_private_whole_and_never_overwrites_unasked(
    house: TestHouse, source: str, tmp_path: Path
) -> None:
    place = tmp_path / "r.backup"
    made = backup.dump(source, place, overwrite=False)

    assert place.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["r.backup"]
    with tarfile.open(place) as tar:
        assert tar.getnames() == ["database.dump", "manifest.json"]
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        assert json.loads(manifest.read()) == made
    assert {"migration", "made_at", "system_identifier", "timeline", "wal_position", "rows", "ledger"} <= set(
        made
    )
    kept = place.read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        backup.dump(source, place, overwrite=False)
    assert place.read_bytes() == kept

    # Not the first dump again: a second one of an unchanged database, made in the same second, is the same file.
    place.write_bytes(b"an older file")
    made = backup.dump(source, place, overwrite=True)
    with tarfile.open(place) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        assert json.loads(manifest.read()) == made


def test_a_file_that_is_not_whole_is_refused_and_changes_nothing(
    house: TestHouse, source: str, target: str, tmp_path: Path
) -> None:
    place = tmp_path / "r.backup"
    backup.dump(source, place, overwrite=False)
    whole = place.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 1
    in_the_figures = whole.replace(b'"timeline": "', b'"timeline": "9', 1)
    for name, content in (
        ("changed", bytes(middle)),
        ("truncated", whole[: len(whole) // 2]),
        ("without its end", whole[:-2048]),
        ("with other figures", in_the_figures),
        ("foreign", b"PGDMP" + bytes(4000)),
        ("empty", b""),
    ):
        place.write_bytes(content)
        with pytest.raises(BackupError) as refused:
            backup.restore(target, place, replace=False, verify=True)
        assert "\n" not in str(refused.value), name
        assert tables(target) == 0, name
    with pytest.raises(BackupError, match="cannot be read"):
        backup.restore(target, tmp_path / "nothing", replace=False, verify=True)


def test_a_database_that_holds_something_or_is_in_use_is_not_touched(
    house: TestHouse, source: str, target: str, tmp_path: Path
) -> None:
    place = tmp_path / "r.backup"
    backup.dump(source, place, overwrite=False)
    with psycopg.connect(target), pytest.raises(BackupError, match="1 connections use the database"):
        backup.restore(target, place, replace=False, verify=False)
    backup.restore(target, place, replace=False, verify=False)
    with psycopg.connect(target) as connection:
        connection.execute("DELETE FROM doors")
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(target, place, replace=False, verify=False)

    assert backup.restore(target, place, replace=True, verify=True).ok


def test_a_figure_that_differs_is_told(house: TestHouse, source: str, tmp_path: Path) -> None:
    place = tmp_path / "r.backup"
    made = backup.dump(source, place, overwrite=False)
    checks = backup.compared(made, {**made, "rows": {**made["rows"], "shops": -1}})
    assert [check.what for check in checks if not check.ok] == ["rows of shops"]
