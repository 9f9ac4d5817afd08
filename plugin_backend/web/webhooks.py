"""The webhook door: verify the raw bytes, keep them once, answer.

It stands in front of the Flask application, as plain WSGI: what a webhook needs is one look-up that is nearly always
remembered, one HMAC and one INSERT, and a framework's request set-up would cost more than all three. Nothing is parsed.
"""

import hashlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from flask import Flask
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.db import APP_ROLE, DatabaseError, connect_args, transaction
from plugin_backend.core.house import House
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import Keys, SealError
from plugin_backend.domain import inbox, merchants, vault
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.http import Delivery

log = structlog.get_logger(__name__)

LARGEST = 5 * 1024 * 1024
_REMEMBER = 30.0
_MOST_REMEMBERED = 10_000
# The server puts its own environment into each request's, where HTTP_PROXY, say, would pass for a header and be kept.
_NOT_SENT = frozenset(name for name in os.environ if name.startswith("HTTP_"))
_KEEP = b"keep"
_PATH = re.compile(r"/hooks/([a-z2-7]{32})")

Start = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who stands behind a path: a connection or a gateway account, and the adapter that judges its deliveries. ``slot``
    is where a gateway's are dropped."""

    shop_id: str
    row_id: str
    adapter: Any
    slot: vault.Slot | None
    until: float


class HookDoor:
    """WSGI in front of WSGI: takes ``/hooks/...`` and passes everything else on."""

    def __init__(self, app: Flask, behind: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._behind = behind
        self._house: House = app.extensions["reprise"]
        self._entrances: dict[str, Entrance] = {}
        self._said: dict[str, float] = {}
        self._keeper = Keeper(self._house)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/hooks/"):
            return self._behind(environ, start)
        status, problem = self._answer(environ, path)
        return _respond(start, status, problem)

    def _answer(self, environ: dict[str, Any], path: str) -> tuple[str, str]:
        if environ.get("REQUEST_METHOD") != "POST":
            return "405 Method Not Allowed", "webhooks are sent by POST"
        body = _body(environ)
        if body is None:
            return "413 Content Too Large", f"a delivery has at most {LARGEST} bytes"
        delivery = Delivery(_headers(environ), body, clock.real_now(), query=environ.get("QUERY_STRING", ""))
        try:
            entrance = self._entrance(path)
            return self._judge(delivery, entrance)
        except (psycopg.Error, DatabaseError, SealError) as error:
            # The one case in which a delivery is not kept, or could not be kept as it should: the sender is told to
            # come again.
            log.error("delivery_not_kept", error=type(error).__name__)
            return "503 Service Unavailable", "please send it again"

    def _judge(self, delivery: Delivery, entrance: Entrance | None) -> tuple[str, str]:
        """One path for an unknown shop and for a bad signature: the same work, the same answer."""
        try:
            (entrance.adapter if entrance else _Nobody).verify(delivery)
        except BadSignature as error:
            if _is_ping(delivery):
                return "200 OK", ""
            if entrance is not None and entrance.slot is not None:
                self._misdirected(entrance, error)
            return "401 Unauthorized", "no such path, or not signed by its shop"
        if entrance is None:
            return "401 Unauthorized", "no such path, or not signed by its shop"
        self._keeper.keep(entrance, delivery)
        self._house.bells.ring_soon("read", entrance.shop_id)
        return "200 OK", ""

    def _misdirected(self, entrance: Entrance, error: BadSignature) -> None:
        """Have the account's page say that somebody else calls here. Not more often than paths are looked up, so that whoever
        knows one cannot keep the database busy by it."""
        if self._said.get(entrance.row_id, 0.0) < time.monotonic():
            self._said[entrance.row_id] = time.monotonic() + _REMEMBER
            with self._app.app_context(), transaction(entrance.shop_id) as session:
                merchants.misdirected(session, entrance.shop_id, entrance.row_id, str(error))

    def _entrance(self, path: str) -> Entrance | None:
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        secret = match[1]
        known = self._entrances.get(secret)
        if known is not None and known.until > time.monotonic():
            return known
        if len(self._entrances) >= _MOST_REMEMBERED:
            self._entrances.clear()
        found = self._look_up(secret)
        if found is not None:
            self._entrances[secret] = found
        return found

    def _look_up(self, secret: str) -> Entrance | None:
        with self._app.app_context():
            with transaction(None) as session:
                door = merchants.knock(session, "hook", secret)
            if door is None:
                return None
            with transaction(door.shop_id) as session:
                return _entrance_of(session, door)


def _entrance_of(session: Session, door: merchants.Door) -> Entrance | None:
    source = merchants.source(session, door.shop_id, door.row_id)
    if source is None:
        return None
    slot = vault.slot(session, door.shop_id) if isinstance(source, merchants.GatewayAccount) else None
    return Entrance(door.shop_id, door.row_id, merchants.door_of(source), slot, time.monotonic() + _REMEMBER)


class Keeper:
    """Keeps deliveries: one prepared statement and one commit for each, sent by libpq's blocking call. psycopg's own
    ``execute`` waits in Python, and with many threads at it costs three times as much.

    There are as many connections as there were ever requests at once, which the server's threads bound. They belong to
    no thread, since the server ends idle ones."""

    def __init__(self, house: House) -> None:
        self._url, self._keys = house.config.database_url, house.keys
        self._idle: deque[psycopg.Connection[Any]] = deque()
        house.closing.callback(self._close)

    def keep(self, entrance: Entrance, delivery: Delivery) -> None:
        """Returns when the delivery is on disk, whether it was new or known. Tried once more on a fresh connection,
        since one that idled may be dead."""
        row = _row(self._keys, entrance, inbox.to_keep(delivery))
        idle = self._last_used()
        try:
            self._insert(idle or self._connect(), row)
        except psycopg.OperationalError:
            if idle is None:
                raise
            self._insert(self._connect(), row)

    def _insert(self, connection: "psycopg.Connection[Any]", row: list[bytes | None]) -> None:
        # The annotation of psycopg's forgets that None is NULL.
        result = connection.pgconn.exec_prepared(_KEEP, row, inbox.KEEP_FORMATS)  # type: ignore[arg-type]
        if result.status == ExecStatus.COMMAND_OK:
            self._idle.append(connection)
            return
        lost = connection.closed
        connection.close()
        raise psycopg.OperationalError("the connection was lost") if lost else error_from_result(result)

    def _last_used(self) -> "psycopg.Connection[Any] | None":
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> "psycopg.Connection[Any]":
        arguments: dict[str, Any] = dict(connect_args(APP_ROLE))
        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=3, **arguments)
        prepared = connection.pgconn.prepare(_KEEP, inbox.KEEP)
        if prepared.status != ExecStatus.COMMAND_OK:
            connection.close()
            raise error_from_result(prepared)
        return connection

    def _close(self) -> None:
        while (connection := self._last_used()) is not None:
            connection.close()


