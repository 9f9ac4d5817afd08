"""Stored payment methods: the gateway's token, sealed; a card number never is here."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    exists,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import ids
from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import Key, Place
from plugin_backend.domain.vault import audit, keys, opening, uses
from plugin_backend.domain.vault.sealed import Sealed
from plugin_backend.domain.vault.uses import Use
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import CardStored, CardUpdated

# How long a token is kept after its last use: the 14 days in which a customer may withdraw, and time to settle. The same
# for a card that was stored and is used by no plan.
KEPT = timedelta(days=30)


class PaymentMethod(Sealed, Due, Row, Base):
    """A card as a customer knows it (brand, last four, expiry), and the sealed token behind it. ``fingerprint`` is the
    same for the same card of an account, however often it was stored; where the gateway gives no mark of it, it is the
    row's own id. It is marked under a key that is never changed: refusals are counted by it, and a stopped card is known
    by it, for years. ``stopped_at`` is when the card was refused for good: it is never charged again, for any plan.
    ``token_mark`` finds the row of a token that a gateway names: a keyed hash, under the key that ``marked_by`` names, so that
    it says nothing to whoever has the table only. ``shared`` True: the shop took this card itself before, so that it is never
    detached, and its holder confirms to his bank whenever he pays with it himself. ``sealed`` is None once the token is forgotten. Its timer is when somebody looks whether its use is over."""

    __tablename__ = "payment_methods"
    prefix = "pm"
    sealed_column = "sealed"
    sealed_under = keys.CUSTOMER
    bell = "sweep"

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
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_mark: Mapped[str]
    marked_by: Mapped[str]
    stopped_at: Mapped[datetime | None]
    stopped_for: Mapped[str] = mapped_column(default="")
    shared: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        due_index("payment_methods"),
        Index("ix_payment_methods_customer", "shop_id", "customer_id"),
        Index("ix_payment_methods_card", "shop_id", "fingerprint"),
        UniqueConstraint("shop_id", "token_mark", "customer_id"),
        # A plan names its card together with its account, so that neither changes without the other.
        UniqueConstraint("shop_id", "id", "account_id"),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
    )

    @property
    def place(self) -> Place:
        return place_of(self)


@dataclass(frozen=True, slots=True)
class Opened:
    """A token in the hand of whoever charges it now."""

    token: str = field(repr=False)
    gateway_customer: str = field(repr=False)
    network_transaction_id: str = field(repr=False)
    shared: bool = False


def keep(
    session: Session,
    shop_id: str,
    customer_id: str,
    account_id: str,
    card: CardStored,
    *,
    shared: bool = False,
) -> PaymentMethod:
    """Seal a new payment method for its shop, customer, account and row. A token that the customer has already is kept
    once, as it was last described."""
    row_id = new_id(PaymentMethod.prefix)
    with audit.refusals(session, "seal", Place(shop_id, customer_id, row_id, uses.TOKEN, account_id)):
        index, *older = keys.versions(session, shop_id, keys.INDEX)
    row = PaymentMethod(
        shop_id=shop_id,
        id=row_id,
        created_at=clock.now(),
        customer_id=customer_id,
        account_id=account_id,
        token_mark=token_mark(index, account_id, card.token),
        marked_by=ids.named(keys.VaultKey.prefix, index.id),
        stopped_for="",
        shared=shared,
        due_at=clock.now() + KEPT,
        taken=False,
    )
    found = _marked_before(session, row, older, card.token)
    if found is None:
        _describe(session, row, card)
        found = _first_of(session, row)
    if found.id != row.id:
        found.token_mark, found.marked_by = row.token_mark, row.marked_by
        _describe(session, found, card)
    return found


def _describe(session: Session, row: PaymentMethod, card: CardStored) -> None:
    row.kind, row.brand, row.last4 = card.kind, card.brand, card.last4[-4:]
    row.expiry_month, row.expiry_year = card.expiry_month, card.expiry_year
    row.country, row.funding = card.country, card.funding
    row.fingerprint = _fingerprint(session, row.shop_id, row.account_id, card) or row.id
    _seal(session, row, Opened(card.token, card.gateway_customer, card.network_transaction_id))


def renew(session: Session, row: PaymentMethod, network_transaction_id: str, attempt: uses.Charge) -> None:
    """The customer has just confirmed a payment with this card, the attempt's: later ones refer to that payment."""
    opened = open_method(session, row, uses.to_renew(attempt))
    _seal(session, row, Opened(opened.token, opened.gateway_customer, network_transaction_id))


