"""Root keys in a PKCS#11 token: a hardware module, or SoftHSM. They are made in it and never leave it.

What a root key does there is HMAC-SHA256, and what it wraps is a record like any other, under a key that is the MAC of
the place. Letting the token encrypt with AES-GCM would have been the obvious way, and was not taken:

- GCM commits to no key: a ciphertext can be made that opens under two root keys. A record refuses the second.
- Some modules choose GCM's nonce themselves and some want it given, and a random one may be used 2^32 times only for a
  key that lasts for years. A MAC needs none, and every module has it.
- A wrapped key has the same form and length with every provider, so that one audit and one test read all of them.

A wrapping key does come into this process, as the shop's key that it wraps does in the next moment: it opens what lies in
that one place and nothing else.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from plugin_backend.core import ids
from plugin_backend.core.seal import records
from plugin_backend.core.seal.records import Key, Place, SealError
from plugin_backend.core.seal.roots import named, not_held
from plugin_backend.sdk import clock

Found = TypeVar("Found")
_ID, _PLACE = b"reprise root v1 id", b"reprise root v1 place"
# Only who has signed in can use it, and nobody can take it out.
_KEPT_IN = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_PIN_REFUSED = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
# The library is initialised for one caller at a time. A fork waits for its turn too, so that no child is born with a
# call under way that it will never see the end of.
_turn = threading.Lock()
os.register_at_fork(before=_turn.acquire, after_in_parent=_turn.release, after_in_child=_turn.release)
_initialised_by: dict[str, int] = {}
_NOBODY = 0
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.0)  # seconds after each try


@dataclass(frozen=True, slots=True)
class _Open:
    """A session with the token, its keys by their ids, and the process that opened it, in no other of which it works."""

    pid: int
    session: Any
    keys: dict[str, Any]


class Token:
    """The keys of the token REPRISE_PKCS11_TOKEN whose label is REPRISE_PKCS11_KEY, or begins with it and a hyphen; the
    oldest is the first by its label. They are generic secrets of 32 bytes that sign, and that nobody can take out."""

    name = "pkcs11"

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._module = settings["REPRISE_PKCS11_MODULE"]
        self._token = settings["REPRISE_PKCS11_TOKEN"]
        self._pin = settings["REPRISE_PKCS11_PIN"]
        self._label = settings["REPRISE_PKCS11_KEY"]
        self._open: _Open | None = None

    @property
    def where(self) -> str:
        return f"the token {self._token} (keys {self._label})"

    def held(self) -> tuple[str, ...]:
        with _turn:
            return tuple(self._working(self._look_again))

    def add(self) -> str:
        with _turn:
            return self._working(self._generate)

    def wrap(self, root_id: str, secret: bytes, place: Place) -> bytes:
        return records.seal(self._key(root_id, place), place, secret)

    def unwrap(self, root_id: str, wrapped: bytes, place: Place) -> bytearray:
        return records.open_with(self._key(root_id, place), place, wrapped)

    def _key(self, root_id: str, place: Place) -> Key:
        with _turn:
            secret = self._working(lambda opened: self._derive(opened, root_id, place))
        return Key(ids.raw(root_id), 1, secret)

    def _derive(self, opened: _Open, root_id: str, place: Place) -> bytes:
        key = opened.keys.get(root_id) or self._look_again(opened).get(root_id)
        if key is None:
            raise not_held(root_id)
        return _mac(key, _PLACE + records.context_of(place))

    def _working(self, work: Callable[[_Open], Found]) -> Found:
        """What ``work`` finds. It is done again, everything being opened anew, where the token has let go of our session,
        or was looked at in the moment in which another process signed in: SoftHSM takes it for damaged then."""
        for pause in _PAUSES:
            try:
                return work(self._session())
            except pkcs11.PKCS11Error as error:
                self._open, refused = None, error
                _initialised_by[self._module] = _NOBODY
            time.sleep(pause)
        raise SealError(self._said(refused), why="token")

    def _session(self) -> _Open:
        if self._open is None or self._open.pid != os.getpid():
            self._open = None
            token = _library(self._module).get_token(token_label=self._token)
            try:
                session = token.open(user_pin=self._pin)
            except pkcs11.UserAlreadyLoggedIn:
                # A process signs in once for all of its sessions.
                session = token.open()
            except _PIN_REFUSED:
                raise SealError(f"the token {self._token} refuses REPRISE_PKCS11_PIN") from None
            self._open = _Open(os.getpid(), session, {})
        return self._open

    def _said(self, error: Exception) -> str:
        if isinstance(error, pkcs11.NoSuchToken):
            return f"there is no token {self._token}: see REPRISE_PKCS11_TOKEN"
        return f"the token {self._token} does not do it: {type(error).__name__}"

    def _look_again(self, opened: _Open) -> dict[str, Any]:
        """The keys that are there now."""
        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.GENERIC_SECRET}
        ours = [key for key in opened.session.get_objects(wanted) if self._is_ours(key.label)]
        if not ours:
            raise SealError(f"the token {self._token} has no key {self._label}: see REPRISE_PKCS11_KEY")
        for key in ours:
            if any(key[attribute] is not kept for attribute, kept in _KEPT_IN.items()):
                said = "must be private, sensitive and not extractable"
                raise SealError(f"the key {key.label} of the token {self._token} {said}")
        ours.sort(key=lambda key: key.label)
        opened.keys.clear()
        opened.keys.update((_id(key), key) for key in ours)
        return opened.keys

    def _is_ours(self, label: str) -> bool:
        return label == self._label or label.startswith(f"{self._label}-")

    def _generate(self, opened: _Open) -> str:
        """It is called by the moment, so that the newest is the last by its label."""
        moment = clock.real_now().strftime("%Y%m%dT%H%M%S.%f")
        writing = opened.session.token.open(rw=True)
        made = writing.generate_key(
            KeyType.GENERIC_SECRET,
            256,
            label=f"{self._label}-{moment}",
            store=True,
            capabilities=MechanismFlag.SIGN,
            template=_KEPT_IN,
        )
        return _id(made)


def _library(module: str) -> Any:
    """The library, initialised by this very process: what a parent did counts for nothing."""
    try:
        library = pkcs11.lib(module)
        # One that was just loaded is initialised.
        if _initialised_by.setdefault(module, os.getpid()) != os.getpid():
            with suppress(pkcs11.PKCS11Error):
                library.finalize()
            library = pkcs11.lib(module)
            _initialised_by[module] = os.getpid()
    except pkcs11.PKCS11Error as error:
        # What the library itself refuses has a class of its own.
        if type(error) is not pkcs11.PKCS11Error:
            raise
        said = f"{module} is no PKCS#11 library that can be loaded: see REPRISE_PKCS11_MODULE"
        raise SealError(said) from None
    return library


def _mac(key: Any, said: bytes) -> bytes:
    return bytes(key.sign(said, mechanism=Mechanism.SHA256_HMAC))


def _id(key: Any) -> str:
    """An id that only this key has: another token with the same labels is known for another."""
    return named(_mac(key, _ID)[:16])
