"""Reading JSON that others wrote.

``read_json`` takes any bytes and raises nothing but ``Unreadable``. Schemas made of the fields below say which values
are read; each field is liberal in the form (a number for a text, PHP's ``[]`` for an empty object) and strict in the
meaning, and whatever leaves it can be stored in PostgreSQL and put into a mail.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.money import Money

# C0 and C1 controls (PostgreSQL refuses the first, a mail header must not hold a line break) and lone surrogates,
# which are no text.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_KEY = re.compile(r"[A-Za-z0-9._~:=+/-]+")
_NO_ADDRESS = re.compile("[\\s<>\"'\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NANOSECONDS = re.compile(r"\.(\d{6})\d+")
_MOST_MINOR = 10**15

T = TypeVar("T")


class JsonNumber(str):
    """A JSON number with a fraction or an exponent, kept as it was written: never a float."""

    __slots__ = ()


def read_json(body: bytes) -> Any:
    """The JSON value of ``body``. ``Unreadable`` where it is none, is nested too deep, or holds NaN or infinity."""
    try:
        return json.loads(body, parse_float=JsonNumber, parse_constant=_no_constant)
    except RecursionError:
        raise Unreadable("the body is nested too deep") from None
    except ValueError:
        raise Unreadable("the body is not JSON") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of ``body``; ``Unreadable`` where it is anything else."""
    value = read_json(body)
    if not isinstance(value, dict):
        raise Unreadable("the body is not a JSON object")
    return value


def _no_constant(_: str) -> None:
    raise ValueError


def clean(text: str, limit: int = 300) -> str:
    """The text in one line of at most ``limit`` characters, without what PostgreSQL or a mail header refuses."""
    if _UNFIT.search(text):
        text = _UNFIT.sub(_blank_for_space, text)
    return text[: limit * 4].strip()[:limit]


def _blank_for_space(found: re.Match[str]) -> str:
    return " " if any(c in "\t\n\r" for c in found.group()) else ""


class Slim(Schema):
    """A schema of the fields that are read; all others are passed over."""

    class Meta:
        unknown = EXCLUDE


def load(schema: Schema, value: Any, what: str = "") -> dict[str, Any]:
    """The fields of ``schema`` in ``value``, an object. ``Unreadable`` names the first field that does not fit."""
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        raise Unreadable(_first(error.messages_dict, what)) from None
    return loaded


def _first(messages: Mapping[Any, Any], what: str) -> str:
    name, found = next(iter(messages.items()))
    return f"{what}{name}: {found[0] if isinstance(found, list) else 'does not fit'}"


class Read(fields.Field[Any]):
    """The base of the fields: ``read`` gets the value, None where it is missing or null."""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        return self.read(None if value is missing else value)

    def read(self, value: Any) -> Any:
        raise NotImplementedError


class Text(Read):
    """A text or a number as text, cleaned; anything else is ``""``."""

    def __init__(self, *, limit: int = 300, data_key: str | None = None) -> None:
        super().__init__(data_key=data_key)
        self.limit = limit

    def read(self, value: Any) -> str:
        return self.shape(clean(text_of(value), self.limit))

    def shape(self, text: str) -> str:
        return text


class Email(Text):
    """An address, stripped and lower-cased; what can be none is ``""``."""

    def shape(self, text: str) -> str:
        return text.lower() if len(text) <= 254 and _EMAIL.fullmatch(text) else ""


class Country(Text):
    """ISO 3166 alpha-2 in capitals, else ``""``."""

    def shape(self, text: str) -> str:
        return text.upper() if len(text) == 2 and text.isascii() and text.isalpha() else ""


class Locale(Text):
    """A BCP 47 tag such as ``fr`` or ``fr-CH``, else ``""``."""

    def shape(self, text: str) -> str:
        tag = text.replace("_", "-")
        return tag if len(tag) <= 35 and _LOCALE.fullmatch(tag) else ""


class WebAddress(Read):
    """An http or https address, else ``""``. May carry a bearer key: not for logs."""

    def read(self, value: Any) -> str:
        text = text_of(value).strip()
        fits = text.startswith(("https://", "http://")) and len(text) <= 2000
        return text if fits and not _NO_ADDRESS.search(text) else ""


