"""Whose a row is: nobody sees, counts or writes another shop's, and what is booked stays booked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import select, text

from plugin_backend.domain import vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.migrations.protection import APPEND_ONLY, SHARED
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs
from tests import plan_story
from tests.house import TestHouse

Database = psycopg.Connection[Any]
# Tables that have a ``shop_id`` and are read before a shop is known.
OPEN = {"doors"}
UNPROTECTED = """
    SELECT c.relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN information_schema.columns i ON i.table_schema = 'public' AND i.table_name = c.relname
         AND i.column_name = 'shop_id'
    WHERE c.relkind IN ('r', 'p') AND NOT (
        c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
            SELECT 1 FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname
              AND 'reprise_app' = ANY (p.roles) AND p.cmd = 'ALL'
              AND p.qual LIKE '%shop_id = %app.shop%' AND p.with_check LIKE '%shop_id = %app.shop%'))
"""


@contextmanager
def connected(url: str, role: str = "") -> Iterator[Database]:
    with psycopg.connect(url) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            connection.commit()
        yield connection
        connection.rollback()


@pytest.fixture
def admin(postgres_admin_url: str) -> Iterator[Database]:
    with connected(make_conninfo(postgres_admin_url, dbname="reprise")) as connection:
        yield connection


@pytest.fixture
def app(postgres_url: str) -> Iterator[Database]:
    with connected(postgres_url, "reprise_app") as connection:
        yield connection


def column(connection: Database, query: str, *values: object) -> set[str]:
    return {row[0] for row in connection.execute(query, values or None)}  # type: ignore[arg-type]


def ask(connection: Database, query: str, table: str, *values: object) -> list[Any]:
    """Ask with the table's name in the place of ``{}``."""
    return connection.execute(sql.SQL(query).format(sql.Identifier(table)), values).fetchall()  # type: ignore[arg-type]


def tenant_tables(connection: Database) -> set[str]:
    found = column(
        connection,
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'shop_id' AND table_schema = 'public'",
    )
    return found - OPEN - views(connection)


def views(connection: Database) -> set[str]:
    return column(connection, "SELECT viewname FROM pg_views WHERE schemaname = 'public'")


@pytest.fixture
def busy(house: TestHouse) -> Shop:
    """A shop with a plan that was paid once."""
    shop = plan_story.add_paying_shop(house)
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(10000, "EUR"))
        plan_story.charged(session, shop, plan.id, 1)
        plan_story.credited(session, shop, plan.id, Money(1000, "EUR"))
        plan_story.compared(session, shop)
    with house.of(shop) as session:
        session.execute(text("UPDATE vault_heads SET due_at = :at"), {"at": clock.now()})
        assert vault.seal_log(session, shop.id) is not None
        plan_story.forgotten(session, shop)
    house.woo(shop, "product.updated", b"{}")
    return shop


def test_every_table_of_a_tenant_is_protected(admin: Database, house: TestHouse) -> None:
    assert column(admin, UNPROTECTED) == OPEN
    assert OPEN <= SHARED
    assert len(tenant_tables(admin)) > 15


@pytest.mark.parametrize(
    "forgotten",
    [
        "SELECT 1",
        "ALTER TABLE planted ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE planted ENABLE ROW LEVEL SECURITY; ALTER TABLE planted FORCE ROW LEVEL SECURITY",
        "ALTER TABLE planted ENABLE ROW LEVEL SECURITY; ALTER TABLE planted FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY all_of_it ON planted TO reprise_app USING (true)",
        "ALTER TABLE planted ENABLE ROW LEVEL SECURITY; ALTER TABLE planted FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY reading ON planted TO reprise_app USING (shop_id = current_setting('app.shop', true))"
        " WITH CHECK (true)",
    ],
)
def test_a_new_table_that_is_not_protected_is_found(
    admin: Database, house: TestHouse, forgotten: str
) -> None:
    admin.execute("CREATE TABLE planted (shop_id text, id text)")
    admin.execute(forgotten)  # type: ignore[arg-type]
    assert column(admin, UNPROTECTED) == OPEN | {"planted"}


