"""What a shop on WooCommerce says of its shelves."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from plugin_backend.sdk.connector import CartChanged, Line
from plugin_backend.sdk.errors import Refused, RepriseError
from plugin_backend.sdk.http import Request, Response
from plugin_backend.sdk.money import Money
from tests.contract.connector_golden import connector
from tests.contract.connector_shops import WooShop
from tests.contract.connector_writes import reservation

COUNTED = {"status": "publish", "stock_status": "instock", "manage_stock": True, "backorders": "no"}
UNCOUNTED = {**COUNTED, "manage_stock": False, "stock_quantity": None}


class Shelf:
    """A shop with one basket of two pieces of one thing."""

    def __init__(self, answer: Response, **line: Any) -> None:
        self.answer, self.asked = answer, list[str]()
        bought = {"name": "Lamp", "product_id": 5, "variation_id": 0, "quantity": 2, "total": "10.00", **line}
        self.order = {
            "id": 19,
            "status": "pending",
            "currency": "EUR",
            "total": "10.00",
            "line_items": [bought],
        }
        self.order["date_modified_gmt"] = "2026-11-22T12:30:00"

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        path = urlsplit(request.url).path.partition("/wc/v3/")[2]
        self.asked.append(path)
        return (
            self.answer if path.startswith("products") else Response(200, {}, json.dumps(self.order).encode())
        )


def sold_out(shop: Shelf) -> tuple[str, ...]:
    seen = connector("woocommerce", shop).read("cart", "order:19")
    assert isinstance(seen, CartChanged)
    return seen.sold_out


def said(product: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(product).encode())


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (said({**COUNTED, "stock_quantity": 2}), False),
        (said({**COUNTED, "stock_quantity": 1}), True),
        (said({**COUNTED, "stock_quantity": 1, "manage_stock": "parent"}), True),
        (said({**COUNTED, "stock_quantity": 1, "backorders": "notify"}), False),
        (said({**COUNTED, "stock_quantity": None}), False),
        (said(UNCOUNTED), False),
        (said({**UNCOUNTED, "stock_status": "onbackorder"}), False),
        (said({**UNCOUNTED, "stock_status": "outofstock"}), True),
        (said({**COUNTED, "stock_quantity": 9, "status": "trash"}), True),
        (said({"code": "woocommerce_rest_product_invalid_id"}, 404), True),
        (said({"code": "rest_no_route"}, 404), False),
        (said({"code": "woocommerce_rest_cannot_view"}, 403), False),
        (said([]), False),
    ],
)
def test_a_thing_of_which_there_is_too_little_is_named(answer: Response, gone: bool) -> None:
    assert sold_out(Shelf(answer)) == (("Lamp",) if gone else ())


def test_the_variation_that_was_chosen_is_looked_for_and_a_line_without_a_product_is_not() -> None:
    chosen = Shelf(said(COUNTED), variation_id=8)
    sold_out(chosen)
    assert chosen.asked == ["orders/19", "products/8"]
    free = Shelf(said(COUNTED), product_id=0)
    assert (sold_out(free), free.asked) == ((), ["orders/19"])


@pytest.mark.parametrize("quantity", ["1.5", 1.5, "2.000"])
def test_one_and_a_half_pieces_are_two_of_the_shelf(quantity: Any) -> None:
    shelf = Shelf(said({**COUNTED, "stock_quantity": 1}), quantity=quantity)
    assert sold_out(shelf) == ("Lamp",)


@pytest.mark.parametrize("status", [500, 503])
def test_where_the_shelf_cannot_be_seen_now_that_is_no_answer(status: int) -> None:
    with pytest.raises(RepriseError) as raised:
        sold_out(Shelf(said({}, status)))
    assert not raised.value.permanent


@pytest.mark.parametrize(("left", "made"), [(2, 1), (1, 0), (None, 1)])
def test_of_a_basket_that_is_no_order_nothing_is_held_where_something_is_sold_out(
    left: int | None, made: int
) -> None:
    shop = WooShop()
    shop.products["5"] = {**COUNTED, "sku": "A-1", "stock_quantity": left}
    line = Line("Lamp", "2", Money(10000, "EUR"), "A-1")
    wanted = replace(reservation("cart:elsewhere", total=Money(10000, "EUR")), lines=(line,))
    if made:
        connector("woocommerce", shop).reserve(wanted)
    else:
        with pytest.raises(Refused, match="sold_out"):
            connector("woocommerce", shop).reserve(wanted)
    assert len(shop.orders) == made