class Key(Read):
    """The name of something within its shop: a text of url-safe characters or a whole number, past 2^53 too, kept
    exactly. Where it is missing ``""``, or an error if ``required``."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__()
        self.must = required

    def read(self, value: Any) -> str:
        text = text_of(value)
        if len(text) <= 200 and _KEY.fullmatch(text):
            return str(text)
        if self.must or text:
            raise ValidationError("missing" if value in (None, "") else "not an id")
        return ""


class Keys(Read):
    """The names in a list, at most ``most``; what can be no name is passed over, and what is no list is an empty one."""

    def __init__(self, *, most: int = 10) -> None:
        super().__init__()
        self.most = most

    def read(self, value: Any) -> list[str]:
        texts = map(text_of, value[: self.most]) if isinstance(value, list) else ()
        return [text for text in texts if len(text) <= 200 and _KEY.fullmatch(text)]


class Decimals(Read):
    """A decimal as text, from a text or a number, for ``money``; None where there is none."""

    def read(self, value: Any) -> str | None:
        return text_of(value).strip() or None


class Whole(Read):
    """A whole number of at least 0 that a database can hold, also written as text; else None."""

    def read(self, value: Any) -> int | None:
        text = text_of(value)
        fits = len(text) <= 19 and text.isascii() and text.isdecimal()
        return int(text) if fits and int(text) < 2**63 else None


class Flag(Read):
    """True, false, or None where nothing is said."""

    def read(self, value: Any) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            text_of(value).lower()
        )


class Moment(Read):
    """A time of ISO 8601 in UTC; None where it is missing or none. Without an offset it is UTC already if
    ``naive_is_utc``, else none: a guessed zone would order two states wrongly."""

    def __init__(self, *, naive_is_utc: bool = False) -> None:
        super().__init__()
        self.naive_is_utc = naive_is_utc

    def read(self, value: Any) -> datetime | None:
        try:
            moment = datetime.fromisoformat(_NANOSECONDS.sub(r".\1", text_of(value)))
            if moment.tzinfo is None:
                return moment.replace(tzinfo=UTC) if self.naive_is_utc else None
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None


class Part(Read):
    """An object within the object. Anything else (null, PHP's ``[]``) is an empty one."""

    def __init__(self, schema: type[Schema]) -> None:
        super().__init__()
        self.schema = schema()

    def read(self, value: Any) -> dict[str, Any]:
        loaded: dict[str, Any] = self.schema.load(value if isinstance(value, dict) else {})
        return loaded


class Parts(Read):
    """A list of objects; what is no object in it is passed over, and what is no list is an empty one. No more than
    ``most`` are read: a body of nothing but brackets must not keep a worker busy for minutes."""

    def __init__(self, schema: type[Schema], *, most: int = 1000) -> None:
        super().__init__()
        self.schema = schema()
        self.most = most

    def read(self, value: Any) -> list[dict[str, Any]]:
        items = value[: self.most] if isinstance(value, list) else []
        return [self.schema.load(item) for item in items if isinstance(item, dict)]


class Anything(Read):
    """The value as it came: for what may be of any shape and is looked at with care."""

    def read(self, value: Any) -> Any:
        return value


def text_of(value: Any) -> str:
    """A text or a number as text, exactly; ``""`` for anything else. Numbers beyond 30 digits are nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        return str(value)
    return ""


def money(amount: str | None, currency: str, name: str) -> Money:
    """The money that a field called ``name`` says, in a currency that another said. ``Unreadable`` where it is none,
    or more than any basket."""
    try:
        read = Money.parse(amount or "", currency)
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from None
    if abs(read.minor) > _MOST_MINOR:
        raise Unreadable(f"{name}: too much to be true")
    return read


def money_or_none(amount: str | None, currency: str) -> Money | None:
    """As ``money``, None where it cannot be read: for amounts that are shown and never charged."""
    try:
        return money(amount, currency, "")
    except Unreadable:
        return None


def required(value: T | None, name: str) -> T:
    """The value; ``Unreadable`` where the field was missing or could not be read."""
    if value is None:
        raise Unreadable(f"{name}: missing or not readable")
    return value
