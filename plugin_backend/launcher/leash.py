"""Becomes another program that cannot outlive the process that started it.

Run as a script, alone: ``leash.py PARENT SIGNAL UID GID GROUPS COMMAND...`` (``-`` for an account that stays as it is).
Linux then sends SIGNAL to the program when PARENT dies, whatever it dies of. The account is changed first, since the
kernel forgets this order with the credentials; and this is a script, not code between fork and exec, because a
parent with threads may not run Python there.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_COMMAND_NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    parent, number, uid, gid, groups, *command = arguments
    if uid != "-":
        _become(int(uid), int(gid), [int(group) for group in groups.split(",")])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != int(parent):
        return 1
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command comes from the launcher, not from outside
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    return _COMMAND_NOT_FOUND


def _become(uid: int, gid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
