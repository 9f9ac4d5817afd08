"""The vault: tokens and credentials, sealed under the shop's and the customers' keys; a card number never is here."""

from plugin_backend.domain.vault.intake import Slot, furnish, slot, take
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

__all__ = [
    "Opened",
    "PaymentMethod",
    "Purpose",
    "Slot",
    "Use",
    "VaultKey",
    "VaultRoot",
    "by_token",
    "expires_before",
    "furnish",
    "keep",
    "open_method",
    "renew",
    "seal",
    "slot",
    "stop",
    "stopped_before",
    "take",
    "unseal",
    "update",
    "warm",
]
