"""Whatever is sent to the webhook door of the real server: an answer that fits, and never a fault of ours."""

import base64
import hmac
from collections.abc import Iterator

import psycopg
import pytest

from plugin_backend.core.config import Config
from plugin_backend.domain.merchants import Shop
from tests.bench.orders import Orders
from tests.flow.web_process import WebProcess, web_process
from tests.house import SECRET, TestHouse
from tests.servers import Servers

LENGTH = b"Content-Length: 5120"
UNKNOWN = "/hooks/" + "a" * 32


@pytest.fixture(scope="module")
def web(servers: Servers, settings: Config) -> Iterator[WebProcess]:
    with web_process(servers.supervisor, settings, HTTP_PROXY="http://name:word@proxy.example") as process:
        yield process


@pytest.fixture
def orders(house: TestHouse, shop: Shop, web: WebProcess) -> Orders:
    return Orders(web.port, house.hook(shop), SECRET)


def head(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (b"Accept: */*", b"Accept: " + b"a" * 70_000, {200, 431}),
        (b"Accept: */*", b"\r\n".join(b"X-%d: 1" % number for number in range(300)), {200, 431}),
        (b"Accept: */*", b"X-Name: caf\xe9", {200}),
        (b"Accept: */*", "X-Name: é€😀".encode(), {200}),
        (b"Accept: */*", b"X-Name: \\u0000 \\ud800", {200}),
        (b"Accept: */*", b"X-Name: a\0b", {400}),
        (b"Accept: */*", b"Expect: tea", {200, 417}),
        (b"order.updated", b"order.\xe9\xff", {200}),
        (b"Signature: ", b"Signature: \xff", {401}),
        (LENGTH, b"Content-Length: 5119", {401}),
        (LENGTH, b"Content-Length: many", {400}),
        (LENGTH, b"Content-Length: -1", {400}),
        (LENGTH, b"Content-Length: " + b"9" * 40, {400, 413}),
        (LENGTH, b"Content-Length: 5120\r\nContent-Length: 5121", {400}),
        (LENGTH, b"Content-Length: 5120\r\nTransfer-Encoding: chunked", {400, 401}),
        (b" HTTP/1.1", b"?a=%00%ed%a0%80 HTTP/1.1", {200}),
        (b" HTTP/1.1", b"%0a HTTP/1.1", {401}),
        (b" HTTP/1.1", b"%ff%00 HTTP/1.1", {401}),
        (b"POST", b"GET", {405}),
    ],
)
def test_a_malformed_request_is_answered_as_one(
    web: WebProcess, orders: Orders, old: bytes, new: bytes, wanted: set[int]
) -> None:
    assert web.ask(orders.request(1).replace(old, new, 1)) in wanted


def test_a_body_that_was_cut_off_is_not_kept(
    web: WebProcess, orders: Orders, servers: Servers, shop: Shop
) -> None:
    assert web.ask(orders.request(1)[:-100], end=True) in (0, 400, 401)
    assert headers_kept(servers, shop) == []


def test_a_chunked_body_is_taken(web: WebProcess, orders: Orders, servers: Servers, shop: Shop) -> None:
    request = orders.request(1)
    chunked = head(request).replace(LENGTH, b"Transfer-Encoding: chunked")
    body = request[len(head(request)) :]
    assert web.ask(chunked, b"1400\r\n" + body + b"\r\n0\r\n\r\n") == 200
    assert web.ask(chunked, b"not a number\r\n") in (400, 401)
    assert web.ask(chunked, b"1400\r\nand then", end=True) in (0, 400, 401)
    assert len(headers_kept(servers, shop)) == 1


@pytest.mark.parametrize("more", [b"", b"\r\nExpect: 100-continue"])
def test_more_than_five_megabytes_are_refused_before_they_are_read(
    web: WebProcess, orders: Orders, more: bytes
) -> None:
    assert web.ask(head(orders.request(1)).replace(LENGTH, b"Content-Length: 6000000" + more)) == 413


def test_more_than_a_megabyte_that_waits_to_be_asked_for_is_taken(
    web: WebProcess, orders: Orders, servers: Servers, shop: Shop
) -> None:
    body = b'{"id": 1, "note": "' + b"x" * 1_500_000 + b'"}'
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256"))
    fields = b"X-WC-Webhook-Signature: %s\r\nX-WC-Webhook-Topic: order.updated\r\n" % signature
    path = head(orders.request(1)).split()[1]
    start = b"POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n" % (
        path,
        len(body),
    )
    assert web.ask(start + fields + b"\r\n", body) == 200
    assert len(headers_kept(servers, shop)) == 1


def test_an_unknown_path_answers_as_a_bad_signature_does(web: WebProcess, orders: Orders) -> None:
    known = Orders(web.port, head(orders.request(1)).split()[1].decode(), "another secret")
    unknown = Orders(web.port, UNKNOWN, SECRET)
    assert whole_answer(web, known.request(1)) == whole_answer(web, unknown.request(1))


def test_a_ping_is_answered_alike_on_any_path(web: WebProcess, orders: Orders) -> None:
    for path in (head(orders.request(1)).split()[1], UNKNOWN.encode(), b"/hooks/x"):
        start = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n" % path
        assert web.ask(start + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nwebhook_id=13") == 200


def test_nothing_of_the_processes_environment_is_kept_as_a_header(
    web: WebProcess, orders: Orders, servers: Servers, shop: Shop
) -> None:
    assert web.ask(orders.request(1)) == 200
    (headers,) = headers_kept(servers, shop)
    assert "proxy" not in headers
    assert headers["x-wc-webhook-topic"] == "order.updated"


def headers_kept(servers: Servers, shop: Shop) -> list[dict[str, str]]:
    with psycopg.connect(servers.postgres.url, options="-c role=reprise_app") as connection:
        connection.execute("SELECT set_config('app.shop', %s, true)", (shop.id,))
        return [headers for (headers,) in connection.execute("SELECT headers FROM deliveries")]


def whole_answer(web: WebProcess, request: bytes) -> list[bytes]:
    """The lines of the answer but for its date."""
    with web.connect() as connection:
        connection.sendall(request.replace(b"Accept: */*", b"Connection: close"))
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 401 " in got
    return [line for line in got.split(b"\r\n") if not line.lower().startswith(b"date:")]
