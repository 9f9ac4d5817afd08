"""Where payments are taken at Shopify's own checkout: the way there, and what an invoice tells of its basket."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLSchema

from connectors.shopify import setup
from connectors.shopify.contract.deliveries import deliveries
from plugin_backend.sdk.connector import OrderPlaced
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.http import Delivery
from plugin_backend.sdk.money import Money
from tests.contract.connector_golden import RECEIVED_AT, connector
from tests.contract.connector_shops import ShopifyShop
from tests.contract.connector_writes import reservation
from tests.contract.test_connector_setup import INSTALL
from tests.contract.test_graphql_documents import errors_in, shopify_schemas

DRAFT = {"write_mode": "draft_order_invoice"}


def test_a_link_leads_to_the_checkout_that_the_basket_had_reached() -> None:
    shop = ShopifyShop()
    cart = shop.leave_basket()
    way = connector("shopify", shop, write_mode="checkout_link").checkout(reservation(cart))
    assert way == "https://fjordlys-studio.myshopify.com/checkouts/cn/c0ffee/recover?key=1"
    assert (shop.orders, shop.drafts) == ({}, [])


@pytest.mark.parametrize("bought", [True, False])
def test_a_basket_without_such_a_checkout_or_that_was_bought_has_no_way(bought: bool) -> None:
    shop = ShopifyShop()
    if bought:
        shop.buy(shop.leave_basket())
    with pytest.raises(Refused, match="no_checkout"):
        connector("shopify", shop, write_mode="checkout_link").checkout(reservation("cart:c0ffee"))


def test_an_invoice_is_made_of_the_basket_once() -> None:
    shop = ShopifyShop()
    wanted, one = reservation(shop.leave_basket()), connector("shopify", shop, **DRAFT)
    first = one.checkout(wanted)
    assert (one.checkout(wanted), len(shop.drafts)) == (first, 1)
    (draft,) = shop.drafts
    assert draft["invoiceUrl"] == first
    assert draft["tags"] == ["reprise-invoice", wanted.key]
    assert draft["customAttributes"] == [{"key": "_reprise_cart", "value": "cart:c0ffee"}]
    prices = [
        Money.parse(line["originalUnitPriceWithCurrency"]["amount"], "EUR") for line in draft["lineItems"]
    ]
    whole = sum(
        price.minor * line["quantity"] for price, line in zip(prices, draft["lineItems"], strict=True)
    )
    assert whole == sum(line.total.minor for line in wanted.lines if line.total)


@pytest.mark.parametrize(("platform", "schema"), shopify_schemas())
def test_what_an_invoice_is_made_of_fits_the_types(platform: str, schema: GraphQLSchema) -> None:
    shop = ShopifyShop()
    connector(platform, shop, **DRAFT).checkout(reservation(shop.leave_basket()))
    bodies = [json.loads(request.body) for request in shop.requests]
    assert [body["operationName"] for body in bodies] == ["DraftOrders", "DraftOrderCreate"]
    assert [error for body in bodies for error in errors_in(schema, body)] == []


@pytest.mark.parametrize(
    ("tags", "name", "keys"),
    [
        ("reprise-invoice, set_1", "cart:c0ffee", ("cart:c0ffee",)),
        ("vip", "cart:c0ffee", ()),
        ("reprise-invoice", "order:17", ()),
        ("reprise-invoice", "", ()),
    ],
    ids=["ours", "a shopper's own attribute", "no basket", "nothing"],
)
def test_the_order_that_an_invoice_becomes_names_its_basket(
    tags: str, name: str, keys: tuple[str, ...]
) -> None:
    body = {**_order(), "tags": tags, "note_attributes": [{"name": "_reprise_cart", "value": name}]}
    headers = {"x-shopify-topic": "orders/paid"}
    told = Delivery(headers, json.dumps(body).encode(), RECEIVED_AT)
    (placed,) = connector("shopify", ShopifyShop()).parse(told)
    assert isinstance(placed, OrderPlaced)
    assert (placed.cart_keys, placed.our_reference) == (keys, "")


def _order() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(deliveries()["order_created"][1])
    return {**body, "cart_token": None, "checkout_token": None}


@pytest.mark.parametrize(
    ("mode", "more"),
    [({}, set()), ({"write_mode": "external_paid_order"}, set()), (DRAFT, setup.DRAFT_SCOPES)],
)
def test_only_who_wants_invoices_is_asked_for_the_right_to_make_them(
    mode: dict[str, str], more: Iterable[str]
) -> None:
    install = replace(INSTALL, address="https://lys.myshopify.com")
    url = connector("shopify", ShopifyShop(), client_id="app", **mode).install_url(install)
    asked = url.partition("scope=")[2].partition("&")[0].split("%2C")
    assert set(asked) == {*setup.SCOPES, *more}
