"""What is installed in shops: packed the same everywhere, small, and in both languages."""

import gzip
import hashlib
import io
import re
import zipfile
from pathlib import Path

import pytest

from plugin_backend.core import registry, shop_parts
from tests.php import PLUGIN

FILLED: dict[shop_parts.Blank, str] = {
    "HOUSE": "https://reprise.example",
    "SHOP": "abcdefghijklmnopqrstuvwxyz234567",
    "HOOK": "https://reprise.example/hooks/abcdefghijklmnopqrstuvwxyz234567",
    "SECRET": "whsec_c2VjcmV0LW9mLXRoZS1wbHVnaW4+/w==",
}
SAID = re.compile(r"(?:__|esc_html__|esc_attr__)\(\s*'((?:[^'\\]|\\.)*)',\s*'(\w+)'\s*\)")
TRANSLATED = re.compile(r"^\t\t'((?:[^'\\]|\\.)+)' +=> '((?:[^'\\]|\\.)+)',$", re.MULTILINE)


def contents(pack: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_storefront_script_is_below_two_and_a_half_kilobytes_as_it_travels() -> None:
    assert len(gzip.compress(shop_parts.SCRIPT.read_bytes(), 9)) < 2500


def test_the_storefront_script_names_no_field_but_an_address_and_its_box_and_keeps_nothing() -> None:
    text = shop_parts.SCRIPT.read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    for word in (
        "cookie",
        "localStorage",
        "setItem",
        "innerHTML",
        "eval",
        "password",
        "cc-",
        'credentials: "include"',
    ):
        assert word not in code, word
    assert set(re.findall(r"input\[[^\]]*\]", code)) == {"input[type=email]"}
    assert set(re.findall(r"""([\w")\]]+)\??\.value\b""", code)) == {"email", 'email]")'}


@pytest.mark.parametrize("platform", shop_parts.platforms())
def test_a_part_is_the_same_bytes_every_time(platform: str) -> None:
    assert shop_parts.packed(platform) == shop_parts.packed(platform)
    assert shop_parts.packed(platform, FILLED) == shop_parts.packed(platform, FILLED)
    with zipfile.ZipFile(io.BytesIO(shop_parts.packed(platform))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(archive.namelist())
        for entry in archive.infolist():
            assert entry.date_time == (2026, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.external_attr >> 16 == 0o100644


def test_the_parts_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    made = shop_parts.pack_all(tmp_path / "new" / "folder")

    assert [path.name for path in made] == ["reprise-shopify.zip", "reprise-woocommerce.zip"]
    assert all(zipfile.is_zipfile(path) for path in made)


@pytest.mark.parametrize("platform", shop_parts.platforms())
def test_every_part_carries_the_one_script_and_the_values_of_its_shop(platform: str) -> None:
    script = shop_parts.SCRIPT.read_text(encoding="utf-8").rstrip("\n") + "\n"
    plain, filled = contents(shop_parts.packed(platform)), contents(shop_parts.packed(platform, FILLED))

    assert [text for text in filled.values() if text == script], "the script is one file"
    assert "@@" not in re.sub(r"'@@'", "", "".join(filled.values()))
    assert "@@HOUSE@@" in "".join(plain.values())
    assert "https://reprise.example" in "".join(filled.values())


def test_a_secret_goes_only_where_messages_are_signed() -> None:
    assert "whsec_c2Vj" in contents(shop_parts.packed("woocommerce", FILLED))["reprise/connection.php"]
    assert "whsec_c2Vj" not in "".join(contents(shop_parts.packed("shopify", FILLED)).values())


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a\\b", "a<b", "a\nb", "a b", "${b}", "{{b}}", "é", ""])
def test_a_value_that_could_mean_something_in_code_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        shop_parts.packed("woocommerce", {"SECRET": value})


def test_a_platform_without_a_part_has_none() -> None:
    assert "custom" in registry.connectors() and "custom" not in shop_parts.platforms()
    with pytest.raises(KeyError):
        shop_parts.packed("custom")


def test_every_sentence_of_the_plugin_is_french_as_well() -> None:
    said = {text for file in PLUGIN.rglob("*.php") for text, _ in SAID.findall(file.read_text())}
    french = dict(TRANSLATED.findall((PLUGIN / "languages" / "reprise-fr_FR.l10n.php").read_text()))

    assert said == french.keys()
    assert {domain for file in PLUGIN.rglob("*.php") for _, domain in SAID.findall(file.read_text())} == {
        "reprise"
    }


def test_a_sentence_about_consent_has_a_name_that_changes_with_it() -> None:
    """Whoever edits the sentence gives it another name: what was agreed to is kept by that."""
    text = (PLUGIN / "includes" / "consent.php").read_text()
    name = re.search(r"const TEXT = '([^']+)'", text)
    sentence = next(said for said, _ in SAID.findall(text))

    assert name and (name[1], hashlib.sha256(sentence.encode()).hexdigest()[:8]) == ("2026-11", "f4b6a142")
