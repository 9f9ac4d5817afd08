"""Connecting a shop: the authorization-code grant of the owner's own custom app, webhooks, checks."""

import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

from connectors.shopify.graphql import SHOP_INFO, WEBHOOK_LIST, WEBHOOK_SUBSCRIBE, admin_api
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Check, Guide, Install, ShopFacts, WebhookState
from plugin_backend.sdk.errors import BadSignature, NoAnswer, Refused, RepriseError, Unreadable
from plugin_backend.sdk.graphql import GraphQL, nodes
from plugin_backend.sdk.http import Client, Delivery, Request, raise_for_status
from plugin_backend.sdk.payload import Moment, Text, read_object, text_of
from plugin_backend.sdk.signing import TOLERANCE_SECONDS, hmac_sha256
from plugin_backend.sdk.wording import N_

SCOPES = ("read_orders", "write_orders", "read_customers", "read_products")
DRAFT_SCOPES = ("read_draft_orders", "write_draft_orders")
TOPICS = (
    "CARTS_CREATE",
    "CARTS_UPDATE",
    "CHECKOUTS_CREATE",
    "CHECKOUTS_UPDATE",
    "CHECKOUTS_DELETE",
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_PAID",
    "ORDERS_CANCELLED",
    "ORDER_TRANSACTIONS_CREATE",
    "REFUNDS_CREATE",
    "APP_UNINSTALLED",
)
_RULE = N_(
    "Shopify's rule (App Store requirement 1.1.2): an app must not bypass Shopify's checkout, nor register payments that were "
    "taken elsewhere. It is made for apps of the App Store; whether your shop may do so is between you and Shopify."
)
EXTERNAL, DRAFT = "external_paid_order", "draft_order_invoice"
WRITE_MODES = {
    "checkout_link": N_(
        "At Shopify's checkout: Reprise reminds of the basket and leads back to it; no plans"
    ),
    DRAFT: N_("At Shopify's checkout, by the invoice of a draft order that Reprise makes; no plans"),
    EXTERNAL: N_("As orders that were paid elsewhere: I have read Shopify's rule above"),
}
GUIDE = Guide(
    handover=("url", "client_id", "secret", "write_mode"),
    before=(
        N_(
            "This is a custom app of your own, not an app of the App Store. Shopify does not admit apps like Reprise to "
            "its store; a custom app for your own shop needs no review, and Shopify's terms apply to you as its owner."
        ),
        _RULE,
        N_("In the Dev Dashboard of Shopify create an app and choose custom distribution, for your shop."),
        N_(
            "Give its version exactly these access scopes: read_orders, write_orders, read_customers, read_products; for "
            "invoices of draft orders also read_draft_orders, write_draft_orders."
        ),
        N_("Enter this address there as the redirect URL: %(callback_url)s"),
        N_("Copy the client ID and the client secret of the app into the form."),
    ),
    paste=("url", "secret", "access_token", "write_mode"),
    by_hand=(
        _RULE,
        N_("If your app has an Admin API access token already, its token and client secret will do."),
    ),
    optional=("write_mode",),
    choices={"write_mode": WRITE_MODES},
    labels={
        "write_mode": N_("How payments of a plan reach your shop"),
        "url": N_("Address of the shop that ends in myshopify.com"),
        "client_id": N_("Client ID of your app"),
        "secret": N_("Client secret of your app"),
        "access_token": N_("Admin API access token"),
    },
    shop_side=N_(
        "Online Store > Themes > Customize > App embeds, and Settings > Customer events: add our script and pixel"
    ),
)
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_MOST_PAGES = 20
_EARLY = timedelta(minutes=10)


def host_of(address: str) -> str:
    return (urlsplit(address).hostname or "").lower()


def is_shopify_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None


def recognise(address: str, http: Client) -> str:
    """Every storefront of Shopify that is open tells its permanent name at ``/meta.json``; under that name any answer
    will do, since a shop behind a password says nothing."""
    try:
        answer = http.send(Request("GET", f"{address.rstrip('/')}/meta.json"), timeout=10)
        if is_shopify_host(host_of(address)):
            return f"https://{host_of(address)}"
        raise_for_status(answer, "meta")
        name = text_of(read_object(answer.body).get("myshopify_domain")).lower()
    except RepriseError:
        return ""
    return f"https://{name}" if is_shopify_host(name) else ""


def ensure_webhooks(admin: GraphQL, callback_url: str) -> Sequence[WebhookState]:
    """Shopify deletes a subscription after eight failures in a row; it knows none that is switched off."""
    ours = {
        text_of(hook.get("topic"))
        for hook in _subscriptions(admin)
        if text_of(hook.get("uri")) == callback_url
    }
    return [_ensure(admin, topic, callback_url, there=topic in ours) for topic in TOPICS]


