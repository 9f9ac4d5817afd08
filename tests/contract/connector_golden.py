"""Golden deliveries: a raw request in ``golden/<name>.http``, and what it must be read as in ``golden/<name>.json``.

What the tests need of a connector lies in its own folder, and is found there: ``contract/settings.json``,
``contract/deliveries.py`` and ``contract/shop.py``.
"""

import base64
import dataclasses
import importlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from plugin_backend.core.registry import connectors
from plugin_backend.sdk.connector import Connector, ShopEvent
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.signing import hmac_sha256, sign_standard

RECEIVED_AT = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
SECRET = "test-secret"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"reprise golden deliveries only!!").decode()


@cache
def home(platform: str) -> Path:
    """The connector's own folder."""
    where = importlib.import_module(f"connectors.{platform}").__file__
    assert where is not None
    return Path(where).parent


def folder(platform: str) -> Path:
    return home(platform) / "golden"


SETTINGS: dict[str, dict[str, str]] = {
    platform: json.loads((home(platform) / "contract" / "settings.json").read_text())
    for platform in connectors()
}
"""The settings of each connector's invented shop."""


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden delivery of a connector."""

    platform: str
    name: str
    delivery: Delivery
    expected: dict[str, Any]


def connector(platform: str, http: Client, **settings: str) -> Connector:
    return connectors()[platform]({**SETTINGS[platform], **settings}, http)


def goldens() -> list[Golden]:
    """The golden deliveries of every connector that is there."""
    return [
        Golden(
            platform,
            path.stem,
            read_http(path.read_bytes()),
            json.loads(path.with_suffix(".json").read_text()),
        )
        for platform in connectors()
        for path in sorted(folder(platform).glob("*.http"))
    ]


def read_http(raw: bytes) -> Delivery:
    head, _, body = raw.partition(b"\r\n\r\n")
    request, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    received = datetime.fromisoformat(headers.pop("x-received-at"))
    return Delivery(headers=headers, body=body, received_at=received, method=request.split()[0])


def write_http(headers: dict[str, str], body: bytes) -> bytes:
    lines = ["POST /hooks/golden HTTP/1.1", f"X-Received-At: {RECEIVED_AT.isoformat()}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def signed_base64(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac_sha256(secret.encode(), body)).decode()


def signed_standard(message_id: str, body: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        **sign_standard(STANDARD_SECRET, message_id, RECEIVED_AT, body),
    }


def as_json(events: list[ShopEvent]) -> list[dict[str, Any]]:
    return [{"event": type(event).__name__, **plain(event)} for event in events]


def plain(value: Any) -> Any:
    """A value of the port as JSON, whole: ``repr=False`` hides nothing here."""
    match value:
        case Money():
            return value.as_json()
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value
