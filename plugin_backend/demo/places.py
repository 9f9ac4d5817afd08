"""Where the processes of a data folder listen, and what they are started with."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from plugin_backend.core.seal import make_keys, roots
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.launcher.ports import LOOPBACK, free_ports
from plugin_backend.launcher.stack import Service, product

_PORTS = "ports.json"
_WISHES = {"web": 8000, "gateway": 8801, "shop": 8802, "mailbox": 8803, "smtp": 8804, "tour": 8805}
_COMMAND = (sys.executable, "-m", "plugin_backend.cli")
# A waiting customer has a worker of his own, and the other one helps.
_WORKERS = {"worker-present": ("--queue", "present"), "worker": ()}
_NO_MAIL_SERVER = f"smtp://{LOOPBACK}:1"


@dataclass(frozen=True, slots=True)
class Places:
    """The ports of one data folder by the name of who listens there."""

    data: Path
    ports: Mapping[str, int]

    def url(self, name: str, path: str = "") -> str:
        """The address of a process, without a slash at its end unless ``path`` has one."""
        return f"http://{LOOPBACK}:{self.ports[name]}{path}"

    @property
    def has_mail_server(self) -> bool:
        return "smtp" in self.ports or any(os.environ.get(name) for name in ("MAIL_URL", "MAIL_URL_FILE"))


def of_product(data: Path, web: int | None) -> Places:
    """Places for ``up``: the product and the sandbox gateway that its test shops use."""
    return _settled(data, {name: _WISHES[name] for name in ("web", "gateway")}, web)


def of_demo(data: Path, web: int | None, *, anywhere: bool = False) -> Places:
    """Places for the whole demo; on any free ports where ``anywhere``."""
    return _settled(data, {name: None if anywhere else port for name, port in _WISHES.items()}, web)


def _settled(data: Path, wishes: Mapping[str, int | None], web: int | None) -> Places:
    """The ports that the folder had before, since shops, gateway accounts and mails know them; else the wished ones.
    ``CannotStart`` where one that must be had is taken. The caller holds the folder."""
    file = data / _PORTS
    kept = json.loads(file.read_text()) if file.exists() else {}
    fixed = {name: port for name, port in kept.items() if name in wishes} | ({"web": web} if web else {})
    wished = {**wishes, **fixed}
    ports = dict(zip(wished, free_ports(list(wished.values())), strict=True))
    for name, port in fixed.items():
        if ports[name] != port:
            raise CannotStart(
                f"port {port}, which {name} of {data} listens on, is taken; free it or wipe the folder"
            )
    file.write_text(json.dumps(kept | ports, indent=2))
    return Places(data, ports)


def product_environment(places: Places) -> dict[str, str]:
    """What the product's processes get for ``up``: what the operator has set himself, by value or by file, stays as it
    is. The door's key is made where he has named no keys; the root key when the database has said whether it needs
    another."""
    keys = places.data / "keys"
    wanted = dict(
        [
            _given("REPRISE_URL", places.url("web")),
            _given("REPRISE_KEYS", str(keys)),
            _given("REPRISE_ROOT", "file"),
            _given("REPRISE_SANDBOX_URL", places.url("gateway")),
            _given("MAIL_URL", _NO_MAIL_SERVER),
        ]
    )
    if wanted.get("REPRISE_KEYS") == str(keys):
        make_keys(keys, root=False)
    return wanted


def _given(name: str, otherwise: str) -> tuple[str, str]:
    file = os.environ.get(f"{name}_FILE")
    return (f"{name}_FILE", file) if file else (name, os.environ.get(name) or otherwise)


def demo_environment(places: Places, *, clock_grain: float) -> dict[str, str]:
    """The same for the demo, which leads nowhere but to its own neighbours, whatever the environment says."""
    keys = places.data / "keys"
    make_keys(keys, root=False)
    return {
        "REPRISE_URL": places.url("web"),
        "REPRISE_KEYS": str(keys),
        "REPRISE_ROOT": "file",
        "REPRISE_SANDBOX_URL": places.url("gateway"),
        "MAIL_URL": f"smtp://{LOOPBACK}:{places.ports['smtp']}",
        "MAIL_FROM": "reprise@demo.test",
        "REPRISE_CLOCK_GRAIN": str(clock_grain),
    }


def product_services(places: Places) -> list[Service]:
    """The product behind its sandbox gateway. The migration is left out: whoever starts these has done it himself,
    since a process of its own would cost a person two seconds at each start."""
    services = product(_COMMAND, places.ports["web"], workers=_WORKERS)
    wanted = [_gateway(places), *(service for service in services if service.on_exit != "once")]
    return [service if service.name in _WORKERS else _without_root(service) for service in wanted]


def _without_root(service: Service) -> Service:
    """It does not even hear where the root keys are, or how one gets at them."""
    unheard = {name for kind in roots.KINDS.values() for name in kind.needs}
    return replace(service, environment={**service.environment, **dict.fromkeys(unheard, "")})


def demo_services(places: Places) -> list[Service]:
    """The product and all its neighbours."""
    return [*_neighbours(places), *product_services(places), _tour(places)]


def _gateway(places: Places) -> Service:
    ledger = str(places.data / "gateway.jsonl")
    return _module(places, "gateway", ["--ledger", ledger], ready="/healthz")


def _neighbours(places: Places) -> Iterator[Service]:
    yield _module(places, "shop", ["--data", str(places.data / "fake-shop.json")], ready="/_control/idle")
    command = [
        sys.executable,
        "-m",
        "plugin_backend.demo.mailbox",
        "--file",
        str(places.data / "mailbox.jsonl"),
    ]
    ports = ["--http-port", str(places.ports["mailbox"]), "--smtp-port", str(places.ports["smtp"])]
    yield Service("mailbox", [*command, *ports], ready_url=places.url("mailbox", "/health"))


def _tour(places: Places) -> Service:
    return _module(places, "tour", ["--data", str(places.data)], ready="/healthz")


def _module(places: Places, name: str, more: list[str], *, ready: str) -> Service:
    command = [sys.executable, "-m", f"plugin_backend.demo.{name}", "--port", str(places.ports[name]), *more]
    return Service(name, command, ready_url=places.url(name, ready))


def kept(data: Path) -> Places:
    """Where the processes of a folder that runs listen."""
    return Places(data, json.loads((data / _PORTS).read_text()))
