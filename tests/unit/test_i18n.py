"""Languages, amounts, dates, and that no sentence is left in English."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from plugin_backend.core import i18n, registry
from plugin_backend.sdk.money import Money

PACKAGE = Path(i18n.__file__).parent.parent
KEYWORDS = {**DEFAULT_KEYWORDS, "said": None, "N_": None, "C_": ((1, "c"), 2)}
OTHERS = sorted(set(i18n.LANGUAGES) - {i18n.FALLBACK})
Key = tuple[str | None, str | tuple[str, ...]]


ADAPTERS = {folder.name: folder for folder in registry.folders()}


def used(root: Path = PACKAGE) -> dict[Key, str]:
    """Every message of the package, but for what its adapters say, and where it stands first."""
    options = {"templates/**.*": {"silent": "false", "newstyle_gettext": "true", "trim_blocks": "true"}}
    methods = [("**.py", "python"), ("templates/**.*", "jinja2")]
    found: dict[Key, str] = {}
    for file, line, message, _, context in extract_from_dir(
        str(root), method_map=methods, options_map=options, keywords=KEYWORDS
    ):
        if not file.startswith("gateways/"):
            found.setdefault((context, message), f"{file}:{line}")
    return found


def said_by(adapter: str) -> set[Key]:
    """What an adapter marks as said to people."""
    return set(used(ADAPTERS[adapter]))


def catalogue(language: str) -> Catalog:
    with (i18n.TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def entries(language: str) -> Iterator[Message]:
    return (message for message in catalogue(language) if message.id)


def forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_none_is_left_over(language: str) -> None:
    translated = {
        (entry.context, entry.id if isinstance(entry.id, str) else tuple(entry.id))
        for entry in entries(language)
        if all(forms(entry.string)) and not entry.fuzzy
    }

    assert {key: where for key, where in used().items() if key not in translated} == {}
    assert translated - set(used()) == set()


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_what_an_adapter_says_is_translated_in_its_own_folder(adapter: str, language: str) -> None:
    source = ADAPTERS[adapter] / f"{language}.po"
    found = list(read_po(BytesIO(source.read_bytes()))) if source.is_file() else []
    translated = {entry.id for entry in found if entry.id and entry.string and not entry.fuzzy}

    assert translated == {message for _, message in said_by(adapter)}
    for entry in found:
        assert not entry.id or i18n.translator(language).gettext(str(entry.id)) == entry.string
        assert not entry.id or well_set(str(entry.string)), entry.string


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_keeps_the_values_of_its_sentence(language: str) -> None:
    names = re.compile(r"%\(\w+\)s")

    for entry in entries(language):
        wanted = set(names.findall(forms(entry.id)[-1]))
        said = [set(names.findall(form)) for form in forms(entry.string)]
        assert said[-1] == wanted and all(values <= wanted for values in said), entry.id


@pytest.mark.parametrize("language", sorted(i18n.LANGUAGES))
def test_every_catalogue_says_how_it_counts(language: str) -> None:
    source = (i18n.TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").read_text("utf-8")

    assert re.search(r'^"Plural-Forms: nplurals=\d; plural=\(.+\);\\n"$', source, re.MULTILINE)


def test_french_is_formal_and_sets_its_signs_apart() -> None:
    for entry in entries("fr"):
        for form in forms(entry.string):
            assert not re.search(r"\b(tu|toi|ton|tes)\b", form, re.IGNORECASE), form
            assert well_set(form), form


def well_set(form: str) -> bool:
    """Are the signs of a French text set apart as they should be?"""
    return not re.search(r"[^\u202f][;?!]|[^\u00a0]:(?!//)|[^ (\w%]'", form)


@pytest.mark.parametrize(
    ("preferences", "language"),
    [
        (("fr",), "fr"),
        (("fr-CH",), "fr"),
        (("FR_ca",), "fr"),
        (("", "xx", "fr"), "fr"),
        (("de", "en-GB", "fr"), "en"),
        (("xx",), "en"),
        ((), "en"),
        (("-", "../fr", "\x00", "f" * 10_000), "en"),
    ],
)
def test_the_first_language_that_we_have_is_spoken(preferences: tuple[str, ...], language: str) -> None:
    assert i18n.negotiate(*preferences) == language


def test_languages_are_named_in_themselves() -> None:
    assert i18n.LANGUAGES["fr"] == "Français"
    assert i18n.LANGUAGES["en"] == "English"


def test_words_depend_on_what_they_are_said_of() -> None:
    said = i18n.translator("fr")

    assert said.pgettext("plan", "Active") == "En cours"
    assert said.pgettext("shop", "Active") == "Active"
    assert said.pgettext("nothing", "Active") == "Active"


@pytest.mark.parametrize(("every", "words"), [(1, "tous les mois"), (2, "tous les 2 mois")])
def test_a_rhythm_is_counted(every: int, words: str) -> None:
    assert i18n.frequency_words("month", every, "fr") == words


def test_french_counts_none_as_one() -> None:
    said = i18n.translator("fr")
    sentence = ("every day", "every %(n)s days")

    assert said.ngettext(*sentence, 0) == said.ngettext(*sentence, 1) != said.ngettext(*sentence, 2)


def test_a_rhythm_without_a_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="unit"):
        i18n.frequency_words("fortnight", 1, "en")


@pytest.mark.parametrize(
    ("amount", "locale", "written"),
    [
        (Money(3334, "EUR"), "fr", "33,34 €"),
        (Money(3334, "EUR"), "en", "€33.34"),
        (Money(123456, "EUR"), "fr-CH", "1 234,56 €"),
        (Money(1000, "JPY"), "fr", "1 000 JPY"),
        (Money(1000, "JPY"), "en", "¥1,000"),
        (Money(1000, "TND"), "fr", "1,000 TND"),
        (Money(123450, "RSD"), "en", "RSD1,234.50"),
        (Money(1000, "IQD"), "en", "IQD1.000"),
        (Money(-5, "USD"), "en", "-$0.05"),
        (Money(10**24 + 1, "EUR"), "en", "€10,000,000,000,000,000,000,000.01"),
        (Money(1, "EUR"), "no such locale", "€0.01"),
    ],
)
def test_amounts_have_the_digits_of_their_currency(amount: Money, locale: str, written: str) -> None:
    spaced = re.sub(r"[\u00a0\u202f]", " ", i18n.money(amount, locale))

    assert spaced == written


def test_a_moment_is_told_in_the_zone_of_the_shop() -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)

    assert i18n.date_words(late, "fr", "Europe/Paris") == "1er décembre 2026"
    assert i18n.date_words(late, "fr", "UTC") == "30 novembre 2026"
    assert i18n.minute_words(late, "fr", "Europe/Paris") == "1er décembre 2026 à 00:30"
    assert i18n.datetime_words(late, "fr", "Europe/Paris") == "1er décembre 2026 à 00:30 (UTC+01:00)"
    assert i18n.date_words(late, "en", "UTC") == "November 30, 2026"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        i18n.date_words(datetime(2026, 11, 22), "fr", "UTC")


@pytest.mark.parametrize(
    ("text", "written"), [("1", "1"), ("1.50", "1,5"), ("0.125", "0,125"), ("two", "two")]
)
def test_a_quantity_is_a_decimal_of_the_locale(text: str, written: str) -> None:
    assert i18n.quantity(text, "fr") == written


def test_countries_are_in_the_order_of_the_alphabet_without_accents() -> None:
    choices = i18n.country_choices(["FR", "EG", "EE", "ZZZ"], "fr")

    assert choices == [("EG", "Égypte"), ("EE", "Estonie"), ("FR", "France"), ("ZZZ", "ZZZ")]
    assert {"FR", "GB", "US", "XK"} <= set(i18n.countries())
    assert not {"EU", "ZZ", "UN"} & set(i18n.countries())


def test_the_direction_of_writing_is_known() -> None:
    assert i18n.direction("fr") == "ltr"
    assert i18n.direction("ar") == "rtl"
    assert i18n.direction("nonsense") == "ltr"
