"""Queries of Shopify's app proxy, signed here by hand: vectors of the platform's own are judged with the public samples."""

import pytest

from connectors.shopify.proxy import check_proxy_query
from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.signing import hmac_sha256


def signed(query: str, message: str, secret: str = "hush") -> str:
    return f"{query}&signature={hmac_sha256(secret.encode(), message.encode()).hex()}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("shop=a.myshopify.com&timestamp=1", "shop=a.myshopify.comtimestamp=1"),
        ("b=2&a=%C3%A9%20x&shop=s", "a=é xb=2shop=s"),
        ("x=1&x=2&shop=s", "shop=sx=1,2"),
        ("empty=&shop=s", "empty=shop=s"),
        # By name "a" stands before "a-b"; as finished pairs "a-b=" stands before "a=".
        ("a=1&a-b=2", "a=1a-b=2"),
        ("a=1&a-b=2", "a-b=2a=1"),
    ],
)
def test_a_signed_query_is_read_with_its_repetitions_joined(query: str, message: str) -> None:
    assert check_proxy_query(signed(query, message), ["other", "hush"])
    with pytest.raises(BadSignature):
        check_proxy_query(signed(query, message), ["other", ""])
    with pytest.raises(BadSignature):
        check_proxy_query(signed(query, message) + "&evil=1", ["hush"])


@pytest.mark.parametrize(
    "query", ["", "shop=s", "signature=", "shop=s&signature=é", "%ff=%00&signature=\ud800"]
)
def test_a_query_without_a_good_signature_is_refused(query: str) -> None:
    with pytest.raises(BadSignature):
        check_proxy_query(query, ["hush"])


@pytest.mark.parametrize("name", ["shop", "timestamp", "signature", "hmac"])
def test_what_may_be_said_once_is_not_said_twice(name: str) -> None:
    query = f"{name}=1&{name}=2"
    with pytest.raises(BadSignature):
        check_proxy_query(signed(query, f"{name}=1,2"), ["hush"])
