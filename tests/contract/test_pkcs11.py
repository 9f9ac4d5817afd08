"""A real PKCS#11 library with a real token, where something is wrong with it: one line each, and nothing to guess from."""

import importlib
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from plugin_backend.core.seal import Choice, Place, SealError, roots
from tests.contract.root_rigs import PIN, TOKEN, InToken, provider

PLACE = Place("shop_1", "", "key_1", "shop key")


@pytest.fixture
def rig(tmp_path: Path, softhsm: str) -> InToken:
    made = InToken(tmp_path, softhsm, f"root {uuid.uuid4().hex}")
    made.add()
    return made


@pytest.fixture
def token(softhsm: str) -> Any:
    """The same token as the library shows it to anybody who has signed in."""
    return importlib.import_module("pkcs11").lib(softhsm).get_token(token_label=TOKEN)


def refused(rig: InToken, **changes: str) -> str:
    """What a process of its own says that is given these settings."""
    settings = {**rig.settings, **{f"REPRISE_PKCS11_{name}": value for name, value in changes.items()}}
    program = (
        "import pathlib, sys\nfrom plugin_backend.core.seal import Choice, SealError, roots\n"
        f"held = roots.provider(Choice(('pkcs11',), {settings!r}), pathlib.Path('.'))\n"
        "try: print(held.held())\nexcept SealError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.count("\n") == 1, done.stderr
    assert PIN not in done.stdout
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MODULE", "/nowhere.so", "/nowhere.so is no PKCS#11 library that can be loaded"),
        ("MODULE", sys.executable, f"{sys.executable} is no PKCS#11 library that can be loaded"),
        ("TOKEN", "another", "there is no token another"),
        ("PIN", "4712-pin", f"the token {TOKEN} refuses REPRISE_PKCS11_PIN"),
        ("PIN", "4", f"the token {TOKEN} refuses REPRISE_PKCS11_PIN"),
        ("KEY", "nobody's", f"the token {TOKEN} has no key nobody's"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(rig: InToken, name: str, value: str, said: str) -> None:
    assert refused(rig, **{name: value}).startswith(said)


def test_a_label_that_only_begins_alike_is_another_key(rig: InToken) -> None:
    assert "has no key" in refused(rig, KEY=rig.label[:-1])


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "plugin_backend.core.seal.pkcs11", raising=False)
    with pytest.raises(SealError) as caught:
        roots.provider(Choice(("pkcs11",)), tmp_path)
    assert str(caught.value).endswith("is not installed: pip install 'reprise[pkcs11]'")


def test_a_key_that_is_made_here_cannot_be_taken_out(rig: InToken, token: Any) -> None:
    provider(rig).held()
    pkcs11 = importlib.import_module("pkcs11")
    session = token.open()
    (key,) = [key for key in session.get_objects() if key.label.startswith(rig.label)]
    assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
    assert key[pkcs11.Attribute.ALWAYS_SENSITIVE]
    with pytest.raises(pkcs11.AttributeSensitive):
        key[pkcs11.Attribute.VALUE]


@pytest.mark.parametrize("weakness", [{"EXTRACTABLE": True}, {"SENSITIVE": False}, {"PRIVATE": False}])
def test_a_key_that_others_could_use_or_take_is_refused(
    rig: InToken, token: Any, weakness: dict[str, bool]
) -> None:
    pkcs11 = importlib.import_module("pkcs11")
    held = provider(rig)
    held.held()
    made = token.open(rw=True).generate_key(
        pkcs11.KeyType.GENERIC_SECRET,
        256,
        label=f"{rig.label}-weak",
        store=True,
        capabilities=pkcs11.MechanismFlag.SIGN,
        template={pkcs11.Attribute.PRIVATE: True}
        | {pkcs11.Attribute[name]: value for name, value in weakness.items()},
    )
    try:
        with pytest.raises(
            SealError, match=r"-weak of the token .* must be private, sensitive and not extractable"
        ):
            held.held()
    finally:
        made.destroy()


def test_a_session_that_the_token_let_go_of_is_opened_again(rig: InToken, softhsm: str) -> None:
    held = provider(rig)
    (root,) = held.held()
    wrapped = held.wrap(root, b"s" * 32, PLACE)
    importlib.import_module("pkcs11").lib(softhsm).reinitialize()
    assert held.unwrap(root, wrapped, PLACE) == b"s" * 32


def test_other_keys_have_other_ids_and_are_not_seen(rig: InToken) -> None:
    first = provider(rig).held()
    other = InToken(rig.folder, rig.module, f"{rig.label} other")
    other.add()
    assert not set(first) & set(provider(other).held())
    assert provider(rig).held() == first
