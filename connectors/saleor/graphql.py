"""Saleor's GraphQL API: the documents we send, and how it is asked.

Every field was checked against the platform's reference for 3.23. An operation's name says what it does, so that a proxy
or a test shop need not read the document.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin_backend.sdk.errors import NoAnswer, Refused, Unreadable
from plugin_backend.sdk.http import Client, Request, raise_for_status
from plugin_backend.sdk.payload import read_json, text_of

REFERENCE = "reprise_ref"
"""The private metadata of an order that we wrote: the key of the reservation or renewal. Public metadata will not do: any
visitor may write it, for his own checkout, and it is copied to the order."""
CONSENT = "reprise_consent"
"""The metadata of a checkout by which the storefront keeps the consent that the shopper gave there."""
PAYMENT_KEY = "reprise_key"
"""The private metadata of a transaction that we wrote: the key of the payment."""

_GROSS = "gross { amount currency }"
_ADDRESS = "firstName lastName phone country { code }"
_WHOLE_ADDRESS = """firstName lastName companyName streetAddress1 streetAddress2 city cityArea postalCode
    country { code } countryArea phone"""
_BASKET = f"""id updatedAt email languageCode user {{ id email }} consent: metafield(key: "{CONSENT}")
    billingAddress {{ {_ADDRESS} }} shippingAddress {{ {_ADDRESS} }} totalPrice {{ {_GROSS} }}
    lines {{ quantity variant {{ sku name product {{ name }} }} totalPrice {{ {_GROSS} }} }}"""
_SALE = f"""id checkoutId status created updatedAt isPaid userEmail languageCodeEnum user {{ id }}
    reference: privateMetafield(key: "{REFERENCE}") billingAddress {{ {_ADDRESS} }} shippingAddress {{ {_ADDRESS} }}
    total {{ {_GROSS} }} totalCharged {{ amount currency }} totalRefunded {{ amount currency }}
    transactions {{ key: privateMetafield(key: "{PAYMENT_KEY}") chargedAmount {{ amount currency }} }}
    fulfillments {{ status created }}"""

_BASKET_EVENTS = ("CheckoutCreated", "CheckoutUpdated", "CheckoutMetadataUpdated")
_SALE_EVENTS = (
    "OrderCreated",
    "OrderUpdated",
    "OrderFullyPaid",
    "OrderFulfilled",
    "OrderCancelled",
    "OrderExpired",
)
_REFUND_EVENTS = ("OrderRefunded", "OrderFullyRefunded")

SUBSCRIPTION = (
    "subscription Reprise { event { __typename issuedAt "
    + " ".join(f"... on {name} {{ checkout {{ {_BASKET} }} }}" for name in _BASKET_EVENTS)
    + " "
    + " ".join(f"... on {name} {{ order {{ {_SALE} }} }}" for name in _SALE_EVENTS + _REFUND_EVENTS)
    + " } }"
)
"""What a webhook's body is made of. The platform reads from it which events are wanted, too."""

