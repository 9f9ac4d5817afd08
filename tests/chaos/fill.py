"""Thousands of plans whose second payment falls due at one moment, with what the gateway remembers of them.

One plan of each shop is made by the real flow: basket, offer, card, first payment, and a month that passes. The others
are its copies: every row of it, and every line of the gateway's file, with eight characters within each id replaced. What
follows from ids is made anew: references, and tokens sealed for the row that holds them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Table, select

from plugin_backend.app import create_app
from plugin_backend.core import config, ids
from plugin_backend.core.db import Base
from plugin_backend.core.seal import Key, records
from plugin_backend.domain import vault
from plugin_backend.domain.billing import reference_of
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection
from plugin_backend.domain.vault import PaymentMethod, VaultKey, keys, methods
from tests.chaos.played import Derived, Played
from tests.chaos.stage import Stage
from tests.conftest import close
from tests.house import TestHouse
from tests.story import begin_plan, opened

# What a plan is made of. All else belongs to the shop, or is only told about a plan.
_COPIED = {
    *("customers", "consents", "carts", "offers", "setups", "payment_methods", "plans", "mandates"),
    *("collections", "attempts", "journals", "postings", "moves", "vault_keys"),
}
_NOUNS = ["cart", "offer", "setup", "plan", "collection", "attempt", "key"]
# Eight characters that stand in the template wherever a copy has its number.
_ORDER = "77000019"
_EMAIL_MARK = "zzzzzzzz"
_EMAIL = f"ana.{_EMAIL_MARK}@example.test"
_MARK, _REFERENCE, _SEALED, _WRAPPED, _DERIVED = "\x00", "\x01", "\x02", "\x03", "\x04"
_ID = re.compile(r"\b[a-z]{2,4}_[0-9a-z]{26}\b")
_DUE = 2
_SECRET = bytes(range(32))
# The vault's log is a chain, of which nothing can be copied: what was opened for each copy is said after all else.
_LOGGED = """
    INSERT INTO vault_audit (shop_id, id, created_at, verb, purpose, use_id, row_id, field, key_id, process, result)
    SELECT a.shop_id, 'aud_' || right(a.id, 26), a.created_at, 'open', 'charge', a.id, a.method_id, 'token', '', 'copy', 'ok'
    FROM attempts a WHERE a.shop_id = %s AND NOT EXISTS (
        SELECT FROM vault_audit v WHERE v.shop_id = a.shop_id AND v.use_id = a.id) ORDER BY a.id"""
_JUST_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Filled:
    """A shop whose plans wait: ``moment`` is, in the shop's time, when they fall due."""

    shop_id: str
    plans: int
    moment: datetime
    account: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Template:
    """What a copy is made of. ``marks`` are the ids and other strings that differ in each copy."""

    shop_id: str
    account: Mapping[str, str]
    marks: list[str]
    derived: list[tuple[str, Derived]]
    collection_id: str
    reference: str
    method: PaymentMethod
    card: vault.Opened
    key: VaultKey
    shop_key: Key
    moment: datetime


def fill(
    stage: Stage, gateway: Played, collections: int, shops: int, settings: dict[str, str]
) -> list[Filled]:
    """So many due collections in so many shops. ``settings`` are added to those of each account at the gateway, which runs
    when we begin and when we are done."""
    given = config.load(stage.environment)
    web, worker = create_app(given, part="web"), create_app(given, part="worker")
    house = TestHouse(web, worker, given)
    templates = [_template(stage, house, gateway, number, settings) for number in range(shops)]
    stage.end("gateway")
    counts = [len(range(number, collections, shops)) for number in range(shops)]
    with worker.app_context(), stage.admin() as admin:
        filled = [_copies(stage, admin, it, count - 1) for it, count in zip(templates, counts, strict=True)]
        for it, count in zip(templates, counts, strict=True):
            gateway.copy(stage.ledger, it.account, partial(_each, it, count - 1))
    house.close()
    close(web)
    close(worker)
    stage.start_gateway()
    return filled


def let_fall_due(admin: "psycopg.Connection[Any]", filled: list[Filled]) -> None:
    """The shops' clocks reach the moment."""
    for shop in filled:
        admin.execute(
            "UPDATE shops SET clock_offset = greatest(clock_offset, %s - now()) WHERE id = %s",
            (shop.moment, shop.shop_id),
        )


