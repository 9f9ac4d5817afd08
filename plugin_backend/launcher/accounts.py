"""The account PostgreSQL runs under where we are root, which PostgreSQL refuses to be."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from plugin_backend.launcher.errors import CannotStart

_NAMES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine. ``groups`` are all of its groups, its own included."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    def as_arguments(self) -> list[str]:
        """User, group and groups as the leash takes them."""
        return [str(self.uid), str(self.gid), ",".join(str(group) for group in self.groups)]

    def can_enter(self, folder: Path) -> bool:
        """True where the account may pass through the folder and everything above it, as far as modes tell."""
        place = folder.resolve()
        return all(self._may_pass(part.stat()) for part in (place, *place.parents))

    def _may_pass(self, entry: os.stat_result) -> bool:
        if entry.st_uid == self.uid:
            return bool(entry.st_mode & stat.S_IXUSR)
        if entry.st_gid in self.groups:
            return bool(entry.st_mode & stat.S_IXGRP)
        return bool(entry.st_mode & stat.S_IXOTH)


def unprivileged() -> Account | None:
    """None where we are not root and stay who we are. ``CannotStart`` where root has nobody to become."""
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))
    raise CannotStart("PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody'")