def _subscriptions(admin: GraphQL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(_MOST_PAGES):
        page, cursor = nodes(admin.ask(WEBHOOK_LIST, {"after": cursor or None}), "webhookSubscriptions")
        found += page
        if not cursor:
            break
    return found


def _ensure(admin: GraphQL, topic: str, callback_url: str, *, there: bool) -> WebhookState:
    if there:
        return WebhookState(topic, "active")
    try:
        admin.ask(WEBHOOK_SUBSCRIBE, {"topic": topic, "sub": {"uri": callback_url, "format": "JSON"}})
    except Refused as refused:
        if refused.status == 403:
            return WebhookState(topic, "missing")
        raise
    return WebhookState(topic, "created")


def scopes_of(mode: str) -> tuple[str, ...]:
    """What the app must be allowed, where payments reach the shop in this way."""
    return (*SCOPES, *DRAFT_SCOPES) if mode == DRAFT else SCOPES


def install_url(install: Install, client_id: str, mode: str) -> str:
    if not is_shopify_host(host_of(install.address)):
        raise Refused("the address is not that of a shop at myshopify.com")
    if not client_id:
        raise Refused("the client id of your custom app is missing")
    query = {
        "client_id": client_id,
        "scope": ",".join(scopes_of(mode)),
        "redirect_uri": install.callback_url,
        "state": install.nonce,
    }
    return f"https://{host_of(install.address)}/admin/oauth/authorize?{urlencode(query, quote_via=quote)}"


def check_query(query: str, secrets: Iterable[str]) -> dict[str, str]:
    """The parameters of a query that Shopify signed, ``BadSignature`` for any other.

    Shopify's own libraries write the signed text in two ways, which differ for unusual characters; each is tried over
    the raw query, as the first writes it and as the second.
    """
    pairs = [pair for pair in query.split("&") if pair]
    given = next((pair.partition("=")[2] for pair in pairs if pair.startswith("hmac=")), "")
    decoded = parse_qsl(query, keep_blank_values=True, errors="replace")
    names = [name for name, _ in decoded]
    if not given or any(names.count(name) > 1 for name in ("hmac", "shop", "state", "timestamp", "code")):
        raise BadSignature("the query has no signature, or says one thing twice")
    messages = {_raw_form(pairs), _encoded_form(decoded), _python_form(decoded)}
    good = False
    for secret in secrets:
        for message in messages:
            expected = hmac_sha256(
                secret.encode("utf-8", "replace"), message.encode("utf-8", "replace")
            ).hex()
            good |= bool(secret) and hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
    if not good:
        raise BadSignature("the signature does not fit the query")
    return dict(decoded)


def _raw_form(pairs: list[str]) -> str:
    return "&".join(sorted(pair for pair in pairs if pair.partition("=")[0] not in ("hmac", "signature")))


def _encoded_form(decoded: list[tuple[str, str]]) -> str:
    """Values form-encoded, a blank as ``%20``; sorted by name, repeated ones in their order."""
    kept = sorted(
        (pair for pair in decoded if pair[0] not in ("hmac", "signature")), key=lambda pair: pair[0]
    )
    return "&".join(f"{_form(name)}={_form(value)}" for name, value in kept)


def _form(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("+", "%20").replace("~", "%7E")


def _python_form(decoded: list[tuple[str, str]]) -> str:
    """Only ``%`` and ``&`` are escaped, ``=`` in names too; a list is one value in JSON."""
    lists: dict[str, list[str]] = {}
    for name, value in decoded:
        if name != "hmac":
            lists.setdefault(name, []).append(value)
    pairs = []
    for name, values in lists.items():
        listed = name.endswith("[]")
        text = json.dumps(values) if listed else values[-1]
        key = name.removesuffix("[]").replace("%", "%25").replace("&", "%26").replace("=", "%3D")
        pairs.append(f"{key}={text.replace('%', '%25').replace('&', '%26')}")
    return "&".join(sorted(pairs))


def complete_install(
    install: Install, delivery: Delivery, settings: Mapping[str, str], http: Client
) -> dict[str, str]:
    """The tokens for the code that the owner's browser brought back, in Shopify's order of checks; then they are
    tried at the shop that was typed."""
    query = check_query(delivery.query, (settings.get("secret", ""), settings.get("old_secret", "")))
    host = host_of(install.address)
    if query.get("shop", "").lower() != host or not is_shopify_host(host):
        raise BadSignature("the query is about another shop")
    if not hmac.compare_digest(query.get("state", "").encode("utf-8", "replace"), install.nonce.encode()):
        raise BadSignature("the query belongs to no hand-over of ours")
    stamp = query.get("timestamp", "")
    fresh = stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12
    if not fresh or abs(delivery.received_at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature("the query's time is too far from ours")
    asked = {"code": query.get("code", ""), "expiring": "1"}
    tokens = _tokens(f"https://{host}", asked, settings, http)
    admin_api(http, f"https://{host}", tokens["access_token"]).ask(SHOP_INFO)
    return {"url": f"https://{host}", **tokens}


def expires_at(settings: Mapping[str, str]) -> datetime | None:
    """When the access token ends; None where it does not, or nothing is there to renew it with."""
    if not settings.get("refresh_token") or not settings.get("client_id"):
        return None
    return Moment().read(settings.get("token_expires_at"))


def renew_at(settings: Mapping[str, str]) -> datetime | None:
    expires = expires_at(settings)
    return expires - _EARLY if expires else None


def refresh(base: str, settings: Mapping[str, str], http: Client) -> dict[str, str]:
    """New tokens shortly before the old ones end; both are new then."""
    token, due = settings.get("refresh_token", ""), renew_at(settings)
    if not token or not settings.get("client_id") or (due and due > clock.real_now()):
        return {}
    asked = {"grant_type": "refresh_token", "refresh_token": token}
    return _tokens(base, asked, settings, http)


def _tokens(base: str, asked: dict[str, str], settings: Mapping[str, str], http: Client) -> dict[str, str]:
    who = {"client_id": settings.get("client_id", ""), "client_secret": settings.get("secret", "")}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = Request(
        "POST", f"{base}/admin/oauth/access_token", headers, json.dumps({**who, **asked}).encode()
    )
    answer = raise_for_status(http.send(request), "access_token")
    try:
        body = read_object(answer.body)
    except Unreadable:
        raise NoAnswer("access_token: the answer is not JSON") from None
    found = {name: text_of(body.get(name)) for name in ("access_token", "refresh_token")}
    if not found["access_token"]:
        raise NoAnswer("access_token: the answer has no token")
    seconds = body.get("expires_in")
    if isinstance(seconds, int) and 0 < seconds < 10**9:
        found["token_expires_at"] = _after(seconds).isoformat()
    return {name: value for name, value in found.items() if value}


def _after(seconds: int) -> datetime:
    return clock.real_now() + timedelta(seconds=seconds)


def checks(admin: GraphQL, mode: str) -> Sequence[Check]:
    return [
        Check.of("reach", lambda: _reached(admin), _ADDRESS),
        Check.of("rights", lambda: _rights(admin, mode), _RIGHTS),
        Check.of("webhooks", lambda: _webhooks(admin), _WEBHOOKS),
    ]


_ADDRESS = N_("Settings > Domains: the address that ends in myshopify.com")
_RIGHTS = N_(
    "Dev Dashboard > your app > Versions > Access scopes: read_orders, write_orders, read_customers, read_products, and for "
    "invoices read_draft_orders, write_draft_orders; then install it again"
)
_WEBHOOKS = N_("The page Connection, Check again: the webhooks are made anew")


def _reached(admin: GraphQL) -> bool:
    """Whether the Admin API answers at all, be it with no."""
    try:
        admin.ask(SHOP_INFO)
    except Refused as refused:
        return refused.status in (401, 403, 429)
    return True


def _rights(admin: GraphQL, mode: str) -> bool:
    """A right to write takes in that to read, and may stand alone in the list. Without that to read products all is done but
    looking at the stock."""
    installation = admin.ask(SHOP_INFO).get("currentAppInstallation")
    scopes = installation.get("accessScopes") if isinstance(installation, dict) else None
    granted = {text_of(scope.get("handle")) for scope in scopes or [] if isinstance(scope, dict)}
    needed = set(scopes_of(mode)) - {"read_products"}
    return all(scope in granted or scope.replace("read_", "write_") in granted for scope in needed)


def _webhooks(admin: GraphQL) -> bool:
    """Each topic leads to one and the same address."""
    hooks = _subscriptions(admin)
    uris = [{text_of(hook.get("uri")) for hook in hooks if hook.get("topic") == topic} for topic in TOPICS]
    return bool(set.intersection(*uris))


def facts(admin: GraphQL) -> ShopFacts:
    shop = admin.ask(SHOP_INFO).get("shop")
    told = shop if isinstance(shop, dict) else {}
    short = Text(limit=200)
    return ShopFacts(
        name=short.read(told.get("name")),
        currency=short.read(told.get("currencyCode")),
        timezone=short.read(told.get("ianaTimezone")),
    )
