"""The modes of an account: each copies a weakness of a real gateway, and says so in its capabilities, but for the one
whose point is the lie."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from plugin_backend.sdk.gateway import CARD, SEPA_DEBIT, GatewayCapabilities

DEFAULT = "default"
_DAY = timedelta(hours=24)
# What a mode declares where it differs from the default. ``ignores_keys`` declares what it does not keep.
_DIFFERENT: Mapping[str, Mapping[str, Any]] = {
    DEFAULT: {},
    "hour_keys": {"idempotency_window": timedelta(hours=1), "async_refunds": True},
    "no_keys": {"idempotency_window": None},
    "no_look_up": {"look_up": "none", "close": False},
    "nothing": {"idempotency_window": None, "look_up": "none", "close": False, "unattended": False},
    "lagging": {},
    "replays_errors": {},
    "ignores_keys": {},
    "unsigned": {"signed_events": False},
}
MODES = tuple(_DIFFERENT)


def capabilities(
    mode: str, processing: timedelta, lag: timedelta, *, sepa_debit: bool
) -> GatewayCapabilities:
    """What an account in ``mode`` promises. ``processing`` is how long after its sending a request may still be worked
    on, ``lag`` how long after it was made a charge may be missing from the look-up of a lagging account; ``sepa_debit``
    whether bank accounts are taken beside cards."""
    declared: dict[str, Any] = {
        "idempotency_window": _DAY,
        "look_up": "reference",
        "absent_after": processing + (lag if mode == "lagging" else timedelta(0)),
        "key_length": 40,
        "async_refunds": False,
        "signed_events": True,
        "unattended": True,
        "detach": True,
        "close": True,
        "list_lag": processing,
        "methods": (CARD, SEPA_DEBIT) if sepa_debit else (CARD,),
        "recognises": True,
    }
    return GatewayCapabilities(**{**declared, **_DIFFERENT[mode]})
