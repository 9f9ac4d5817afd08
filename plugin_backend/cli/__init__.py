"""``reprise ...``: every command has ``--help``; every command that shows something has ``--json``."""

import sys

import click

from plugin_backend.cli import demo, objects, processes, shops
from plugin_backend.sdk.errors import RepriseError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reprise")
def reprise() -> None:
    """A basket that was left becomes a plan, and every payment of it is collected exactly once."""


for room in (processes, shops, objects, demo):
    for command in room.COMMANDS:
        reprise.add_command(command)


def main() -> None:
    """The command. Whatever stops it is told in one line."""
    try:
        # Not standing alone, click gives an ``Exit`` back as a number instead of leaving with it.
        sys.exit(reprise(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RepriseError as error:
        click.echo(f"reprise: {error}", err=True)
        sys.exit(1)
