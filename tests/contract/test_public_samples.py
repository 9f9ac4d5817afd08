"""The connectors over public samples, recorded deliveries and signature vectors, where the folder with them is there.

It stands beside the repository and is no part of it: without it every test here is skipped, loudly.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.shopify.proxy import check_proxy_query
from connectors.shopify.setup import check_query
from plugin_backend.sdk.errors import BadSignature, Unreadable
from plugin_backend.sdk.http import Delivery, HttpClient
from tests.contract.connector_golden import RECEIVED_AT, connector

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "fixtures"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(),
    reason="THE PUBLIC SAMPLES ARE NOT THERE: no folder ../shared/fixtures beside the repository",
)

_PLATFORM = {"shopify": "shopify", "woocommerce": "woocommerce", "standard-webhooks": "custom"}
_SCHEMES = ("hmac-sha256-base64-body", "standard-webhooks-v1")
NO_CLIENT = HttpClient()
_WOO_RESOURCES = ("order", "coupon", "customer", "product")


def _samples(platform: str) -> list[Path]:
    return sorted((SAMPLES / platform).glob("*.json"))


def _recorded() -> list[Path]:
    return sorted((SAMPLES / "woocommerce" / "recorded").glob("*.body"))


def _vectors() -> list[dict[str, Any]]:
    where = SAMPLES / "signature-vectors.json"
    vectors: list[dict[str, Any]] = json.loads(where.read_text()) if where.is_file() else []
    return vectors


def _webhook_vectors() -> list[dict[str, Any]]:
    return [one for one in _vectors() if one["platform"] in _PLATFORM and one["scheme"] in _SCHEMES]


def _query_vectors() -> list[dict[str, Any]]:
    return [one for one in _vectors() if one["scheme"] == "oauth-query-hmac-sha256-hex"]


def _proxy_vectors() -> list[dict[str, Any]]:
    return [one for one in _vectors() if one["scheme"] == "app-proxy-query-hmac-sha256-hex"]


def _read(platform: str, topic: str, body: bytes) -> list[str]:
    """What a sample is read as under a topic: the names of its events, or the reason why there are none."""
    headers = {"x-shopify-topic": topic} if platform == "shopify" else {"x-wc-webhook-topic": topic}
    delivery = Delivery(headers=headers, body=body, received_at=RECEIVED_AT)
    try:
        return [type(event).__name__ for event in connector(platform, NO_CLIENT).parse(delivery)]
    except Unreadable as error:
        assert str(error)
        return [str(error)]


@pytest.mark.parametrize("path", _samples("shopify"), ids=lambda path: path.stem)
def test_every_shopify_sample_is_read_or_unreadable_with_a_reason(path: Path) -> None:
    """Under the topic of its name, and under all others: the topic's header is not signed."""
    topic = path.stem.partition("--")[0].replace("-", "/", 1)
    body = path.read_bytes()
    for one in (
        topic,
        "carts/update",
        "checkouts/update",
        "checkouts/delete",
        "orders/create",
        "refunds/create",
    ):
        _read("shopify", one, body)
    _read("shopify", "order_transactions/create", body)
    _read("shopify", "customers/redact", body)


@pytest.mark.parametrize("path", _samples("woocommerce"), ids=lambda path: path.stem)
def test_every_woocommerce_sample_is_read_or_unreadable_with_a_reason(path: Path) -> None:
    resource, _, event = path.stem.partition("--")[0].partition("-")
    topics = [f"{resource}.{event}"] if resource in _WOO_RESOURCES else []
    for topic in (*topics, "order.created", "order.updated", "order.deleted", "order.restored"):
        _read("woocommerce", topic, path.read_bytes())


@pytest.mark.parametrize(
    ("name", "topic", "expected"),
    [
        ("carts-update", "carts/update", ["CartChanged"]),
        ("checkouts-create", "checkouts/create", ["CartChanged"]),
        ("checkouts-delete", "checkouts/delete", ["CartRemoved"]),
        ("orders-create", "orders/create", []),
        ("refunds-create", "refunds/create", []),
        ("app-uninstalled", "app/uninstalled", ["ShopDisconnected"]),
        ("customers-redact", "customers/redact", ["CustomerRedacted"]),
        ("customers-data_request", "customers/data_request", ["CustomerDataRequested"]),
        ("shop-redact", "shop/redact", ["ShopDisconnected"]),
    ],
)
def test_the_samples_of_the_topics_we_use_say_what_they_should(
    name: str, topic: str, expected: list[str]
) -> None:
    path = next(path for path in _samples("shopify") if path.stem.startswith(f"{name}--"))
    assert _read("shopify", topic, path.read_bytes()) == expected


