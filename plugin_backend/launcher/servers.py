"""Finding the server programs that somebody else made: on PATH, or inside an installed wheel."""

import importlib.util
import os
from pathlib import Path
from typing import Literal

from plugin_backend.launcher.errors import CannotStart

Source = Literal["path", "wheel"]


def sources(variable: str) -> tuple[Source, ...]:
    """Where to look, in order: on PATH, then in the wheel; only one of them where the environment variable says."""
    match os.environ.get(variable, ""):
        case "":
            return ("path", "wheel")
        case "path":
            return ("path",)
        case "wheel":
            return ("wheel",)
        case other:
            raise CannotStart(f"{variable} is {other!r}, but only 'path' and 'wheel' are known")


def wheel_folder(package: str) -> Path | None:
    """The folder of an installed package, which is found and not imported: importing could start something."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


def executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
