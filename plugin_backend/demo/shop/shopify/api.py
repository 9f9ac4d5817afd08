"""``POST /shopify/admin/api/{version}/graphql.json``: the schema executed over the shop."""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    StringValueNode,
    VariableNode,
    build_schema,
    graphql_sync,
)

from plugin_backend.demo.shop.shopify import mutations, payload, search, views
from plugin_backend.demo.shop.shopify.mutations import UserError
from plugin_backend.demo.shop.shopify.schema import SDL
from plugin_backend.demo.shop.shopify.shop import ShopifyShop
from plugin_backend.demo.shop.shopify.state import API_VERSION, DOMAIN, Order
from plugin_backend.demo.shop.switches import Switches

_SCHEMA = build_schema(SDL)
_BAD_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105
Resolver = Callable[..., Any]


def blueprint(shop: ShopifyShop, switches: Switches) -> Blueprint:
    api = Blueprint("shopify_api", __name__)
    root = {**_queries(shop), **_order_mutations(shop, switches), **_marking(shop)}
    root |= {**_drafting(shop, switches), **_subscribing(shop)}

    @api.post("/shopify/admin/api/<version>/graphql.json")
    def graphql(version: str) -> Response:
        given = request.headers.get("X-Shopify-Access-Token", "")
        wanted = shop.state.access_token
        if not wanted or not hmac.compare_digest(given.encode(), wanted.encode()):
            return _answer({"errors": _BAD_TOKEN}, 401)
        if switches.throttle:
            return _answer(_throttled())
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
            return _answer({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        with shop.lock:
            done = graphql_sync(_SCHEMA, asked["query"], root, variable_values=asked.get("variables") or {})
        return _answer({**done.formatted, "extensions": {"cost": _cost(12, 8)}})

    return api


def _answer(value: Any, status: int = 200) -> Response:
    headers = {"X-Shopify-API-Version": API_VERSION}
    return Response(payload.encode(value), status, headers, content_type="application/json; charset=utf-8")


def _cost(requested: int, actual: int | None, available: int = 1988) -> dict[str, Any]:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0}
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


def _throttled() -> dict[str, Any]:
    extensions = {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}
    error = {"message": "Throttled", "extensions": extensions}
    return {"data": None, "errors": [error], "extensions": {"cost": _cost(52, None, 2)}}


def _payload(result: str, make: Callable[[], Any], errors: str = "userErrors") -> dict[str, Any]:
    """A mutation's answer: what it made under its name, or what was wrong."""
    try:
        return {result: make(), errors: []}
    except UserError as error:
        return {result: None, errors: [error.as_json()]}


def _queries(shop: ShopifyShop) -> dict[str, Resolver]:
    state = shop.state

    def order(_info: Any, id: str) -> Any:
        found = state.orders.get(mutations.number_of(id, "Order"))
        return views.order(found, state) if found else None

    def orders(_info: Any, **asked: Any) -> Any:
        wanted = search.orders(asked.get("query") or "")
        found = [one for one in state.orders.values() if wanted(one)]
        if asked.get("sortKey") == "UPDATED_AT":
            found.sort(key=lambda one: (one.updated, one.id))
        return search.page(found, lambda one: views.order(one, state), asked)

    def abandoned(_info: Any, **asked: Any) -> Any:
        wanted = search.checkouts(asked.get("query") or "")
        found = [one for one in state.checkouts.values() if wanted(one)]
        return search.page(found, lambda one: views.checkout(one, state, shop.home), asked)

    def drafts(_info: Any, **asked: Any) -> Any:
        wanted = search.drafts(asked.get("query") or "")
        found = [one for one in state.drafts.values() if wanted(one)]
        return search.page(found, lambda one: views.draft(one, state, shop.home), asked)

    def webhooks(_info: Any, **asked: Any) -> Any:
        topics, uri = asked.get("topics"), asked.get("uri")
        found = [one for one in state.subscriptions.values() if not topics or one.topic in topics]
        return search.page([one for one in found if uri in (None, one.uri)], views.subscription, asked)

    return {
        "shop": lambda _info: views.shop(shop.name, f"https://{DOMAIN}", shop.country),
        "currentAppInstallation": lambda _info: views.installation(),
        "order": order,
        "orders": orders,
        "abandonedCheckouts": abandoned,
        "draftOrders": drafts,
        "webhookSubscriptions": webhooks,
    }


def _order_mutations(shop: ShopifyShop, switches: Switches) -> dict[str, Resolver]:
    def shown(order: Order) -> Any:
        return views.order(order, shop.state)

    def create(_info: Any, order: Mapping[str, Any], options: Any = None) -> Any:
        return _payload("order", lambda: shown(mutations.create_order(shop, order, switches.total_drift)))

    def mark(_info: Any, input: Mapping[str, Any]) -> Any:
        return _payload("order", lambda: shown(mutations.mark_as_paid(shop, input["id"])))

    def pay(_info: Any, **given: Any) -> Any:
        return _payload("order", lambda: shown(mutations.manual_payment(shop, given)))

    def update(_info: Any, input: Mapping[str, Any]) -> Any:
        return _payload("order", lambda: shown(mutations.update_order(shop, input)))

    def cancel(_info: Any, **given: Any) -> Any:
        def job() -> Any:
            order = mutations.cancel_order(shop, given["orderId"], given["reason"])
            return {"id": payload.gid("Job", order.id), "done": False}

        return {**_payload("job", job, "orderCancelUserErrors"), "userErrors": []}

    def refund(info: GraphQLResolveInfo[Any], input: Mapping[str, Any]) -> Any:
        key = _idempotency_key(info)

        def made() -> Any:
            _, number, amount = mutations.refund(shop, input, key)
            return {"id": payload.gid("Refund", number), "totalRefundedSet": views.bag(amount)}

        return _payload("refund", made)

    return {
        "orderCreate": create,
        "orderMarkAsPaid": mark,
        "orderCreateManualPayment": pay,
        "orderUpdate": update,
        "orderCancel": cancel,
        "refundCreate": refund,
    }


def _idempotency_key(info: GraphQLResolveInfo[Any]) -> str:
    """The key of the ``@idempotent`` directive, without which the platform books no refund."""
    for directive in info.field_nodes[0].directives or ():
        value = directive.arguments[0].value if directive.arguments else None
        if directive.name.value == "idempotent" and isinstance(value, StringValueNode):
            return value.value
        if directive.name.value == "idempotent" and isinstance(value, VariableNode):
            return str(info.variable_values.coerced[value.name.value])
    raise GraphQLError("The @idempotent directive is required for this mutation but was not provided.")


def _marking(shop: ShopifyShop) -> dict[str, Resolver]:
    """Tags and metafields of orders: what is added beside the rest, and overwrites nothing else."""

    def tags_add(_info: Any, id: str, tags: list[str]) -> Any:
        def node() -> Any:
            order = mutations.order_of(shop, id, ["id"])
            order.tags = list(dict.fromkeys([*order.tags, *tags]))
            return views.order(mutations.changed(shop, order), shop.state)

        return _payload("node", node)

    def metafields_set(_info: Any, metafields: list[Mapping[str, Any]]) -> Any:
        def fields() -> Any:
            owners = [
                mutations.order_of(shop, one["ownerId"], ["metafields"], "INVALID") for one in metafields
            ]
            pairs = zip(owners, metafields, strict=True)
            written = [mutations.put_metafield(shop, owner, one) for owner, one in pairs]
            return [views.metafield(one) for one in written]

        return _payload("metafields", fields)

    return {"tagsAdd": tags_add, "metafieldsSet": metafields_set}


def _drafting(shop: ShopifyShop, switches: Switches) -> dict[str, Resolver]:
    def draft_create(_info: Any, input: Mapping[str, Any]) -> Any:
        def draft() -> Any:
            made = mutations.create_draft(shop, input, switches.total_drift)
            return views.draft(made, shop.state, shop.home)

        return _payload("draftOrder", draft)

    def draft_complete(_info: Any, id: str, **given: Any) -> Any:
        def draft() -> Any:
            done = mutations.complete_draft(shop, id, given.get("sourceName"))
            return views.draft(done, shop.state, shop.home)

        return _payload("draftOrder", draft)

    return {"draftOrderCreate": draft_create, "draftOrderComplete": draft_complete}


def _subscribing(shop: ShopifyShop) -> dict[str, Resolver]:
    def subscribe(_info: Any, topic: str, **given: Any) -> Any:
        wanted = given["webhookSubscription"]
        return _payload("webhookSubscription", lambda: _subscribe(shop, topic, wanted))

    def unsubscribe(_info: Any, id: str) -> Any:
        def deleted() -> str:
            number = mutations.number_of(id, "WebhookSubscription")
            if shop.state.subscriptions.pop(number, None) is None:
                raise UserError("Webhook subscription does not exist", ["id"])
            return id

        return _payload("deletedWebhookSubscriptionId", deleted)

    return {"webhookSubscriptionCreate": subscribe, "webhookSubscriptionDelete": unsubscribe}


def _subscribe(shop: ShopifyShop, topic: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same topic and address twice is refused, so that nothing is delivered twice."""
    uri = wanted.get("uri") or wanted.get("callbackUrl") or ""
    if not uri.startswith(("http://", "https://")):
        raise UserError("Address is invalid", ["webhookSubscription", "uri"])
    if any((one.topic, one.uri) == (topic, uri) for one in shop.state.subscriptions.values()):
        raise UserError("Address for this topic has already been taken", ["webhookSubscription", "uri"])
    return views.subscription(shop.subscribe(topic, uri, wanted.get("name") or ""))
