"""The data folder of a running product: who holds it, what runs in it, and how other commands find that."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from plugin_backend.launcher.accounts import Account
from plugin_backend.launcher.errors import CannotStart

_LOCK = "launcher.lock"
_RUNTIME = "runtime.json"
_ELSEWHERE = "postgres-home"
# Notes that lead ``wipe`` to temporary folders lie where only we may write, never in PostgreSQL's own folder.
_SOCKET_NOTES = ("postgres-sockets", "redis/sockets-elsewhere")
_LASTING = Path("/var/tmp")  # noqa: S108 - mkdtemp makes the name, and a folder of mode 0700
_PREFIX = "reprise-"
# A socket's path may have 108 bytes on Linux and 104 elsewhere, its name included.
_SOCKET_FOLDER_LIMIT = 85
_LOCK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs in a data folder: the environment its processes got (it holds secrets), addresses for people by
    name, and the process ids by name."""

    environment: dict[str, str] = field(repr=False)
    addresses: dict[str, str]
    processes: dict[str, int]


@contextlib.contextmanager
def held(data: Path) -> Iterator[int]:
    """Make the folder where it is missing and hold it alone; yields the descriptor of the lock.

    ``CannotStart`` where something runs in it, where it is a folder of somebody else's files, or cannot be written.
    """
    lock = _open_lock(data)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        # A reader holds the lock for an instant to see whether anybody runs; that is no reason to refuse.
        while not _locked(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise CannotStart(f"the product runs in {data} already, or is just stopping; stop it first")
            time.sleep(0.05)
        try:
            yield lock
        finally:
            (data / _RUNTIME).unlink(missing_ok=True)
    finally:
        os.close(lock)


def write_runtime(data: Path, runtime: Runtime) -> None:
    """Tell other commands what runs, readable by our own account only."""
    draft = data / f"{_RUNTIME}.new"
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(runtime), file, indent=2)
    draft.replace(data / _RUNTIME)


def load_runtime(data: Path) -> Runtime | None:
    """What runs in the folder; None where nothing does, also where the last one was killed and left its file.
    ``CannotStart`` where the folder is another account's."""
    try:
        lock = os.open(data / _LOCK, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise CannotStart(f"{data} belongs to another account") from error
    try:
        if _locked(lock, fcntl.LOCK_SH):
            return None
        return Runtime(**json.loads((data / _RUNTIME).read_text()))
    except FileNotFoundError:
        return None
    finally:
        os.close(lock)


def wipe(data: Path) -> None:
    """Remove the folder with all that was kept in it. Nothing happens where there is none; ``CannotStart`` where
    something runs in it, or it is not one that we made."""
    if not data.exists():
        return
    with held(data):
        for home in _elsewhere(data):
            _remove_temporary(home)
        for name in _SOCKET_NOTES:
            _remove_noted(data / name)
        shutil.rmtree(data)


def private_folder(data: Path, account: Account | None) -> Path:
    """A folder that the account owns and nobody else may enter: within ``data``, or, where the account may not pass
    through that, in the machine's lasting temporary folder, whose name is then kept in ``data``."""
    if noted := _elsewhere(data):
        home = noted[0]
    elif account is None or account.can_enter(data):
        home = data / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
    else:
        place = _LASTING if _LASTING.is_dir() else Path(tempfile.gettempdir())
        home = _new_temporary(data / _ELSEWHERE, place)
    if account is not None:
        os.chown(home, account.uid, account.gid)
    return home


def postgres_sockets(data: Path, home: Path, account: Account | None) -> Path:
    """The folder of PostgreSQL's socket, which only its account may enter."""
    folder = _socket_folder(home, data / _SOCKET_NOTES[0])
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def redis_sockets(home: Path) -> Path:
    """The folder of Redis's socket, which only we may enter."""
    return _socket_folder(home, home / Path(_SOCKET_NOTES[1]).name)


def _socket_folder(home: Path, note: Path) -> Path:
    """Within ``home``, or, where that path is longer than the kernel takes, a temporary folder that is noted."""
    folder = home.resolve() / "socket"
    if len(str(folder).encode()) <= _SOCKET_FOLDER_LIMIT:
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder
    _remove_noted(note)
    return _new_temporary(note, Path(tempfile.gettempdir()))


def _new_temporary(note: Path, place: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    note.write_text(f"{folder}\n")
    return folder


def _remove_noted(note: Path) -> None:
    if note.exists():
        _remove_temporary(Path(note.read_text().strip()))


def _remove_temporary(folder: Path) -> None:
    """Whatever a note says, only a temporary folder of ours is removed."""
    if folder.name.startswith(_PREFIX) and folder.parent in (_LASTING, Path(tempfile.gettempdir())):
        shutil.rmtree(folder, ignore_errors=True)


def _elsewhere(data: Path) -> list[Path]:
    note = data / _ELSEWHERE
    if not note.exists():
        return []
    home = Path(note.read_text().strip())
    if not home.is_dir():
        raise CannotStart(
            f"the database of {data} was kept in {home}, which is gone; remove {note} to begin anew"
        )
    return [home]


def _open_lock(data: Path) -> int:
    try:
        # Root's database runs under another account, which must pass through to its own folder, and see no more.
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        if any(data.iterdir()) and not (data / _LOCK).exists():
            raise CannotStart(f"{data} holds other files; name an empty or a new folder")
        return os.open(data / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"{data} cannot be used: {error.strerror}") from error


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
