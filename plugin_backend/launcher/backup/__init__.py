"""Backups: the database as it stood at one moment, its keys apart, each in a file that proves itself, and back again."""

from plugin_backend.launcher.backup.archive import BackupError
from plugin_backend.launcher.backup.database import database_of
from plugin_backend.launcher.backup.dumping import dump
from plugin_backend.launcher.backup.keys import KEPT, beside, remove_old
from plugin_backend.launcher.backup.restoring import Restored, compared, restore

__all__ = [
    "KEPT",
    "BackupError",
    "Restored",
    "beside",
    "compared",
    "database_of",
    "dump",
    "remove_old",
    "restore",
]
