"""The books: double entry, append-only. A journal is one thing that happened to money; its postings sum to zero."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, column, select, table, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

GATEWAY, CUSTOMER, SUSPENSE = "gateway", "customer", "suspense"


class Journal(Row, Base):
    """What happened (``capture``, ``refund``, ``refund_reversed``, ``chargeback``, ``chargeback_won``, and what came
    ``unexpected``) and the row that it happened to (an attempt, a refund, a dispute): once each."""

    __tablename__ = "journals"
    prefix = "jrn"

    kind: Mapped[str]
    source: Mapped[str]
    plan_id: Mapped[str] = mapped_column(index=True)
    currency: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("shop_id", "source", "kind"),)


class Posting(Row, Base):
    """A signed amount on an account, in minor units of the journal's currency."""

    __tablename__ = "postings"
    prefix = "pst"

    journal_id: Mapped[str] = mapped_column(index=True)
    account: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (ForeignKeyConstraint(["shop_id", "journal_id"], ["journals.shop_id", "journals.id"]),)


@dataclass(frozen=True, slots=True)
class Booking:
    """``amount`` goes from the account ``credit`` to the account ``debit``, because ``kind`` happened to ``source``."""

    kind: str
    source: str
    plan_id: str
    amount: Money
    debit: str
    credit: str


def book(
    session: Session,
    shop_id: str,
    kind: str,
    source: str,
    plan_id: str,
    amount: Money,
    *,
    debit: str,
    credit: str,
) -> bool:
    """Book ``amount`` from ``credit`` to ``debit`` once per source and kind; False where it was booked before."""
    return book_all(session, shop_id, [Booking(kind, source, plan_id, amount, debit, credit)]) == 1


# One statement however many rows there are: the database plans it once, and nothing is compiled here.
_JOURNALS = text("""
    INSERT INTO journals (shop_id, id, kind, source, plan_id, currency, at, created_at)
    SELECT shop_id, id, kind, source, plan_id, currency, at, created_at
    FROM json_to_recordset(:rows) AS journal (shop_id text, id text, kind text, source text, plan_id text,
        currency text, at timestamptz, created_at timestamptz)
    ON CONFLICT (shop_id, source, kind) DO NOTHING
    RETURNING id""")
_POSTINGS = text("""
    INSERT INTO postings (shop_id, id, journal_id, account, amount, created_at)
    SELECT shop_id, id, journal_id, account, amount, created_at
    FROM json_to_recordset(:rows) AS posting (shop_id text, id text, journal_id text, account text, amount bigint,
        created_at timestamptz)""")


def book_all(session: Session, shop_id: str, bookings: Sequence[Booking]) -> int:
    """Book each once per source and kind; how many were not booked before."""
    if not bookings:
        return 0
    now = clock.now().isoformat()
    journals = [
        {
            "shop_id": shop_id,
            "id": new_id(Journal.prefix),
            "kind": it.kind,
            "source": it.source,
            "plan_id": it.plan_id,
            "currency": it.amount.currency,
            "at": now,
            "created_at": now,
        }
        for it in bookings
    ]
    booked = set(session.scalars(_JOURNALS, {"rows": json.dumps(journals)}))
    postings = [
        {
            "shop_id": shop_id,
            "id": new_id(Posting.prefix),
            "journal_id": journal["id"],
            "account": account,
            "amount": signed,
            "created_at": now,
        }
        for journal, it in zip(journals, bookings, strict=True)
        if journal["id"] in booked
        for account, signed in ((it.debit, it.amount.minor), (it.credit, -it.amount.minor))
    ]
    if postings:
        session.execute(_POSTINGS, {"rows": json.dumps(postings)})
    return len(booked)


# What the books come to: views, which keep nothing and are read under the rights of who asks.
_SUMS = ("captured", "refunded", "disputed", "received")
PLANS = table("plan_balances", *map(column, ("shop_id", "plan_id", "currency", *_SUMS)))
CUSTOMERS = table("customer_balances", *map(column, ("shop_id", "customer_id", "currency", *_SUMS)))
ACCOUNTS = table("account_balances", *map(column, ("shop_id", "account", "currency", "balance")))


@dataclass(frozen=True, slots=True)
class Balance:
    """What was ``captured``, and of that ``refunded``, or taken back by banks (``disputed``: disputes that are open or
    lost). ``received`` is what is left with the merchant. All of one currency."""

    captured: Money
    refunded: Money
    disputed: Money
    received: Money


def of_plan(session: Session, shop_id: str, plan_id: str, currency: str) -> Balance:
    """A plan's books in one currency."""
    found = select(*(PLANS.c[name] for name in _SUMS)).where(
        PLANS.c.shop_id == shop_id, PLANS.c.plan_id == plan_id, PLANS.c.currency == currency
    )
    row = session.execute(found).one_or_none() or (0, 0, 0, 0)
    return Balance(*(Money(int(amount), currency) for amount in row))


def of_customer(session: Session, shop_id: str, customer_id: str) -> list[Balance]:
    """A customer's books, one balance for each currency."""
    found = (
        select(CUSTOMERS.c.currency, *(CUSTOMERS.c[name] for name in _SUMS))
        .where(CUSTOMERS.c.shop_id == shop_id, CUSTOMERS.c.customer_id == customer_id)
        .order_by(CUSTOMERS.c.currency)
    )
    return [
        Balance(*(Money(int(amount), currency) for amount in amounts))
        for currency, *amounts in session.execute(found)
    ]


def of_accounts(session: Session, shop_id: str) -> list[tuple[str, Money]]:
    """The balance of every account of the books, one for each currency."""
    found = (
        select(ACCOUNTS.c.account, ACCOUNTS.c.balance, ACCOUNTS.c.currency)
        .where(ACCOUNTS.c.shop_id == shop_id)
        .order_by(ACCOUNTS.c.account, ACCOUNTS.c.currency)
    )
    return [(account, Money(int(amount), currency)) for account, amount, currency in session.execute(found)]


def received(session: Session, shop_id: str, plan_id: str) -> int:
    """Minor units captured for a plan and not given back."""
    found = select(PLANS.c.received).where(PLANS.c.shop_id == shop_id, PLANS.c.plan_id == plan_id)
    return sum(int(amount) for amount in session.scalars(found))
