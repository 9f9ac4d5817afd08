"""Writes the golden files anew: ``python -m tests.contract.write_golden <platform> ...``.

Run it on purpose, and read the difference line by line: what it writes is what the connectors say today.
"""

import json
import sys
from pathlib import Path

from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.http import Delivery, HttpClient
from tests.contract.connector_golden import as_json, connector, folder, read_http, write_http
from tests.contract.connector_rigs import DELIVERIES, SHOPS
from tests.contract.connector_writes import WRITES, exchange


def expected(platform: str, delivery: Delivery) -> dict[str, object]:
    one = connector(platform, HttpClient())
    try:
        said: dict[str, object] = {"events": as_json(one.parse(delivery))}
    except Unreadable as error:
        said = {"unreadable": str(error)}
    return {"topic": one.topic(delivery), **said}


def main(platforms: list[str]) -> None:
    for platform in platforms:
        where = folder(platform)
        for name, (headers, body) in DELIVERIES[platform]().items():
            raw = write_http(headers, body)
            (where / f"{name}.http").write_bytes(raw)
            _write(where / f"{name}.json", expected(platform, read_http(raw)))
        for name in WRITES:
            _write(where / f"{name}.write_back.json", exchange(platform, name, SHOPS[platform]()))


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
