"""A shop that taxes what it is told: what was shown has the tax in it, and so has the order that is held."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from plugin_backend.sdk.connector import Line
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.money import Money
from tests.contract.connector_golden import connector
from tests.contract.connector_shops import WooShop
from tests.contract.connector_writes import renewal, reservation

TOTAL = Money(10000, "EUR")


class Taxing(WooShop):
    """Every product is taxed at its rate on top of its price, as the API takes it; fees here are not."""

    rates: ClassVar = {"A-1": Decimal("0.20"), "B-2": Decimal("0.055"), "C-3": Decimal(0)}

    def _made(self, body: dict[str, Any]) -> tuple[int, Any]:
        status, order = super()._made(body)
        order["fee_lines"] = body.get("fee_lines", [])
        order["line_items"] = [{**line, "id": 31 + at} for at, line in enumerate(order["line_items"])]
        self._sum(order)
        return status, order

    def _change(self, order: dict[str, Any], body: dict[str, Any]) -> None:
        super()._change(order, body)
        for priced in body.get("line_items", []) if "fee_lines" in order else []:
            line = next(line for line in order["line_items"] if line["id"] == priced["id"])
            line["total"] = priced["total"]
        if "fee_lines" in order:
            self._sum(order)

    def _sum(self, order: dict[str, Any]) -> None:
        whole = sum(Decimal(fee["total"]) for fee in order["fee_lines"])
        for line in order["line_items"]:
            tax = (Decimal(line["total"]) * self.rates[line["sku"]]).quantize(Decimal("0.000001"))
            line["total_tax"] = str(tax)
            whole += Decimal(line["total"]) + tax
        order["total"] = str(Decimal(whole).quantize(Decimal("0.01")))


def lines(*told: tuple[str, int]) -> tuple[Line, ...]:
    return tuple(Line("Thing", "2", Money(minor, "EUR"), sku) for sku, minor in told)


@pytest.mark.parametrize(
    "bought",
    [
        lines(("A-1", 10000)),
        lines(("A-1", 3333), ("B-2", 4444), ("C-3", 1000)),
        lines(("B-2", 1), ("A-1", 9998)),
        lines(("A-1", 0), ("B-2", 9000)),
        (*lines(("A-1", 5000)), Line("A gift", "1", Money(2500, "EUR"))),
    ],
)
def test_a_new_order_comes_to_what_was_shown(bought: tuple[Line, ...]) -> None:
    shop = Taxing()
    wanted = replace(reservation("cart:elsewhere", total=TOTAL), lines=bought)
    held = connector("woocommerce", shop).reserve(wanted)
    assert held.total == TOTAL
    assert connector("woocommerce", shop).reserve(wanted) == held
    assert len(shop.orders) == 1


def test_a_renewal_comes_to_what_was_paid() -> None:
    shop = Taxing()
    change = replace(renewal("order:1"), lines=lines(("A-1", 10000)), amount=TOTAL)
    one = connector("woocommerce", shop)
    assert shop.orders[one.write_back(change).order_key.partition(":")[2]]["total"] == "100.00"


def test_a_renewal_that_the_shop_makes_more_of_is_shown_to_a_person() -> None:
    class Fee(Taxing):
        def _sum(self, order: dict[str, Any]) -> None:
            super()._sum(order)
            order["total"] = str(Decimal(order["total"]) + 3)

    change = replace(renewal("order:1"), lines=lines(("A-1", 10000)), amount=TOTAL)
    with pytest.raises(Refused, match="another than what was paid"):
        connector("woocommerce", Fee()).write_back(change)
