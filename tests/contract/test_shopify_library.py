"""Shopify's own client library as the other side: what it signs we accept, and what we take for signed it does too.

It runs under Node. ``make oracles`` installs it; without it every test here is skipped, loudly.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.shopify.proxy import check_proxy_query
from connectors.shopify.setup import check_query
from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.http import Delivery, HttpClient
from tests.contract.connector_golden import RECEIVED_AT, SECRET, connector, goldens

NODE = Path(__file__).resolve().parents[1] / "node"
SHOP = "fjordlys-studio.myshopify.com"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/@shopify/shopify-api").is_dir(),
    reason="SHOPIFY'S OWN LIBRARY IS NOT THERE: make oracles",
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
# The release signs a blank in a query of the grant as "+", which was a fault of its own and is mended after it: Shopify
# writes %20, and the vectors refuse the other.
_WITHOUT_BLANKS = _WORD.map(lambda word: word.replace(" ", ""))
# An object of JavaScript puts names that are whole numbers first, and the library sorts by the rules of a language: the
# parameters that Shopify sends are words.
_NAME = st.from_regex(r"\A[a-z][a-z_]{0,8}\Z").filter(lambda name: name not in ("hmac", "signature"))


class Library:
    """The library, in a process that is asked a line at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", "shopify.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, verb: str, **asked: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"verb": verb, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the library ended over {asked}"
        answer = json.loads(line)
        return next(iter(answer.values()))


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    one = Library()
    yield one
    with one.process as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)


@given(body=_TEXT, secret=st.from_regex(r"\A[a-z0-9_]{1,40}\Z"))
@settings(deadline=None, max_examples=60)
def test_a_body_that_the_library_signs_is_accepted(library: Library, body: str, secret: str) -> None:
    headers = {"x-shopify-hmac-sha256": library.ask("sign_body", secret=secret, body=body)}
    signed = Delivery(headers, body.encode(), RECEIVED_AT)
    connector("shopify", HttpClient(), secret=secret).verify(signed)
    with pytest.raises(BadSignature):
        connector("shopify", HttpClient(), secret=secret).verify(replace(signed, body=signed.body + b" "))


@pytest.mark.parametrize(
    "golden", [one for one in goldens() if one.platform == "shopify"], ids=lambda one: one.name
)
def test_the_library_accepts_our_golden_deliveries_as_we_do(library: Library, golden: Any) -> None:
    delivery = golden.delivery
    asked = {
        # What an app of theirs is told besides; our recordings leave out what we do not read.
        "headers": {
            "X-Shopify-Api-Version": "2026-07",
            "X-Shopify-Webhook-Id": "w",
            "X-Shopify-Topic": "x",
            "X-Shopify-Shop-Domain": SHOP,
            "X-Shopify-Hmac-Sha256": delivery.header("shopify-hmac-sha256")
            or delivery.header("x-shopify-hmac-sha256"),
        },
        "body": delivery.body.decode(),
    }
    assert library.ask("judge_body", secret=SECRET, **asked)
    assert not library.ask("judge_body", secret="another", **asked)
    assert not library.ask("judge_body", secret=SECRET, **{**asked, "body": asked["body"] + " "})


@given(more=st.dictionaries(_NAME, _WITHOUT_BLANKS, max_size=3))
@settings(deadline=None, max_examples=100)
def test_a_query_that_the_library_signs_is_accepted(library: Library, more: dict[str, str]) -> None:
    query = {"shop": SHOP, "timestamp": str(int(time.time())), "code": "0907a61c", "state": "n0nce"} | more
    query["hmac"] = library.ask("sign_query", secret="hush", query=query)
    text = urlencode(query, quote_via=quote)
    assert check_query(text, ["hush"])["shop"] == query["shop"]
    for wrong in (text + "&x_=1", text.replace("hmac=", "hmac=0")):
        with pytest.raises(BadSignature):
            check_query(wrong, ["hush"])


def test_the_library_judges_a_query_as_we_do(library: Library) -> None:
    query = {"shop": SHOP, "timestamp": str(int(time.time())), "code": "0907a61c", "state": "n0nce"}
    query["hmac"] = library.ask("sign_query", secret="hush", query=query)
    text = urlencode(query)
    assert library.ask("judge_query", secret="hush", query=text)
    assert not library.ask("judge_query", secret="hush", query=text.replace("n0nce", "nonce"))
    with pytest.raises(BadSignature):
        check_query(text.replace("n0nce", "nonce"), ["hush"])


@given(more=st.dictionaries(_NAME, _WORD, max_size=3))
@settings(deadline=None, max_examples=60)
def test_a_query_of_the_app_proxy_that_the_library_signs_is_accepted(
    library: Library, more: dict[str, str]
) -> None:
    asked = f"https://reprise.example/proxy?{urlencode(more, quote_via=quote)}"
    shop = SHOP.partition(".")[0]
    query = urlsplit(library.ask("sign_proxy", secret="hush", url=asked, shop=shop)).query
    assert check_proxy_query(query, ["hush"])["shop"] == SHOP
    assert library.ask("judge_proxy", secret="hush", query=query)
    for wrong in (f"{query}&evil=1", query.replace("signature=", "signature=0")):
        assert not library.ask("judge_proxy", secret="hush", query=wrong)
        with pytest.raises(BadSignature):
            check_proxy_query(wrong, ["hush"])
    assert dict(parse_qsl(query))["shop"] == SHOP