def test_no_role_of_ours_has_a_way_round(admin: Database, house: TestHouse) -> None:
    rows = admin.execute(
        "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname LIKE 'reprise%'"
    ).fetchall()
    assert {row[0] for row in rows} == {"reprise", "reprise_app", "reprise_clock"}
    assert not any(row[1] or row[2] for row in rows)
    assert [row[0] for row in rows if row[3]] == ["reprise"]
    definers = column(
        admin,
        "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE prosecdef AND nspname = 'public'",
    )
    assert definers == set()


@pytest.mark.parametrize("setting", [None, "", "shop_of_nobody", "%", "' OR true --"])
def test_without_a_shop_nothing_is_there(app: Database, busy: Shop, setting: str | None) -> None:
    if setting is not None:
        app.execute("SELECT set_config('app.shop', %s, true)", [setting])
    for table in tenant_tables(app):
        assert ask(app, "SELECT 1 FROM {}", table) == [], table


def test_the_owner_of_the_tables_sees_no_more_than_his_shop(postgres_url: str, busy: Shop) -> None:
    with connected(postgres_url) as owner:
        for table in tenant_tables(owner):
            assert ask(owner, "SELECT 1 FROM {}", table) == [], table


def test_after_a_transaction_its_shop_is_forgotten(app: Database, busy: Shop) -> None:
    app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
    assert ask(app, "SELECT 1 FROM {}", "plans") != []
    app.commit()
    assert ask(app, "SELECT 1 FROM {}", "plans") == []


def test_another_shops_rows_cannot_be_read_changed_taken_or_planted(
    app: Database, busy: Shop, house: TestHouse, admin: Database
) -> None:
    other = house.add_shop()
    held = [
        table
        for table in tenant_tables(app)
        if ask(admin, "SELECT 1 FROM {} WHERE shop_id = %s", table, busy.id)
    ]
    assert {"carts", "offers", "plans", "collections", "attempts", "postings", "payment_methods"} <= set(held)
    for table in held:
        app.execute("SELECT set_config('app.shop', %s, true)", [other.id])
        assert ask(app, "SELECT 1 FROM {} WHERE shop_id = %s", table, busy.id) == []
        for statement in ("UPDATE {} SET shop_id = shop_id", "DELETE FROM {}"):
            if table in APPEND_ONLY:
                continue
            found = app.execute(
                sql.SQL(statement + " WHERE shop_id = %s").format(sql.Identifier(table)),
                [busy.id],  # type: ignore[arg-type]
            )
            assert found.rowcount == 0, table
        refuse(
            app,
            "INSERT INTO {0} SELECT (jsonb_populate_record(NULL::{0}, %s)).*",
            table,
            _a_row(admin, table, busy),
        )


def test_a_view_shows_what_its_reader_may_see_and_nothing_else(
    app: Database, busy: Shop, house: TestHouse, admin: Database
) -> None:
    other = house.add_shop()
    assert views(admin) == {"plan_balances", "customer_balances", "account_balances"}
    for view in views(admin):
        app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
        assert ask(app, "SELECT shop_id FROM {}", view)[0] == (busy.id,)
        app.execute("SELECT set_config('app.shop', %s, true)", [other.id])
        assert ask(app, "SELECT 1 FROM {}", view) == []
        app.rollback()
        assert ask(app, "SELECT 1 FROM {}", view) == []
        refuse_outright(app, "DELETE FROM {}", view)


