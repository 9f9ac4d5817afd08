"""Stored payment methods: the gateway's token, sealed; a card number never is here."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, LargeBinary, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import CardStored, CardUpdated


class PaymentMethod(Row, Base):
    """A card as a customer knows it (brand, last four, expiry), and the sealed token behind it. ``fingerprint`` is the
    same for the same card of an account, however often it was stored; where the gateway gives no mark of it, it is the
    row's own id. ``stopped_at`` is when the card was refused for good: it is never charged again, for any plan.
    ``token_mark`` finds the row of a token that a gateway names."""

    __tablename__ = "payment_methods"
    prefix = "pm"

    customer_id: Mapped[str]
    account_id: Mapped[str]
    kind: Mapped[str]
    brand: Mapped[str]
    last4: Mapped[str]
    expiry_month: Mapped[int]
    expiry_year: Mapped[int]
    country: Mapped[str]
    funding: Mapped[str]
    fingerprint: Mapped[str]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    token_mark: Mapped[str]
    stopped_at: Mapped[datetime | None]
    stopped_for: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        Index("ix_payment_methods_customer", "shop_id", "customer_id"),
        Index("ix_payment_methods_card", "shop_id", "fingerprint"),
        Index("ix_payment_methods_token", "shop_id", "token_mark"),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A token in the hand of whoever charges it now."""

    token: str = field(repr=False)
    gateway_customer: str = field(repr=False)
    network_transaction_id: str = field(repr=False)


def keep(
    session: Session, shop_id: str, customer_id: str, account_id: str, card: CardStored
) -> PaymentMethod:
    """Seal a new payment method for its shop, customer, account and row."""
    row = PaymentMethod(
        shop_id=shop_id,
        id=new_id(PaymentMethod.prefix),
        customer_id=customer_id,
        account_id=account_id,
        kind=card.kind,
        brand=card.brand,
        last4=card.last4[-4:],
        expiry_month=card.expiry_month,
        expiry_year=card.expiry_year,
        country=card.country,
        funding=card.funding,
        token_mark=_mark("token", shop_id, f"{account_id} {card.token}"),
    )
    row.fingerprint = _mark("fingerprint", shop_id, card.fingerprint) if card.fingerprint else row.id
    _seal(row, Opened(card.token, card.gateway_customer, card.network_transaction_id))
    session.add(row)
    session.flush()
    return row


def renew(row: PaymentMethod, network_transaction_id: str) -> None:
    """The customer has just confirmed a payment with this card: later ones refer to that payment."""
    opened = open_method(row)
    _seal(row, Opened(opened.token, opened.gateway_customer, network_transaction_id))


def stopped_before(session: Session, shop_id: str, account_id: str, card: CardStored) -> bool:
    """Was this very card refused for good before?"""
    if not card.fingerprint:
        return False
    same = _same_card(shop_id, account_id, _mark("fingerprint", shop_id, card.fingerprint))
    return bool(session.scalar(select(exists().where(*same, PaymentMethod.stopped_at.is_not(None)))))


def stop(session: Session, method: PaymentMethod, reason: str) -> list[str]:
    """Never charge this card again, however often it is stored. Ids of all methods that are this card."""
    same = _same_card(method.shop_id, method.account_id, method.fingerprint)
    found = list(session.scalars(select(PaymentMethod).where(*same).order_by(PaymentMethod.id)))
    for row in found:
        if row.stopped_at is None:
            row.stopped_at, row.stopped_for = clock.now(), reason
    return [row.id for row in found]


def by_token(session: Session, shop_id: str, account_id: str, token: str) -> list[PaymentMethod]:
    """The methods behind a token of the account."""
    mark = _mark("token", shop_id, f"{account_id} {token}")
    found = select(PaymentMethod).where(PaymentMethod.shop_id == shop_id, PaymentMethod.token_mark == mark)
    return list(session.scalars(found.order_by(PaymentMethod.id)))


def update(method: PaymentMethod, news: CardUpdated) -> None:
    """The network renewed the card: what the customer knows it by changes in place, the token stays."""
    method.last4 = news.last4[-4:] or method.last4
    if news.expiry_month and news.expiry_year:
        method.expiry_month, method.expiry_year = news.expiry_month, news.expiry_year


def expires_before(method: PaymentMethod, moment: datetime) -> bool:
    """Is the card's last month over at ``moment``? Without an expiry it never is."""
    if not method.expiry_month or not method.expiry_year:
        return False
    return (moment.year, moment.month) > (method.expiry_year, method.expiry_month)


def open_method(row: PaymentMethod) -> Opened:
    """The token; ``SealError`` for a row that was moved to another shop, customer or account."""
    secret = json.loads(house().keys.open("vault", row.sealed, *_place(row)))
    return Opened(secret["t"], secret["c"], secret["n"])


def _seal(row: PaymentMethod, opened: Opened) -> None:
    secret = {"t": opened.token, "c": opened.gateway_customer, "n": opened.network_transaction_id}
    row.sealed = house().keys.seal("vault", json.dumps(secret).encode(), *_place(row))


def _same_card(shop_id: str, account_id: str, fingerprint: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PaymentMethod.shop_id == shop_id,
        PaymentMethod.account_id == account_id,
        PaymentMethod.fingerprint == fingerprint,
    )


def _place(row: PaymentMethod) -> tuple[str, ...]:
    return (row.shop_id, row.customer_id, row.account_id, row.id, "token")


def _mark(kind: str, shop_id: str, text: str) -> str:
    """Something of the gateway's under a key of ours, so that it can be known again and says nothing elsewhere."""
    return hmac.new(house().keys.link(kind, shop_id).encode(), text.encode(), hashlib.sha256).hexdigest()
