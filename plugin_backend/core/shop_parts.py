"""What an owner installs in his shop: the parts that connectors bring along in ``shop_side/``, packed as zips.

A part is the folder as it is, with the names between two ``@@`` filled in. The storefront script is one file for all
platforms; a part that carries it names it so. The same part is the same bytes wherever it is packed: files lie in the order
of their names, at one moment, and are not compressed, since two libraries compress in two ways.
"""

import importlib.resources
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from plugin_backend.core import registry

FOLDER = "shop_side"
SCRIPT = Path(__file__).parent.parent / "static" / "storefront.js"

Blank = Literal["HOUSE", "SHOP", "HOOK", "SECRET"]
"""``HOUSE``: our address, without a slash at its end. ``SHOP``: the shop's public key. ``HOOK``: where its signed
deliveries go. ``SECRET``: what signs them."""

_MOMENT = (2026, 1, 1, 0, 0, 0)
_FILE, _FOLDER_AND_READABLE = 0o100644, 3
# What is filled in stands in texts of PHP, JavaScript, Liquid and HTML: nothing that means something there.
_HARMLESS = re.compile(r"[A-Za-z0-9:/._~+=\[\]-]+")


def platforms() -> list[str]:
    """The platforms that have a part to install, by name."""
    return [name for name in registry.connectors() if _root(name).is_dir()]


def file_name(platform: str) -> str:
    return f"reprise-{platform}.zip"


def packed(platform: str, filled: Mapping[Blank, str] | None = None) -> bytes:
    """The part as a zip; what is not filled in stays named, for the owner to fill in. ``KeyError`` for a platform that has
    none, ``ValueError`` for a value that could mean something in a text of code."""
    if platform not in platforms():
        raise KeyError(platform)
    values = {"SCRIPT": SCRIPT.read_text(encoding="utf-8").rstrip("\n"), **_checked(filled or {})}
    pack = io.BytesIO()
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_STORED) as archive:
        for path, text in sorted(_texts(_root(platform))):
            entry = zipfile.ZipInfo(path, _MOMENT)
            entry.create_system, entry.external_attr = _FOLDER_AND_READABLE, _FILE << 16
            archive.writestr(entry, _fill(text, values))
    return pack.getvalue()


def pack_all(into: Path) -> list[Path]:
    """Every part, unfilled, as files in a folder, which is made."""
    into.mkdir(parents=True, exist_ok=True)
    made = [into / file_name(platform) for platform in platforms()]
    for platform, path in zip(platforms(), made, strict=True):
        path.write_bytes(packed(platform))
    return made


def _root(platform: str) -> Traversable:
    package = registry.connectors()[platform].__module__.rpartition(".")[0]
    return importlib.resources.files(package) / FOLDER


def _texts(folder: Traversable, under: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts(entry, f"{under}{entry.name}/")
        else:
            yield under + entry.name, entry.read_text(encoding="utf-8")


def _checked(filled: Mapping[Blank, str]) -> dict[str, str]:
    for name, value in filled.items():
        if not _HARMLESS.fullmatch(value):
            raise ValueError(f"{name}: cannot stand in a text of code")
    return {str(name): value for name, value in filled.items()}


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@@([A-Z]+)@@", lambda blank: values.get(blank[1], blank[0]), text)
