"""What a process has in hand: its settings, its keys, its bells and its doors out."""

from dataclasses import dataclass
from functools import cached_property

from flask import current_app

from plugin_backend.core.config import Config
from plugin_backend.core.queue import Bells
from plugin_backend.core.seal import Keys
from plugin_backend.sdk.http import HttpClient


@dataclass
class House:
    """One per process. ``http(private=True)`` is for test shops, which may live on loopback."""

    config: Config
    keys: Keys
    bells: Bells

    @cached_property
    def _public(self) -> HttpClient:
        return HttpClient()

    @cached_property
    def _private(self) -> HttpClient:
        return HttpClient(allow_private=True)

    def http(self, *, private: bool) -> HttpClient:
        """The door out. Only what belongs to a test shop may lead to private addresses."""
        return self._private if private else self._public

    def url(self, path: str) -> str:
        """An address of ours that the outside can use."""
        return self.config.base_url.rstrip("/") + path


def house() -> House:
    """The house of the application we are in."""
    return current_app.extensions["reprise"]  # type: ignore[no-any-return]