RECOGNISE = "query Recognise { shop { name schemaVersion } }"
SHOP_INFO = """query ShopInfo {
  shop { name version defaultCountry { code } }
  app { permissions { code } webhooks { id name isActive targetUrl subscriptionQuery } }
}"""
CHECKOUT = f"""query CheckoutState($id: ID!) {{
  checkout(id: $id) {{ {_BASKET} lines {{ problems {{ __typename }} }} }}
}}"""
ORDER = f"query OrderState($id: ID!) {{ order(id: $id) {{ {_SALE} events {{ message }} }} }}"
ORDERS_OF_CHECKOUT = f"""query OrdersOfCheckout($ids: [ID!]!) {{
  orders(first: 5, filter: {{checkoutIds: $ids}}) {{ edges {{ node {{ {_SALE} }} }} }}
}}"""
ORDER_BY_REFERENCE = (
    f"query OrderByReference($key: String!) {{ order(externalReference: $key) {{ {_SALE} }} }}"
)
FIRST_ORDER = f"""query FirstOrder($id: ID!) {{
  order(id: $id) {{
    languageCodeEnum channel {{ slug }} user {{ id }} userEmail
    billingAddress {{ {_WHOLE_ADDRESS} }} shippingAddress {{ {_WHOLE_ADDRESS} }}
    lines {{ productSku variant {{ id }} }}
  }}
  warehouses(first: 1) {{ edges {{ node {{ id }} }} }}
}}"""
CHECKOUTS = f"""query Checkouts($after: String, $filter: CheckoutFilterInput) {{
  checkouts(first: 100, after: $after, filter: $filter, sortBy: {{field: CREATION_DATE, direction: ASC}}) {{
    pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {_BASKET} }} }}
  }}
}}"""
ORDERS = f"""query Orders($after: String, $filter: OrderFilterInput) {{
  orders(first: 100, after: $after, filter: $filter, sortBy: {{field: LAST_MODIFIED_AT, direction: ASC}}) {{
    pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {_SALE} }} }}
  }}
}}"""
ORDER_FROM_CHECKOUT = f"""mutation OrderFromCheckout($id: ID!, $metadata: [MetadataInput!]) {{
  orderCreateFromCheckout(id: $id, privateMetadata: $metadata) {{
    order {{ {_SALE} }} errors {{ field message code }}
  }}
}}"""
ORDER_IMPORT = f"""mutation OrderImport($orders: [OrderBulkCreateInput!]!) {{
  orderBulkCreate(orders: $orders, errorPolicy: IGNORE_FAILED, stockUpdatePolicy: FORCE) {{
    results {{ order {{ {_SALE} }} errors {{ path message code }} }} errors {{ path message code }}
  }}
}}"""
TRANSACTION_CREATE = """mutation TransactionCreate($id: ID!, $transaction: TransactionCreateInput!) {
  transactionCreate(id: $id, transaction: $transaction) { transaction { id } errors { field message code } }
}"""
NOTE_ADD = """mutation OrderNoteAdd($id: ID!, $message: String!) {
  orderNoteAdd(order: $id, input: {message: $message}) { order { id } errors { field message code } }
}"""
METADATA_SET = """mutation MetadataSet($id: ID!, $input: [MetadataInput!]!) {
  updatePrivateMetadata(id: $id, input: $input) { item { __typename } errors { field message code } }
}"""
WEBHOOK_CREATE = """mutation WebhookCreate($input: WebhookCreateInput!) {
  webhookCreate(input: $input) { webhook { id } errors { field message code } }
}"""
WEBHOOK_UPDATE = """mutation WebhookUpdate($id: ID!, $input: WebhookUpdateInput!) {
  webhookUpdate(id: $id, input: $input) { webhook { id } errors { field message code } }
}"""


@dataclass(frozen=True, slots=True)
class Api:
    """One shop's GraphQL API at ``url``. ``token`` is an app's; "" asks as a visitor would."""

    http: Client
    url: str
    token: str = ""

    def ask(
        self, document: str, variables: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """The ``data`` of an answer. ``Refused`` where Saleor says no, also in a mutation's ``errors``."""
        name = document.split("(")[0].split("{")[0].split()[1]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = {"query": document, "operationName": name, "variables": dict(variables or {})}
        request = Request("POST", self.url, headers, json.dumps(body).encode())
        response = raise_for_status(self.http.send(request, timeout=timeout), name)
        try:
            answer = read_json(response.body)
        except Unreadable:
            raise NoAnswer(f"{name}: the answer is not JSON") from None
        return _data(answer, name)


def api_url(address: str) -> str:
    """The API of the shop at this address, which the platform calls ``/graphql/``."""
    base = address.rstrip("/")
    return f"{base}/" if base.endswith("/graphql") else f"{base}/graphql/"


def _data(answer: Any, name: str) -> dict[str, Any]:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        raise _error(errors, name)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise NoAnswer(f"{name}: the answer has no data")
    for payload in data.values():
        raise_errors(payload, name)
    return data


def _error(errors: Any, name: str) -> Refused | NoAnswer:
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = text_of(_part(_part(first, "extensions"), "exception").get("code"))[:60]
    if code in ("InternalServerError", "OperationalError", "TimeoutError"):
        return NoAnswer(f"{name}: {code}")
    denied = code in ("PermissionDenied", "InvalidTokenError", "ExpiredSignatureError")
    return Refused(f"{name}: refused {code or 'by the schema'}", status=403 if denied else 0)


def raise_errors(payload: Any, name: str) -> None:
    """``Refused`` where a mutation's own list of errors is not empty. Only where the field is and why by its code: the
    message may repeat what was sent."""
    errors = payload.get("errors") if isinstance(payload, dict) else None
    if not isinstance(errors, list) or not errors:
        return
    first = errors[0] if isinstance(errors[0], dict) else {}
    where = text_of(first.get("field")) or text_of(first.get("path"))
    raise Refused(f"{name}: {text_of(first.get('code')) or 'refused'} {where}".strip()[:200])


def _part(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def nodes(data: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a connection, and the cursor behind which there are more, ``""`` where there are none."""
    connection = _part(data, name)
    edges = connection.get("edges")
    if not isinstance(edges, list):
        raise NoAnswer(f"{name}: the answer has no list")
    info = _part(connection, "pageInfo")
    cursor = text_of(info.get("endCursor")) if info.get("hasNextPage") is True else ""
    found = [edge.get("node") for edge in edges if isinstance(edge, dict)]
    return [node for node in found if isinstance(node, dict)], cursor
