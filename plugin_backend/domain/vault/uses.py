"""What something may be opened for. A purpose is no word that a caller says: what moves money, or ends a card, opens only
with the row that stands for it, and the vault looks at that row itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from plugin_backend.core.seal import Place
from plugin_backend.sdk import clock

Purpose = Literal["charge", "renew", "refund", "detach", "read", "gateway_call", "shop_call"]
TOKEN, SETTINGS, DELIVERY = "token", "settings", "delivery"
_MAY_BE_CHARGED = ("sent", "pending", "requires_action", "in_doubt")
_MAY_BE_REFUNDED = ("sent", "in_doubt")
_MAY_BE_DETACHED = ("asked", "in_doubt")


class Row(Protocol):
    """A row of a shop's."""

    @property
    def shop_id(self) -> str: ...
    @property
    def id(self) -> str: ...


class Leased(Row, Protocol):
    """A row that a worker holds until ``due_at``."""

    @property
    def state(self) -> str: ...
    @property
    def taken(self) -> bool: ...
    @property
    def due_at(self) -> datetime | None: ...


class Charge(Leased, Protocol):
    """An attempt at taking money with a payment method. ``asked`` is its fence."""

    @property
    def method_id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def asked(self) -> int: ...
    @property
    def initiator(self) -> str: ...


class Farewell(Leased, Protocol):
    """A row by which a customer's cards are ended at their gateways: all of them, or ``method_id``."""

    @property
    def customer_id(self) -> str: ...
    @property
    def method_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Use:
    """What something is opened for: the purpose, and the id of the row that stands for it. By itself it lets an adapter
    have its settings, for a call; no token opens for that."""

    purpose: Purpose
    row_id: str

    def why_not(self, place: Place) -> str:
        """Why this place must not be opened for this use, in a word for the log; "" where it may."""
        if self.purpose not in ("gateway_call", "shop_call"):
            return "no_warrant"
        of_gateway = self.purpose == "gateway_call"
        return "" if place.field == SETTINGS and bool(place.account) == of_gateway else "another_purpose"


@dataclass(frozen=True, slots=True)
class _Charging(Use):
    attempt: Charge
    fence: int

    def why_not(self, place: Place) -> str:
        if why := _another(self.attempt, place):
            return why
        if self.attempt.state not in _MAY_BE_CHARGED:
            return "not_open"
        if not _held(self.attempt):
            return "not_leased"
        return "" if self.attempt.asked == self.fence else "fence"


@dataclass(frozen=True, slots=True)
class _Renewing(Use):
    attempt: Charge

    def why_not(self, place: Place) -> str:
        if why := _another(self.attempt, place):
            return why
        confirmed = self.attempt.state == "succeeded" and self.attempt.initiator == "customer"
        return "" if confirmed else "not_confirmed"


@dataclass(frozen=True, slots=True)
class _Refunding(Use):
    refund: Leased

    def why_not(self, place: Place) -> str:
        if place.field != SETTINGS or not place.account:
            return "another_purpose"
        if self.refund.shop_id != place.shop:
            return "another_row"
        if self.refund.state not in _MAY_BE_REFUNDED:
            return "not_open"
        return "" if _held(self.refund) else "not_leased"


@dataclass(frozen=True, slots=True)
class _Detaching(Use):
    row: Farewell

    def why_not(self, place: Place) -> str:
        if place.field != TOKEN:
            return "another_purpose"
        same = (self.row.shop_id, self.row.customer_id) == (place.shop, place.customer)
        if not same or self.row.method_id not in ("", place.row):
            return "another_row"
        if self.row.state not in _MAY_BE_DETACHED:
            return "not_open"
        return "" if _held(self.row) else "not_leased"


@dataclass(frozen=True, slots=True)
class _Reading(Use):
    delivery: Row

    def why_not(self, place: Place) -> str:
        if place.field != DELIVERY:
            return "another_purpose"
        same = (self.delivery.shop_id, self.delivery.id) == (place.shop, place.row)
        return "" if same else "another_row"


def to_charge(attempt: Charge, *, fence: int = 0) -> Use:
    """To charge the attempt's own payment method: while it is open, leased, and nobody has asked about it since the caller
    saw ``fence``."""
    return _Charging("charge", attempt.id, attempt, fence)


def to_renew(attempt: Charge) -> Use:
    """To seal the token again, with the payment that its customer has just confirmed. It does not leave the vault."""
    return _Renewing("renew", attempt.id, attempt)


def to_refund(refund: Leased) -> Use:
    """To send a refund that was begun, is not settled, and is leased: the settings of a gateway account."""
    return _Refunding("refund", refund.id, refund)


def to_detach(row: Farewell) -> Use:
    """To end a customer's card at its gateway: while his erasure is open and leased."""
    return _Detaching("detach", row.id, row)


def to_read(delivery: Row) -> Use:
    """To read what a gateway said, or what an owner or his shop brought: only a worker opens it."""
    return _Reading("read", delivery.id, delivery)


def _another(attempt: Charge, place: Place) -> str:
    if place.field != TOKEN:
        return "another_purpose"
    of_attempt = (attempt.shop_id, attempt.method_id, attempt.account_id)
    return "" if of_attempt == (place.shop, place.row, place.account) else "another_row"


def _held(row: Leased) -> bool:
    return row.taken and row.due_at is not None and row.due_at > clock.now()
