"""WooCommerce's REST API v3: how it is addressed, signed and listened to."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, Refused
from plugin_backend.sdk.http import Client, Request, Response, raise_for_status
from plugin_backend.sdk.signing import hmac_sha256

# How many brackets in a page of notices are tried as the beginning of the JSON.
_TRIES = 50
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Api:
    """One shop's API. ``base`` is the shop's address without a slash at its end."""

    http: Client
    base: str
    consumer_key: str
    consumer_secret: str

    def get(self, path: str, **query: str | int) -> Any:
        return self._send("GET", path, query).value

    def get_or_none(self, path: str) -> Any:
        """As ``get``; None where the shop has no such thing."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def get_all(self, path: str) -> list[Any]:
        """Every object of a list, over all its pages."""
        found: list[Any] = []
        for page in range(1, _MOST_PAGES + 1):
            objects, more = self.get_page(path, page=page)
            found += objects
            if not more:
                break
        return found

    def get_page(self, path: str, **query: str | int) -> tuple[list[Any], bool]:
        """One page of a list, and whether there are more."""
        answer = self._send("GET", path, {"per_page": 100, "page": 1, **query})
        page, pages = int(query.get("page", 1)), answer.headers.get("x-wp-totalpages", "")
        objects = answer.value if isinstance(answer.value, list) else []
        return objects, int(pages) > page if pages.isdecimal() else len(objects) >= 100

    def get_listed(self, path: str, **query: str | int) -> "Listed":
        """A part of a list, with what the shop says about the whole and the time."""
        answer = self._send("GET", path, query)
        total = answer.headers.get("x-wp-total", "")
        return Listed(
            answer.value if isinstance(answer.value, list) else [],
            _date(answer.headers.get("date", "")),
            int(total) if total.isascii() and total.isdecimal() and len(total) < 12 else None,
        )

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._object("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._object("PUT", path, body)

    def _object(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        value = self._send(method, path, {}, json.dumps(body).encode()).value
        if not isinstance(value, dict):
            raise NoAnswer(f"{method} {path}: the answer is not an object")
        return value

    def _send(self, method: str, path: str, query: Mapping[str, str | int], body: bytes = b"") -> "_Answer":
        url = f"{self.base}/wp-json/wc/v3/{path}"
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        if url.startswith("https://"):
            pair = f"{self.consumer_key}:{self.consumer_secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            query = {**query, **self._oauth(method, url, query)}
        asked = f"{url}?{urlencode(query, quote_via=quote)}" if query else url
        response = self.http.send(Request(method, asked, headers, body))
        what = f"{method} {path}"
        raise_for_status(response, what)
        return _Answer(json_of(response, what), response.headers)

    def _oauth(self, method: str, url: str, query: Mapping[str, str | int]) -> dict[str, str]:
        """OAuth 1.0a with one leg, in the query: WooCommerce takes no other key over plain http."""
        signed = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(clock.real_now().timestamp())),
        }
        pairs = sorted((_percent(name), _percent(str(value))) for name, value in {**query, **signed}.items())
        parameters = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join((method, _percent(url), _percent(parameters)))
        digest = hmac_sha256(f"{_percent(self.consumer_secret)}&".encode(), base.encode())
        return {**signed, "oauth_signature": base64.b64encode(digest).decode()}


@dataclass(frozen=True, slots=True)
class Listed:
    """``at`` is the shop's clock when it answered, ``total`` how many there are in all; None where it does not say."""

    objects: list[Any]
    at: datetime | None
    total: int | None


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    headers: Mapping[str, str]


def _date(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _percent(text: str) -> str:
    return quote(text, safe="~")


def json_of(response: Response, what: str) -> Any:
    """The JSON of an answer, also behind PHP's notices. ``NoAnswer`` where there is none: a page of a firewall or a
    broken plugin says nothing about what the shop did."""
    text = response.body.decode("utf-8", "replace").strip("\ufeff \t\r\n")
    decoder = json.JSONDecoder(parse_float=str)
    start = -1
    for _ in range(_TRIES):
        start = min((i for i in (text.find("{", start + 1), text.find("[", start + 1)) if i >= 0), default=-1)
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if not text[end:].strip():
            return value
    raise NoAnswer(f"{what}: the answer is not JSON")
