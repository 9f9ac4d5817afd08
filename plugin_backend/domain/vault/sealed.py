"""Rows of which a column is sealed under a shop's or a customer's key: whatever changes a key finds them here."""

from typing import Any, ClassVar

from sqlalchemy import ColumnElement, func

from plugin_backend.core.db import Base
from plugin_backend.core.seal import Place
from plugin_backend.core.seal.records import KEY_ID


class Sealed:
    """``sealed_column`` holds a record, or None where it is forgotten; ``sealed_under`` is the kind of its key. A row under
    customers' keys has a ``customer_id``."""

    sealed_column: ClassVar[str]
    sealed_under: ClassVar[str]

    @property
    def place(self) -> Place:
        """Where the record belongs."""
        raise NotImplementedError


def tables(kind: str) -> list[type[Any]]:
    """Every table with records under keys of this kind."""
    models = (mapper.class_ for mapper in Base.registry.mappers)
    found = (model for model in models if issubclass(model, Sealed) and model.sealed_under == kind)
    return sorted(found, key=lambda model: str(model.__tablename__))


def record_of(row: Any) -> bytes | None:
    """The row's record."""
    found: bytes | None = getattr(row, row.sealed_column)
    return found


def needs(model: type[Any]) -> ColumnElement[bytes]:
    """In SQL, the 16 bytes of the id of the key that a row's record needs."""
    column = getattr(model, model.sealed_column)
    return func.substring(column, KEY_ID.start + 1, KEY_ID.stop - KEY_ID.start)
