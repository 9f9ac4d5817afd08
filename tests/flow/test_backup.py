"""A backup is one moment, proves itself, and comes back as a whole or not at all; what was charged after it is found."""

import json
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import select

from plugin_backend.app import create_app
from plugin_backend.core.config import Config
from plugin_backend.core.seal import SealError
from plugin_backend.domain import customers, erasing, invariants, merchants, quarantine, vault
from plugin_backend.domain.cases import Case
from plugin_backend.domain.vault import PaymentMethod, VaultKey
from plugin_backend.launcher import backup
from plugin_backend.launcher.backup import BackupError
from plugin_backend.sdk import clock
from tests import story
from tests.conftest import close
from tests.contract.gateway_process import SandboxProcess
from tests.domain.test_tenancy import OPEN, UNPROTECTED
from tests.house import TestHouse


@pytest.fixture
def source(postgres_admin_url: str) -> str:
    return make_conninfo(postgres_admin_url, dbname="reprise")


@pytest.fixture(autouse=True)
def nothing_of_other_tests(source: str) -> None:
    """A backup is of the whole database, and other tests leave in it what they have broken on purpose."""
    found = """
        SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND column_name = 'shop_id' AND table_type = 'BASE TABLE'"""
    with psycopg.connect(source, autocommit=True) as owner:
        of_shops = [sql.Identifier(name) for (name,) in owner.execute(found)]
        owner.execute(sql.SQL("TRUNCATE shops, {}").format(sql.SQL(", ").join(of_shops)))


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
        with there.of(paying_shop) as session:
            proof = vault.prove_log(session, paying_shop.id)
        assert proof.broken == "" and proof.seals > 1 and proof.unsealed == 0
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
    keys = tmp_path / "r.backup.keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.backup", "r.backup.keys"]
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


@contextmanager
def restored(house: TestHouse, settings: Config, postgres_url: str, target: str) -> Iterator[TestHouse]:
    there = restored_house(house, settings, postgres_url, target)
    try:
        yield there
    finally:
        there.close()
        for app in (there.web, there.worker):
            close(app)


def said(done: backup.Restored, what: str) -> str:
    return next(check.said for check in done.checks if check.what == what)


FORGOTTEN = "forgotten since the backup, and forgotten again"


def erase(house: TestHouse, shop: merchants.Shop, *, cancel: bool) -> None:
    with house.of(shop) as session:
        customer = customers.find(session, shop.id, story.EMAIL)
        assert customer is not None
        erasing.begin(
            session, shop, customer.id, cause=erasing.BY_HAND, asked_by="a test", cancel_plans=cancel
        )
    house.rest(shop)


def assert_forgotten(there: TestHouse, shop: merchants.Shop, record: bytes) -> None:
    """Nothing of the customer is here, and the token that an old backup holds does not open with the keys that are."""
    with there.of(shop) as session:
        method = session.scalars(select(PaymentMethod)).one()
        assert method.sealed is None
        assert customers.find(session, shop.id, story.EMAIL) is None
        assert session.scalars(select(VaultKey.wrapped).where(VaultKey.kind == "customer")).all() == [None]
        method.sealed = record
        with pytest.raises(SealError) as refused:
            story.opened(session, method)
        assert refused.value.why == "key_destroyed"
        session.rollback()
    with there.of(shop) as session:
        assert invariants.broken(session) == []


@pytest.mark.parametrize("keys_of", ["after", "before, with the ones after beside them"])
def test_a_backup_from_before_an_erasure_does_not_bring_the_token_back(
    house: TestHouse,
    paying_shop: merchants.Shop,
    gateway: SandboxProcess,
    settings: Config,
    postgres_url: str,
    source: str,
    target: str,
    tmp_path: Path,
    keys_of: str,
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        record = session.scalars(select(PaymentMethod.sealed)).one()
    assert record is not None
    old, newest = tmp_path / "old.backup", tmp_path / "new.backup"
    backup.dump(source, old, overwrite=False)
    erase(house, paying_shop, cancel=True)
    backup.dump(source, newest, overwrite=False)
    newest.unlink()
    keys = backup.beside(newest if keys_of == "after" else old)

    done = backup.restore(target, old, replace=False, verify=True, key_place=keys)

    assert [check for check in done.checks if not check.ok] == []
    assert said(done, FORGOTTEN) == "1 customers or cards: their tokens do not open"
    with restored(house, settings, postgres_url, target) as there:
        assert_forgotten(there, paying_shop, record)
        assert story.plan_of(there, paying_shop).state == "cancelled"
        there.travel(paying_shop, days=60)
        assert story.states(there, paying_shop) == ["paid", "void", "void"]
        assert story.captured(there, paying_shop, gateway) == [3334]
        with there.of(paying_shop) as session:
            kinds = set(session.scalars(select(Case.kind)))
            assert kinds <= {"quarantine", "order_by_hand", "refund_due"}
            assert invariants.broken(session) == []


def test_without_the_keys_nothing_is_restored_and_older_ones_are_told_of(
    house: TestHouse,
    paying_shop: merchants.Shop,
    gateway: SandboxProcess,
    source: str,
    target: str,
    tmp_path: Path,
) -> None:
    before, after = tmp_path / "before.backup", tmp_path / "after.backup"
    backup.dump(source, before, overwrite=False)
    story.begin_plan(house, paying_shop, gateway)
    backup.dump(source, after, overwrite=False)
    backup.beside(after).unlink()
    with pytest.raises(BackupError, match=r"after\.backup\.keys cannot be read"):
        backup.restore(target, after, replace=False, verify=True)
    assert tables(target) == 0

    done = backup.restore(target, after, replace=False, verify=True, key_place=backup.beside(before))

    assert [check.what for check in done.checks if not check.ok] == ["every token has its key"]
    assert said(done, "every token has its key") == "1 tokens have none and do not open"


def test_neither_file_holds_both_a_token_and_its_key(
    house: TestHouse,
    paying_shop: merchants.Shop,
    gateway: SandboxProcess,
    source: str,
    target: str,
    tmp_path: Path,
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    backup.dump(source, tmp_path / "r.backup", overwrite=False)
    with house.of(paying_shop) as session:
        wrapped = session.scalars(select(VaultKey.wrapped).where(VaultKey.kind == "customer")).one()
        sealed = session.scalars(select(PaymentMethod.sealed)).one()
    assert wrapped is not None
    assert sealed is not None
    keys = backup.beside(tmp_path / "r.backup").read_bytes()
    assert wrapped.hex().encode() in keys
    assert sealed.hex().encode() not in keys
    backup.restore(target, tmp_path / "r.backup", replace=False, verify=False)
    with psycopg.connect(target, autocommit=True) as connection:
        (found,) = connection.execute(
            "SELECT count(*) FROM vault_keys WHERE wrapped = %s", [wrapped]
        ).fetchall()
    assert found == (1,)


def test_backups_of_keys_are_kept_for_a_month(house: TestHouse, source: str, tmp_path: Path) -> None:
    place, notes = tmp_path / "old.backup", tmp_path / "notes.keys"
    backup.dump(source, place, overwrite=False)
    notes.write_text("of somebody else's")
    newest = tmp_path / "new.backup.keys"
    now = clock.real_now()

    assert backup.remove_old(newest, backup.KEPT, now + timedelta(days=29)) == []
    assert backup.remove_old(newest, backup.KEPT, now + timedelta(days=31)) == [backup.beside(place)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.keys", "old.backup"]
