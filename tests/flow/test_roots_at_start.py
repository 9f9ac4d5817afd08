"""Data that was sealed under one root key, and processes that are given another one, none, or too few."""

import base64
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from plugin_backend.core.config import Config
from plugin_backend.core.db import engine_url
from plugin_backend.core.seal import Choice, load_keys, make_keys, roots
from plugin_backend.demo.places import Places, product_services
from plugin_backend.launcher.data import wipe
from plugin_backend.migrations import upgrade
from tests.flow.web_process import web_process
from tests.house import command
from tests.servers import Servers


@pytest.fixture(scope="module")
def sealed(settings: Config, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """An installation in which a shop's keys are sealed under the root key of its folder."""
    name = f"rooted_{uuid.uuid4().hex}"
    with psycopg.connect(servers.postgres.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER reprise")
    url = servers.postgres.url.replace("/reprise?", f"/{name}?")
    upgrade(engine := create_engine(engine_url(url)))
    engine.dispose()
    keys = tmp_path_factory.mktemp("rooted")
    make_keys(keys)
    made = replace(settings, database_url=url, database_owner_url=url, keys=keys)
    given = ["--url", "https://kiosk.example", "--secret", "whsec_" + base64.b64encode(bytes(24)).decode()]
    added = command(made, "shop", "add", "--platform", "custom", *given)
    assert added.returncode == 0, added.stderr
    return made


def held(folder: Path) -> tuple[str, ...]:
    return roots.provider(Choice(), folder).held()


@pytest.fixture
def needed(sealed: Config) -> str:
    """The root key that the data needs."""
    (root,) = held(sealed.keys)
    return root


@pytest.fixture
def elsewhere(sealed: Config, tmp_path: Path) -> Config:
    """The same data with the right door's key and no root key."""
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "door.key").write_bytes((sealed.keys / "door.key").read_bytes())
    (tmp_path / "keys" / "door.key").chmod(0o600)
    return replace(sealed, keys=tmp_path / "keys")


@pytest.fixture
def second(sealed: Config) -> Iterator[str]:
    """A retired root key under which some of the data still stands."""
    root = "root_00000000000000000000000002"
    with psycopg.connect(sealed.database_url, autocommit=True) as owner:
        add = "INSERT INTO vault_roots (id, provider, state, created_at) VALUES (%s, 'file', %s, now())"
        owner.execute(add, [root, "decrypt_only"])
        owner.execute(add, ["root_zz", "destroyed"])
        yield root
        owner.execute("DELETE FROM vault_roots WHERE id IN (%s, 'root_zz')", [root])


def refusal(settings: Config, *words: str, **more: str) -> str:
    """The one line with which a process refuses to begin."""
    done = command(settings, *words, **more)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


@pytest.mark.parametrize("process", ["worker", "doctor"])
def test_a_wrong_root_key_is_refused_by_the_name_of_the_right_one(
    elsewhere: Config, needed: str, process: str
) -> None:
    make_keys(elsewhere.keys)
    (other,) = held(elsewhere.keys)
    file = elsewhere.keys / "root.key"
    said = refusal(elsewhere, process)
    assert said == f"reprise: the data needs the root key {needed}: {file} holds {other} only"


@pytest.mark.parametrize("damage", ["missing", "empty", "open to others"])
def test_without_a_root_key_the_one_that_is_needed_is_named(
    elsewhere: Config, needed: str, damage: str
) -> None:
    file = elsewhere.keys / "root.key"
    if damage != "missing":
        file.write_text("" if damage == "empty" else base64.b64encode(bytes(32)).decode())
        file.chmod(0o600 if damage == "empty" else 0o644)
    said = refusal(elsewhere, "worker")
    assert said.startswith(f"reprise: the data needs the root key {needed}: root.key ")
    assert said.endswith(f"(looked in {file})")


def test_every_root_key_that_is_missing_is_named_and_none_that_is_held(
    sealed: Config, elsewhere: Config, needed: str, second: str
) -> None:
    both = f"the data needs the root keys {needed} and {second}: "
    assert both in refusal(elsewhere, "worker")
    assert f"the data needs the root key {second}: " in refusal(sealed, "worker")
    assert "root_zz" not in refusal(elsewhere, "worker")


def test_the_right_one_from_the_environment_will_do(elsewhere: Config, needed: str, sealed: Config) -> None:
    at = {"REPRISE_ROOT": "env", "REPRISE_ROOT_KEY_FILE": str(sealed.keys / "root.key")}
    assert command(elsewhere, "doctor", **at).returncode == 0
    other = base64.b64encode(os.urandom(32)).decode()
    wrong = refusal(elsewhere, "worker", REPRISE_ROOT="env", REPRISE_ROOT_KEY=other)
    assert f"the data needs the root key {needed}: REPRISE_ROOT_KEY holds root_" in wrong
    assert other not in wrong


def test_what_a_root_provider_needs_is_asked_for_with_everything_else_that_is_missing(
    elsewhere: Config,
) -> None:
    said = refusal(elsewhere, "worker", REPRISE_ROOT="pkcs11", MAIL_URL="none")
    for name in ("MAIL_URL", *roots.KINDS["pkcs11"].needs):
        assert name in said


def test_web_needs_no_root_key_and_does_not_ask_where_they_are(elsewhere: Config, servers: Servers) -> None:
    with web_process(servers.supervisor, elsewhere, REPRISE_ROOT="pkcs11") as web:
        assert web.ask(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") == 200
    assert list(elsewhere.keys.iterdir()) == [elsewhere.keys / "door.key"]


@pytest.mark.parametrize("process", ["web", "worker", "doctor"])
def test_another_door_key_is_refused_by_the_name_of_the_right_one(
    sealed: Config, elsewhere: Config, process: str
) -> None:
    (elsewhere.keys / "door.key").unlink()
    make_keys(elsewhere.keys, root=False)
    shutil.copy2(sealed.keys / "root.key", elsewhere.keys)
    right, wrong = (load_keys(folder, None).door_id for folder in (sealed.keys, elsewhere.keys))
    said = refusal(elsewhere, process)
    assert said == f"reprise: the data needs {right}: door.key in REPRISE_KEYS is {wrong}"


def test_up_says_to_none_but_its_workers_how_one_gets_at_root_keys(tmp_path: Path) -> None:
    ports = dict.fromkeys(("web", "gateway"), 8000)
    unheard = {name: "" for kind in roots.KINDS.values() for name in kind.needs}
    told = {service.name: service.environment for service in product_services(Places(tmp_path, ports))}
    assert {name for name, environment in told.items() if unheard.items() <= environment.items()} == {
        "web",
        "clock",
        "gateway",
    }
    assert told["worker"] == told["worker-present"] == {}


def test_a_start_makes_no_root_key_for_data_that_needs_another(
    sealed: Config, needed: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    try:
        for command_ in ("up", "demo"):
            said = refusal(sealed, command_, "--data", str(data), REPRISE_KEYS="")
            assert said.startswith(f"reprise: the data needs the root key {needed}: root.key is missing")
            assert not (data / "keys" / "root.key").exists()
    finally:
        wipe(data)
