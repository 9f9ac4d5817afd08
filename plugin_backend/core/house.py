"""What a process has in hand: its settings, its keys, its bells and its doors out."""

import os
import platform
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from flask import current_app

from plugin_backend.core import delays
from plugin_backend.core.config import Config
from plugin_backend.core.queue import Bells
from plugin_backend.core.seal import Keys, Ring
from plugin_backend.sdk.http import HttpClient


@dataclass
class House:
    """One per process; ``part`` is what that is, such as web or worker. ``http(private=True)`` is for test shops, which may live on loopback."""

    config: Config
    keys: Keys
    bells: Bells
    part: str
    ring: Ring = field(default_factory=Ring)
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def _public(self) -> HttpClient:
        return self._closed_at_the_end(HttpClient(timeout=_outside()))

    @cached_property
    def _private(self) -> HttpClient:
        return self._closed_at_the_end(HttpClient(allow_private=True, timeout=_outside()))

    def _closed_at_the_end(self, client: HttpClient) -> HttpClient:
        self.closing.callback(client.close)
        return client

    @property
    def process(self) -> str:
        """Who we are, among all processes of the installation."""
        return f"{self.part} {os.getpid()}@{platform.node()}"

    def close(self) -> None:
        """Give back what the process holds open: before its end, or in a test that had several houses."""
        self.closing.close()
        self.bells.close()

    def http(self, *, private: bool) -> HttpClient:
        """The door out. Only what belongs to a test shop may lead to private addresses."""
        return self._private if private else self._public

    def url(self, path: str) -> str:
        """An address of ours that the outside can use."""
        return self.config.base_url.rstrip("/") + path


def _outside() -> float:
    return delays.DELAYS.outside.total_seconds()


def house() -> House:
    """The house of the application we are in."""
    return current_app.extensions["reprise"]  # type: ignore[no-any-return]
