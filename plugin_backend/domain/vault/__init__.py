"""The vault: tokens and credentials, sealed under the shop's and the customers' keys; a card number never is here."""

from plugin_backend.domain.vault import keys
from plugin_backend.domain.vault.holders import Holder
from plugin_backend.domain.vault.keys import VaultKey, VaultRoot, warm
from plugin_backend.domain.vault.methods import (
    Opened,
    PaymentMethod,
    by_token,
    expires_before,
    keep,
    open_method,
    renew,
    stop,
    stopped_before,
    update,
)
from plugin_backend.domain.vault.opening import Purpose, Use, seal, unseal
from plugin_backend.domain.vault.sealed import Sealed

__all__ = [
    "Holder",
    "Opened",
    "PaymentMethod",
    "Purpose",
    "Sealed",
    "Use",
    "VaultKey",
    "VaultRoot",
    "by_token",
    "expires_before",
    "keep",
    "keys",
    "open_method",
    "renew",
    "seal",
    "stop",
    "stopped_before",
    "unseal",
    "update",
    "warm",
]
