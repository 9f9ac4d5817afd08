"""Somebody who may write every row of the database moves records and wrapped keys about: none opens where it was put."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from plugin_backend.core.db import set_shop
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import Ring, SealError
from plugin_backend.domain import merchants, onboarding, vault
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk.gateway import CardStored
from tests.house import TestHouse
from tests.plan_story import ACCOUNT, add_paying_shop
from tests.story import opened

FLIPS, SEED = 400, 20261122


@dataclass
class Vaulted:
    """Two shops. ``methods`` are three of the first: Ana's, another of hers at another account, Bob's; and a stranger's
    of the second."""

    house: TestHouse
    shop_id: str
    methods: dict[str, PaymentMethod]
    engine: Engine

    @contextmanager
    def as_intruder(self) -> Iterator[Session]:
        """A superuser's session; what is done in it is undone, and no key is at hand that was unwrapped before."""
        house = self.house.worker.extensions["reprise"]
        with self.house.worker.app_context(), Session(self.engine) as session:
            house.ring = Ring()
            set_shop(session, self.shop_id)
            yield session
            session.rollback()
            house.ring = Ring()

    def is_open(self, session: Session, whose: str, row_id: str = "", shop_id: str = "") -> bool:
        """Does what lies in that row open to the token that was put there?"""
        method = self.methods[whose]
        session.expire_all()
        row = session.get_one(PaymentMethod, (shop_id or method.shop_id, row_id or method.id))
        try:
            return opened(session, row).token == f"tok_{whose}"
        except SealError as error:
            assert str(error) == "does not open"
            return False


@pytest.fixture(scope="module")
def intruder(postgres_admin_url: str) -> Iterator[Engine]:
    conninfo = make_conninfo(postgres_admin_url, dbname="reprise")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    yield engine
    engine.dispose()


@pytest.fixture
def vaulted(house: TestHouse, intruder: Engine) -> Vaulted:
    shop, other = add_paying_shop(house), add_paying_shop(house)
    methods = {}
    with house.of(shop) as session:
        account = merchants.active_account(session, shop.id)
        second = onboarding.add_account(session, shop, "sandbox", ACCOUNT)
        ana, bob = (customer(session, shop.id, name) for name in ("ana", "bob"))
        methods["ana"] = kept(session, ana, account.id, "ana")
        methods["ana's other"] = kept(session, ana, second.id, "ana's other")
        methods["bob"] = kept(session, bob, account.id, "bob")
    with house.of(other) as session:
        account = merchants.active_account(session, other.id)
        methods["stranger"] = kept(session, customer(session, other.id, "eve"), account.id, "stranger")
    return Vaulted(house, shop.id, methods, intruder)


def customer(session: Session, shop_id: str, name: str) -> Customer:
    row = Customer(shop_id=shop_id, id=new_id(Customer.prefix), email=f"{name}@example.test")
    session.add(row)
    session.flush()
    return row


def kept(session: Session, whose: Customer, account_id: str, token: str) -> PaymentMethod:
    card = CardStored(f"tok_{token}", "Visa", "4242", 11, 2038)
    return vault.keep(session, whose.shop_id, whose.id, account_id, card)


def test_a_record_opens_where_it_was_put(vaulted: Vaulted) -> None:
    with vaulted.as_intruder() as session:
        assert all(vaulted.is_open(session, whose) for whose in vaulted.methods)


def test_a_record_in_any_other_row_does_not_open(vaulted: Vaulted) -> None:
    for whose, method in vaulted.methods.items():
        for other, there in vaulted.methods.items():
            with vaulted.as_intruder() as session:
                move = text("UPDATE payment_methods SET sealed = :sealed WHERE id = :id")
                session.execute(move, {"sealed": method.sealed, "id": there.id})
                row = session.get_one(PaymentMethod, (there.shop_id, there.id))
                try:
                    found = opened(session, row).token
                except SealError:
                    found = ""
                assert found == (f"tok_{whose}" if whose == other else "")


