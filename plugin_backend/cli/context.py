"""What commands share: finding a running installation, working in it, and telling what was found."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import Flask

from plugin_backend.app import create_app
from plugin_backend.core import config
from plugin_backend.launcher.data import load_runtime

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_DATA = Path("instance/reprise")


def data_option(command: Command) -> Command:
    """``--data DIR``: the folder of the installation that this command is about."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        help="The data folder of a running 'reprise up' (default: the environment, else instance/reprise).",
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")(command)


def shop_option(command: Command) -> Command:
    return click.option("--shop", "shop_id", required=True, help="The shop's id.")(command)


def find_settings(data: Path | None, *, root: bool = False) -> config.Config:
    """The settings of a running installation: of ``--data``, else of the environment, else of the default folder. Those
    of the root keys are read with ``root`` only."""
    if data is None and os.environ.get("DATABASE_URL"):
        return config.load(root=root)
    runtime = load_runtime(data or DEFAULT_DATA)
    if runtime is None:
        if data is not None:
            raise click.ClickException(
                f"nothing is running in {data}: start it with reprise up --data {data}"
            )
        return config.load(root=root)
    return config.load(config.under(runtime.environment, os.environ), root=root)


@contextmanager
def at_work(data: Path | None) -> Iterator[Flask]:
    """Inside the application of a running installation, with every key."""
    app = create_app(find_settings(data, root=True), part="cli")
    with app.app_context():
        yield app


def tell(found: Any, *, as_json: bool, lines: Callable[[Any], list[str]] | None = None) -> None:
    """Print what was found: as JSON, or as lines for people."""
    if as_json or lines is None:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False, default=str))
    else:
        for line in lines(found):
            click.echo(line)


def seconds(text: str) -> int:
    """A span such as ``90s``, ``30m``, ``1h`` or ``2d`` in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1:]) if text[-1:] in units else (text, "s")
    if not number.isdecimal() or not 0 < int(number) * units[unit] <= 800 * 86400:
        raise click.BadParameter(f"{text}: a span such as 30m, 1h or 2d, at most 800d")
    return int(number) * units[unit]
