"""The database, brought to its newest step. In a room of its own: no other process should wait for alembic to load."""

from pathlib import Path

import click

from plugin_backend.app import owner_engine
from plugin_backend.cli.context import data_option, find_settings
from plugin_backend.core.db import DatabaseError, first_line
from plugin_backend.migrations import upgrade


@click.command()
@data_option
def migrate(data: Path | None) -> None:
    """Bring the database to the newest step."""
    engine = owner_engine(find_settings(data))
    try:
        upgrade(engine)
    except DatabaseError as error:
        raise click.ClickException(f"the database was not migrated: {first_line(error)}") from None
    finally:
        engine.dispose()


COMMANDS = [migrate]
