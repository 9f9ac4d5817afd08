"""``reprise up`` and ``reprise demo``: everything in one folder, from the first process to the last."""

import contextlib
import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from plugin_backend.demo import places, seed
from plugin_backend.demo.places import Places
from plugin_backend.demo.seed import Seed
from plugin_backend.demo.stage import Stage
from plugin_backend.demo.story import Told, live
from plugin_backend.launcher.data import wipe
from plugin_backend.launcher.errors import CannotStart, StopAsked
from plugin_backend.launcher.stack import Service, Stack
from plugin_backend.sdk.errors import RepriseError

# How often the demo's clock looks; a person who moves the shop's clock wants to see something at once.
_GRAIN, _SMOKE_GRAIN = 1.0, 0.1
_LOG_LINES = 20
_STARTS = "everything starts"

Say = Callable[[str], None]


def up(data: Path, port: int | None, say: Say, follow: TextIO) -> None:
    """Run the product until Ctrl-C or SIGTERM. ``CannotStart`` says in one line what is in the way."""
    _keep_private()
    with Stack(data, environment={}, follow=follow) as stack, contextlib.suppress(StopAsked):
        found = places.of_product(stack.data, port)
        stack.environment |= places.product_environment(found)
        outside = stack.environment.get("REPRISE_URL", found.url("web"))
        stack.addresses |= {"dashboard": outside, "gateway": found.url("gateway")}
        _start(stack, places.product_services(found))
        operator = seed.first_operator(stack.environment)
        if not found.has_mail_server:
            say("MAIL_URL is not set: mails wait in the outbox until there is a mail server.")
        _say_addresses(stack, say)
        if operator is not None:
            say(f"Sign in as {operator[0]} with the password {operator[1]} (it is shown this once).")
        stack.stay()


def demo(data: Path, port: int | None, say: Say) -> None:
    """Run the demo until Ctrl-C or SIGTERM."""
    begun = time.monotonic()
    _keep_private()
    with Stack(data, environment={}) as stack, contextlib.suppress(StopAsked):
        _, sown = _play(stack, port, anywhere=False, grain=_GRAIN)
        _say_addresses(stack, say)
        say(f"Sign in as {seed.OPERATOR} with the password {sown.password}")
        say(f"Ready after {time.monotonic() - begun:.1f} s. Ctrl-C stops everything.")
        stack.stay()


def smoke() -> dict[str, Any]:
    """Live the whole story in a demo of its own, which is gone afterwards. What was seen; where ``ok`` is False,
    ``failed`` names the first step that went wrong. ``StopAsked`` where somebody stops it."""
    begun = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="reprise-smoke-"))
    home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    data = home / "demo"
    try:
        told = _live_in(data)
        logs = {} if told.failed is None else {"logs": _last_lines(data / "logs")}
    finally:
        wipe(data)
        shutil.rmtree(home)
    seconds = round(time.monotonic() - begun, 1)
    return {"ok": told.failed is None, "seconds": seconds, **told.as_json(), **logs}


def _live_in(data: Path) -> Told:
    begun = time.monotonic()
    _keep_private()
    try:
        with Stack(data, environment={}, own_servers=True) as stack:
            found, sown = _play(stack, None, anywhere=True, grain=_SMOKE_GRAIN)
            started = time.monotonic() - begun
            told = live(Stage(found, seed.OPERATOR, sown.password, lambda: _pulse(stack)))
    except StopAsked:
        raise
    except RepriseError as error:
        return Told((), _STARTS, f"{type(error).__name__}: {error}")
    first = {"step": _STARTS, "seconds": round(started, 1), "saw": dict(stack.addresses)}
    return dataclasses.replace(told, steps=(first, *told.steps))


def _last_lines(logs: Path) -> dict[str, list[str]]:
    """What the processes said last: it is gone with the folder, and somebody must find out what went wrong."""
    return {
        log.stem: log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        for log in sorted(logs.glob("*.log"))
    }


def _play(stack: Stack, port: int | None, *, anywhere: bool, grain: float) -> tuple[Places, Seed]:
    """The whole demo, started and sown."""
    found = places.of_demo(stack.data, port, anywhere=anywhere)
    stack.environment |= places.demo_environment(found, clock_grain=grain)
    stack.addresses |= {
        "fake shop": found.url("shop", "/"),
        "mailbox": found.url("mailbox", "/"),
        "dashboard": found.url("web", "/"),
        "tour": found.url("tour", "/"),
        "gateway": found.url("gateway", "/"),
    }
    _start(stack, places.demo_services(found))
    return found, seed.sow(found, stack.environment)


def _keep_private() -> None:
    """What our processes write is for our own account. Others may pass through folders, as PostgreSQL's account must
    where we are root, and see nothing in them."""
    os.umask(0o066)


def _start(stack: Stack, services: Sequence[Service]) -> None:
    stack.start_servers()
    seed.migrate(stack.environment, stack.data)
    stack.start(services)


def _pulse(stack: Stack) -> None:
    """While nobody watches over the processes: ``StopAsked`` where we are to stop, ``CannotStart`` where one ended."""
    stack.supervisor.check()
    for child in stack.supervisor.children.values():
        if not child.is_running:
            raise CannotStart(f"{child.name} ended: {child.last_line()}")


def _say_addresses(stack: Stack, say: Say) -> None:
    for name, url in stack.addresses.items():
        say(f"{name + ':':<11} {url}")
