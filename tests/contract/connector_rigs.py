"""What each connector's ``contract/`` folder holds, found by being there."""

import importlib
from collections.abc import Callable

from plugin_backend.core.registry import connectors
from tests.contract.connector_shops import Shop

Deliveries = dict[str, tuple[dict[str, str], bytes]]

SHOPS: dict[str, type[Shop]] = {
    platform: importlib.import_module(f"connectors.{platform}.contract.shop").Shop
    for platform in connectors()
}
DELIVERIES: dict[str, Callable[[], Deliveries]] = {
    platform: importlib.import_module(f"connectors.{platform}.contract.deliveries").deliveries
    for platform in connectors()
}
