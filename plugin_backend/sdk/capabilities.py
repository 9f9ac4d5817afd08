"""What a gateway promises."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from plugin_backend.sdk.accounts import CARD, Method


@dataclass(frozen=True, slots=True)
class GatewayCapabilities:
    """What the gateway promises; the engine obeys this and rests on nothing else.

    ``idempotency_window`` None: the gateway keeps no keys, the same request twice may be two charges.
    ``look_up`` ``none``: neither a charge nor a refund can be found again. ``absent_after``: how long after the last
    send an answer "unknown" can be believed at all. ``list_lag``: how long ``list_since`` may still lack what was
    captured; None: it cannot list, and nothing can be compared. ``methods`` are the kinds that can be stored and charged
    without the customer. ``recognises`` True where a token of an earlier order of the shop's can be taken over, and its
    first payment be authenticated. ``traces`` True where not everything is filed under a reference of ours: of one
    charge only one refund is under way at a time.
    """

    idempotency_window: timedelta | None
    look_up: Literal["reference", "id", "list", "none"]
    absent_after: timedelta
    key_length: int
    async_refunds: bool
    signed_events: bool
    unattended: bool
    detach: bool
    close: bool
    list_lag: timedelta | None = None
    methods: tuple[Method, ...] = (CARD,)
    recognises: bool = False
    traces: bool = False

    def finds(self, gateway_id: str) -> bool:
        """Can a charge or refund be looked up, whose id at the gateway is this ("" where it never told us)?"""
        return self.look_up in ("reference", "list") or (self.look_up == "id" and bool(gateway_id))
