"""The vault's log says what was done, and whoever has the database but no key cannot make it say something else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import select, text

from plugin_backend.core.config import Config
from plugin_backend.core.seal import SealError
from plugin_backend.domain import billing, merchants, vault
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.vault import Mark, Use, VaultEntry, VaultHead, VaultSeal
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.house import TestHouse, command

Database = psycopg.Connection[Any]
TABLES = ("vault_audit", "vault_heads", "vault_seals")


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    """A shop whose vault has done something, of which nothing is sealed yet."""
    made = plan_story.add_paying_shop(house)
    with house.of(made) as session:
        plan = plan_story.accepted_plan(session, made, Money(9000, "EUR"))
    with house.of(made) as session:
        plan_story.charged(session, made, plan.id, 1)
    return made


@pytest.fixture
def admin(postgres_admin_url: str) -> Iterator[Database]:
    """The superuser, whom neither roles nor triggers stop."""
    with psycopg.connect(make_conninfo(postgres_admin_url, dbname="reprise"), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def entries(house: TestHouse, shop: Shop) -> list[VaultEntry]:
    with house.of(shop) as session:
        return list(session.scalars(select(VaultEntry).order_by(VaultEntry.seq)))


def seal(house: TestHouse, shop: Shop) -> Mark:
    with house.of(shop) as session:
        session.execute(text("UPDATE vault_heads SET due_at = :at"), {"at": clock.now()})
        mark = vault.seal_log(session, shop.id)
        assert mark is not None
        return mark


def open_settings(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        merchants.gateway_of(session, shop, account, Use("gateway_call", account.id))


def proof(house: TestHouse, shop: Shop, mark: Mark | None = None) -> vault.Proof:
    with house.worker.app_context():
        return vault.prove_log(shop.id, mark)


@contextmanager
def tampered(admin: Database, shop: Shop, *statements: str) -> Iterator[None]:
    """While these statements, which speak of ``log``, ``head`` and ``seals``, have been carried out on the shop's log."""
    for table in TABLES:
        named = sql.Identifier(table), sql.Identifier(f"kept_{table}"), sql.Literal(shop.id)
        admin.execute(
            sql.SQL(
                "DROP TABLE IF EXISTS {1}; CREATE TEMP TABLE {1} AS SELECT * FROM {0} WHERE shop_id = {2}"
            ).format(*named)
        )
    try:
        for statement in statements:
            admin.execute(_about(statement, shop))
        yield
    finally:
        admin.execute("SET session_replication_role = replica")
        for table in TABLES:
            named = sql.Identifier(table), sql.Identifier(f"kept_{table}"), sql.Literal(shop.id)
            admin.execute(
                sql.SQL("DELETE FROM {0} WHERE shop_id = {2}; INSERT INTO {0} SELECT * FROM {1}").format(
                    *named
                )
            )


def _about(statement: str, shop: Shop) -> Any:
    for name, table in zip(("{log}", "{head}", "{seals}"), TABLES, strict=True):
        statement = statement.replace(name, table)
    return statement.replace("{shop}", f"shop_id = '{shop.id}'")