def stopped_before(session: Session, shop_id: str, account_id: str, card: CardStored) -> bool:
    """Was this very card refused for good before?"""
    fingerprint = _fingerprint(session, shop_id, account_id, card)
    if not fingerprint:
        return False
    same = _same_card(shop_id, account_id, fingerprint)
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
    marks = [token_mark(index, account_id, token) for index in keys.versions(session, shop_id, keys.INDEX)]
    found = select(PaymentMethod).where(PaymentMethod.shop_id == shop_id, PaymentMethod.token_mark.in_(marks))
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


def open_method(session: Session, row: PaymentMethod, use: Use) -> Opened:
    """The token, for a use that warrants it; ``SealError`` for a row that was moved to another shop, customer or account,
    or whose token is forgotten."""
    secret = json.loads(opening.unseal(session, place_of(row), row.sealed, use))
    return Opened(secret["t"], secret["c"], secret["n"], row.shared)


def place_of(row: PaymentMethod) -> Place:
    """Where its sealed token belongs."""
    return Place(row.shop_id, row.customer_id, row.id, uses.TOKEN, row.account_id)


def plain(opened: Opened) -> bytes:
    """A token and its companions, as they are sealed together."""
    secret = {"t": opened.token, "c": opened.gateway_customer, "n": opened.network_transaction_id}
    return json.dumps(secret).encode()


def _seal(session: Session, row: PaymentMethod, opened: Opened) -> None:
    row.sealed = opening.seal(session, place_of(row), plain(opened))


def _fingerprint(session: Session, shop_id: str, account_id: str, card: CardStored) -> str:
    if not card.fingerprint:
        return ""
    return _mark(keys.active(session, shop_id, keys.CARD), "fingerprint", account_id, card.fingerprint)


def token_mark(index: Key, account_id: str, token: str) -> str:
    """By what the rows of an account's token are found under this key."""
    return _mark(index, "token", account_id, token)


def _marked_before(
    session: Session, row: PaymentMethod, older: list[Key], token: str
) -> PaymentMethod | None:
    """The row that has the new one's token already, marked under an older key. None is added under one any more: where a
    rotation has marked it again meanwhile, the insert will meet it."""
    if not older:
        return None
    marks = [token_mark(index, row.account_id, token) for index in older]
    found = select(PaymentMethod).where(
        PaymentMethod.shop_id == row.shop_id,
        PaymentMethod.token_mark.in_(marks),
        PaymentMethod.customer_id == row.customer_id,
    )
    return session.scalars(found).one_or_none()


def _first_of(session: Session, row: PaymentMethod) -> PaymentMethod:
    """The new row, or the one that has its token already: it is inserted first and looked for where that fails, since
    between a look and an insert somebody else may be faster."""
    values = {column.key: getattr(row, column.key) for column in PaymentMethod.__table__.columns}
    session.execute(insert(PaymentMethod).values(values).on_conflict_do_nothing())
    found = select(PaymentMethod).where(
        PaymentMethod.shop_id == row.shop_id,
        PaymentMethod.token_mark == row.token_mark,
        PaymentMethod.customer_id == row.customer_id,
    )
    return session.scalars(found).one()


def _same_card(shop_id: str, account_id: str, fingerprint: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PaymentMethod.shop_id == shop_id,
        PaymentMethod.account_id == account_id,
        PaymentMethod.fingerprint == fingerprint,
    )


def _mark(index: Key, *parts: str) -> str:
    """Something of the gateway's under a key of ours, so that it can be known again and says nothing elsewhere."""
    told = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in ("pm-idx-v1", *parts))
    return hmac.new(index.secret, told, hashlib.sha256).hexdigest()
