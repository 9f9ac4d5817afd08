"""What the gateway knows, as objects. All of it can be rebuilt from the ledger; no card number is in any of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from plugin_backend.demo.gateway.modes import MODES, Mode
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class KeyUse:
    """An idempotency key that was used: the request it came with, and what was made. ``sent_at`` is the caller's own
    time, so that another caller's clock on the same account cannot age the key."""

    made: str
    request: str
    sent_at: datetime

    def remembered(self, sent_at: datetime, window: timedelta) -> bool:
        return sent_at - self.sent_at <= window


@dataclass(slots=True)
class Card:
    """A stored card or bank account. ``behaviour`` names the test card; ``charges`` counts the charges made with the token.
    ``callback_url`` is where its set-up was told of, and news of the card go."""

    token: str
    behaviour: str
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int
    fingerprint: str
    network_transaction_id: str
    charges: int = 0
    detached: bool = False
    callback_url: str = ""
    method: str = "card"


@dataclass(slots=True)
class Setup:
    """A card or a bank account being taken. ``state``: ``open``, ``challenge``, ``completed``, ``failed``."""

    id: str
    account: str
    reference: str
    return_url: str
    callback_url: str
    amount: Money
    customer: str
    locale: str
    description: str
    series: str
    at: datetime
    begun: datetime
    state: str = "open"
    reason: str = ""
    refusals: int = 0
    card: Card | None = None
    method: str = "card"


@dataclass(slots=True)
class Charge:
    """One charge. ``state``: ``captured``, ``declined``, ``requires_action``, ``pending``, ``closed``.
    ``advice`` is the network's to a declined one. ``first`` is the state and code of the first answer, which the same
    key is given again."""

    id: str
    account: str
    reference: str
    key: str
    amount: Money
    token: str
    initiator: str
    series: str
    description: str
    collection: str
    return_url: str
    callback_url: str
    network_transaction_id: str
    at: datetime
    state: str
    code: str
    advice: str
    first: tuple[str, str]
    refunded: int = 0


@dataclass(slots=True)
class Dispute:
    """A cardholder disputes a charge. ``state``: ``open``, ``won``, ``lost`` (for the merchant)."""

    id: str
    reference: str
    charge: str
    amount: Money
    state: str = "open"


@dataclass(slots=True)
class Refund:
    """Money given back of one charge. ``state``: ``pending``, ``refunded``, ``failed``. ``fails``: it will, an hour later."""

    id: str
    account: str
    reference: str
    key: str
    charge: str
    charge_reference: str
    amount: Money
    reason: str
    callback_url: str
    at: datetime
    state: str
    fails: bool
    first: tuple[str, str]
    code: str = ""


@dataclass(slots=True)
class Account:
    """Everything under one API key. ``ahead`` is how far its clock stands before the machine's; it only grows. ``mode``
    and ``lag`` are as its last request said. ``errors``: when the keys were used whose first answer, a 500, is kept."""

    id: str
    callback_key: bytes = field(repr=False)
    mode: str = "default"
    lag: timedelta = timedelta(seconds=60)
    ahead: timedelta = timedelta(0)
    setups: dict[str, Setup] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    by_reference: dict[str, list[Charge]] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    refunds_by_reference: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyUse] = field(default_factory=dict)
    errors: dict[tuple[str, str], datetime] = field(default_factory=dict)
    pending: dict[str, Charge] = field(default_factory=dict)
    unsettled: dict[str, Refund] = field(default_factory=dict)
    movements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def behaves(self) -> Mode:
        return MODES[self.mode]

    def now(self) -> datetime:
        return clock.real_now() + self.ahead

    def move_to(self, at: datetime) -> None:
        """Bring the account's clock forward to ``at``; never back."""
        self.ahead = max(self.ahead, at - clock.real_now())

    def charge_of(self, reference: str) -> Charge | None:
        """The charge a reference names: the captured one where there is one, else the newest."""
        found = self.by_reference.get(reference, [])
        captured = [charge for charge in found if charge.state == "captured"]
        return next(iter(captured or found[::-1]), None)

    def shows(self, made: Charge | Refund) -> bool:
        """Does the look-up know it yet?"""
        return not self.behaves.lags or self.now() - made.at >= self.lag
