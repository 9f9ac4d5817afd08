"""Text, amounts and dates in a person's language.

A language is a folder of ``translations``; its ``messages.po`` is read as it lies there, so there is no compile step. What
an adapter says is in its own folder, as ``fr.po``. Message ids are the English text. Amounts take their pattern from the locale and their digits from ``sdk.money``.
"""

import unicodedata
from collections.abc import Iterable
from copy import copy
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_decimal

from plugin_backend.core import registry
from plugin_backend.sdk.money import Money

FALLBACK = "en"
TRANSLATIONS = Path(__file__).parent.parent / "translations"
# CLDR's two-letter codes that are groups, exceptional reservations or pseudo-locales and not where somebody lives.
_NOT_COUNTRIES = frozenset("AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ".split())


def _native_name(language: str) -> str:
    name = Locale.parse(language, sep="-").get_display_name() or language
    return name[:1].upper() + name[1:]


LANGUAGES: dict[str, str] = {
    folder.name: _native_name(folder.name)
    for folder in sorted(TRANSLATIONS.iterdir())
    if (folder / "LC_MESSAGES" / "messages.po").is_file()
}
"""What can be read: the tag of each language and its name in itself."""


def C_(context: str, message: str) -> str:
    """Marks a message for extraction that is translated later, as it is said of ``context``."""
    return message


class Translator:
    """The messages of one language. A message without a translation is its own English text."""

    def __init__(self, locale: str, messages: GNUTranslations) -> None:
        self.locale = locale
        self._messages = messages

    def gettext(self, message: str) -> str:
        return self._messages.gettext(message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self._messages.ngettext(singular, plural, n)

    def pgettext(self, context: str, message: str) -> str:
        """The message as it is said of ``context``: "Active" of a plan and of an offer may be two words."""
        return self._messages.pgettext(context, message)

    def npgettext(self, context: str, singular: str, plural: str, n: int) -> str:
        return self._messages.npgettext(context, singular, plural, n)


def translator(locale: str) -> Translator:
    """The messages of the language that ``negotiate`` finds for ``locale``."""
    return _read(negotiate(locale))


@lru_cache
def _read(language: str) -> Translator:
    """The house's messages, and behind them those that each adapter brings in its own folder."""
    messages = _catalogue(language, TRANSLATIONS / language / "LC_MESSAGES" / "messages.po")
    for folder in registry.folders():
        if (source := folder / f"{language}.po").is_file():
            messages.add_fallback(_catalogue(language, source))
    return Translator(language, messages)


def _catalogue(language: str, source: Path) -> GNUTranslations:
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language.replace("-", "_")))
    compiled.seek(0)
    return GNUTranslations(compiled)


def negotiate(*preferences: str) -> str:
    """The first language we have, in the caller's order; ``fr-CH`` is served by ``fr``. Anything may be passed,
    empty and malformed tags included; where nothing fits it is English."""
    for preference in preferences:
        parts = preference.replace("_", "-").lower().split("-")[:4]
        for length in range(len(parts), 0, -1):
            if (language := "-".join(parts[:length])) in LANGUAGES:
                return language
    return FALLBACK


def direction(locale: str) -> str:
    """``ltr`` or ``rtl``, for the ``dir`` attribute."""
    return _locale(locale).text_direction


def money(amount: Money, locale: str) -> str:
    """The amount with its currency as the locale writes it: ``33,34 €``, ``€33.34``, ``1 000 JPY``.

    The locale gives pattern, signs and order; the number of digits is the currency's own exponent, since CLDR's
    display digits are wrong for a dozen currencies.
    """
    value = Decimal(amount.minor).scaleb(-amount.exponent)
    spoken = _locale(locale)
    written = _pattern(str(spoken), amount.exponent).apply(
        value, spoken, currency=amount.currency, currency_digits=False
    )
    return str(written)


def quantity(text: str, locale: str) -> str:
    """A plain decimal (``1.5``) as the locale writes it (``1,5``); what is none stays as it is."""
    try:
        return format_decimal(Decimal(text), locale=_locale(locale), decimal_quantization=False)
    except InvalidOperation:
        return text


def date_words(at: datetime, locale: str, tz: str) -> str:
    """The day of a moment in the zone ``tz``, its month as a word: ``22 novembre 2026``."""
    spoken, local = _locale(locale), _local(at, tz)
    written = format_date(local, "long", locale=spoken)
    # French says the first of a month as an ordinal and every other day as a number, which no pattern can tell.
    return f"1er{written[1:]}" if spoken.language == "fr" and written.startswith("1 ") else written


def minute_words(at: datetime, locale: str, tz: str) -> str:
    """Day and time in the zone ``tz``, for a deadline: ``22 novembre 2026 à 10:04``."""
    time = format_time(_local(at, tz), "short", tzinfo=ZoneInfo(tz), locale=_locale(locale))
    sentence = translator(locale).gettext("%(date)s at %(time)s")
    return sentence % {"date": date_words(at, locale, tz), "time": time}


def datetime_words(at: datetime, locale: str, tz: str) -> str:
    """Day, time and offset from UTC, so that it can stand as proof: ``22 novembre 2026 à 10:04 (UTC+01:00)``."""
    offset = format_datetime(_local(at, tz), "ZZZZ", tzinfo=ZoneInfo(tz), locale=_locale(locale))
    return f"{minute_words(at, locale, tz)} ({offset})"


def listed(items: Iterable[str], locale: str) -> str:
    """The items joined as in a sentence: ``a, b et c``."""
    return format_list(list(items), locale=_locale(locale))


def frequency_words(unit: str, every: int, locale: str) -> str:
    """How often: ``every month``, ``every 2 weeks``. ``unit`` is day, week, month, quarter or year."""
    words = translator(locale)
    match unit:
        case "day":
            text = words.ngettext("every day", "every %(n)s days", every)
        case "week":
            text = words.ngettext("every week", "every %(n)s weeks", every)
        case "month":
            text = words.ngettext("every month", "every %(n)s months", every)
        case "quarter":
            text = words.ngettext("every quarter", "every %(n)s quarters", every)
        case "year":
            text = words.ngettext("every year", "every %(n)s years", every)
        case _:
            raise ValueError("not a unit of a rhythm")
    return text % {"n": every}


def country_name(code: str, locale: str) -> str:
    """A country of ISO 3166 in the locale's words; the code itself where it has no name."""
    return str(_locale(locale).territories.get(code, code))


def country_choices(codes: Iterable[str], locale: str) -> list[tuple[str, str]]:
    """Code and name of each country, in the order of the alphabet without its accents."""
    return list(_choices(tuple(codes), locale))


@lru_cache(maxsize=64)
def _choices(codes: tuple[str, ...], locale: str) -> list[tuple[str, str]]:
    named = [(code, country_name(code, locale)) for code in codes]
    return sorted(named, key=lambda pair: _plain(pair[1]))


@lru_cache(maxsize=1)
def countries() -> tuple[str, ...]:
    """Every country code that somebody may live under."""
    codes = (str(code) for code in Locale.parse(FALLBACK).territories)
    return tuple(
        sorted(code for code in codes if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES)
    )


@lru_cache(maxsize=256)
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(negotiate(tag), sep="-")


@lru_cache(maxsize=256)
def _pattern(locale: str, exponent: int) -> NumberPattern:
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent)
    return pattern


def _local(at: datetime, tz: str) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a zone cannot be shown")
    return at.astimezone(ZoneInfo(tz))


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
