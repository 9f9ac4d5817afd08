"""What was said with the outside, as a person may read it."""

from plugin_backend.core import transcript
from plugin_backend.sdk.http import Exchange, Request, Response

ASKED = Request(
    "POST",
    "https://user:pw@shop.example:8443/wp-json/wc/v3/orders?oauth_signature=hidden1&page=2",
    {"Authorization": "Basic hidden2"},
    b'{"note": "hidden3"}',
)


def test_no_key_and_nothing_that_was_sent_is_repeated() -> None:
    told = transcript.told([Exchange(ASKED, Response(200, {"set-cookie": "hidden4"}, b"fine"))])

    assert "hidden" not in told and "pw" not in told
    assert "> POST https://shop.example:8443/wp-json/wc/v3/orders?oauth_signature=...&page=..." in told
    assert "(19 bytes, not shown)" in told
    assert told.endswith("< 200\n\nfine")


def test_what_came_is_scrubbed_and_told_as_far_as_it_helps() -> None:
    body = b"ana@example.test paid with 4242 4242 4242 4242, Bearer abcdefgh1234\0\xff" + b"x" * 9000
    headers = {"content-type": "text/html", "location": "https://other.example/?token=abc", "server": "nginx"}
    told = transcript.told([Exchange(ASKED, Response(502, headers, body))])

    for secret in ("ana@example.test", "4242 4242", "abcdefgh1234", "token=abc", "\0"):
        assert secret not in told
    assert (
        "< 502\n< content-type: text/html\n< location: https://other.example/?token=...\n< server: nginx"
        in told
    )
    assert told.endswith(f"... ({len(body)} bytes in all)")


def test_of_an_answer_in_good_json_only_the_outline_is_told() -> None:
    order = b'[{"id": 7, "billing": {"first_name": "Ana", "phone": "+33 1 23"}, "paid": false, "lines": []}]'
    told = transcript.told([Exchange(ASKED, Response(200, {}, order))])
    assert told.endswith(
        '[{"id": "...", "billing": {"first_name": "...", "phone": "..."}, "paid": false, "lines": []}]'
    )

    error = b'{"code": "woocommerce_rest_cannot_view", "message": "Sorry."}'
    assert transcript.told([Exchange(ASKED, Response(401, {}, error))]).endswith(error.decode())


def test_why_there_is_no_answer_is_told_too() -> None:
    assert transcript.told([Exchange(Request("GET", "not an address"), "ConnectError: no address")]).endswith(
        "< ConnectError: no address"
    )


def test_an_address_that_is_none_raises_nothing() -> None:
    for url in ("https://[::1", "https://shop.example:port/", "", "\ud800"):
        assert transcript.told([Exchange(Request("GET", url), "x")])
