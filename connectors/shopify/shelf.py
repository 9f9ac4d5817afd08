"""What of a basket the shop could not sell now. Shopify looks at its stock at its own checkout only, where ours does not lead."""

from typing import Any

from connectors.shopify.graphql import CHECKOUT_STOCK
from plugin_backend.sdk.errors import Refused
from plugin_backend.sdk.graphql import GraphQL, nodes
from plugin_backend.sdk.payload import Flag, Part, Parts, Slim, Text, Whole, load


class _Item(Slim):
    tracked = Flag()


class _Variant(Slim):
    availableForSale = Flag()
    inventoryPolicy = Text(limit=20)
    sellableOnlineQuantity = Whole()
    inventoryItem = Part(_Item)


class _Line(Slim):
    title = Text()
    quantity = Whole()
    variant = Part(_Variant)


class _Lines(Slim):
    nodes = Parts(_Line)


class _Checkout(Slim):
    lineItems = Part(_Lines)


_CHECKOUT = _Checkout()


def sold_out(admin: GraphQL, checkout: str) -> tuple[str, ...]:
    """The titles of the lines of an abandoned checkout, named by its number, of which there is too little. None where the app
    may look at orders and not at products: then there is no telling."""
    try:
        found, _ = nodes(admin.ask(CHECKOUT_STOCK, {"query": f"id:{checkout}"}), "abandonedCheckouts")
    except Refused as refused:
        if not refused.permanent:
            raise
        return ()
    lines = [line for one in found for line in load(_CHECKOUT, one)["lineItems"]["nodes"]]
    return tuple(line["title"] for line in lines if not _on_the_shelf(line["variant"], line["quantity"] or 1))


def _on_the_shelf(variant: dict[str, Any], pieces: int) -> bool:
    """A line without a variant is of the shop's own making, and none is counted."""
    if variant["availableForSale"] is False:
        return False
    counted = variant["inventoryItem"]["tracked"] is True and variant["inventoryPolicy"] == "DENY"
    left = variant["sellableOnlineQuantity"]
    return not counted or left is None or pieces <= left