@pytest.mark.parametrize("part", ["customer_id", "account_id", "id", "shop_id"])
def test_a_row_that_is_made_to_belong_elsewhere_does_not_open(vaulted: Vaulted, part: str) -> None:
    ana, bob, stranger = (vaulted.methods[whose] for whose in ("ana", "bob", "stranger"))
    given = {
        "customer_id": bob.customer_id,
        "account_id": vaulted.methods["ana's other"].account_id,
        "id": new_id(PaymentMethod.prefix),
        "shop_id": stranger.shop_id,
    }[part]
    with vaulted.as_intruder() as session:
        # A superuser whose session is a replica's asks no foreign key.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        move = text(f"UPDATE payment_methods SET {part} = :given WHERE id = :id")
        session.execute(move, {"given": given, "id": ana.id})
        row_id, shop_id = (given if part == name else "" for name in ("id", "shop_id"))
        assert not vaulted.is_open(session, "ana", row_id, shop_id)


def test_a_customers_record_does_not_open_as_anything_else_of_the_shops(vaulted: Vaulted) -> None:
    with vaulted.as_intruder() as session:
        ana = vaulted.methods["ana"]
        move = text("UPDATE gateway_accounts SET settings = :sealed WHERE id = :id")
        session.execute(move, {"sealed": ana.sealed, "id": ana.account_id})
        account = session.get_one(merchants.GatewayAccount, (ana.shop_id, ana.account_id))
        shop = session.get_one(merchants.Shop, ana.shop_id)
        with pytest.raises(SealError):
            merchants.gateway_of(session, shop, account, vault.Use("gateway_call", account.id))


@pytest.mark.parametrize("part", ["wrapped", "owner_id", "kind", "id", "parent", "version", "shop_id"])
def test_a_key_that_is_made_another_opens_nothing(vaulted: Vaulted, part: str) -> None:
    ana, bob = vaulted.methods["ana"], vaulted.methods["bob"]
    with vaulted.as_intruder() as session:
        others = text("SELECT * FROM vault_keys WHERE kind = 'customer' AND owner_id = :owner")
        bobs = session.execute(others, {"owner": bob.customer_id}).mappings().one()
        given = {
            "wrapped": bobs["wrapped"],
            "owner_id": "cus_nobody",
            "kind": "index",
            "id": new_id("key"),
            "parent": bobs["id"],
            "version": 7,
            "shop_id": vaulted.methods["stranger"].shop_id,
        }[part]
        move = text(f"UPDATE vault_keys SET {part} = :given WHERE kind = 'customer' AND owner_id = :owner")
        session.execute(move, {"given": given, "owner": ana.customer_id})
        assert not vaulted.is_open(session, "ana")
        assert vaulted.is_open(session, "bob")


def test_flipped_bits_of_records_and_of_keys_are_refused(vaulted: Vaulted) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    ana = vaulted.methods["ana"]
    assert ana.sealed is not None
    columns = [
        ("payment_methods", "sealed", "id = :id", {"id": ana.id}),
        ("vault_keys", "wrapped", "owner_id = :id AND kind = 'customer'", {"id": ana.customer_id}),
        ("vault_keys", "wrapped", "shop_id = :id AND kind = 'shop'", {"id": ana.shop_id}),
    ]
    with vaulted.as_intruder() as session:
        for _ in range(FLIPS):
            table, column, which, of = chance.choice(columns)
            length = text(f"SELECT length({column}) FROM {table} WHERE {which}")
            bit = chance.randrange(8 * session.scalars(length, of).one())
            flip = text(
                f"UPDATE {table} SET {column} = set_bit({column}, :bit, 1 - get_bit({column}, :bit)) WHERE {which}"
            )
            session.execute(flip, {**of, "bit": bit})
            vaulted.house.worker.extensions["reprise"].ring = Ring()
            assert not vaulted.is_open(session, "ana"), (table, column, bit)
            session.execute(flip, {**of, "bit": bit})
        vaulted.house.worker.extensions["reprise"].ring = Ring()
        assert vaulted.is_open(session, "ana")
