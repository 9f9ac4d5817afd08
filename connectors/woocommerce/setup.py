"""Connecting a shop: keys, webhooks, checks."""

import hmac
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import quote, urlencode

from connectors.woocommerce.api import Api, index_of
from plugin_backend.sdk.connector import Check, Guide, Install, ShopFacts, WebhookState
from plugin_backend.sdk.errors import BadSignature, Refused, RepriseError, Unreadable
from plugin_backend.sdk.http import Client, Delivery
from plugin_backend.sdk.payload import read_object, text_of
from plugin_backend.sdk.wording import N_

TOPICS = ("order.created", "order.updated", "order.deleted", "order.restored")
_KEY = re.compile(r"c[ks]_[0-9A-Za-z]{8,64}")
_HANDOVER = re.compile(r"[A-Za-z0-9_-]{16,128}")


GUIDE = Guide(
    handover=(),
    before=(
        N_(
            "Your shop asks whether Reprise may read and write its orders, and hands the keys over by itself."
        ),
        N_("Sign in there as an administrator or shop manager, and press Approve once."),
        N_(
            "If your shop says that there is no such page, its permalinks are plain: choose another structure under "
            "Settings > Permalinks, or type the keys instead."
        ),
    ),
    paste=("url", "consumer_key", "consumer_secret"),
    by_hand=(
        N_("In your shop open WooCommerce > Settings > Advanced > REST API and press Add key."),
        N_(
            "Choose an administrator as the user and Read/Write as the permissions, then press Generate API key."
        ),
        N_("Copy both keys from that page: WooCommerce shows them once."),
    ),
    made={"secret": "letters", "plugin_secret": "standard"},
    labels={
        "url": N_("Address of the shop, with its folder where it has one"),
        "consumer_key": N_("Consumer key"),
        "consumer_secret": N_("Consumer secret"),
    },
    shop_side=N_("Plugins > Add New Plugin > Upload Plugin: install and activate the plugin Reprise"),
    signs="plugin_secret",
)


def recognise(address: str, http: Client) -> str:
    """WordPress lists the namespaces of its API in its index."""
    home = address.rstrip("/")
    try:
        namespaces = index_of(http, home).get("namespaces")
    except RepriseError:
        return ""
    return home if isinstance(namespaces, list) and "wc/v3" in namespaces else ""


def ensure_webhooks(
    api: Api, callback_url: str, secret: str, *, resign: bool = False
) -> Sequence[WebhookState]:
    """Exactly one active webhook per topic that leads to ``callback_url``, signed with our secret. WooCommerce never says which
    secret a webhook has, so that with ``resign`` it is told to all of them."""
    there = [hook for hook in api.get_all("webhooks") if isinstance(hook, dict)]
    ours = [hook for hook in there if hook.get("delivery_url") == callback_url]
    states = []
    for topic in TOPICS:
        its = sorted((hook for hook in ours if hook.get("topic") == topic), key=_worth)
        states.append(_ensure(api, topic, its[0] if its else None, callback_url, secret, resign=resign))
        for other in its[1:]:
            _remove(api, other)
    return states


def _worth(hook: dict[str, Any]) -> tuple[bool, str]:
    """Of two of one topic, as two askers at once may have made them, the active one stays, then the older."""
    return hook.get("status") != "active", text_of(hook.get("id")).zfill(20)


def _remove(api: Api, hook: dict[str, Any]) -> None:
    """Each event would be told twice. What cannot be removed is no reason to do without the other."""
    with suppress(Refused):
        api.delete(f"webhooks/{text_of(hook.get('id'))}", force="true")


def _ensure(
    api: Api, topic: str, hook: dict[str, Any] | None, callback_url: str, secret: str, *, resign: bool
) -> WebhookState:
    if hook is not None and hook.get("status") == "active" and not resign:
        return WebhookState(topic, "active")
    done: Literal["created", "repaired"] = "created" if hook is None else "repaired"
    try:
        if hook is None:
            api.post("webhooks", _webhook(topic, callback_url, secret))
        else:
            api.put(f"webhooks/{text_of(hook.get('id'))}", {"status": "active", "secret": secret})
    except Refused as refused:
        if refused.status in (401, 403):
            return WebhookState(topic, "missing")
        raise
    return WebhookState(topic, done)


