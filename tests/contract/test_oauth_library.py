"""WooCommerce's OAuth 1.0a over plain http, against the library that others sign and check it with."""

import re
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.woocommerce.api import Api
from plugin_backend.demo.shop.woo.oauth import Doorkeeper, Unauthorized
from plugin_backend.sdk.http import Request, Response

oauth1 = pytest.importorskip("oauthlib.oauth1", reason="OAUTHLIB IS NOT THERE: install the extra 'test'")
signature = pytest.importorskip("oauthlib.oauth1.rfc5849.signature")

KEY, SECRET = "ck_0123456789abcdef", "cs_!*'() &=%~é"
_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map("q{}".format)
_VALUE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


class Keeps:
    """A client that keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        self.asked.append(request)
        return Response(200, {}, b"[]")


def judged(request: Request, secret: str = SECRET) -> bool:
    """What the library's own server side says of a request."""
    parts = urlsplit(request.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    given_signature = dict(pairs)["oauth_signature"]
    params = [pair for pair in pairs if pair[0] != "oauth_signature"]
    asked = SimpleNamespace(
        http_method=request.method, uri=request.url, params=params, signature=given_signature
    )
    return bool(signature.verify_hmac_sha256(asked, secret, ""))


@given(name=_NAME, value=_VALUE, path=st.sampled_from(["orders", "orders/19/notes", "system_status"]))
@settings(deadline=None, max_examples=150)
def test_what_we_sign_the_library_accepts(name: str, value: str, path: str) -> None:
    client = Keeps()
    Api(client, "http://shop.example/sub", KEY, SECRET).get(path, **{name: value})
    assert judged(client.asked[0])
    assert not judged(client.asked[0], "another")


@pytest.mark.parametrize("changed", ["orders/19", "orders/20?x=1"])
def test_another_address_under_the_same_signature_is_not_accepted(changed: str) -> None:
    client = Keeps()
    Api(client, "http://shop.example", KEY, SECRET).get("orders/20")
    moved = re.sub(r"orders/20\??", f"{changed}&" if "?" in changed else f"{changed}?", client.asked[0].url)
    assert not judged(Request("GET", moved))


@given(name=_NAME, value=_VALUE)
@settings(deadline=None, max_examples=100)
def test_what_the_library_signs_our_fake_shop_accepts(name: str, value: str) -> None:
    """The shop that our connector is tried against reads signatures as others write them."""
    url = "http://shop.example/wp-json/wc/v3/orders"
    theirs = oauth1.Client(
        KEY,
        client_secret=SECRET,
        signature_method=oauth1.SIGNATURE_HMAC_SHA256,
        signature_type=oauth1.SIGNATURE_TYPE_QUERY,
    )
    signed, _, _ = theirs.sign(f"{url}?{urlencode({name: value}, quote_via=quote)}")
    pairs = parse_qsl(urlsplit(signed).query, keep_blank_values=True)
    Doorkeeper().check("GET", url, pairs, KEY, SECRET)
    with pytest.raises(Unauthorized):
        Doorkeeper().check("GET", url, [*pairs, ("x", "1")], KEY, SECRET)