def _row(keys: Keys, entrance: Entrance, delivery: Delivery) -> list[bytes | None]:
    """What ``inbox.KEEP`` wants, in its order."""
    shop_id, source, row_id = entrance.shop_id, entrance.row_id, new_id(DeliveryRow.prefix)
    identity = entrance.adapter.identify(delivery)
    if entrance.slot is None:
        kept = inbox.kept_form(delivery)
    else:
        kept = inbox.dropped_form(delivery, entrance.slot, inbox.place_of(shop_id, source, row_id))
        # A hash of what is hidden would tell it to who can guess it.
        identity = keys.link("delivery", shop_id, source, identity)
    return [
        shop_id.encode(),
        row_id.encode(),
        delivery.received_at.isoformat().encode(),
        source.encode(),
        _text(identity, inbox.LONGEST_IDENTITY),
        kept.headers.encode(),
        _text(kept.query, 2000),
        kept.body,
        kept.dropped,
        kept.sha256.encode(),
    ]


def _text(value: str, longest: int) -> bytes:
    """What a text column takes: no NUL, and no half of a character's pair, which JSON may hold."""
    return value.replace("\0", "")[:longest].encode("utf-8", "replace")


class _Nobody:
    """Judges deliveries for paths that lead nowhere: always no, after the same work as anybody else's."""

    @staticmethod
    def verify(delivery: Delivery) -> None:
        hashlib.sha256(delivery.body).digest()
        raise BadSignature("no such path")


def _is_ping(delivery: Delivery) -> bool:
    """Is it a platform's unsigned hello? It is answered alike on every path, so that it tells nothing."""
    return len(delivery.body) <= 1024 and any(
        platform.is_ping(delivery) for platform in registry.connectors().values()
    )


def _body(environ: dict[str, Any]) -> bytes | None:
    """The raw body, or None where it is, or says it is, larger than we take; then it is not read."""
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared.isdecimal():
        if int(declared) > LARGEST:
            return None
        return bytes(environ["wsgi.input"].read(int(declared)))
    body = bytes(environ["wsgi.input"].read(LARGEST + 1))
    return None if len(body) > LARGEST else body


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name not in _NOT_SENT
    }
    headers["content-type"] = environ.get("CONTENT_TYPE") or ""
    return headers


def _respond(start: Start, status: str, problem: str) -> list[bytes]:
    if not problem:
        start(status, [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]
    number, _, title = status.partition(" ")
    said = {"type": "about:blank", "title": title, "status": int(number), "detail": problem}
    body = json.dumps(said).encode()
    more = [("Allow", "POST")] if number == "405" else [("Retry-After", "5")] if number == "503" else []
    start(status, [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body))), *more])
    return [body]
