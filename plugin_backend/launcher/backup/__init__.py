"""Backups: the database as it stood at one moment, in one file that proves itself, and back again."""

from plugin_backend.launcher.backup.archive import BackupError
from plugin_backend.launcher.backup.database import database_of
from plugin_backend.launcher.backup.dumping import dump
from plugin_backend.launcher.backup.restoring import compared, restore

__all__ = ["BackupError", "compared", "database_of", "dump", "restore"]
