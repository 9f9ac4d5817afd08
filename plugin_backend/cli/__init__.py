"""``reprise ...``: every command has ``--help``; every command that shows something has ``--json``."""

import importlib
import sys

import click

from plugin_backend.core import log
from plugin_backend.sdk.errors import RepriseError

# The rooms in which the commands are. A command loads its own and no other: ten processes start at once for a person
# who waits, and a worker has no use for what the demo needs.
_ROOMS = {
    "backups": ("backup", "restore"),
    "customers": ("customers",),
    "demo": ("up", "demo"),
    "keys": ("keys",),
    "migration": ("migrate",),
    "objects": (
        "books",
        "deliveries",
        "carts",
        "offers",
        "plans",
        "collections",
        "messages",
        "refunds",
        "disputes",
        "cases",
        "reconciliations",
        "erasures",
    ),
    "processes": ("web", "worker", "clock", "doctor"),
    "reconciling": ("reconcile", "quarantine"),
    "runs": ("run",),
    "shop_side": ("shop-side",),
    "shops": ("shop", "gateway", "user"),
    "vault": ("vault",),
    "watching": ("watch",),
}


class Hall(click.Group):
    """A group whose commands are loaded when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for names in _ROOMS.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for room, names in _ROOMS.items():
            if cmd_name in names:
                commands: list[click.Command] = importlib.import_module(f"{__name__}.{room}").COMMANDS
                return next(command for command in commands if command.name == cmd_name)
        return None


@click.group(cls=Hall, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reprise")
def reprise() -> None:
    """A basket that was left becomes a plan, and every payment of it is collected exactly once."""


def main() -> None:
    """The command. Whatever stops it is told in one line; a fault of ours, which nobody foresaw, is logged."""
    log.configure("INFO")
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
