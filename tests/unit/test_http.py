"""The one door out: where it may lead, and what it says of every way in which an answer can fail to come."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plugin_backend.launcher.ports import free_port
from plugin_backend.sdk.egress import is_near, is_public
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.http import (
    Delivery,
    HttpClient,
    Request,
    Response,
    overheard,
    raise_for_status,
)
from tests.unit.loopback import saying, server

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.1.0.1",
    "198.17.0.1",
    "198.20.0.1",
    "2606:4700::1111",
    "2a00:1450:4007::200e",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


NEAR = [
    "127.0.0.1",
    "127.1.2.3",
    "::1",
    "::ffff:127.0.0.1",
    "10.0.0.1",
    "172.17.0.2",
    "192.168.1.1",
    "fd12::1",
]
NOT_NEAR = [
    *(
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
    ),
    *(
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ),
    *("64:ff9b::7f00:1", "2002:7f00:1::", "198.18.0.1", "172.32.0.1", "8.8.8.8"),
]


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow_private=True, timeout=0.6, max_bytes=10_000)
    yield made
    made.close()


@pytest.fixture
def public() -> Iterator[HttpClient]:
    made = HttpClient(timeout=0.6)
    yield made
    made.close()


def get(client: HttpClient, url: str, *, timeout: float | None = None) -> Response:
    return client.send(Request("GET", url), timeout=timeout)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_outside_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", NEAR)
def test_a_test_shop_may_be_on_this_machine_or_in_a_private_network(address: str) -> None:
    assert is_near(address)


@pytest.mark.parametrize("address", NOT_NEAR)
def test_no_test_shop_is_where_clouds_keep_their_metadata_or_nobody_lives(address: str) -> None:
    assert not is_near(address)


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver gives these answers one after the other; the names that were asked for."""
    asked: list[str] = []
    left, really = list(answers), socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **named: Any) -> Any:
        if host[0].isdigit():
            return really(host, port, *more, **named)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_name_whose_answer_changes_is_asked_for_once_and_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def connect(address: tuple[str, int], *more: object, **named: object) -> socket.socket:
        connected.append(address[0])
        raise OSError("nobody there")

    asked = answering(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "create_connection", connect)
    client = HttpClient(timeout=0.6)
    with pytest.raises(NotSent):
        get(client, "https://rebinding.test/")
    assert asked == ["rebinding.test"]
    assert connected == ["93.184.216.34"]
    with pytest.raises(NotSent, match="not public"):
        get(client, "https://rebinding.test/")
    assert connected == ["93.184.216.34"]
    client.close()


@pytest.mark.parametrize(
    "answers",
    [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"], ["::1"]],
)
def test_a_name_that_leads_inside_by_any_of_its_answers_is_not_asked(
    public: HttpClient, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    answering(monkeypatch, answers)
    with pytest.raises(NotSent, match="not public"):
        get(public, "https://shop.test/")


def test_a_test_shops_name_may_not_lead_to_a_clouds_metadata(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ["169.254.169.254"])
    with pytest.raises(NotSent, match="not public"):
        get(client, "http://shop.test/latest/meta-data/")


def test_where_one_address_of_a_name_is_silent_the_next_is_tried(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        port = int(url.rpartition(":")[2])
        answering(monkeypatch, ["127.9.9.9", "127.0.0.1"])
        assert get(client, f"http://two.test:{port}/", timeout=5).status == 204


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.test/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://8.8.8.8/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://localhost/",
        "https://localhost./",
        "https://LOCALHOST/",
        "https://shop.test:22/",
        "https://shop.test:6379/",
        "https://user@shop.test/",
        "https://user:password@shop.test/",
        "https://8.8.8.8@localhost/",
        "https://localhost#@shop.test/",
        "https://localhost\\@shop.test/",
        "https:///path",
        "https://",
        "file:///etc/passwd",
        "gopher://shop.test/",
        "ftp://shop.test/",
        "//shop.test/",
        "/hooks",
        "",
        "https://[::1",
        "https://shop.test:port/",
        "https://shop.test:99999/",
        "https://a\0b.test/",
        "https://shop.test/\r\nHost: localhost",
        "https://" + "a" * 300 + ".test/",
        "https://xn--a.test/",
        "https://..test/",
    ],
)
def test_an_address_that_may_not_be_asked_is_not_asked(public: HttpClient, url: str) -> None:
    with pytest.raises(NotSent):
        get(public, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw@127.0.0.1/",
        "file:///etc/passwd",
        "",
        "http://[::1",
        "http://a:b:c/",
        "ftp://127.0.0.1/",
    ],
)
def test_even_a_test_shops_address_is_a_plain_web_address(client: HttpClient, url: str) -> None:
    with pytest.raises(NotSent):
        get(client, url)


def test_nobody_listening_means_nothing_was_sent(client: HttpClient) -> None:
    with pytest.raises(NotSent):
        get(client, f"http://127.0.0.1:{free_port()}/")


def test_a_name_that_leads_nowhere_means_nothing_was_sent(client: HttpClient) -> None:
    with pytest.raises(NotSent):
        get(client, "http://nobody.invalid/")