def _webhook(topic: str, callback_url: str, secret: str) -> dict[str, str]:
    return {
        "name": f"Reprise {topic}",
        "topic": topic,
        "delivery_url": callback_url,
        "secret": secret,
        "status": "active",
    }


def install_url(install: Install) -> str:
    """WooCommerce's own page of consent, which sends the keys to the callback."""
    if not install.callback_url.startswith("https://"):
        raise Refused("WooCommerce hands keys over to an https address only: paste them instead")
    if not _HANDOVER.fullmatch(install.nonce):
        raise Refused("the nonce must be of letters, digits, _ and -")
    query = {
        "app_name": "Reprise",
        "scope": "read_write",
        "user_id": install.nonce,
        "return_url": install.return_url,
        "callback_url": install.callback_url,
    }
    return f"{install.address.rstrip('/')}/wc-auth/v1/authorize?{urlencode(query, quote_via=quote)}"


def complete_install(install: Install, delivery: Delivery, http: Client) -> dict[str, str]:
    """The keys, tried at the shop that was typed: nothing in the unsigned delivery says whose they are."""
    body = read_object(delivery.body)
    if not hmac.compare_digest(
        text_of(body.get("user_id")).encode("utf-8", "replace"), install.nonce.encode()
    ):
        raise BadSignature("the keys belong to no hand-over of ours")
    key, secret = text_of(body.get("consumer_key")), text_of(body.get("consumer_secret"))
    if not _KEY.fullmatch(key) or not _KEY.fullmatch(secret):
        raise Unreadable("consumer_key or consumer_secret: not a key")
    if body.get("key_permissions") != "read_write":
        raise Refused("the keys may not write: approve again with read and write")
    address = install.address.rstrip("/")
    Api(http, address, key, secret).get("orders", per_page=1)
    return {"url": address, "consumer_key": key, "consumer_secret": secret}


def checks(api: Api, http: Client, *, can_write: bool) -> Sequence[Check]:
    return [
        Check.of("reach", lambda: bool(recognise(api.base, http)), _ADDRESS),
        Check.of("rights", lambda: _rights(api, can_write=can_write), _RIGHTS),
        Check.of("webhooks", lambda: _webhooks(api), _WEBHOOKS),
    ]


_ADDRESS = N_("Settings > Permalinks: choose anything but Plain; a firewall must let /wp-json/ through")
_RIGHTS = N_("WooCommerce > Settings > Advanced > REST API: add a key with Read/Write for an administrator")
_WEBHOOKS = N_("WooCommerce > Settings > Advanced > Webhooks: the webhooks named Reprise must be active")


def _rights(api: Api, *, can_write: bool) -> bool:
    api.get("orders", per_page=1)
    return can_write


def _webhooks(api: Api) -> bool:
    """Each topic has an active webhook to one and the same address."""
    hooks = [
        hook for hook in api.get_all("webhooks") if isinstance(hook, dict) and hook.get("status") == "active"
    ]
    addresses = [
        {str(hook.get("delivery_url")) for hook in hooks if hook.get("topic") == topic} for topic in TOPICS
    ]
    return bool(set.intersection(*addresses))


def facts(api: Api, http: Client) -> ShopFacts:
    """Each part by itself: a shop that refuses one still tells the others."""
    index = _object(lambda: index_of(http, api.base))
    general = _object(lambda: {"settings": api.get("settings/general")})
    status = _object(lambda: api.get("system_status", _fields="environment"))
    environment = status.get("environment")
    return ShopFacts(
        name=text_of(index.get("name"))[:200],
        timezone=text_of(index.get("timezone_string"))[:50],
        currency=_setting(general, "woocommerce_currency"),
        country=_setting(general, "woocommerce_default_country").partition(":")[0],
        version=text_of(environment.get("version"))[:30] if isinstance(environment, dict) else "",
    )


def _object(ask: Callable[[], Any]) -> dict[str, Any]:
    try:
        value = ask()
    except RepriseError:
        return {}
    return value if isinstance(value, dict) else {}


def _setting(general: dict[str, Any], name: str) -> str:
    settings = general.get("settings")
    for setting in settings if isinstance(settings, list) else []:
        if isinstance(setting, dict) and setting.get("id") == name:
            return text_of(setting.get("value"))[:20]
    return ""
