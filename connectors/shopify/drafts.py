"""Invoices: a draft order of a basket, which its shopper pays at Shopify's own checkout."""

from typing import Any

from connectors.shopify.graphql import DRAFT_ORDER_CREATE, DRAFT_ORDERS, text_query
from connectors.shopify.orders import pieces_of
from connectors.shopify.payload import BASKET, INVOICE_TAG
from plugin_backend.sdk.connector import Line, Reservation
from plugin_backend.sdk.errors import NoAnswer
from plugin_backend.sdk.graphql import GraphQL, nodes, part
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import WebAddress

_ADDRESS = WebAddress()


def invoice(admin: GraphQL, wanted: Reservation) -> str:
    """The address of the invoice of the draft order that is made under our key, which is one of its tags. A search lags: asked
    again at once there may be a second draft, of which nobody is told."""
    data = admin.ask(DRAFT_ORDERS, {"query": text_query("tag", wanted.key)})
    found, _ = nodes(data, "draftOrders")
    url = _ADDRESS.read((found[0] if found else _made(admin, wanted)).get("invoiceUrl"))
    if not url:
        raise NoAnswer("DraftOrderCreate: the draft order has no invoice yet")
    return url


def _made(admin: GraphQL, wanted: Reservation) -> dict[str, Any]:
    """The lines at the prices that the shop showed, as whose taxes and shipping its own checkout adds. The order that comes
    of it has the draft's tags and attributes, and no other name of the basket."""
    draft = {
        "lineItems": [_line(line, wanted.total) for line in wanted.lines],
        "presentmentCurrencyCode": wanted.total.currency,
        "tags": [INVOICE_TAG, wanted.key],
        "customAttributes": [{"key": BASKET, "value": wanted.cart_key}],
        **({"email": wanted.person.email} if wanted.person.email else {}),
    }
    payload = part(admin.ask(DRAFT_ORDER_CREATE, {"input": draft}), "draftOrderCreate")
    return part(payload, "draftOrder")


def _line(line: Line, total: Money) -> dict[str, Any]:
    title, quantity, price = pieces_of(line, total)
    amount = {"amount": price.decimal(), "currencyCode": price.currency}
    made = {"title": title, "quantity": quantity, "originalUnitPriceWithCurrency": amount}
    return made | {"requiresShipping": True} | ({"sku": line.sku} if line.sku else {})
