"""Connecting a shop: its webhook, checks, facts."""

from collections.abc import Sequence
from typing import Any

from connectors.saleor.graphql import (
    RECOGNISE,
    SHOP_INFO,
    SUBSCRIPTION,
    WEBHOOK_CREATE,
    WEBHOOK_UPDATE,
    api_url,
    shop_api,
)
from plugin_backend.sdk.connector import Check, Guide, ShopFacts, WebhookState
from plugin_backend.sdk.errors import NoAnswer, Refused, RepriseError
from plugin_backend.sdk.graphql import GraphQL
from plugin_backend.sdk.http import Client
from plugin_backend.sdk.payload import Country, Text, text_of
from plugin_backend.sdk.wording import N_

RIGHTS = ("HANDLE_CHECKOUTS", "HANDLE_PAYMENTS", "MANAGE_CHECKOUTS", "MANAGE_ORDERS")
TOPIC = "checkouts and orders"
_ADDRESS = N_(
    "The address of the shop's API, which ends in /graphql/: Dashboard > Configuration > Site settings"
)
_RIGHTS = N_(
    "Dashboard > Extensions > your app: give it HANDLE_CHECKOUTS, HANDLE_PAYMENTS, MANAGE_CHECKOUTS and MANAGE_ORDERS, and "
    "for subscriptions MANAGE_ORDERS_IMPORT"
)
_WEBHOOK = N_("The page Connection, Check again: the webhook is made anew")
GUIDE = Guide(
    paste=("url", "app_token"),
    by_hand=(
        N_(
            "In the dashboard of your shop open Extensions, press Add Extension and choose Provide details manually."
        ),
        N_(
            "Give the app HANDLE_CHECKOUTS, HANDLE_PAYMENTS, MANAGE_CHECKOUTS and MANAGE_ORDERS, and for subscriptions "
            "MANAGE_ORDERS_IMPORT."
        ),
        N_("Copy its token, which Saleor shows once."),
    ),
    made={"secret": "letters"},
    labels={
        "url": N_("Address of the shop's API, which ends in /graphql/"),
        "app_token": N_("Token of the app"),
    },
    shop_side=N_("Your own storefront: put our script into its pages"),
)


def recognise(address: str, http: Client) -> str:
    """The API at the address or at its ``/graphql/``, where it answers a question that only Saleor's schema has."""
    url = api_url(address)
    try:
        answer = shop_api(http, url).ask(RECOGNISE, timeout=10)
    except RepriseError:
        return ""
    return url if text_of(_object(answer.get("shop")).get("schemaVersion")) else ""


def ensure_webhooks(
    api: GraphQL, callback_url: str, secret: str, *, resign: bool = False
) -> Sequence[WebhookState]:
    """One active webhook with our query at ``callback_url``. The platform never switches one off by itself, and does not
    tell the secret: where a webhook is mended, and with ``resign``, the secret is set anew."""
    hook = next((hook for hook in _webhooks(api) if hook.get("targetUrl") == callback_url), None)
    if hook is not None and _ours(hook) and not resign:
        return [WebhookState(TOPIC, "active")]
    wanted = {"isActive": True, "secretKey": secret, "query": SUBSCRIPTION}
    try:
        if hook is None:
            api.ask(WEBHOOK_CREATE, {"input": {"name": "Reprise", "targetUrl": callback_url, **wanted}})
            return [WebhookState(TOPIC, "created")]
        api.ask(WEBHOOK_UPDATE, {"id": text_of(hook.get("id")), "input": wanted})
        return [WebhookState(TOPIC, "repaired")]
    except Refused as refused:
        if refused.status in (401, 403):
            return [WebhookState(TOPIC, "missing")]
        raise


def _ours(hook: dict[str, Any]) -> bool:
    return hook.get("isActive") is True and hook.get("subscriptionQuery") == SUBSCRIPTION


def _app(api: GraphQL) -> dict[str, Any]:
    """The app whose token we hold; ``Refused`` where the token is nobody's."""
    app = api.ask(SHOP_INFO).get("app")
    if app is None:
        raise Refused("the token belongs to no app", status=403)
    return _object(app)


def _webhooks(api: GraphQL) -> list[dict[str, Any]]:
    hooks = _app(api).get("webhooks")
    if not isinstance(hooks, list):
        raise NoAnswer("ShopInfo: the answer has no list of webhooks")
    return [hook for hook in hooks if isinstance(hook, dict)]


def checks(api: GraphQL) -> Sequence[Check]:
    return [
        Check.of("reach", lambda: bool(recognise(api.url, api.http)), _ADDRESS),
        Check.of("rights", lambda: _rights(api), _RIGHTS),
        Check.of("webhooks", lambda: _stands(api), _WEBHOOK),
    ]


def _rights(api: GraphQL) -> bool:
    given = _app(api).get("permissions")
    codes = {text_of(_object(one).get("code")) for one in given} if isinstance(given, list) else set()
    return codes.issuperset(RIGHTS)


def _stands(api: GraphQL) -> bool:
    return any(_ours(hook) for hook in _webhooks(api))


def facts(api: GraphQL) -> ShopFacts:
    """No currency: each of the shop's channels has one of its own."""
    shop = _object(api.ask(SHOP_INFO).get("shop"))
    return ShopFacts(
        name=Text(limit=200).read(shop.get("name")),
        country=Country().read(_object(shop.get("defaultCountry")).get("code")),
        version=Text(limit=30).read(shop.get("version")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
