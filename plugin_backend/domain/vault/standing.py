"""What stands on a key: the keys that it wraps, the records that are sealed and the marks that are made under it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.db import set_shop
from plugin_backend.domain.vault import sealed
from plugin_backend.domain.vault.keys import CARD, CUSTOMER, INDEX, INTAKE, SHOP, VaultKey, VaultRoot
from plugin_backend.domain.vault.methods import PaymentMethod


@dataclass(frozen=True, slots=True)
class Standing:
    """How many; it is false where nothing does."""

    keys: int = 0
    records: int = 0

    def __bool__(self) -> bool:
        return bool(self.keys or self.records)

    def __str__(self) -> str:
        return f"{self.keys} keys and {self.records} records"


def on(session: Session, row: VaultKey | VaultRoot) -> Standing:
    """What stands on a key now; for a root key, in every shop."""
    if isinstance(row, VaultRoot):
        return Standing(keys=sum(_wrapped_by(session, shop_id, row.id) for shop_id in each_shop(session)))
    wrapped = _wrapped_by(session, row.shop_id, row.id) if row.kind == SHOP else 0
    return Standing(wrapped, _records(session, row))


def each_shop(session: Session) -> Iterator[str]:
    """Every shop's id, the transaction being that shop's meanwhile."""
    for shop_id in session.scalars(text("SELECT id FROM shops ORDER BY id")).all():
        set_shop(session, shop_id)
        yield shop_id


def of_key(model: type[Any], row: VaultKey) -> tuple[ColumnElement[bool], ...]:
    """Which of a table's rows may have a record under this key or another version of it."""
    own: tuple[ColumnElement[bool], ...] = (model.shop_id == row.shop_id,)
    return (*own, model.customer_id == row.owner_id) if row.kind == CUSTOMER else own


def _wrapped_by(session: Session, shop_id: str, parent: str) -> int:
    found = select(func.count()).where(
        VaultKey.shop_id == shop_id, VaultKey.parent == parent, VaultKey.wrapped.is_not(None)
    )
    return session.scalars(found).one()


def _records(session: Session, row: VaultKey) -> int:
    if row.kind == INDEX:
        # A forgotten token has no mark.
        kept = PaymentMethod.sealed.is_not(None)
        return _count(session, PaymentMethod.shop_id == row.shop_id, PaymentMethod.marked_by == row.id, kept)
    if row.kind == CARD:
        marked = PaymentMethod.fingerprint != PaymentMethod.id
        return _count(session, PaymentMethod.shop_id == row.shop_id, marked)
    if row.kind == INTAKE:
        return sum(_count(session, *of_key(model, row), _needs(it, row)) for model, it in sealed.drops())
    tables = sealed.tables(row.kind)
    return sum(_count(session, *of_key(model, row), _needs(sealed.column(model), row)) for model in tables)


def _needs(column: Any, row: VaultKey) -> ColumnElement[bool]:
    return sealed.needs(column) == ids.raw(row.id)


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).where(*where)).one()


def records_of_kind(session: Session, shop_id: str, kind: str) -> int:
    """How many records a shop has under keys of this kind."""
    columns = [(model, sealed.column(model)) for model in sealed.tables(kind)]
    return sum(_count(session, model.shop_id == shop_id, column.is_not(None)) for model, column in columns)
