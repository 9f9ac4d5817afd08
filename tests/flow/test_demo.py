"""The two-command start, as a person uses it: nothing but commands, addresses and Ctrl-C."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

from plugin_backend.core.seal import make_keys
from plugin_backend.demo.story import STEPS
from plugin_backend.demo.visitor import Page, Visitor
from plugin_backend.launcher.data import load_runtime, wipe
from plugin_backend.launcher.ports import free_port
from plugin_backend.sdk.http import HttpClient, Request
from tests.servers import Servers

HTTP = HttpClient(allow_private=True)
SECRET = "a secret of the shop's own"
DRAFT = {
    "id": 19,
    "status": "checkout-draft",
    "currency": "EUR",
    "total": "100.00",
    "date_created_gmt": "2026-11-22T10:00:00",
    "date_modified_gmt": "2026-11-22T10:00:00",
    "billing": {"email": "ana@example.test", "first_name": "Ana", "last_name": "Ruiz", "country": "FR"},
    "line_items": [{"id": 1, "name": "Lamp", "quantity": 1, "total": "100.00", "total_tax": "0.00"}],
    "meta_data": [],
}
_SETTINGS = ("DATABASE_URL", "REDIS_URL", "REPRISE_URL", "REPRISE_KEYS", "MAIL_URL")


class Mark:
    """A word in the environment of everything that a test starts, by which it is found again."""

    def __init__(self) -> None:
        self.word = f"REPRISE_TEST_MARK={uuid.uuid4()}"

    @property
    def environment(self) -> dict[str, str]:
        name, _, value = self.word.partition("=")
        kept = {key: value for key, value in os.environ.items() if key.partition("_FILE")[0] not in _SETTINGS}
        return {**kept, name: value}

    def bearers(self) -> list[str]:
        """The command lines of all processes that bear it."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self.word.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


@pytest.fixture
def mark() -> Iterator[Mark]:
    made = Mark()
    yield made
    assert made.bearers() == []


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    wipe(folder)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "plugin_backend.cli", *words]


