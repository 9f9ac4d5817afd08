"""What an account of Stripe's promises, and the engine rests on."""

from datetime import timedelta

from plugin_backend.sdk.gateway import CARD, SEPA_DEBIT, GatewayCapabilities

# Keys may be forgotten from this age on.
_KEYS_KEPT = timedelta(hours=24)
# A request of ours is answered or broken off within 20 seconds; Stripe itself may work on for longer, but not for minutes.
_PROCESSING = timedelta(minutes=5)


def capabilities(*, sepa_debit: bool) -> GatewayCapabilities:
    """``look_up`` is a list: what was just made is in it, while the search by metadata may lag behind."""
    return GatewayCapabilities(
        idempotency_window=_KEYS_KEPT,
        look_up="list",
        absent_after=_PROCESSING,
        key_length=255,
        async_refunds=True,
        signed_events=True,
        unattended=True,
        detach=True,
        close=True,
        list_lag=_PROCESSING,
        methods=(CARD, SEPA_DEBIT) if sepa_debit else (CARD,),
        recognises=True,
    )