COLUMNS = "shop_id, id, created_at, verb, purpose, use_id, row_id, field, key_id, process, result"
HEAD_FOLLOWS = (
    "UPDATE {head} h SET seq = l.seq, hash = l.hash, prev_hash = l.prev_hash FROM {log} l"
    " WHERE h.{shop} AND l.shop_id = h.shop_id AND l.seq = (SELECT max(seq) FROM {log} WHERE {shop})"
)
# A history with another second row, of which every hash is right: the house's own trigger makes them.
REWRITTEN = (
    "DROP TABLE IF EXISTS anew",
    "CREATE TEMP TABLE anew AS SELECT * FROM {log} WHERE {shop}",
    "UPDATE anew SET use_id = 'att_another' WHERE seq = 2",
    "CREATE TEMP TABLE IF NOT EXISTS count_was AS SELECT 0::bigint AS seals",
    "UPDATE count_was SET seals = (SELECT seals FROM {head} WHERE {shop})",
    "DELETE FROM {log} WHERE {shop}",
    "DELETE FROM {head} WHERE {shop}",
    "SET session_replication_role = origin",
    f"INSERT INTO {{log}} ({COLUMNS}) SELECT {COLUMNS} FROM anew ORDER BY seq",
    "SET session_replication_role = replica",
    "UPDATE {head} SET seals = (SELECT seals FROM count_was) WHERE {shop}",
)
TAMPERING = {
    "deleted": (("DELETE FROM {log} WHERE {shop} AND seq = 3",), "row 3 is missing: the next is row 4"),
    "the first deleted": (("DELETE FROM {log} WHERE {shop} AND seq = 1",), "row 1 is missing"),
    "edited": (("UPDATE {log} SET use_id = 'att_another' WHERE {shop} AND seq = 3",), "row 3 (aud_"),
    "its moment edited": (
        ("UPDATE {log} SET created_at = created_at + '1 microsecond' WHERE {shop} AND seq = 3",),
        "row 3 (aud_",
    ),
    "edited with its own hash": (
        (
            "UPDATE {log} SET hash = sha256('another') WHERE {shop} AND seq = 3",
            "UPDATE {log} SET prev_hash = sha256('another') WHERE {shop} AND seq = 4",
        ),
        "row 3 (aud_",
    ),
    "inserted": (
        (
            "UPDATE {log} SET seq = -seq - 1 WHERE {shop} AND seq >= 3",
            "UPDATE {log} SET seq = -seq WHERE {shop} AND seq < 0",
            f"INSERT INTO {{log}} ({COLUMNS}, seq, prev_hash, hash) SELECT shop_id, 'aud_planted', created_at, verb,"
            " purpose, use_id, row_id, field, key_id, process, result, 3, prev_hash, hash FROM {log} WHERE {shop} AND seq = 2",
        ),
        "row 3 (aud_planted) is not as it was written",
    ),
    "reordered": (
        (
            "UPDATE {log} SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE {shop} AND seq IN (2, 3)",
            "UPDATE {log} SET seq = -seq WHERE {shop} AND seq < 0",
        ),
        "row 2 (aud_",
    ),
    "closed up after a deletion": (
        (
            "DELETE FROM {log} WHERE {shop} AND seq = 3",
            "UPDATE {log} SET seq = -seq + 1 WHERE {shop} AND seq > 3",
            "UPDATE {log} SET seq = -seq WHERE {shop} AND seq < 0",
        ),
        "does not follow row 2",
    ),
    "cut at its end": (
        ("DELETE FROM {log} WHERE {shop} AND seq > 3",),
        "row 4 is missing, and all that followed it",
    ),
    "gone": (("DELETE FROM {log} WHERE {shop}",), "row 1 is missing, and all that followed it"),
    "the head turned back": (
        ("UPDATE {head} SET seq = seq - 1, hash = prev_hash WHERE {shop}",),
        "the log's head says row",
    ),
}
SEALED = {
    "cut at its end, and its head with it": (
        ("DELETE FROM {log} WHERE {shop} AND seq > 3", HEAD_FOLLOWS),
        "row 4 is missing, and all that followed it",
    ),
    "written anew, every hash of it": (REWRITTEN, "is not the one that was sealed"),
    "without a seal": (("DELETE FROM {seals} WHERE {shop}",), "seal 1 is missing"),
    "with a seal of nobody's": (
        (
            *REWRITTEN,
            "UPDATE {seals} s SET hash = l.hash FROM {log} l WHERE s.{shop} AND l.shop_id = s.shop_id AND l.seq = s.seq",
        ),
        "seal 1 was not made with the shop's key",
    ),
}


def test_the_log_says_what_was_opened_for_what_and_by_whom(house: TestHouse, shop: Shop) -> None:
    log = entries(house, shop)
    with house.of(shop) as session:
        attempt = session.scalars(select(billing.Attempt)).one()
    charge = next(entry for entry in log if entry.purpose == "charge")
    assert (charge.verb, charge.use_id, charge.result) == ("open", attempt.id, "ok")
    assert (charge.row_id, charge.field) == (attempt.method_id, "token")
    assert charge.process.startswith("worker ") and charge.key_id.startswith("key_")
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    assert {entry.verb for entry in log} == {"open", "seal"}
    assert plan_story.TOKEN not in json.dumps([str(vars(entry)) for entry in log])
    assert proof(house, shop) == vault.Proof(rows=len(log), seals=0, unsealed=len(log), broken="")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_log_that_was_tampered_with_is_found_out_at_the_first_row(
    house: TestHouse, shop: Shop, admin: Database, *, sealed: bool
) -> None:
    if sealed:
        seal(house, shop)
    found = {}
    for what, (statements, _) in TAMPERING.items():
        with tampered(admin, shop, *statements):
            found[what] = proof(house, shop).broken
    wrong = {what: found[what] for what, (_, said) in TAMPERING.items() if said not in found[what]}
    assert wrong == {}
    assert proof(house, shop).broken == ""


