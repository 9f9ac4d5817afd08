"""What tests do with the vault: customers with cards, and keys that are rotated."""

from datetime import timedelta
from typing import Any

from plugin_backend.core.db import transaction
from plugin_backend.domain import customers, vault
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import PaymentMethod, VaultKey, rewrapping, rotation
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Person
from plugin_backend.sdk.gateway import CardStored
from tests.house import TestHouse

ACCOUNT = "gwa_test"
MONTH = timedelta(days=31)


def card(token: str, fingerprint: str = "") -> CardStored:
    return CardStored(token, "Visa", "4242", 11, 2040, fingerprint=fingerprint)


def customer_with(
    session: Any, shop: Shop, name: str, token: str = "", fingerprint: str = ""
) -> PaymentMethod:
    """The stored card of a customer of this name, who is made where he is new."""
    customer = customers.meet(session, shop.id, Person(email=f"{name}@example.test"))
    assert customer is not None
    session.flush()
    return vault.keep(session, shop.id, customer.id, ACCOUNT, card(token or f"tok_{name}", fingerprint))


def announced(house: TestHouse, shop: Shop, kind: str, owner_id: str = "") -> str:
    with house.of(shop) as session:
        return rotation.announce(session, shop.id, kind, owner_id).id


def activated(house: TestHouse, shop: Shop, kind: str, owner_id: str = "") -> None:
    with house.of(shop) as session:
        assert rotation.activate(session, shop.id, kind, owner_id) is not None


def moved(house: TestHouse, shop: Shop, kind: str, owner_id: str = "") -> int:
    """Move what stands on older versions; how many rows it was."""
    with house.worker.app_context():
        work = rewrapping.of_key(shop.id, kind, owner_id)
        done = sum(work.run())
        assert work.left() == 0
        assert work.damaged == []
        return done


def rotated(house: TestHouse, shop: Shop, kind: str, owner_id: str = "") -> int:
    announced(house, shop, kind, owner_id)
    activated(house, shop, kind, owner_id)
    return moved(house, shop, kind, owner_id)


def key_row(house: TestHouse, shop: Shop, key_id: str) -> VaultKey:
    with house.worker.app_context(), transaction(shop.id) as session:
        return session.get_one(VaultKey, (shop.id, key_id))


def new_root(house: TestHouse) -> str:
    """Id of a root key that nothing stands on yet."""
    return house.worker.extensions["reprise"].keys.root().add()


def later() -> Any:
    return clock.real_now() + MONTH
