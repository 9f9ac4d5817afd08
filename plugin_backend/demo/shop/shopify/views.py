"""The shop's objects as the GraphQL API shows them: camel case, global ids, money in bags of two currencies."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from plugin_backend.demo.shop.shopify.baskets import recovery_url
from plugin_backend.demo.shop.shopify.payload import COUNTRIES, decimal, gid
from plugin_backend.demo.shop.shopify.state import (
    API_VERSION,
    CURRENCY,
    DOMAIN,
    Address,
    Checkout,
    Customer,
    DraftOrder,
    Line,
    Metafield,
    Order,
    Pair,
    State,
    Subscription,
    Transaction,
)

SCOPES = (
    "read_orders",
    "write_orders",
    "read_customers",
    "write_draft_orders",
    "read_draft_orders",
    "read_products",
)


def when(moment: int | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bag(minor: int) -> dict[str, Any]:
    """Money as the API writes it: trailing zeros are cut to one digit."""
    text = decimal(minor).rstrip("0")
    one = {"amount": text + "0" if text.endswith(".") else text, "currencyCode": CURRENCY}
    return {"shopMoney": one, "presentmentMoney": one}


def connection(nodes: Sequence[Any], *, more: bool = False) -> dict[str, Any]:
    """A page; the cursor of a node is its id."""
    cursors = [str(node["id"]).rpartition("/")[2] for node in nodes]
    return {
        "nodes": nodes,
        "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": False,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def shop(name: str, home: str, country: str) -> dict[str, Any]:
    return {
        "id": gid("Shop", 548380009),
        "name": name,
        "email": "owner@nordlys.example",
        "contactEmail": "owner@nordlys.example",
        "myshopifyDomain": DOMAIN,
        "currencyCode": CURRENCY,
        "ianaTimezone": "Europe/Oslo",
        "timezoneAbbreviation": "CET",
        "taxesIncluded": True,
        "url": home,
        "primaryDomain": {"url": home, "host": DOMAIN},
        "enabledPresentmentCurrencies": [CURRENCY],
        "billingAddress": {"countryCodeV2": country},
        "shopAddress": {"countryCodeV2": country},
        "plan": {"displayName": "Basic", "partnerDevelopment": False},
    }


def installation() -> dict[str, Any]:
    scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in SCOPES]
    return {"id": gid("AppInstallation", 1), "accessScopes": scopes}


def address(one: Address) -> dict[str, Any]:
    return {
        "firstName": one.first_name or None,
        "lastName": one.last_name or None,
        "name": f"{one.first_name} {one.last_name}".strip() or None,
        "country": COUNTRIES.get(one.country, one.country) or None,
        "countryCodeV2": one.country or None,
    }


def customer(one: Customer | None) -> dict[str, Any] | None:
    if one is None:
        return None
    mail = {
        "emailAddress": one.email,
        "marketingState": "SUBSCRIBED" if one.subscribed else "NOT_SUBSCRIBED",
        "marketingUpdatedAt": when(one.consented),
    }
    return {
        "id": gid("Customer", one.id),
        "legacyResourceId": str(one.id),
        "firstName": one.first_name or None,
        "lastName": one.last_name or None,
        "displayName": f"{one.first_name} {one.last_name}".strip() or one.email,
        "locale": one.locale,
        "email": one.email,
        "defaultEmailAddress": mail,
        "defaultPhoneNumber": None,
        "numberOfOrders": "0",
    }


def _pairs(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    return [{"key": pair.key, "value": pair.value} for pair in pairs]


def _of_product(line: Line) -> dict[str, Any]:
    """There is as much of everything as anybody wants."""
    variant = {
        "id": gid("ProductVariant", line.variant_id),
        "title": "Default Title",
        "sku": line.sku,
        "availableForSale": True,
        "inventoryPolicy": "DENY",
        "sellableOnlineQuantity": 100,
        "inventoryItem": {"id": gid("InventoryItem", line.variant_id), "tracked": True},
    }
    product = {"id": gid("Product", line.product_id), "title": line.title}
    return {"variant": variant if line.variant_id else None, "product": product if line.product_id else None}


def line(one: Line, kind: str) -> dict[str, Any]:
    return {
        "id": gid(kind, one.id),
        "title": one.title,
        "name": one.title,
        "sku": one.sku or None,
        "quantity": one.quantity,
        "currentQuantity": one.quantity,
        "refundableQuantity": one.quantity,
        "variantTitle": None,
        **_of_product(one),
        "originalUnitPriceSet": bag(one.price),
        "originalTotalSet": bag(one.total),
        "originalTotalPriceSet": bag(one.total),
        "discountedTotalSet": bag(one.total),
        "discountedTotalPriceSet": bag(one.total),
        "customAttributes": [],
    }


def transaction(one: Transaction) -> dict[str, Any]:
    parent = {"id": gid("OrderTransaction", one.parent_id)} if one.parent_id else None
    return {
        "id": gid("OrderTransaction", one.id),
        "kind": one.kind.upper(),
        "status": one.status.upper(),
        "gateway": one.gateway,
        "amountSet": bag(one.amount),
        "parentTransaction": parent,
        "processedAt": when(one.processed),
        "createdAt": when(one.processed),
        "errorCode": None,
    }


def metafield(one: Metafield) -> dict[str, Any]:
    return {
        "id": gid("Metafield", one.id),
        "namespace": one.namespace,
        "key": one.key,
        "value": one.value,
        "type": one.type,
    }


def order(one: Order, state: State) -> dict[str, Any]:
    def one_metafield(_info: Any, key: str, namespace: str | None = None) -> dict[str, Any] | None:
        found = (
            field for field in one.metafields if field.key == key and namespace in (None, field.namespace)
        )
        return next(map(metafield, found), None)

    def metafields(_info: Any, **asked: Any) -> dict[str, Any]:
        wanted = [field for field in one.metafields if asked.get("namespace") in (None, field.namespace)]
        return connection([metafield(field) for field in wanted])

    return {
        **_order_facts(one),
        **_order_money(one),
        "customer": customer(state.customers.get(one.customer_id)),
        "billingAddress": address(one.address),
        "shippingAddress": address(one.address),
        "customAttributes": _pairs(one.attributes),
        "transactions": [transaction(paid) for paid in one.transactions],
        "lineItems": connection([line(item, "LineItem") for item in one.lines]),
        "metafield": one_metafield,
        "metafields": metafields,
    }


def _order_facts(one: Order) -> dict[str, Any]:
    return {
        "__typename": "Order",
        "id": gid("Order", one.id),
        "legacyResourceId": str(one.id),
        "name": f"#{one.number}",
        "number": one.number,
        "createdAt": when(one.created),
        "updatedAt": when(one.updated),
        "processedAt": when(one.processed),
        "cancelledAt": when(one.cancelled),
        "closedAt": None,
        "cancelReason": one.cancel_reason.upper() or None,
        "displayFinancialStatus": one.financial_status.upper(),
        "sourceIdentifier": one.source_identifier or None,
        "sourceName": one.source_name,
        "tags": sorted(one.tags),
        "note": one.note or None,
        "email": one.email or None,
        "phone": None,
        "customerLocale": one.locale,
        "fullyPaid": one.financial_status == "paid",
        "unpaid": one.financial_status == "pending",
        "test": one.test,
        "confirmed": True,
        "customerAcceptsMarketing": one.accepts_marketing,
        "currencyCode": CURRENCY,
        "presentmentCurrencyCode": CURRENCY,
    }


def _order_money(one: Order) -> dict[str, Any]:
    return {
        "totalPriceSet": bag(one.total),
        "currentTotalPriceSet": bag(one.total - one.refunded),
        "subtotalPriceSet": bag(one.total - one.shipping),
        "totalOutstandingSet": bag(one.outstanding),
        "totalReceivedSet": bag(one.received),
        "totalRefundedSet": bag(one.refunded),
        "totalTaxSet": bag(0),
        "totalShippingPriceSet": bag(one.shipping),
    }


def checkout(one: Checkout, state: State, home: str) -> dict[str, Any]:
    return {
        "id": gid("AbandonedCheckout", one.id),
        "name": f"#{one.id}",
        "createdAt": when(one.created),
        "updatedAt": when(one.updated),
        "completedAt": when(one.completed),
        "abandonedCheckoutUrl": recovery_url(one, home),
        "note": "",
        "taxesIncluded": True,
        "discountCodes": [],
        "customer": customer(state.customers.get(one.customer_id)),
        "billingAddress": address(one.address),
        "shippingAddress": address(one.address),
        "customAttributes": [],
        "totalPriceSet": bag(one.total),
        "subtotalPriceSet": bag(one.total),
        "totalTaxSet": bag(0),
        "totalDiscountSet": bag(0),
        "lineItems": connection([line(item, "AbandonedCheckoutLineItem") for item in one.lines]),
    }


def draft(one: DraftOrder, state: State, home: str) -> dict[str, Any]:
    placed = state.orders.get(one.order_id)
    return {
        "id": gid("DraftOrder", one.id),
        "name": f"#D{one.number}",
        "status": "COMPLETED" if placed else "OPEN",
        "ready": True,
        "invoiceUrl": f"{home}/invoices/{one.id:x}",
        "email": one.email or None,
        "note2": one.note or None,
        "tags": one.tags,
        "currencyCode": CURRENCY,
        "totalPriceSet": bag(one.total),
        "order": order(placed, state) if placed else None,
        "createdAt": when(one.created),
    }


def subscription(one: Subscription) -> Mapping[str, Any]:
    return {
        "id": gid("WebhookSubscription", one.id),
        "topic": one.topic,
        "uri": one.uri,
        "name": one.name or None,
        "apiVersion": {"handle": API_VERSION, "displayName": API_VERSION, "supported": True},
        "format": "JSON",
        "createdAt": when(one.updated),
        "updatedAt": when(one.updated),
    }
