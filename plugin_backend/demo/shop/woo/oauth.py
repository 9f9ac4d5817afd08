"""How the REST API knows its client over plain http: one-legged OAuth 1.0a, signed against the shop's own address.

Basic is for https only, where this shop never is; sent over http it counts as nothing.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, unquote

from plugin_backend.demo.shop.basket import now

_WINDOW_SECONDS = 15 * 60
_HASHES: dict[str, Callable[..., Any]] = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
_REQUIRED = (
    "oauth_consumer_key",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
)
Pairs = Sequence[tuple[str, str]]


class Unauthorized(Exception):
    """The request is refused with 401; the message is the platform's."""


def parameters(query: Pairs, authorization: str) -> list[tuple[str, str]]:
    """The query's parameters and those of an ``Authorization: OAuth`` header, decoded."""
    found = list(query)
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "oauth":
        return found
    for item in rest.split(","):
        name, _, value = item.strip().partition("=")
        if name.startswith("oauth_"):
            found.append((name, unquote(value.strip('"'))))
    return found


def signature(method: str, url: str, pairs: Pairs, secret: str, algorithm: str) -> str:
    """RFC 5849, 3.4: no token, hence the key ends with an ampersand."""
    encoded = sorted((_enc(name), _enc(value)) for name, value in pairs if name != "oauth_signature")
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    base = "&".join((method.upper(), _enc(url), _enc(joined)))
    digest = hmac.new(f"{_enc(secret)}&".encode(), base.encode(), _HASHES[algorithm]).digest()
    return base64.b64encode(digest).decode()


def _enc(text: str) -> str:
    return quote(text, safe="-._~")


class Doorkeeper:
    """Remembers the nonces of the last fifteen minutes, so that a request counts once."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def check(self, method: str, url: str, pairs: Pairs, key: str, secret: str) -> None:
        """``Unauthorized`` unless the holder of the key's secret signed this very request just now."""
        given = dict(pairs)
        missing = [name for name in _REQUIRED if name not in given]
        if missing:
            raise Unauthorized(f"Missing OAuth parameter {', '.join(missing)}")
        if not key or given["oauth_consumer_key"] != key:
            raise Unauthorized("Consumer key is invalid.")
        algorithm = given["oauth_signature_method"]
        if algorithm not in _HASHES:
            raise Unauthorized("Invalid signature - signature method is invalid.")
        expected = signature(method, url, pairs, secret, algorithm)
        if not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
            raise Unauthorized("Invalid signature - provided signature does not match.")
        self._check_fresh(given["oauth_timestamp"], given["oauth_nonce"])

    def _check_fresh(self, stamp: str, nonce: str) -> None:
        at = now()
        if not stamp.isdecimal() or abs(at - int(stamp)) > _WINDOW_SECONDS:
            raise Unauthorized("Invalid timestamp.")
        while self._seen and next(iter(self._seen.values())) < at - _WINDOW_SECONDS:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            raise Unauthorized("Invalid nonce - nonce has already been used.")
        self._seen[nonce] = at
