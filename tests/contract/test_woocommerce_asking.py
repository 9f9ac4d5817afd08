"""How a shop on WooCommerce wants to be asked: it says so by refusing."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from plugin_backend.core.registry import connectors
from plugin_backend.demo.shop.woo.oauth import signature
from plugin_backend.sdk.connector import CartChanged
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.http import Request, Response
from tests.contract.connector_golden import SETTINGS, connector
from tests.contract.connector_shops import WooShop
from tests.contract.connector_writes import TOTAL, payment, reservation

PAGE = Response(
    404, {"content-type": "text/html; charset=UTF-8"}, b"<!DOCTYPE html><title>Page not found</title>"
)
INDEX = {"name": "Luna", "home": "https://shop.example", "namespaces": ["wp/v2", "wc/v3"]}


class PlainWoo(WooShop):
    """Permalinks are plain: a path is a page that is not there. Before 11.1 the key counts only where the words of the
    path stand somewhere in the address."""

    page = PAGE

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        parts = urlsplit(request.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        route = query.pop("rest_route", None)
        if parts.path != "/index.php" or route is None:
            self.requests.append(request)
            return self.page
        if route == "/":
            return Response(200, {}, json.dumps(INDEX).encode())
        headers = request.headers if "wp-json/wc/" in request.url else {}
        rest = "&".join(f"{name}={value}" for name, value in query.items())
        return super().send(
            replace(request, url=f"https://shop.example/wp-json{route}?{rest}", headers=headers)
        )


@pytest.mark.parametrize("page", [PAGE, replace(PAGE, status=200)], ids=["not found", "the front page"])
def test_a_shop_with_plain_permalinks_is_asked_by_the_query(page: Response) -> None:
    shop = PlainWoo()
    shop.page = page
    assert connectors()["woocommerce"].recognise("https://shop.example/", shop) == "https://shop.example"
    held = connector("woocommerce", shop).reserve(reservation(shop.leave_basket()))
    assert held.total == TOTAL
    connector("woocommerce", shop).write_back(payment(held.order_key))
    assert shop.paid(held.order_key) == TOTAL.minor
    assert len(shop.told(held.order_key)) == 1


def test_a_host_that_strips_the_header_gets_the_key_in_the_query() -> None:
    class Stripped(WooShop):
        def send(self, request: Request, *, timeout: float | None = None) -> Response:
            query = dict(parse_qsl(urlsplit(request.url).query))
            known = query.get("consumer_key") == SETTINGS["woocommerce"]["consumer_key"]
            known = known and query.get("consumer_secret") == SETTINGS["woocommerce"]["consumer_secret"]
            return super().send(
                replace(request, headers={"Authorization": "Basic seen"} if known else {}), timeout=timeout
            )

    shop = Stripped()
    cart = shop.leave_basket()
    seen = connector("woocommerce", shop).read("cart", cart)
    assert isinstance(seen, CartChanged)
    assert connector("woocommerce", shop).reserve(reservation(cart)).total == TOTAL


class Signed(WooShop):
    """Over plain http: signed for the address that the shop is configured with."""

    home = "http://shop.local:8080/boutique"

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        parts = urlsplit(request.url)
        if parts.path.endswith("/wp-json/"):
            return Response(200, {}, json.dumps(INDEX | {"home": self.home}).encode())
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        given = dict(pairs)
        url = f"{self.home}/wp-json{parts.path.partition('/wp-json')[2]}"
        secret = SETTINGS["woocommerce"]["consumer_secret"]
        right = "oauth_signature" in given and given["oauth_signature"] == signature(
            request.method, url, pairs, secret, given["oauth_signature_method"]
        )
        return super().send(replace(request, headers={"Authorization": "Basic seen"} if right else {}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/boutique", "http://shop.local:8080/boutique/"])
def test_over_plain_http_requests_are_signed_for_the_address_that_the_shop_goes_by(url: str) -> None:
    shop = Signed()
    cart = shop.leave_basket()
    one = connector("woocommerce", shop, url=url)
    assert one.reserve(reservation(cart)).total == TOTAL
    assert isinstance(one.read("cart", cart), CartChanged)


def test_wrong_keys_are_refused_in_every_way_of_asking() -> None:
    for url in ("https://shop.example", "http://127.0.0.1:8080/boutique"):
        shop = Signed()
        with pytest.raises(Refused) as refused:
            connector("woocommerce", shop, url=url, consumer_secret="cs_wrong").read("order", "order:1")
        assert refused.value.status == 401
        assert "cs_wrong" not in str(refused.value)


def test_a_shop_whose_api_is_gone_is_not_taken_for_one_without_the_order() -> None:
    class Gone(WooShop):
        def send(self, request: Request, *, timeout: float | None = None) -> Response:
            return Response(404, {}, b'{"code":"rest_no_route","message":"No route.","data":{"status":404}}')

    with pytest.raises(Refused) as refused:
        connector("woocommerce", Gone()).read("order", "order:1")
    assert refused.value.status == 404
    assert connector("woocommerce", WooShop()).read("order", "order:1") is None


def test_of_two_webhooks_of_one_topic_at_one_address_one_stays() -> None:
    shop = WooShop()
    one = connector("woocommerce", shop)
    one.ensure_webhooks("https://us.example/hook")
    for status in ("active", "disabled"):
        shop.webhooks.append({**shop.webhooks[0], "id": len(shop.webhooks) + 1, "status": status})
    shop.webhooks.append({**shop.webhooks[0], "id": 7, "delivery_url": "https://another.example/hook"})
    shop.webhooks[0]["status"] = "disabled"
    states = one.ensure_webhooks("https://us.example/hook")
    assert [state.state for state in states] == ["active"] * 4
    created = [hook["id"] for hook in shop.webhooks if hook["topic"] == "order.created"]
    assert created == [5, 7]