def refuse_outright(app: Database, statement: str, view: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        ask(app, statement, view)
    app.rollback()


def test_a_row_cannot_be_given_away(app: Database, busy: Shop, house: TestHouse) -> None:
    other = house.add_shop()
    for table in ("messages", "deliveries", "outbox"):
        app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
        refuse(app, "UPDATE {} SET shop_id = %s", table, other.id)


def _a_row(admin: Database, table: str, shop: Shop) -> str:
    """One row of the shop as JSON, under an id that nobody has."""
    ((row,),) = ask(admin, "SELECT to_jsonb(t)::text FROM {} t WHERE shop_id = %s LIMIT 1", table, shop.id)
    return str(row)


def refuse(app: Database, statement: str, table: str, *values: object) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        ask(app, statement, table, *values)
    app.rollback()


def test_the_clock_sees_moments_and_whose_they_are_and_nothing_else(postgres_url: str, busy: Shop) -> None:
    with connected(postgres_url, "reprise_clock") as clock:
        timers = {model.__tablename__ for model, _ in jobs.timers()}
        tables = tenant_tables_of(postgres_url)
        assert timers < tables
        for table in sorted(tables | SHARED):
            if table in timers:
                assert ask(clock, "SELECT shop_id, due_at, taken FROM {}", table) is not None
            for statement in (
                "SELECT * FROM {}",
                "SELECT id FROM {}",
                "DELETE FROM {}",
                "UPDATE {} SET shop_id = ''",
            ):
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedColumn)):
                    clock.execute(sql.SQL(statement).format(sql.Identifier(table)))  # type: ignore[arg-type]
                    assert (table, statement) == ("shops", "SELECT id FROM {}")
                    raise psycopg.errors.InsufficientPrivilege
                clock.rollback()
        seen = clock.execute("SELECT shop_id FROM plans WHERE shop_id = %s", [busy.id]).fetchall()
        assert seen == [(busy.id,)]


def tenant_tables_of(url: str) -> set[str]:
    with connected(url) as owner:
        return tenant_tables(owner)


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
@pytest.mark.parametrize("statement", ["UPDATE {} SET created_at = created_at", "DELETE FROM {}"])
def test_what_is_booked_cannot_be_changed_by_the_house(
    app: Database, busy: Shop, table: str, statement: str
) -> None:
    app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        ask(app, statement, table)


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
@pytest.mark.parametrize("statement", ["UPDATE {} SET created_at = created_at", "DELETE FROM {}"])
def test_what_is_booked_cannot_be_changed_even_by_a_superuser(
    admin: Database, busy: Shop, table: str, statement: str
) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        ask(admin, statement + " WHERE shop_id = %s", table, busy.id)


def test_a_journal_that_does_not_sum_to_zero_is_refused_when_it_is_committed(
    app: Database, busy: Shop, house: TestHouse
) -> None:
    with house.of(busy) as session:
        plan = session.scalars(select(Plan)).one()
    for amounts in ((100,), (100, -99), (100, -100, 1)):
        app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
        book(app, busy, plan.id, amounts)
        with pytest.raises(psycopg.errors.RaiseException, match="does not sum to zero"):
            app.commit()
        app.rollback()
    app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
    assert ask(app, "SELECT 1 FROM {} WHERE kind = 'test'", "journals") == []


def book(app: Database, shop: Shop, plan_id: str, amounts: tuple[int, ...]) -> None:
    app.execute(
        "INSERT INTO journals (shop_id, id, kind, source, plan_id, currency, at, created_at)"
        " VALUES (%s, 'jrn_test', 'test', 'test', %s, 'EUR', now(), now())",
        [shop.id, plan_id],
    )
    for number, amount in enumerate(amounts):
        app.execute(
            "INSERT INTO postings (shop_id, id, journal_id, account, amount, created_at)"
            " VALUES (%s, %s, 'jrn_test', 'gateway', %s, now())",
            [shop.id, f"pst_{number}", amount],
        )


def test_a_posting_into_another_shops_journal_is_refused(app: Database, busy: Shop, house: TestHouse) -> None:
    other = house.add_shop()
    app.execute("SELECT set_config('app.shop', %s, true)", [busy.id])
    ((journal,),) = ask(app, "SELECT id FROM {} LIMIT 1", "journals")
    app.execute("SELECT set_config('app.shop', %s, true)", [other.id])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        app.execute(
            "INSERT INTO postings (shop_id, id, journal_id, account, amount, created_at)"
            " VALUES (%s, 'pst_x', %s, 'gateway', 0, now())",
            [other.id, journal],
        )