@pytest.mark.parametrize("path", _recorded(), ids=lambda path: path.stem)
def test_a_recorded_delivery_verifies_with_its_secret_and_is_read(path: Path) -> None:
    kept = json.loads(path.with_name(f"{path.stem}.headers.json").read_text())
    headers = {name.lower(): value for name, value in kept["headers"]}
    delivery = Delivery(headers=headers, body=path.read_bytes(), received_at=RECEIVED_AT)
    secret = kept.get("signed_with")
    one = connector("woocommerce", NO_CLIENT, secret=secret or "another-secret")
    assert one.is_ping(delivery) is bool(re.match(r"\d+-ping$", path.stem))
    if not secret:
        with pytest.raises(BadSignature):
            one.verify(delivery)
        return
    one.verify(delivery)
    try:
        events = one.parse(delivery)
    except Unreadable as error:
        assert str(error)
    else:
        assert bool(events) is one.topic(delivery).startswith("order.")


def test_recorded_deliveries_of_different_events_are_never_taken_for_one() -> None:
    seen: dict[str, tuple[str, bytes]] = {}
    one = connector("woocommerce", NO_CLIENT)
    for path in _recorded():
        kept = json.loads(path.with_name(f"{path.stem}.headers.json").read_text())
        headers = {name.lower(): value for name, value in kept["headers"]}
        delivery = Delivery(headers=headers, body=path.read_bytes(), received_at=RECEIVED_AT)
        what = (one.topic(delivery), delivery.body)
        assert seen.setdefault(one.identify(delivery), what) == what


@pytest.mark.parametrize(
    "vector", _webhook_vectors(), ids=lambda one: f"{one['platform']}-{one['note'][:40]}"
)
def test_every_webhook_vector_is_judged_rightly(vector: dict[str, Any]) -> None:
    """An empty secret or an empty body is refused although the mathematics of it may be right."""
    delivery = _signed(vector)
    one = connector(
        _PLATFORM[vector["platform"]], NO_CLIENT, url="http://127.0.0.1:9", secret=vector["secret"]
    )
    if vector["valid"] and vector["secret"] and vector["body"]:
        one.verify(delivery)
    else:
        with pytest.raises(BadSignature):
            one.verify(delivery)


@pytest.mark.parametrize(
    "vector",
    [one for one in _webhook_vectors() if one["scheme"] == "standard-webhooks-v1"],
    ids=lambda one: one["note"][:40],
)
def test_our_plugin_in_woocommerce_is_judged_as_rightly(vector: dict[str, Any]) -> None:
    one = connector("woocommerce", NO_CLIENT, plugin_secret=vector["secret"])
    if vector["valid"] and vector["secret"]:
        one.verify(_signed(vector))
    else:
        with pytest.raises(BadSignature):
            one.verify(_signed(vector))


@pytest.mark.parametrize("vector", _query_vectors(), ids=lambda one: one["note"][:40])
def test_every_query_that_shopify_signed_is_judged_rightly(vector: dict[str, Any]) -> None:
    query = vector.get("query", vector["body"])
    if vector["valid"]:
        assert check_query(query, [vector["secret"]])
    else:
        with pytest.raises(BadSignature):
            check_query(query, [vector["secret"]])


@pytest.mark.parametrize(
    "vector", _proxy_vectors(), ids=lambda one: one["note"] or one["source"].rpartition("/")[2]
)
def test_every_query_that_the_app_proxy_signed_is_judged_rightly(vector: dict[str, Any]) -> None:
    if vector["valid"]:
        assert check_proxy_query(vector["body"], [vector["secret"]])["shop"]
    else:
        with pytest.raises(BadSignature):
            check_proxy_query(vector["body"], [vector["secret"]])


def test_no_vector_of_our_platforms_is_left_out() -> None:
    ours = [one for one in _vectors() if one["platform"] in _PLATFORM]
    judged = [*_webhook_vectors(), *_query_vectors(), *_proxy_vectors()]
    assert [one for one in ours if one not in judged] == []


def _signed(vector: dict[str, Any]) -> Delivery:
    at = datetime.fromtimestamp(vector["now"], UTC) if "now" in vector else RECEIVED_AT
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    return Delivery(headers=headers, body=vector["body"].encode(), received_at=at)
