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
from plugin_backend.sdk.errors import NoAnswer, Refused, RepriseError
from plugin_backend.sdk.http import Client, Request, Response, raise_for_status
from plugin_backend.sdk.payload import text_of
from plugin_backend.sdk.signing import hmac_sha256

# How many brackets in a page of notices are tried as the beginning of the JSON.
_TRIES = 50
_MOST_PAGES = 50


@dataclass(slots=True)
class Api:
    """One shop's API. ``base`` is the shop's address without a slash at its end.

    How a shop wants to be asked is learned by asking: most take the key in a header and have the API in a path. Where a host
    strips that header the key goes into the query; over plain http requests are signed, against the address that the shop
    itself goes by; and where permalinks are plain the route is named in the query.
    """

    http: Client
    base: str
    consumer_key: str
    consumer_secret: str
    plain: bool = False
    keys_in_query: bool = False
    home: str = ""

    def get(self, path: str, **query: str | int) -> Any:
        return self._send("GET", path, query).value

    def get_or_none(self, path: str) -> Any:
        """As ``get``; None where the shop has no such thing. That WooCommerce itself must have said: a shop whose API is gone
        answers 404 as well."""
        try:
            return self.get(path)
        except Missing:
            return None

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

    def delete(self, path: str, **query: str | int) -> None:
        self._send("DELETE", path, query)

    def _object(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        value = self._send(method, path, {}, json.dumps(body).encode()).value
        if not isinstance(value, dict):
            raise NoAnswer(f"{method} {path}: the answer is not an object")
        return value

    def _send(self, method: str, path: str, query: Mapping[str, str | int], body: bytes = b"") -> "_Answer":
        response = self._once(method, path, query, body)
        while self._learned(method, response):
            response = self._once(method, path, query, body)
        what = f"{method} {path}"
        if response.status == 404:
            raise _not_found(response, what)
        raise_for_status(response, what)
        return _Answer(json_of(response, what), response.headers)

    def _once(self, method: str, path: str, query: Mapping[str, str | int], body: bytes) -> Response:
        url, route = address_of(self.base, f"wc/v3/{path}", plain=self.plain)
        asked: dict[str, str | int] = {**route, **query}
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        if not url.startswith("https://"):
            asked |= self._oauth(method, url, asked)
        elif self.keys_in_query:
            asked |= {"consumer_key": self.consumer_key, "consumer_secret": self.consumer_secret}
        else:
            pair = f"{self.consumer_key}:{self.consumer_secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return self.http.send(Request(method, with_query(url, asked), headers, body))

    def _learned(self, method: str, response: Response) -> bool:
        """Whether the answer taught another way to ask, and the same may be asked again: nothing was done. Each way is tried
        once."""
        if response.status == 401 and self.base.startswith("https://") and not self.keys_in_query:
            self.keys_in_query = True
            return True
        if response.status == 401 and not self.base.startswith("https://") and not self.home:
            self.home = _home_of(self.http, self.base)
            return self.home != self.base
        if method == "GET" and not self.plain and is_no_api(response):
            self.plain = True
            return True
        return False

    def _oauth(self, method: str, url: str, query: Mapping[str, str | int]) -> dict[str, str]:
        """OAuth 1.0a with one leg, in the query: WooCommerce takes no other key over plain http. The shop signs for the
        address that it is configured with, which may be another than the one it is asked at."""
        signed = {
            "oauth_consumer_key": self.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(clock.real_now().timestamp())),
        }
        pairs = sorted((_percent(name), _percent(str(value))) for name, value in {**query, **signed}.items())
        parameters = "&".join(f"{name}={value}" for name, value in pairs)
        known_as = f"{self.home or self.base}{url.removeprefix(self.base)}"
        base = "&".join((method, _percent(known_as), _percent(parameters)))
        digest = hmac_sha256(f"{_percent(self.consumer_secret)}&".encode(), base.encode())
        return {**signed, "oauth_signature": base64.b64encode(digest).decode()}


class Missing(Refused):
    """WooCommerce says that it has no such thing."""


def _not_found(response: Response, what: str) -> Refused:
    """``NoAnswer`` where it was not the API that said so: a page of a firewall says nothing about the shop."""
    value = json_of(response, what)
    code = text_of(value.get("code")) if isinstance(value, dict) else ""
    kind = Missing if "invalid" in code and code.endswith("_id") else Refused
    return kind(f"{what}: refused with 404", status=404)


def address_of(base: str, route: str, *, plain: bool) -> tuple[str, dict[str, str]]:
    """The address of a route of WordPress' API and what its query begins with. A shop with plain permalinks has no such
    path; WordPress then names the route in the query, and WooCommerce looked at keys, before 11.1, only where the path's
    words stood somewhere in the address."""
    if plain:
        return f"{base}/index.php", {"rest_route": f"/{route}", "reprise": "wp-json/wc/"}
    return f"{base}/wp-json/{route}", {}


def with_query(url: str, query: Mapping[str, str | int]) -> str:
    return f"{url}?{urlencode(query, safe='/', quote_via=quote)}" if query else url


def is_no_api(response: Response) -> bool:
    """Whether this is what a shop shows at an address that it does not know: a page, found or not."""
    if response.status not in (200, 404):
        return False
    try:
        json_of(response, "")
    except NoAnswer:
        return True
    return False


def index_of(http: Client, base: str) -> dict[str, Any]:
    """What the shop's WordPress says about itself to everybody. One of ``sdk.errors`` where it does not."""
    response = _index(http, base, plain=False)
    if is_no_api(response):
        response = _index(http, base, plain=True)
    value = json_of(raise_for_status(response, "index"), "index")
    if not isinstance(value, dict):
        raise NoAnswer("index: the answer is not an object")
    return value


def _index(http: Client, base: str, *, plain: bool) -> Response:
    url, query = address_of(base, "", plain=plain)
    return http.send(Request("GET", with_query(url, query)), timeout=10)


def _home_of(http: Client, base: str) -> str:
    """The address that the shop is configured with, as it signs for it over plain http; ``base`` where it does not say."""
    try:
        home = text_of(index_of(http, base).get("home")).rstrip("/")
    except RepriseError:
        return base
    scheme, _, rest = home.partition("://")
    return f"http://{rest}" if scheme in ("http", "https") and rest else base


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
