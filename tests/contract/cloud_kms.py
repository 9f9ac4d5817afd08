"""A key management service as a cloud has it, and all that it takes to keep root keys there: this class, and one line.

The service is a stand-in: a folder of keys that only it reads, asked as the services of the large clouds are asked, by
the key's name, with associated data, for ciphertexts of its own form.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from plugin_backend.core.seal import Place, RootProvider, SealError, roots
from plugin_backend.core.seal.roots import Kind, not_held

# The one line.
LINE = {"cloud": Kind(__name__, "CloudKms", ("REPRISE_CLOUD_PLACE", "REPRISE_CLOUD_TOKEN"))}


class Service:
    """What the cloud runs."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def create_key(self) -> str:
        name = f"root_{len(self.names()) + 1:026}"
        (self._place / name).write_bytes(os.urandom(32))
        return name

    def names(self) -> list[str]:
        return sorted(path.name for path in self._place.iterdir())

    def encrypt(self, name: str, plaintext: bytes, context: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCMSIV((self._place / name).read_bytes()).encrypt(nonce, plaintext, context)

    def decrypt(self, name: str, ciphertext: bytes, context: bytes) -> bytes:
        key = AESGCMSIV((self._place / name).read_bytes())
        return key.decrypt(ciphertext[:12], ciphertext[12:], context)


class CloudKms:
    """The whole of what would be written for it."""

    name = "cloud"

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._service = Service(Path(settings["REPRISE_CLOUD_PLACE"]))
        self.where = f"the key ring {settings['REPRISE_CLOUD_PLACE']}"

    def held(self) -> tuple[str, ...]:
        names = tuple(self._service.names())
        if not names:
            raise SealError("the key ring is empty")
        return names

    def add(self) -> str:
        return self._service.create_key()

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        return self._service.encrypt(self._known(root_id), secret, _context(place))

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        try:
            return bytearray(self._service.decrypt(self._known(root_id), wrapped, _context(place)))
        except (InvalidTag, ValueError):
            raise SealError(why="refused by the service") from None

    def _known(self, root_id: str) -> str:
        if root_id not in self._service.names():
            raise not_held(root_id)
        return root_id


def _context(place: Place) -> bytes:
    return json.dumps(place).encode()


@dataclass
class InCloud:
    """The rig. ``first`` is what a process does that has the line in its table."""

    folder: Path
    kinds: tuple[str, ...] = ("cloud",)
    looks_again: bool = True
    first: str = (
        f"from {__name__} import LINE; from plugin_backend.core.seal import roots; roots.KINDS |= LINE\n"
    )

    @classmethod
    def built(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> "InCloud":
        (folder / "ring").mkdir()
        for kind, line in LINE.items():
            monkeypatch.setitem(roots.KINDS, kind, line)
        return cls(folder)

    @property
    def settings(self) -> Mapping[str, str]:
        return {"REPRISE_CLOUD_PLACE": str(self.folder / "ring"), "REPRISE_CLOUD_TOKEN": "cloud-s3cret"}

    @property
    def secrets(self) -> list[str]:
        return ["cloud-s3cret"]

    def add(self) -> str:
        held: RootProvider = CloudKms(self.settings)
        return held.add()
