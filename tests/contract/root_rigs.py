"""The worlds in which root keys live, each with a way to add one as its operator would."""

import base64
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from plugin_backend.core.seal import Choice, RootProvider, roots

PIN, OFFICER_PIN, TOKEN = "4711-pin", "0815-officer", "reprise tests"
_MODULES = ("/usr/lib*/softhsm", "/usr/lib*/*/softhsm", "/usr/local/lib/softhsm", "/opt/*/lib/softhsm")


class Rig(Protocol):
    """``settings`` are what a process is started with; ``secrets`` must never be read anywhere. ``looks_again`` is True
    where a provider finds a key that was added after it began."""

    kinds: tuple[str, ...]
    folder: Path
    looks_again: bool

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def secrets(self) -> list[str]: ...

    def add(self) -> str:
        """One more root key; its id."""


def provider(rig: Rig) -> RootProvider:
    """A new provider in this world, as a process that begins now makes it."""
    return roots.provider(Choice(rig.kinds, rig.settings), rig.folder)


@dataclass
class InFile:
    folder: Path
    kinds: tuple[str, ...] = ("file",)
    looks_again: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        return (self.folder / "root.key").read_text().split()

    def add(self) -> str:
        return provider(self).add()


@dataclass
class InEnvironment:
    folder: Path
    kinds: tuple[str, ...] = ("env",)
    looks_again: bool = False
    secrets: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Mapping[str, str]:
        return {"REPRISE_ROOT_KEY": " ".join(self.secrets)}

    def add(self) -> str:
        self.secrets.append(base64.b64encode(os.urandom(32)).decode())
        return provider(self).held()[-1]


class InSeveral:
    """On its way from the environment to a file: the first key is there, later ones are here."""

    kinds = ("env", "file")
    looks_again = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before, self._after = InEnvironment(folder), InFile(folder)

    @property
    def settings(self) -> Mapping[str, str]:
        return self._before.settings

    @property
    def secrets(self) -> list[str]:
        return [*self._before.secrets, *self._after.secrets]

    def add(self) -> str:
        if self._before.secrets:
            return provider(self).add()
        first = self._before.add()
        # What moves is in both places for a while.
        (self.folder / "root.key").write_text(self._before.secrets[0] + "\n")
        (self.folder / "root.key").chmod(0o600)
        return first


@dataclass
class InToken:
    folder: Path
    module: str
    label: str
    kinds: tuple[str, ...] = ("pkcs11",)
    looks_again: bool = True
    secrets: list[str] = field(default_factory=lambda: [PIN])

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "REPRISE_PKCS11_MODULE": self.module,
            "REPRISE_PKCS11_TOKEN": TOKEN,
            "REPRISE_PKCS11_PIN": PIN,
            "REPRISE_PKCS11_KEY": self.label,
        }

    def add(self) -> str:
        return provider(self).add()


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SoftHSM's module, with one token. The process that loads it reads once where the tokens are: hence one for all."""
    module = _module()
    if module is None:
        said = "no SoftHSM with python-pkcs11 on this machine: root keys in a token were NOT tried"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    (home / "softhsm2.conf").write_text(f"directories.tokendir = {home / 'tokens'}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(home / "softhsm2.conf"))
        pins = ["--pin", PIN, "--so-pin", OFFICER_PIN]
        made = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, *pins]
        subprocess.run(made, check=True, capture_output=True, timeout=30)
        yield module


def _module() -> str | None:
    if shutil.which("softhsm2-util") is None or importlib.util.find_spec("pkcs11") is None:
        return None
    found = [path for place in _MODULES for path in Path("/").glob(f"{place[1:]}/libsofthsm2.*")]
    return str(found[0]) if found else None