def reprise(
    mark: Mark, *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command, to its end."""
    return subprocess.run(
        command(*words),
        env={**mark.environment, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def told(mark: Mark, *words: str) -> Any:
    """What a command that succeeds tells as JSON."""
    done = reprise(mark, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def running(mark: Mark, *words: str, last: str) -> Iterator[list[str]]:
    """A command that stays, until Ctrl-C; yielded are the lines it said up to the one that begins with ``last``."""
    process = subprocess.Popen(
        command(*words),
        env=mark.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if line.startswith(last):
                break
        else:
            raise AssertionError(process.communicate()[1])
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained


def address(said: list[str], name: str) -> str:
    return next(line.split()[-1] for line in said if line.startswith(f"{name}:"))


@pytest.mark.slow
def test_the_whole_story_is_lived_through_the_front_doors_and_leaves_nothing(
    mark: Mark, tmp_path: Path
) -> None:
    done = subprocess.run(
        command("demo", "--smoke", "--json"),
        env={**mark.environment, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    saw = json.loads(done.stdout)
    assert (saw["ok"], done.returncode) == (True, 0), f"{saw.get('failed')}: {saw.get('reason')}"
    assert [step["step"] for step in saw["steps"]] == ["everything starts", *(name for name, _ in STEPS)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_smoke_run_that_cannot_start_says_so_in_its_one_object(mark: Mark) -> None:
    done = reprise(mark, "demo", "--smoke", "--json", environment={"REPRISE_REDIS": "nowhere"})

    saw = json.loads(done.stdout)
    assert done.returncode == 1
    assert (saw["ok"], saw["failed"]) == (False, "everything starts")
    assert "REPRISE_REDIS" in saw["reason"]


@pytest.mark.slow
def test_a_first_shop_of_ones_own_is_connected_by_commands_only(mark: Mark, data: Path) -> None:
    place = ("--data", str(data))
    with running(mark, "up", *place, "--port", str(free_port()), last="Sign in") as said:
        assert "operator@localhost" in said[-1]
        assert any(line.startswith("MAIL_URL is not set") for line in said)
        options = ("--platform", "woocommerce", "--url", "http://127.0.0.1:9/shop", "--secret", SECRET)
        shop = told(mark, "shop", "add", *options, "--idle", "30m", "--json", *place)
        assert shop["webhook_url"].startswith(address(said, "dashboard"))
        assert post_signed(shop["webhook_url"]) == 200
        assert post_signed(shop["webhook_url"], secret="another") == 401

        row = read_delivery(mark, shop["id"], place)
        assert (row["shop"], row["topic"]) == (shop["id"], "order.updated")
        (cart,) = told(mark, "carts", "list", "--shop", shop["id"], *place)
        assert cart["total"] == {"amount": 10000, "currency": "EUR"}
        assert passed_probe(mark, shop["id"], place)["gateway"] == "sandbox"
        assert told(mark, "doctor", "--json", *place)["broken"] == {}
    assert mark.bearers() == []
    assert load_runtime(data) is None

    with running(mark, "up", *place, last="gateway:") as again:
        assert address(again, "dashboard") == address(said, "dashboard")
        assert [row["id"] for row in told(mark, "shop", "list", "--json", *place)] == [shop["id"]]
    assert not any("password" in line for line in again)


@pytest.mark.slow
def test_a_left_basket_is_offered_within_fifteen_seconds_of_its_moment_at_the_default_grain(
    mark: Mark, data: Path
) -> None:
    place = ("--data", str(data))
    with running(mark, "up", *place, "--port", str(free_port()), last="Sign in"):
        options = ("--platform", "woocommerce", "--url", "http://127.0.0.1:9/shop", "--secret", SECRET)
        shop = told(mark, "shop", "add", *options, "--idle", "5s", "--json", *place)
        assert post_signed(shop["webhook_url"]) == 200
        patience = time.monotonic() + 60
        while not (offers := told(mark, "offers", "list", "--shop", shop["id"], *place)):
            assert time.monotonic() < patience
        (cart,) = told(mark, "carts", "list", "--shop", shop["id"], *place)

    waited = datetime.fromisoformat(offers[0]["created_at"]) - datetime.fromisoformat(cart["changed_at"])
    assert 5 <= waited.total_seconds() <= 5 + 15


def post_signed(url: str, secret: str = SECRET) -> int:
    body = json.dumps(DRAFT).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Topic": "order.updated",
        "X-WC-Webhook-Signature": signature,
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": "d1",
    }
    return HTTP.send(Request("POST", url, headers, body)).status


def read_delivery(mark: Mark, shop_id: str, place: tuple[str, ...]) -> Any:
    """The shop's only delivery, once the worker has read it. Those of its gateway account tell of the probe."""
    deadline = time.monotonic() + 60
    while True:
        rows = told(mark, "deliveries", "list", "--shop", shop_id, *place)
        found = [row for row in rows if row["topic"] == "order.updated"]
        if found:
            (row,) = found
            assert row["state"] == "read"
            return row
        assert time.monotonic() < deadline, rows


def passed_probe(mark: Mark, shop_id: str, place: tuple[str, ...]) -> Any:
    """The shop's only gateway account, once the worker has probed it."""
    deadline = time.monotonic() + 60
    while True:
        (row,) = told(mark, "gateway", "probe", "--shop", shop_id, "--json", *place)
        if row["state"] == "passed":
            return row
        assert time.monotonic() < deadline, row


@pytest.mark.slow
def test_the_demo_is_sown_once_and_survives_the_pulled_plug(mark: Mark, data: Path) -> None:
    place = ("--data", str(data))
    with running(mark, "demo", *place, "--port", str(free_port()), last="Ready") as said:
        shops = told(mark, "shop", "list", "--json", *place)
        assert [shop["name"] for shop in shops] == ["Boutique Luna", "Nordlys"]
        worker = process_id(data, "worker")

        tour = Visitor("en").open(address(said, "tour"))
        pulled = Visitor("en").send(tour.form("/unplug"))
        assert pulled.status == 200
        assert "The plug is being pulled" in pulled.text
        assert pulled.headers["refresh"] == "5"
        after = once_it_no_longer_says("being pulled", pulled)
        assert "No payment began" not in after.text
        assert process_id(data, "worker") != worker
        assert "Both ledgers say the same" in once_it_no_longer_says("do not agree yet", after).text
        entries = json.loads(HTTP.send(Request("GET", f"{address(said, 'gateway')}_test/ledger")).body)[
            "entries"
        ]
        asked = [entry["reference"] for entry in entries if entry["kind"] == "charge.made"]
        assert len(asked) == len(set(asked))

    with running(mark, "demo", *place, last="Ready") as again:
        assert said[:-1] == again[:-1]
        assert told(mark, "shop", "list", "--json", *place) == shops
    assert reprise(mark, "demo", "--reset", *place).returncode == 0
    assert not data.exists()


def once_it_no_longer_says(words: str, page: Page) -> Page:
    """The page, opened again until it does not say so."""
    deadline = time.monotonic() + 120
    while words in page.text:
        assert time.monotonic() < deadline, page.text
        time.sleep(0.5)
        page = Visitor("en").open(page.url)
    return page


def process_id(data: Path, name: str) -> int:
    runtime = load_runtime(data)
    assert runtime is not None
    return runtime.processes[name]


@pytest.mark.slow
def test_a_folder_of_other_files_is_neither_used_nor_wiped(mark: Mark, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    for words in (("up",), ("demo",), ("demo", "--reset")):
        done = reprise(mark, *words, "--data", str(tmp_path))
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "holds other files" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


# Settings that cannot be worked with are refused in one line each


@pytest.fixture
def good(servers: Servers, tmp_path: Path) -> dict[str, str]:
    """Settings that are in order but for a database that nobody has migrated."""
    name = f"unmigrated_{uuid.uuid4().hex}"
    with psycopg.connect(servers.postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER reprise")
    make_keys(tmp_path / "keys")
    return {
        "DATABASE_URL": servers.postgres.url.replace("/reprise?", f"/{name}?"),
        "REDIS_URL": servers.redis.url,
        "REPRISE_URL": "http://127.0.0.1:8000",
        "REPRISE_KEYS": str(tmp_path / "keys"),
        "MAIL_URL": "smtp://127.0.0.1:1",
    }


def complaint(mark: Mark, process: str, environment: dict[str, str]) -> str:
    """The one line with which a process refuses to start."""
    done = reprise(mark, process, environment=environment)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("process", ["web", "worker", "clock", "migrate"])
def test_every_missing_setting_is_named_at_once(mark: Mark, process: str) -> None:
    said = complaint(mark, process, {})
    assert [name for name in _SETTINGS if name not in said] == []


def test_malformed_settings_are_named_and_their_values_are_not(mark: Mark, good: dict[str, str]) -> None:
    said = complaint(mark, "worker", good | {"MAIL_URL": "s3cret", "REPRISE_CLOCK_GRAIN": "never"})
    assert "MAIL_URL" in said
    assert "REPRISE_CLOCK_GRAIN" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("process", ["web", "worker", "clock"])
def test_a_database_that_is_not_migrated_is_refused(mark: Mark, good: dict[str, str], process: str) -> None:
    assert "reprise migrate" in complaint(mark, process, good)


def test_a_redis_that_may_drop_what_it_is_given_is_refused(
    mark: Mark, good: dict[str, str], servers: Servers
) -> None:
    assert reprise(mark, "migrate", environment=good).returncode == 0
    with Redis.from_url(servers.redis.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "noeviction" in complaint(mark, "worker", good)
        finally:
            redis.config_set("maxmemory-policy", "noeviction")
