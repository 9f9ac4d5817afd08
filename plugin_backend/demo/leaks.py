"""Looking for what must lie nowhere open: in each row, each key of Redis, each log, each command line."""

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from psycopg.sql import SQL, Identifier
from redis import Redis

from plugin_backend.launcher.backup.database import connected
from plugin_backend.launcher.backup.measuring import tables

Piece = tuple[str, bytes]
"""Something that was found lying there, and where."""


def found(secrets: Mapping[str, bytes], pieces: Iterable[Piece]) -> list[str]:
    """Which of the secrets lie where, in any of their spellings; each is named and none repeated."""
    spelled = {name: _spellings(secret) for name, secret in secrets.items()}
    return sorted(
        {
            f"{name} in {where}"
            for where, piece in pieces
            for name, spellings in spelled.items()
            if any(spelling in piece for spelling in spellings)
        }
    )


def _spellings(secret: bytes) -> set[bytes]:
    """As it is, and as databases and programs write bytes."""
    encoded = base64.b64encode(secret)
    # A tail of one or two bytes is spelled otherwise where more follows.
    whole = encoded[: len(secret) // 3 * 4]
    return {secret, secret.hex().encode(), whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}


def in_database(conninfo: str) -> Iterator[Piece]:
    """Every row of every table as PostgreSQL writes it, bytes in hex. ``conninfo`` is that of somebody whom row-level
    security does not bind."""
    with connected(conninfo) as connection:
        for table in tables(connection):
            for (row,) in connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(table))):
                yield f"the table {table}", str(row).encode()


def in_redis(url: str) -> Iterator[Piece]:
    """Every key with what it holds, also where RQ has packed it."""
    with Redis.from_url(url) as redis:
        connection: Any = redis
        for key in connection.scan_iter():
            yield "a key of Redis", key
            for value in _values(connection, key):
                yield f"{key.decode(errors='replace')} of Redis", value
                yield f"{key.decode(errors='replace')} of Redis", _unpacked(value)


def _values(redis: Any, key: bytes) -> list[bytes]:
    match redis.type(key):
        case b"string":
            return [redis.get(key)]
        case b"list":
            return list(redis.lrange(key, 0, -1))
        case b"set":
            return list(redis.smembers(key))
        case b"zset":
            return list(redis.zrange(key, 0, -1))
        case b"hash":
            return _flat(redis.hgetall(key))
        case b"stream":
            return [value for _, fields in redis.xrange(key) for value in _flat(fields)]
        case kind:
            raise LookupError(f"a {kind!r} is not looked into")


def _flat(fields: Mapping[bytes, bytes]) -> list[bytes]:
    return [*fields.keys(), *fields.values()]


def _unpacked(value: bytes) -> bytes:
    for unpack in (zlib.decompress, lambda packed: zlib.decompress(base64.b64decode(packed))):
        try:
            return unpack(value)
        except (zlib.error, binascii.Error, ValueError):
            continue
    return b""


def in_files(paths: Iterable[Path]) -> Iterator[Piece]:
    for path in paths:
        yield str(path.name), path.read_bytes()


def in_processes() -> Iterator[Piece]:
    """The command line of every process that we may look at."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield f"the command line of process {entry.parent.name}", entry.read_bytes()
        except OSError:
            # It has ended meanwhile.
            continue