def test_a_request_that_cannot_be_written_was_not_sent(client: HttpClient) -> None:
    with server(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        for headers in (
            {"X-Key": "caf\xe9\u20ac"},
            {"X-Key": "a\r\nX-Other: b"},
            {"X Key": "a"},
            {"X-Key": "a\0"},
        ):
            with pytest.raises(NotSent):
                client.send(Request("GET", url, headers))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"garbage\r\n\r\n",
        b"\x00\xff\xfe\x01" * 20,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nno gzip!!",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n\r\n\xff\xff",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=lambda said: said[:60].decode("latin-1").split("\r\n\r\n")[0].replace("\r\n", " "),
)
def test_an_answer_that_breaks_off_or_cannot_be_read_may_have_been_acted_on(
    client: HttpClient, said: bytes
) -> None:
    with server(saying(said)) as url, pytest.raises(NoAnswer):
        get(client, url)


def test_an_answer_that_does_not_come_may_have_been_acted_on(client: HttpClient) -> None:
    over = threading.Event()
    with server(lambda connection, head: over.wait(5) and None) as url:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            get(client, url, timeout=0.2)
        over.set()
    assert time.monotonic() - begun < 3


def test_an_answer_that_trickles_in_is_given_up_in_time(client: HttpClient) -> None:
    def trickle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(60):
            connection.sendall(b"a")
            time.sleep(0.05)

    with server(trickle) as url:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            get(client, url, timeout=0.3)
        assert time.monotonic() - begun < 2


def test_a_head_that_trickles_in_is_given_up_in_time(client: HttpClient) -> None:
    def trickle(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(60):
            connection.sendall(b"X-%d: a\r\n" % number)
            time.sleep(0.05)

    with server(trickle) as url:
        begun = time.monotonic()
        with pytest.raises(NoAnswer):
            get(client, url, timeout=0.3)
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize(("size", "good"), [(10_000, True), (10_001, False), (300_000, False)])
def test_an_answer_is_read_up_to_its_limit(client: HttpClient, size: int, *, good: bool) -> None:
    with server(saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a" * size)) as url:
        if good:
            assert len(get(client, url).body) == size
            return
        with pytest.raises(NoAnswer, match="too long"):
            get(client, url)


def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_read(client: HttpClient) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with server(saying(head, packed)) as url, pytest.raises(NoAnswer, match="too long"):
        get(client, url, timeout=5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(client: HttpClient, status: int) -> None:
    asked: list[bytes] = []

    def redirect(connection: socket.socket, head: bytes) -> None:
        asked.append(head.split(b" ")[1])
        connection.sendall(b"HTTP/1.1 %d Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)

    with server(redirect) as url:
        answer = get(client, url + "/here")
    assert answer.status == status
    assert answer.headers["location"] == "/elsewhere"
    assert asked == [b"/here"]


def test_a_request_is_sent_once_even_where_the_server_hangs_up(client: HttpClient) -> None:
    asked: list[bytes] = []
    with server(lambda connection, head: asked.append(head)) as url:
        with pytest.raises(NoAnswer):
            client.send(Request("POST", url, body=b"amount=1"))
        time.sleep(0.2)
    assert len(asked) == 1


def test_a_proxy_of_the_environment_is_not_used(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with server(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        fresh = HttpClient(allow_private=True, timeout=1)
        assert fresh.send(Request("GET", url)).status == 204
        fresh.close()


@pytest.mark.parametrize(
    ("status", "kind", "permanent"),
    [
        (400, Refused, True),
        (401, Refused, True),
        (404, Refused, True),
        (409, Refused, True),
        (429, Refused, False),
        (503, Refused, False),
        (302, NoAnswer, False),
        (500, NoAnswer, False),
        (502, NoAnswer, False),
        (100, NoAnswer, False),
    ],
)
def test_a_status_says_whether_trying_again_can_help(
    status: int, kind: type[Refused | NoAnswer], *, permanent: bool
) -> None:
    with pytest.raises(kind) as caught:
        raise_for_status(Response(status), "the shop")
    assert caught.value.permanent is permanent
    assert str(status) in str(caught.value)


def test_what_may_hold_secrets_is_not_shown() -> None:
    shown = repr(Request("GET", "https://a.test", {"Authorization": "hidden"}, b"hidden"))
    assert "hidden" not in shown + repr(Response(200, {"set-cookie": "hidden"}, b"hidden"))


def test_who_listens_hears_what_was_asked_and_what_came_of_it(client: HttpClient) -> None:
    with server(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbang")) as url:
        get(client, url)
        with overheard() as exchanges:
            get(client, f"{url}/a")
            with pytest.raises(NotSent):
                get(client, f"http://127.0.0.1:{free_port()}/b")
        get(client, f"{url}/c")
    first, second = exchanges
    assert isinstance(first.came, Response) and first.came.body == b"bang"
    assert first.request.url.endswith("/a") and second.request.url.endswith("/b")
    assert isinstance(second.came, str) and "Connect" in second.came


def test_a_header_of_a_delivery_is_found_in_any_case() -> None:
    from_shop = Delivery({"x-topic": "a"}, b"", received_at=None)  # type: ignore[arg-type]
    assert from_shop.header("X-Topic") == "a"
    assert from_shop.header("X-Other") == ""


def test_past_its_moment_a_request_is_not_sent_though_its_connection_stands() -> None:
    heads: list[bytes] = []

    def answer(connection: socket.socket, head: bytes) -> None:
        heads.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    client = HttpClient(allow_private=True)
    with server(answer) as address:
        assert client.send(Request("POST", address, not_after=time.monotonic() + 5)).status == 200
        with pytest.raises(NotSent, match="too late"):
            client.send(Request("POST", address, not_after=time.monotonic() - 0.001))
        assert client.send(Request("POST", address)).status == 200
    client.close()
    # The connection of the one that came too late was opened, and nothing was said on it.
    assert [head[:4] for head in heads if head] == [b"POST", b"POST"]
