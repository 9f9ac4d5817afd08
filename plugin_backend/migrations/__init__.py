"""The database, step by step. ``protect`` gives every tenant's table its row-level security."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

FOLDER = Path(__file__).parent


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest step. Two that do it at once wait for one another."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7263548)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
