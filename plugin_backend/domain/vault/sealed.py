"""Rows of which a column is sealed under a shop's or a customer's key, or was dropped at its intake: whatever changes a key
finds them here."""

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


class Dropped:
    """``dropped_columns`` hold drops, each None where there is none or it was taken."""

    dropped_columns: ClassVar[tuple[str, ...]]


def tables(kind: str) -> list[type[Any]]:
    """Every table with records under keys of this kind."""
    return [model for model in _of(Sealed) if model.sealed_under == kind]


def column(model: type[Any]) -> Any:
    """The column with a table's records."""
    return getattr(model, model.sealed_column)


def drops() -> list[tuple[type[Any], Any]]:
    """Every column with drops, and its table."""
    return [(model, getattr(model, name)) for model in _of(Dropped) for name in model.dropped_columns]


def record_of(row: Any) -> bytes | None:
    """The row's record."""
    found: bytes | None = getattr(row, row.sealed_column)
    return found


def needs(column: Any) -> ColumnElement[bytes]:
    """In SQL, the 16 bytes of the id of the key that what is in this column needs: drops name it where records do."""
    return func.substring(column, KEY_ID.start + 1, KEY_ID.stop - KEY_ID.start)


def _of(what: type[Any]) -> list[type[Any]]:
    models = (mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, what))
    return sorted(models, key=lambda model: str(model.__tablename__))
