"""The outcomes of a charge or a refund: six values and no exception, and the two answers of whoever is asked about one."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from plugin_backend.sdk.money import Money


class Decline(StrEnum):
    """What a refusal asks of us; adapters map their codes to one of these and keep the raw code beside it."""

    NEVER = "never"
    NEW_DATA = "new_data"
    AUTHENTICATION = "authentication"
    FUNDS = "funds"
    SYSTEM = "system"
    UNKNOWN = "unknown"
    CONFIGURATION = "configuration"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money was captured: ``amount`` as the gateway says it."""

    gateway_id: str
    amount: Money
    network_transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """Definitely not charged. ``code`` is the gateway's own. ``advice`` is the network's advice to the merchant as it
    came, such as Mastercard's ``03`` (do not try again), and ``retry_not_before`` a time it names; "" and None where
    there is none."""

    decline: Decline
    code: str = ""
    gateway_id: str = ""
    retry_not_before: datetime | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class RequiresAction:
    """The customer must do something at ``url`` (3-D Secure); it can still succeed until closed."""

    url: str = field(repr=False)
    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted and under way at the gateway (direct debit); ask again."""

    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class NotExecuted:
    """It definitely did not happen: refused before anything was sent, or rejected as a request. ``permanent`` True
    where the same request cannot do better (a wrong key, a currency the account does not take)."""

    reason: str
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It may or may not have happened. Never charged again, never called a decline: asked about, by ``gateway_id`` where
    the gateway gave one before the doubt began."""

    reason: str
    gateway_id: str = ""


Outcome = Succeeded | Declined | RequiresAction | Pending | NotExecuted | InDoubt


@dataclass(frozen=True, slots=True)
class Absent:
    """The gateway knows nothing of that reference *now*. Only the engine may turn this into "not executed"."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The charge can no longer succeed: an old 3-D Secure tab cannot pay later."""
