"""Shopify's Admin API: the documents we send, and how it is asked.

Every field was checked against the schema of 2026-10. An operation's name says what it does, so that a proxy or a
test shop need not read the document.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.http import Client, Request, raise_for_status
from plugin_backend.sdk.payload import read_json, text_of

VERSION = "2026-10"

_MONEY = "shopMoney { amount currencyCode } presentmentMoney { amount currencyCode }"
_ORDER = f"""id name legacyResourceId createdAt cancelledAt displayFinancialStatus sourceIdentifier tags fullyPaid
    totalPriceSet {{ {_MONEY} }} totalReceivedSet {{ {_MONEY} }} totalOutstandingSet {{ {_MONEY} }}"""
_ADDRESS = "firstName lastName countryCodeV2 phone"

SHOP_INFO = """query ShopInfo {
  shop { name currencyCode ianaTimezone myshopifyDomain }
  currentAppInstallation { accessScopes { handle } }
}"""
ABANDONED_CHECKOUTS = f"""query AbandonedCheckouts($first: Int!, $after: String, $query: String) {{
  abandonedCheckouts(first: $first, after: $after, query: $query, sortKey: CREATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{
      id updatedAt completedAt abandonedCheckoutUrl
      customer {{
        id firstName lastName locale
        defaultEmailAddress {{ emailAddress marketingState }} defaultPhoneNumber {{ phoneNumber }}
      }}
      billingAddress {{ {_ADDRESS} }}
      shippingAddress {{ {_ADDRESS} }}
      totalPriceSet {{ {_MONEY} }}
      lineItems(first: 100) {{ nodes {{ title sku quantity discountedTotalPriceSet {{ {_MONEY} }} }} }}
    }}
  }}
}}"""
ORDERS = f"""query Orders($first: Int!, $after: String, $query: String) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ {_ORDER} }}
  }}
}}"""
ORDERS_BY_SOURCE_IDENTIFIER = f"""query OrdersBySourceIdentifier($query: String!) {{
  orders(first: 10, query: $query) {{ nodes {{ {_ORDER} }} }}
}}"""
RECENT_ORDERS = f"""query RecentOrders($first: Int!) {{
  orders(first: $first, sortKey: CREATED_AT, reverse: true) {{ nodes {{ {_ORDER} }} }}
}}"""
ORDER_STATE = f"query OrderState($id: ID!) {{ order(id: $id) {{ {_ORDER} }} }}"
ORDER_CREATE = f"""mutation OrderCreate($order: OrderCreateOrderInput!, $options: OrderCreateOptionsInput) {{
  orderCreate(order: $order, options: $options) {{ order {{ {_ORDER} }} userErrors {{ field message code }} }}
}}"""
ORDER_MARK_AS_PAID = """mutation OrderMarkAsPaid($input: OrderMarkAsPaidInput!) {
  orderMarkAsPaid(input: $input) { order { id displayFinancialStatus } userErrors { field message } }
}"""
ORDER_CREATE_MANUAL_PAYMENT = """mutation OrderCreateManualPayment(
  $id: ID!, $amount: MoneyInput, $paymentMethodName: String, $processedAt: DateTime
) {
  orderCreateManualPayment(
    id: $id, amount: $amount, paymentMethodName: $paymentMethodName, processedAt: $processedAt
  ) { order { id displayFinancialStatus } userErrors { field message code } }
}"""
TAGS_ADD = """mutation TagsAdd($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } }
}"""
METAFIELDS_SET = """mutation MetafieldsSet($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { metafields { id namespace key } userErrors { field message code } }
}"""
WEBHOOK_LIST = """query WebhookList($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { id topic uri }
  }
}"""
WEBHOOK_SUBSCRIBE = """mutation WebhookSubscribe($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}"""


@dataclass(frozen=True, slots=True)
class Admin:
    """One shop's Admin API. ``base`` is the shop's address without a slash at its end."""

    http: Client
    base: str
    access_token: str

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``data`` of an answer. ``Refused`` where Shopify says no, not permanently where it says later; what it
        says in ``userErrors`` is no too."""
        name = document.split("(")[0].split("{")[0].split()[1]
        body = {"query": document, "operationName": name, "variables": dict(variables or {})}
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Shopify-Access-Token": self.access_token,
        }
        url = f"{self.base}/admin/api/{VERSION}/graphql.json"
        response = raise_for_status(
            self.http.send(Request("POST", url, headers, json.dumps(body).encode())), name
        )
        try:
            answer = read_json(response.body)
        except Unreadable:
            raise NoAnswer(f"{name}: the answer is not JSON") from None
        return _data(answer, name)


def _data(answer: Any, name: str) -> dict[str, Any]:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        raise _error(errors, name)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise NoAnswer(f"{name}: the answer has no data")
    for payload in data.values():
        _raise_user_errors(payload, name)
    return data


def _error(errors: Any, name: str) -> Refused | NoAnswer:
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    code = text_of(extensions.get("code"))[:60] if isinstance(extensions, dict) else ""
    if code == "THROTTLED":
        return Refused(f"{name}: asked to come back later", status=429, permanent=False)
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
        return NoAnswer(f"{name}: {code}")
    return Refused(f"{name}: refused {code or 'by the schema'}", status=403 if code == "ACCESS_DENIED" else 0)


def _raise_user_errors(payload: Any, name: str) -> None:
    """Only where the field is and why by its code: the message may repeat what was sent."""
    errors = payload.get("userErrors") if isinstance(payload, dict) else None
    if not isinstance(errors, list) or not errors:
        return
    first = errors[0] if isinstance(errors[0], dict) else {}
    path = first.get("field")
    where = ".".join(text_of(part) for part in path) if isinstance(path, list) else ""
    raise Refused(f"{name}: {text_of(first.get('code')) or 'refused'} {where}".strip()[:200])


def nodes(data: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a connection, and the cursor behind which there are more, ``""`` where there are none."""
    connection = data.get(name)
    found = connection.get("nodes") if isinstance(connection, dict) else None
    if not isinstance(connection, dict) or not isinstance(found, list):
        raise NoAnswer(f"{name}: the answer has no list")
    info = connection.get("pageInfo")
    more = isinstance(info, dict) and info.get("hasNextPage") is True
    cursor = text_of(info.get("endCursor")) if more and isinstance(info, dict) else ""
    return [node for node in found if isinstance(node, dict)], cursor


def text_query(name: str, value: str) -> str:
    """A search term for exactly this value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}:"{escaped}"'
