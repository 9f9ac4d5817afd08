"""Merchants, their shops, the shops' connections and gateway accounts, and the doors by which the outside finds them.
``rows`` has the tables."""

from plugin_backend.domain.merchants.accounts import (
    account,
    accounts_of,
    active_account,
    add_account,
    misdirected,
    usable_account,
    use_for_new_plans,
)
from plugin_backend.domain.merchants.connections import connect, connection_of, source
from plugin_backend.domain.merchants.doors import hook_path, knock, open_door
from plugin_backend.domain.merchants.errors import NotAble, NotATestShop, Unknown
from plugin_backend.domain.merchants.rows import Connection, Door, GatewayAccount, Listing, Merchant, Shop
from plugin_backend.domain.merchants.settings import (
    CALLBACK,
    change_settings,
    check_settings,
    connector_of,
    door_capabilities,
    door_of,
    door_settings,
    forget_keys,
    gateway_of,
    settings_with,
)
from plugin_backend.domain.merchants.shops import (
    activate,
    all_shops,
    get_shop,
    load_shop,
    set_retries,
    shop_time,
    travel,
    why_not_able,
)

__all__ = [
    "CALLBACK",
    "Connection",
    "Door",
    "GatewayAccount",
    "Listing",
    "Merchant",
    "NotATestShop",
    "NotAble",
    "Shop",
    "Unknown",
    "account",
    "accounts_of",
    "activate",
    "active_account",
    "add_account",
    "all_shops",
    "change_settings",
    "check_settings",
    "connect",
    "connection_of",
    "connector_of",
    "door_capabilities",
    "door_of",
    "door_settings",
    "forget_keys",
    "gateway_of",
    "get_shop",
    "hook_path",
    "knock",
    "load_shop",
    "misdirected",
    "open_door",
    "set_retries",
    "settings_with",
    "shop_time",
    "source",
    "travel",
    "usable_account",
    "use_for_new_plans",
    "why_not_able",
]
