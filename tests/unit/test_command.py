"""The command line: each command is found in the room that the hall names for it."""

import importlib
import pkgutil

from click.testing import CliRunner

from plugin_backend import cli
from plugin_backend.cli import reprise


def test_every_command_of_every_room_is_listed_and_helps() -> None:
    rooms = [
        importlib.import_module(f"{cli.__name__}.{room.name}")
        for room in pkgutil.iter_modules(cli.__path__)
        if room.name not in ("__main__", "context")
    ]
    made = sorted(command.name for room in rooms for command in room.COMMANDS)
    listed = CliRunner().invoke(reprise, ["--help"]).output
    assert sorted(line.split()[0] for line in listed.partition("Commands:")[2].splitlines() if line) == made
    for name in made:
        assert CliRunner().invoke(reprise, [name, "--help"]).exit_code == 0


def test_a_command_that_is_not_there_is_refused() -> None:
    refused = CliRunner().invoke(reprise, ["nonsense"])
    assert refused.exit_code == 2
    assert "nonsense" in refused.output
