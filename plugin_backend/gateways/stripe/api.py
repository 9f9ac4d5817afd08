"""Stripe's API, spoken by its official library through the house's one door.

The library writes the request (its parameters are typed, so that a wrong name is a type error) and retries nothing; what
is answered is read by our own schemas, from the bytes.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import stripe

from plugin_backend.sdk.errors import NotSent, Unreadable
from plugin_backend.sdk.http import Client, Request, Response
from plugin_backend.sdk.payload import read_object

# The last family of versions that lets us name the kind of payment method. From 2026-09-30.endive on that is refused, and
# what the account's dashboard has switched on decides; the library's types are of that version already.
VERSION = "2026-03-25.dahlia"
ADDRESS = "https://api.stripe.com"
_TIMEOUT_SECONDS = 20.0
# Whatever else the library would tell of this machine (its platform, an id kept in a file) is nobody's business.
_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "Stripe-Version", "User-Agent")

stripe.enable_telemetry = False
# Its debug messages have whole requests in them, tokens and all.
logging.getLogger("stripe").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Stripe answered: ``body`` is {} where it was no JSON object. ``replayed`` True where it is what was answered to
    the first request with this key, however long ago that was."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    replayed: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, Any]:
        """What the answer says went wrong; {} where it says nothing."""
        error = self.body.get("error")
        return error if isinstance(error, dict) else {}

    def says(self, name: str) -> str:
        """A word of the error (``type``, ``code``, ``param``), "" where there is none."""
        value = self.error.get(name)
        return value if isinstance(value, str) else ""


class Api:
    """One account. ``key`` is shown by nothing here."""

    def __init__(self, key: str, address: str, http: Client) -> None:
        self._key, self._address, self._http = key, address.rstrip("/") or ADDRESS, http

    def ask(
        self,
        call: Callable[[stripe.StripeClient], stripe.StripeObject],
        *,
        not_after: float | None = None,
    ) -> Answer:
        """Make one call, whatever it is answered. Raises ``NotSent`` and ``NoAnswer`` and nothing else."""
        door = _Door(self._http, not_after)
        client = stripe.StripeClient(
            self._key,
            http_client=door,
            base_addresses={"api": self._address},
            stripe_version=VERSION,
            max_network_retries=0,
        )
        # A refusal is an answer like any other.
        with contextlib.suppress(stripe.StripeError):
            call(client)
        if door.answer is None:
            raise NotSent("the request could not be written")
        return door.answer


class _Door(stripe.HTTPClient):
    """The library's way to the network. Our own errors pass through it: it only knows its own."""

    name = "reprise"

    def __init__(self, http: Client, not_after: float | None) -> None:
        super().__init__()
        self._http, self._not_after = http, not_after
        self.answer: Answer | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        sent = {name: value for name, value in (headers or {}).items() if name in _HEADERS}
        asked = Request(method.upper(), url, sent, (post_data or "").encode(), self._not_after)
        came = self._http.send(asked, timeout=_TIMEOUT_SECONDS)
        self.answer = _read(came)
        # The library trips over an error that is no object; of what we could not read it gets nothing.
        return (came.body.decode() if self.answer.body else "{}"), came.status, {}

    def close(self) -> None:
        """Nothing is held open here."""


def _read(came: Response) -> Answer:
    try:
        body = read_object(came.body)
        came.body.decode()
    except (Unreadable, UnicodeDecodeError):
        body = {}
    if not isinstance(body.get("error", {}), dict):
        body = {}
    return Answer(came.status, body, came.headers.get("idempotent-replayed") == "true")
