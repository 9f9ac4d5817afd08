"""The vault: tokens and credentials, sealed under the shop's and the customers' keys; a card number never is here."""

from plugin_backend.domain.vault import keys
from plugin_backend.domain.vault.audit import VaultEntry, VaultHead, VaultSeal
from plugin_backend.domain.vault.holders import Holder
from plugin_backend.domain.vault.intake import Slot, furnish, needed_door, slot, take
from plugin_backend.domain.vault.keys import VaultKey, VaultRoot, needed_roots, warm
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
from plugin_backend.domain.vault.opening import seal, unseal
from plugin_backend.domain.vault.proving import Mark, Proof, prove_log, seal_log
from plugin_backend.domain.vault.sealed import Dropped, Sealed
from plugin_backend.domain.vault.shredding import destroy, sealed_of, shred
from plugin_backend.domain.vault.uses import Purpose, Use, to_charge, to_detach, to_read, to_refund

__all__ = [
    "KEPT",
    "Dropped",
    "Holder",
    "Mark",
    "Opened",
    "PaymentMethod",
    "Proof",
    "Purpose",
    "Sealed",
    "Slot",
    "Use",
    "VaultEntry",
    "VaultHead",
    "VaultKey",
    "VaultRoot",
    "VaultSeal",
    "by_token",
    "destroy",
    "expires_before",
    "furnish",
    "keep",
    "keys",
    "needed_door",
    "needed_roots",
    "open_method",
    "prove_log",
    "renew",
    "seal",
    "seal_log",
    "sealed_of",
    "shred",
    "slot",
    "stop",
    "stopped_before",
    "take",
    "to_charge",
    "to_detach",
    "to_read",
    "to_refund",
    "unseal",
    "update",
    "warm",
]