def _template(
    stage: Stage, house: TestHouse, gateway: Played, number: int, settings: dict[str, str]
) -> _Template:
    driver = gateway.driver(stage.ledger, stage.gateway_url)
    account = {name: value for name, value in driver.settings().items() if value} | settings
    shop = house.add_shop(
        gateway=gateway.name, account=account, name=f"Shop {number}", contact="shop@shop.test"
    )
    total = f"{100 + number}.00"
    begin_plan(house, shop, driver, "paid", number=int(_ORDER), email=_EMAIL, total=total)
    with house.of(shop) as session:
        due = session.scalars(select(Collection).where(Collection.number == _DUE)).one().scheduled_at
    house.travel(shop, seconds=(due - _JUST_BEFORE - house.now(shop)).total_seconds())
    theirs, derived = gateway.names(stage.ledger, account), gateway.derived(stage.ledger, account)
    return _described(stage, house, shop, account, theirs, sorted(derived.items()), due)


def _described(
    stage: Stage,
    house: TestHouse,
    shop: Shop,
    account: Mapping[str, str],
    theirs: set[str],
    derived: list[tuple[str, Derived]],
    due: datetime,
) -> _Template:
    with house.of(shop) as session:
        first = session.scalars(select(Collection).where(Collection.number == 1)).one()
        assert first.state == "paid", first.state
        method = session.scalars(select(PaymentMethod)).one()
        card = opened(session, method)
        key = session.scalars(select(VaultKey).where(VaultKey.kind == keys.CUSTOMER)).one()
        shop_key = keys.active(session, shop.id, keys.SHOP)
    lines = [line for table in _tables() for line in _rows(stage, table, shop.id)]
    ids = {found for line in lines for found in _ID.findall(line)} - {shop.id}
    with stage.admin() as admin:
        kept = _ids_of(admin, [table for table in _every_table() if table.name not in _COPIED])
        kept |= {key.parent, method.marked_by}
    marks = sorted((ids - kept) | theirs | {method.fingerprint})
    assert len({_renamed(mark, _MARK) for mark in marks}) == len(marks), "copies would have the same id twice"
    return _Template(
        shop.id,
        account,
        marks,
        derived,
        first.id,
        reference_of(first.id, 1),
        method,
        card,
        key,
        shop_key,
        due,
    )


def _copies(stage: Stage, admin: "psycopg.Connection[Any]", it: _Template, count: int) -> Filled:
    admin.execute("SET session_replication_role = replica")
    for table in _tables():
        columns = _columns(table)
        patterns = [_pattern(it, line) for line in _rows(stage, table, it.shop_id)]
        statement = SQL("COPY {} ({}) FROM STDIN").format(
            Identifier(table.name), SQL(", ").join(map(Identifier, columns))
        )
        with admin.cursor() as cursor, cursor.copy(statement) as copy:
            for number in range(1, count + 1):
                copy.write("".join(_filled_in(it, pattern, number) + "\n" for pattern in patterns))
        admin.execute(SQL("ANALYZE {}").format(Identifier(table.name)))
    admin.execute("SET session_replication_role = origin")
    admin.execute(_LOGGED, (it.shop_id,))
    return Filled(it.shop_id, count + 1, it.moment, it.account)


def _each(it: _Template, count: int, text: str) -> Iterator[str]:
    """The text as it is of each copy: the gateway knows the copies' cards and first payments, too."""
    pattern = _pattern(it, text)
    return (_filled_in(it, pattern, number) for number in range(1, count + 1))


def _pattern(it: _Template, line: str) -> str:
    """The line with marks where copies differ."""
    sealed = f"\\\\x{(it.method.sealed or b'').hex()}"
    wrapped = f"\\\\x{(it.key.wrapped or b'').hex()}"
    line = line.replace(it.reference, _REFERENCE).replace(sealed, _SEALED).replace(wrapped, _WRAPPED)
    for place, (made, _) in enumerate(it.derived):
        line = line.replace(made, f"{_DERIVED}{place}{_DERIVED}")
    for mark in it.marks:
        line = line.replace(mark, _renamed(mark, _MARK))
    return line.replace(_ORDER, _MARK).replace(_EMAIL, _EMAIL.replace(_EMAIL_MARK, _MARK))


