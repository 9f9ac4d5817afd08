"""Stored payment methods: the gateway's token, sealed; a card number never is here."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.sdk.gateway import CardStored


class PaymentMethod(Row, Base):
    """A card as a customer knows it (brand, last four, expiry), and the sealed token behind it."""

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

    __table_args__ = (
        Index("ix_payment_methods_customer", "shop_id", "customer_id"),
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
        fingerprint=_fingerprint(shop_id, card.fingerprint),
    )
    secret = {"t": card.token, "c": card.gateway_customer, "n": card.network_transaction_id}
    row.sealed = house().keys.seal("vault", json.dumps(secret).encode(), *_place(row))
    session.add(row)
    session.flush()
    return row


def open_method(row: PaymentMethod) -> Opened:
    """The token; ``SealError`` for a row that was moved to another shop, customer or account."""
    secret = json.loads(house().keys.open("vault", row.sealed, *_place(row)))
    return Opened(secret["t"], secret["c"], secret["n"])


def _place(row: PaymentMethod) -> tuple[str, ...]:
    return (row.shop_id, row.customer_id, row.account_id, row.id, "token")


def _fingerprint(shop_id: str, fingerprint: str) -> str:
    """The gateway's own mark of a card under a key of ours, so that it says nothing elsewhere."""
    if not fingerprint:
        return ""
    key = house().keys.link("fingerprint", shop_id).encode()
    return hmac.new(key, fingerprint.encode(), hashlib.sha256).hexdigest()
