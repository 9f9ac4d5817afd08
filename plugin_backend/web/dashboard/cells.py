"""An object's values as the cells of a table: amounts, moments, states, reasons and ways to other objects."""

import re
from datetime import datetime
from typing import Any

from plugin_backend.core.views import Cell, Link, Reason, State
from plugin_backend.domain import objects
from plugin_backend.domain.books import Json
from plugin_backend.sdk.money import Money

_ID = re.compile(r"([a-z]+)_[0-9a-z]{26}")
_PAGES = {model.prefix: noun for noun, (model, _) in objects.NOUNS.items()}
# Codes of ours, which have words in the reader's language.
_CODES = frozenset({"reason", "held", "kind", "cause", "decline", "initiator", "first", "rest"})
SINGULAR = {noun: model.noun for noun, (model, _) in objects.NOUNS.items()}


def page_of(shop_id: str, row_id: str) -> str:
    """The address of an object's page, "" for what has none."""
    match = _ID.fullmatch(row_id)
    noun = _PAGES.get(match[1]) if match else None
    return f"/shops/{shop_id}/{noun}/{row_id}" if noun else ""


def value_of(shown: Json, name: str) -> Any:
    """A value by its name; ``verdict.reason`` is the reason within the verdict."""
    value: Any = shown
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def cell(shop_id: str, noun: str, shown: Json, name: str) -> Cell:
    """The value of that name as a cell; ``noun`` is the singular of whose value it is."""
    value, last = value_of(shown, name), name.rpartition(".")[2]
    match value:
        case {"amount": int(amount), "currency": str(currency)}:
            return Money(amount, currency)
        case {"email": str(email)}:
            return email or None
        case list() | tuple():
            return ", ".join(value) if all(isinstance(item, str) for item in value) else len(value)
        case str() if value:
            return _text(shop_id, noun, last, value)
        case None | int():
            return value
        case _:
            return str(value)


def _text(shop_id: str, noun: str, name: str, value: str) -> Cell:
    if name in ("state", "before", "after"):
        return State(noun, value)
    if name in _CODES:
        return Reason(value)
    if name == "at" or name.endswith("_at"):
        return datetime.fromisoformat(value)
    if name == "link":
        return Link(value, value)
    url = "" if name == "id" else page_of(shop_id, value)
    return Link(value, url) if url else value