def test_what_was_sealed_cannot_be_cut_or_written_anew_without_the_key(
    house: TestHouse, shop: Shop, admin: Database
) -> None:
    seal(house, shop)
    open_settings(house, shop)
    found = {}
    for what, (statements, _) in SEALED.items():
        with tampered(admin, shop, *statements):
            found[what] = proof(house, shop).broken
    wrong = {what: found[what] for what, (_, said) in SEALED.items() if said not in found[what]}
    assert wrong == {}
    assert proof(house, shop).broken == ""


def test_a_history_written_anew_with_all_its_seals_gone_is_found_out_by_a_mark_kept_elsewhere(
    house: TestHouse, shop: Shop, admin: Database
) -> None:
    mark = seal(house, shop)
    forgotten = ("DELETE FROM {seals} WHERE {shop}", "UPDATE {head} SET seals = 0 WHERE {shop}")
    with tampered(admin, shop, *REWRITTEN, *forgotten):
        assert proof(house, shop).broken == ""
        assert "the log was written anew" in proof(house, shop, mark).broken
    with tampered(admin, shop, "DELETE FROM {log} WHERE {shop} AND seq > 3", HEAD_FOLLOWS, *forgotten):
        assert proof(house, shop).broken == ""
        assert "row 4 is missing" in proof(house, shop, mark).broken
    assert proof(house, shop, mark).broken == ""


def test_a_minute_after_something_was_opened_the_log_is_sealed(house: TestHouse, shop: Shop) -> None:
    house.rest(shop)
    with house.of(shop) as session:
        assert session.scalars(select(VaultSeal)).all() == []
    house.travel(shop, seconds=70)
    with house.of(shop) as session:
        head = session.scalars(select(VaultHead)).one()
        assert [sealed.seq for sealed in session.scalars(select(VaultSeal))] == [head.seq]
        assert head.due_at is None
    assert proof(house, shop).unsealed == 0

    open_settings(house, shop)
    house.travel(shop, seconds=70)

    assert (proof(house, shop).seals, proof(house, shop).unsealed) == (2, 0)


def test_two_workers_of_one_shop_do_not_wait_for_one_another_while_they_prepare(
    house: TestHouse, shop: Shop
) -> None:
    before = len(entries(house, shop))
    with ThreadPoolExecutor(1) as other, house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        merchants.gateway_of(session, shop, account, Use("gateway_call", account.id))
        session.flush()
        other.submit(open_settings, house, shop).result(timeout=20)
    assert len(entries(house, shop)) == before + 2
    assert proof(house, shop).broken == ""


def test_what_is_undone_as_a_whole_leaves_no_row_and_what_a_savepoint_undid_does(
    house: TestHouse, shop: Shop
) -> None:
    before = len(entries(house, shop))

    def opens_in_vain(session: Any) -> None:
        account = session.scalars(select(GatewayAccount)).one()
        merchants.gateway_of(session, shop, account, Use("gateway_call", account.id))
        raise KeyError

    with pytest.raises(KeyError), house.of(shop) as session:
        opens_in_vain(session)
    assert len(entries(house, shop)) == before
    with house.of(shop) as session, pytest.raises(KeyError), session.begin_nested():
        opens_in_vain(session)
    assert len(entries(house, shop)) == before + 1


def test_a_refusal_is_in_the_log_though_its_transaction_was_undone(house: TestHouse, shop: Shop) -> None:
    before = len(entries(house, shop))
    with pytest.raises(SealError), house.of(shop) as session:
        account = session.scalars(select(GatewayAccount)).one()
        merchants.gateway_of(session, shop, account, Use("charge", account.id))
    assert [entry.result for entry in entries(house, shop)[before:]] == ["no_warrant"]


def test_the_command_shows_the_log_and_says_where_it_is_broken(
    house: TestHouse, shop: Shop, admin: Database, settings: Config
) -> None:
    audit = ("vault", "audit", "--shop", shop.id)
    shown = command(settings, *audit, "--limit", "2", "--json")
    assert [row["seq"] for row in json.loads(shown.stdout)] == [
        entry.seq for entry in entries(house, shop)[:-3:-1]
    ]
    mark = seal(house, shop)
    marked = ("--mark", f"{mark.seq}:{mark.hash.hex()}")
    whole = command(settings, *audit, "--verify", *marked)
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.startswith(f"ok   {shop.id}  {mark.seq} rows, 1 seals, 0 rows not sealed yet")
    with tampered(admin, shop, "DELETE FROM {log} WHERE {shop} AND seq = 3"):
        broken = command(settings, *audit, "--verify", "--json")
    assert broken.returncode == 1
    assert "row 3 is missing" in json.loads(broken.stdout)[0]["broken"]
    assert command(settings, "vault", "audit", "--mark", "3:00").returncode == 2
