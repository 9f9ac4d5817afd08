"""Adapters are found by being there: a folder whose ``__init__`` names its class. No list names them."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

from plugin_backend.sdk.connector import Connector
from plugin_backend.sdk.gateway import Gateway


@cache
def connectors() -> dict[str, type[Connector]]:
    """Every shop platform, by its folder's name."""
    return _scan("connectors", "CONNECTOR")


@cache
def gateways() -> dict[str, type[Gateway]]:
    """Every payment gateway, by its folder's name."""
    return _scan("plugin_backend.gateways", "GATEWAY")


def folders() -> list[Path]:
    """The folder of every adapter, which may hold more than code: what it says to people, in other languages."""
    places = [
        Path(path)
        for package in ("connectors", "plugin_backend.gateways")
        for path in importlib.import_module(package).__path__
    ]
    return sorted(entry for place in places for entry in place.iterdir() if (entry / "__init__.py").is_file())


def _scan(package: str, attribute: str) -> dict[str, Any]:
    paths = importlib.import_module(package).__path__
    found = {}
    for entry in sorted(pkgutil.iter_modules(paths), key=lambda entry: entry.name):
        if entry.ispkg:
            found[entry.name] = getattr(importlib.import_module(f"{package}.{entry.name}"), attribute)
    return found
