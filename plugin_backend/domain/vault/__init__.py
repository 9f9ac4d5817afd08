"""The vault: tokens and credentials, sealed under the shop's and the customers' keys; a card number never is here."""

from plugin_backend.domain.vault.keys import VaultKey, VaultRoot, warm
from plugin_backend.domain.vault.methods import (
    KEPT,
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
from plugin_backend.domain.vault.shredding import destroy, sealed_of, shred

__all__ = [
    "KEPT",
    "Opened",
    "PaymentMethod",
    "Purpose",
    "Use",
    "VaultKey",
    "VaultRoot",
    "by_token",
    "destroy",
    "expires_before",
    "keep",
    "open_method",
    "renew",
    "seal",
    "sealed_of",
    "shred",
    "stop",
    "stopped_before",
    "unseal",
    "update",
    "warm",
]