def _renamed(name: str, digits: str) -> str:
    """An id with these in place of eight of its random characters. Its end stays: a part's id is its whole's, and a number."""
    return name[:-12] + digits + name[-4:]


def _filled_in(it: _Template, pattern: str, number: int) -> str:
    suffix = f"{number:08d}"
    line = pattern.replace(_MARK, suffix)
    if _DERIVED in line:
        for place, (_, make) in enumerate(it.derived):
            line = line.replace(f"{_DERIVED}{place}{_DERIVED}", make(partial(_renamed, digits=suffix)))
    if _REFERENCE in line:
        line = line.replace(_REFERENCE, reference_of(_renamed(it.collection_id, suffix), 1))
    if _WRAPPED in line:
        line = line.replace(_WRAPPED, _bytes(records.seal(it.shop_key, _key_row(it, suffix).place, _SECRET)))
    return line.replace(_SEALED, _bytes(_sealed(it, suffix))) if _SEALED in line else line


def _key_row(it: _Template, suffix: str) -> VaultKey:
    """The copy's customer's own key."""
    return VaultKey(
        shop_id=it.shop_id,
        id=_renamed(it.key.id, suffix),
        kind=it.key.kind,
        owner_id=_renamed(it.key.owner_id, suffix),
    )


def _sealed(it: _Template, suffix: str) -> bytes:
    """The copy's own token, sealed for the copy's own row."""
    method = it.method
    row = PaymentMethod(
        shop_id=method.shop_id,
        id=_renamed(method.id, suffix),
        customer_id=_renamed(method.customer_id, suffix),
        account_id=method.account_id,
    )
    card = replace(
        it.card,
        token=_of_copy(it, it.card.token, suffix),
        gateway_customer=_of_copy(it, it.card.gateway_customer, suffix),
        network_transaction_id=_of_copy(it, it.card.network_transaction_id, suffix),
    )
    key = Key(ids.raw(_key_row(it, suffix).id), it.key.version, _SECRET)
    return records.seal(key, methods.place_of(row), methods.plain(card))


def _of_copy(it: _Template, text: str, suffix: str) -> str:
    """What the gateway gave us, under the copy's names."""
    return _pattern(it, text).replace(_MARK, suffix)


def _bytes(value: bytes) -> str:
    """As COPY writes them."""
    return f"\\\\x{value.hex()}"


def _rows(stage: Stage, table: Table, shop_id: str) -> list[str]:
    """The shop's rows as COPY writes them; of the moves only those of rows that are copied."""
    columns = SQL(", ").join(SQL("t.") + Identifier(name) for name in _columns(table))
    query = SQL("SELECT {} FROM {} t WHERE t.shop_id = {}").format(columns, Identifier(table.name), shop_id)
    if table.name == "vault_keys":
        query = SQL("{} AND t.kind = {}").format(query, keys.CUSTOMER)
    if table.name == "moves":
        of_shop = SQL("SELECT id FROM vault_keys WHERE kind <> {}").format(keys.CUSTOMER)
        query = SQL("{} AND t.noun = ANY({}) AND t.row_id NOT IN ({}) ORDER BY t.seq").format(
            query, _NOUNS, of_shop
        )
    out = SQL("COPY ({}) TO STDOUT").format(query)
    with stage.admin() as admin, admin.cursor() as cursor, cursor.copy(out) as copy:
        return b"".join(bytes(part) for part in copy).decode().splitlines()


def _tables() -> Iterator[Table]:
    return (table for table in _every_table() if table.name in _COPIED)


def _every_table() -> list[Table]:
    return [table for table in Base.metadata.sorted_tables if "shop_id" in table.columns]


def _columns(table: Table) -> list[str]:
    """All but those that the database numbers by itself."""
    return [column.name for column in table.columns if column.identity is None]


def _ids_of(admin: "psycopg.Connection[Any]", tables: list[Table]) -> set[str]:
    found = set()
    for table in tables:
        if "id" in table.columns:
            rows = admin.execute(SQL("SELECT id FROM {}").format(Identifier(table.name)))
            found |= {row[0] for row in rows}
    return found
