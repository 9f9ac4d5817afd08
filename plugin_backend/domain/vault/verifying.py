"""Does everything open that is kept? Every wrapped key and every record is tried, and what does not open is named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.seal import Key, SealError, records
from plugin_backend.domain.vault import sealed
from plugin_backend.domain.vault.keys import CUSTOMER, SHOP, VaultKey

_PAGE = 1_000


@dataclass
class Verified:
    """What was opened of a shop's, and where what did not lies: ``table id``."""

    keys: int = 0
    records: int = 0
    damaged: list[str] = field(default_factory=list)


class Verifier:
    """Opens what a shop has for the place it lies in, from the root key down, whatever state a key is in: this is about
    bytes, not about leave. Nothing that another transaction unwrapped is believed."""

    def __init__(self, shop_id: str) -> None:
        self.shop_id = shop_id
        self.found = Verified()
        self._above: dict[str, Key] = {}

    def run(self) -> Iterator[int]:
        """All of it, page by page; after each page, how many rows it was."""
        for model, column in _tables():
            yield from self._pages(model, column.is_not(None))

    def total(self) -> int:
        """How many rows that is."""
        with transaction(self.shop_id) as session:
            return sum(
                session.scalars(
                    select(func.count()).where(model.shop_id == self.shop_id, column.is_not(None))
                ).one()
                for model, column in _tables()
            )

    def _pages(self, model: type[Any], kept: ColumnElement[bool]) -> Iterator[int]:
        work = self._keys if model is VaultKey else self._records
        after = ""
        while True:
            with transaction(self.shop_id) as session:
                found = select(model).where(model.shop_id == self.shop_id, model.id > after, kept)
                rows = session.scalars(found.order_by(model.id).limit(_PAGE)).all()
                work(session, rows)
            if not rows:
                return
            after = rows[-1].id
            yield len(rows)

    def _keys(self, session: Session, rows: Sequence[VaultKey]) -> None:
        for row in rows:
            try:
                self._unwrapped(session, row)
                self.found.keys += 1
            except SealError:
                self.found.damaged.append(f"{row.__tablename__} {row.id}")

    def _records(self, session: Session, rows: Sequence[Any]) -> None:
        needed = self._needed(session, rows)
        for row in rows:
            try:
                record = sealed.record_of(row) or b""
                key_row = needed.get(records.head_of(record).key_id)
                if key_row is None:
                    raise SealError(why="no_such_key")
                records.open_with(self._unwrapped(session, key_row), row.place, record)
                self.found.records += 1
            except SealError:
                self.found.damaged.append(f"{row.__tablename__} {row.id}")

    def _needed(self, session: Session, rows: Sequence[Any]) -> dict[bytes, VaultKey]:
        """The keys of a page's records, by one look."""
        heads = {bytes((sealed.record_of(row) or b"")[records.KEY_ID]) for row in rows}
        names = [ids.named(VaultKey.prefix, key_id) for key_id in heads]
        found = select(VaultKey).where(VaultKey.shop_id == self.shop_id, VaultKey.id.in_(names))
        return {ids.raw(row.id): row for row in session.scalars(found)}

    def _unwrapped(self, session: Session, row: VaultKey) -> Key:
        if row.id in self._above:
            return self._above[row.id]
        if row.wrapped is None:
            raise SealError(why="destroyed")
        if row.kind != SHOP:
            above = session.get(VaultKey, (self.shop_id, row.parent))
            if above is None:
                raise SealError(why="no_such_key")
            secret = records.open_with(self._unwrapped(session, above), row.place, row.wrapped)
            return Key(ids.raw(row.id), row.version, bytes(secret))
        secret = house().keys.root().unwrap(row.parent, row.wrapped, row.place)
        # Only a shop's few keys are remembered: a customer's serves no second page.
        self._above[row.id] = Key(ids.raw(row.id), row.version, bytes(secret))
        return self._above[row.id]


def _tables() -> list[tuple[type[Any], Any]]:
    """Tables with something that opens, and the column that it lies in."""
    models = [*sealed.tables(SHOP), *sealed.tables(CUSTOMER)]
    return [(VaultKey, VaultKey.wrapped), *((model, sealed.column(model)) for model in models)]
