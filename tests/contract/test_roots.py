"""What holds wherever root keys live: a file, the environment, a token, and whatever comes later."""

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugin_backend.core import config
from plugin_backend.core.seal import Place, RootProvider, SealError, roots
from tests.contract.cloud_kms import LINE, InCloud
from tests.contract.root_rigs import InEnvironment, InFile, InSeveral, InToken, Rig, provider

PLACE = Place("shop_1", "", "key_1", "shop key")
SECRET = bytes(range(32))
# Another process that is given the same settings; what it prints is what it opened.
ANOTHER = """
import json, pathlib, sys
from plugin_backend.core.seal import Choice, Place, roots
told = json.load(sys.stdin)
held = roots.provider(Choice(tuple(told["kinds"]), told["settings"]), pathlib.Path(told["folder"]))
print(held.unwrap(told["root"], bytes.fromhex(told["wrapped"]), Place(*told["place"])).hex())
"""
# One that forks while its threads are asking, as a server may. It has asked once before: the first time what is needed is
# imported, and what is born while another thread imports waits for that for ever, whatever it asks.
FORKING = """
import json, os, pathlib, sys, threading
from plugin_backend.core.seal import Choice, Place, roots
told = json.load(sys.stdin)
held = roots.provider(Choice(tuple(told["kinds"]), told["settings"]), pathlib.Path(told["folder"]))
ask = lambda: held.unwrap(told["root"], bytes.fromhex(told["wrapped"]), Place(*told["place"])).hex()
ask()
ended = threading.Event()
def go_on():
    while not ended.is_set():
        ask()
threads = [threading.Thread(target=go_on) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if ask() == ask() == told["secret"] else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
answer = ask()
ended.set()
for thread in threads:
    thread.join()
print(answer if not any(codes) else codes)
"""


