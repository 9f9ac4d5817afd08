"""The two-command start: up and demo."""

import json
import sys
from pathlib import Path

import click

from plugin_backend.cli.context import DEFAULT_DATA
from plugin_backend.demo import run
from plugin_backend.launcher.data import wipe
from plugin_backend.launcher.errors import StopAsked

_DEMO_DATA = Path("instance/demo")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_PORT = click.IntRange(1024, 65535)


@click.command()
@click.option(
    "--port", type=_PORT, default=None, help="Where the web process listens (default: 8000, or a free one)."
)
@click.option(
    "--data", type=_FOLDER, default=DEFAULT_DATA, show_default=True, help="Where everything is kept."
)
def up(port: int | None, data: Path) -> None:
    """Run the whole product on this machine: PostgreSQL, Redis, web, workers, clock and the sandbox gateway.

    MAIL_URL, REPRISE_URL, DATABASE_URL, REDIS_URL and REPRISE_KEYS are obeyed where they are set. Ctrl-C stops it.
    """
    run.up(data, port, _say, sys.stderr)


@click.command()
@click.option(
    "--port", type=_PORT, default=None, help="Where the web process listens (default: 8000, or a free one)."
)
@click.option("--data", type=_FOLDER, default=_DEMO_DATA, show_default=True, help="Where everything is kept.")
@click.option("--reset", is_flag=True, help="Wipe what the demo has kept, and do nothing else.")
@click.option("--smoke", is_flag=True, help="Live the whole story without a person, in a demo of its own.")
@click.option("--json", "as_json", is_flag=True, help="With --smoke: tell what was seen as one JSON object.")
def demo(port: int | None, data: Path, reset: bool, smoke: bool, as_json: bool) -> None:
    """Run the product with a fake shop, a sandbox gateway, a mailbox and a tour. Ctrl-C stops it.

    With --smoke the exit code is 1 where a step of the story failed.
    """
    if reset:
        wipe(data)
        _say(f"{data} is wiped")
    elif smoke:
        _smoke(as_json=as_json)
    else:
        run.demo(data, port, _say)


def _smoke(*, as_json: bool) -> None:
    try:
        told = run.smoke()
    except StopAsked:
        raise click.Abort from None
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for step in told["steps"]:
            click.echo(f"{step['seconds']:5.1f} s  {step['step']}")
        click.echo(f"{told['seconds']:5.1f} s  in all")
    if not told["ok"]:
        click.echo(f"reprise: {told['failed']}: {told['reason']}", err=True)
        raise click.exceptions.Exit(1)


def _say(line: str) -> None:
    """Said at once, also where somebody reads us through a pipe."""
    click.echo(line)
    sys.stdout.flush()


COMMANDS = [up, demo]
