"""How often a card may still be refused before its scheme calls it excessive: counted per card and account, across plans.

A scheme sees a card, a merchant and an amount, and nothing of plans: so every refusal counts, the first one too, and so
does whatever is still open and may turn out to be one.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from plugin_backend.domain import dunning, schedules
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

Card = tuple[str, str]
# The states are those of the partial index that this is read by.
_REFUSED = text("""
    SELECT m.account_id, m.fingerprint, a.first_sent_at, a.amount, a.currency
    FROM payment_methods m JOIN attempts a ON a.shop_id = m.shop_id AND a.method_id = m.id
    WHERE m.shop_id = :shop AND m.fingerprint = ANY (:cards) AND a.first_sent_at > :since
      AND a.state IN ('declined', 'sent', 'pending', 'requires_action', 'in_doubt')""")


class Spent:
    """What some cards have behind them. Whoever tries one of them notes it here, so that a batch counts itself."""

    def __init__(self, shop: Shop, refusals: Iterable[tuple[Card, datetime, Money]]) -> None:
        self._shop = shop
        self._refusals: dict[Card, list[tuple[datetime, Money]]] = defaultdict(list)
        for card, at, money in refusals:
            self._refusals[card].append((at, money))

    def note(self, method: PaymentMethod, money: Money, at: datetime) -> None:
        """The card is tried at ``at``."""
        self._refusals[_card(method)].append((at, money))

    def allowed_at(self, method: PaymentMethod, money: Money, at: datetime) -> datetime | None:
        """None where the card may be tried at ``at``, else from when on, at an hour of the day."""
        budget = dunning.limits(method.brand, self._shop.visa_retries)
        allowed = dunning.allowed_from(self._refusals[_card(method)], money, at, budget)
        return None if allowed <= at else schedules.humane(allowed, self._shop.zone)


def spent(session: Session, shop: Shop, methods: Iterable[PaymentMethod]) -> Spent:
    """What the cards of a batch have behind them, in one query."""
    values = {
        "shop": shop.id,
        "cards": sorted({method.fingerprint for method in methods}),
        "since": clock.now() - dunning.WINDOW,
    }
    found = session.execute(_REFUSED, values)
    return Spent(
        shop, (((account, card), at, Money(minor, code)) for account, card, at, minor, code in found)
    )


def allowed_at(
    session: Session, shop: Shop, method: PaymentMethod, money: Money, at: datetime
) -> datetime | None:
    """The same for one card: None where it may be tried at ``at``, else the first moment at which it may."""
    return spent(session, shop, (method,)).allowed_at(method, money, at)


def _card(method: PaymentMethod) -> Card:
    return (method.account_id, method.fingerprint)
