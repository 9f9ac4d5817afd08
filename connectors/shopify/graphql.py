"""Shopify's Admin API: the documents we send, and how it is asked.

Every field was checked against the schema of 2026-10.
"""

from plugin_backend.sdk.graphql import Dialect, GraphQL
from plugin_backend.sdk.http import Client

VERSION = "2026-10"

_MONEY = "shopMoney { amount currencyCode } presentmentMoney { amount currencyCode }"
_ORDER = f"""id name legacyResourceId createdAt cancelledAt displayFinancialStatus sourceIdentifier tags fullyPaid
    customAttributes {{ key value }} totalPriceSet {{ {_MONEY} }} totalReceivedSet {{ {_MONEY} }} totalOutstandingSet {{ {_MONEY} }}"""
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
CHECKOUT_STOCK = """query CheckoutStock($query: String!) {
  abandonedCheckouts(first: 1, query: $query) {
    nodes { lineItems(first: 100) { nodes {
      title quantity variant { availableForSale inventoryPolicy sellableOnlineQuantity inventoryItem { tracked } }
    } } }
  }
}"""
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
DRAFT_ORDERS = """query DraftOrders($query: String!) {
  draftOrders(first: 1, query: $query) { nodes { id invoiceUrl } }
}"""
DRAFT_ORDER_CREATE = """mutation DraftOrderCreate($input: DraftOrderInput!) {
  draftOrderCreate(input: $input) { draftOrder { id invoiceUrl } userErrors { field message } }
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

DIALECT = Dialect(
    complaints="userErrors",
    later=frozenset({"THROTTLED"}),
    silent=frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"}),
    denied=frozenset({"ACCESS_DENIED"}),
    costly=frozenset({"MAX_COST_EXCEEDED"}),
)


def admin_api(http: Client, base: str, access_token: str) -> GraphQL:
    """One shop's Admin API. ``base`` is the shop's address without a slash at its end."""
    url = f"{base}/admin/api/{VERSION}/graphql.json"
    return GraphQL(http, url, DIALECT, {"X-Shopify-Access-Token": access_token})


def text_query(name: str, value: str) -> str:
    """A search term for exactly this value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}:"{escaped}"'
