"""Saleor's GraphQL API: the documents we send, and how it is asked.

Every field was checked against the platform's reference for 3.23.
"""

from plugin_backend.sdk.graphql import Dialect, GraphQL
from plugin_backend.sdk.http import Client

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

DIALECT = Dialect(
    complaints="errors",
    code=("exception", "code"),
    silent=frozenset({"InternalServerError", "OperationalError", "TimeoutError"}),
    denied=frozenset({"PermissionDenied", "InvalidTokenError", "ExpiredSignatureError"}),
)


def shop_api(http: Client, url: str, token: str = "") -> GraphQL:
    """One shop's API at ``url``. ``token`` is an app's; "" asks as a visitor would."""
    return GraphQL(http, url, DIALECT, {"Authorization": f"Bearer {token}"} if token else {})


def api_url(address: str) -> str:
    """The API of the shop at this address, which the platform calls ``/graphql/``."""
    base = address.rstrip("/")
    return f"{base}/" if base.endswith("/graphql") else f"{base}/graphql/"
