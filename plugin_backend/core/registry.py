"""Adapters are found by being there: a folder whose ``__init__`` names its class. No list names them."""

import importlib
import pkgutil
from functools import cache
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


def _scan(package: str, attribute: str) -> dict[str, Any]:
    paths = importlib.import_module(package).__path__
    found = {}
    for entry in sorted(pkgutil.iter_modules(paths), key=lambda entry: entry.name):
        if entry.ispkg:
            found[entry.name] = getattr(importlib.import_module(f"{package}.{entry.name}"), attribute)
    return found
