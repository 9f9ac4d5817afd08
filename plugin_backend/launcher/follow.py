"""What the children write, line by line on one screen."""

from pathlib import Path
from typing import TextIO


class Follower:
    """Shows what is appended to the logs of a folder from now on, each line behind the name of who wrote it."""

    def __init__(self, logs: Path, screen: TextIO) -> None:
        self._logs = logs
        self._screen = screen
        self._seen = {log: log.stat().st_size for log in logs.glob("*.log")}

    def show(self) -> None:
        """Write the whole lines that were added since the last call."""
        for log in sorted(self._logs.glob("*.log")):
            with log.open("rb") as file:
                size = file.seek(0, 2)
                # A log that was put aside for its length begins anew.
                file.seek(min(self._seen.get(log, 0), size) if size >= self._seen.get(log, 0) else 0)
                added = file.read()
                whole = added[: added.rfind(b"\n") + 1]
                self._seen[log] = file.tell() - len(added) + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self._screen.write(f"{log.stem:<12} | {line}\n")
        self._screen.flush()