@pytest.fixture(params=["file", "env", "pkcs11", "cloud", "several"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A world without any root key yet."""
    if request.param == "pkcs11":
        return InToken(tmp_path, request.getfixturevalue("softhsm"), f"root {uuid.uuid4().hex}")
    if request.param == "cloud":
        return InCloud.built(tmp_path, monkeypatch)
    simple: dict[str, type[Rig]] = {"file": InFile, "env": InEnvironment, "several": InSeveral}
    return simple[request.param](tmp_path)


@pytest.fixture
def root(rig: Rig) -> str:
    """The first root key."""
    return rig.add()


def opens(held: RootProvider, root_id: str, wrapped: bytes, place: Place = PLACE) -> bool:
    try:
        return bytes(held.unwrap(root_id, wrapped, place)) == SECRET
    except SealError:
        return False


def test_what_was_wrapped_unwraps_for_its_place(rig: Rig, root: str) -> None:
    held = provider(rig)
    wrapped = held.wrap(root, SECRET, PLACE)
    assert opens(held, root, wrapped)
    assert opens(provider(rig), root, wrapped)
    assert SECRET not in wrapped
    assert held.wrap(root, SECRET, PLACE) != wrapped


@pytest.mark.parametrize("part", Place._fields)
@pytest.mark.parametrize("other", ["", "shop_2", "key_1\0"])
def test_it_unwraps_for_no_other_place(rig: Rig, root: str, part: str, other: str) -> None:
    held = provider(rig)
    wrapped = held.wrap(root, SECRET, PLACE)
    place = PLACE._replace(**{part: other})
    assert opens(held, root, wrapped, place) == (place == PLACE)


def test_every_flipped_bit_and_every_missing_end_is_refused(rig: Rig, root: str) -> None:
    held = provider(rig)
    wrapped = held.wrap(root, SECRET, PLACE)
    whole = int.from_bytes(wrapped, "big")
    flipped = [(whole ^ 1 << bit).to_bytes(len(wrapped), "big") for bit in range(8 * len(wrapped))]
    assert not [one for one in flipped if opens(held, root, one)]
    assert not [length for length in range(len(wrapped)) if opens(held, root, wrapped[:length])]
    assert not opens(held, root, wrapped + b"\0")
    assert opens(held, root, wrapped)


def test_a_root_key_that_is_not_held_neither_wraps_nor_unwraps(rig: Rig, root: str) -> None:
    held = provider(rig)
    unknown = "root_00000000000000000000000000"
    for ask in (
        lambda: held.wrap(unknown, SECRET, PLACE),
        lambda: held.unwrap(unknown, held.wrap(root, SECRET, PLACE), PLACE),
    ):
        with pytest.raises(SealError) as caught:
            ask()
        assert str(caught.value) == f"the root key {unknown} is not held here"
        assert caught.value.why == "root_not_held"


def test_several_are_held_the_oldest_first_and_each_opens_its_own(rig: Rig) -> None:
    added = [rig.add() for _ in range(3)]
    held = provider(rig)
    assert held.held() == tuple(added)
    assert len(set(added)) == 3
    wrapped = {root_id: held.wrap(root_id, SECRET, PLACE) for root_id in added}
    for root_id in added:
        assert [one for one in added if opens(held, root_id, wrapped[one])] == [root_id]


def test_one_that_is_added_later_is_found_without_a_new_start(rig: Rig, root: str) -> None:
    held = provider(rig)
    wrapped = held.wrap(root, SECRET, PLACE)
    later = rig.add()
    if rig.looks_again:
        assert opens(held, later, provider(rig).wrap(later, SECRET, PLACE))
        assert held.held() == (root, later)
    assert opens(provider(rig), root, wrapped)


def test_where_there_is_none_one_line_says_so_and_where_it_was_looked_for(rig: Rig) -> None:
    held = provider(rig)
    with pytest.raises(SealError):
        held.held()
    said = roots.missing(held, ["root_a"])
    assert said.startswith("the data needs the root key root_a: ")
    assert held.where in said
    assert "\n" not in said


def test_what_is_missing_is_named_and_what_is_held_instead(rig: Rig, root: str) -> None:
    held = provider(rig)
    assert roots.missing(held, []) == roots.missing(held, [root]) == ""
    said = roots.missing(held, ["root_a", root, "root_b"])
    assert said == f"the data needs the root keys root_a and root_b: {held.where} holds {root} only"


def test_nothing_secret_is_in_what_is_shown(rig: Rig, root: str) -> None:
    held = provider(rig)
    held.unwrap(root, held.wrap(root, SECRET, PLACE), PLACE)
    shown = [repr(held), str(held), repr(roots.Choice(rig.kinds, rig.settings)), held.where, root]
    with pytest.raises(SealError) as caught:
        held.unwrap(root, b"", PLACE)
    assert rig.secrets
    for secret in rig.secrets:
        assert secret not in " ".join([*shown, str(caught.value)])


def test_threads_may_share_it(rig: Rig, root: str) -> None:
    held = provider(rig)

    def there_and_back(number: int) -> bool:
        place = PLACE._replace(row=f"key_{number}")
        return opens(held, root, held.wrap(root, SECRET, place), place) and root in held.held()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(80)))


@pytest.mark.parametrize("program", [ANOTHER, FORKING])
def test_another_process_with_the_same_settings_opens_it_and_so_does_a_forked_one(
    rig: Rig, root: str, program: str
) -> None:
    told = {
        "kinds": rig.kinds,
        "settings": dict(rig.settings),
        "folder": str(rig.folder),
        "root": root,
        "wrapped": provider(rig).wrap(root, SECRET, PLACE).hex(),
        "place": PLACE,
        "secret": SECRET.hex(),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", getattr(rig, "first", "") + program],
        input=json.dumps(told),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, SECRET.hex()), done.stderr


def test_the_cloud_is_one_class_and_one_line_and_what_it_needs_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"REPRISE_ROOT": "cloud", "REPRISE_CLOUD_PLACE": "europe", "REPRISE_CLOUD_TOKEN": "t"}
    with pytest.raises(config.ConfigError, match="REPRISE_ROOT: must be one of"):
        config.load(given, root=True)
    (kind,) = LINE
    monkeypatch.setitem(roots.KINDS, kind, LINE[kind])
    with pytest.raises(config.ConfigError) as caught:
        config.load({"REPRISE_ROOT": "cloud"}, root=True)
    assert "REPRISE_CLOUD_PLACE" in str(caught.value)
    assert "REPRISE_CLOUD_TOKEN" in str(caught.value)
    with pytest.raises(config.ConfigError) as caught:
        config.load(given, root=True)
    assert "REPRISE_CLOUD" not in str(caught.value)
