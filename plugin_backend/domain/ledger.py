"""The books: double entry, append-only. A journal is one thing that happened to money; its postings sum to zero."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql import func

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

GATEWAY, CUSTOMER, SUSPENSE = "gateway", "customer", "suspense"


class Journal(Row, Base):
    """What happened (``capture``, ``refund``, ``unexpected_capture``) and the row that it happened to: once each."""

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
    journal = {
        "shop_id": shop_id,
        "id": new_id(Journal.prefix),
        "kind": kind,
        "source": source,
        "plan_id": plan_id,
    }
    now = clock.now()
    booked = session.scalar(
        insert(Journal)
        .values(journal | {"currency": amount.currency, "at": now, "created_at": now})
        .on_conflict_do_nothing(index_elements=["shop_id", "source", "kind"])
        .returning(Journal.id)
    )
    if booked is None:
        return False
    for account, signed in ((debit, amount.minor), (credit, -amount.minor)):
        session.add(
            Posting(
                shop_id=shop_id, id=new_id(Posting.prefix), journal_id=booked, account=account, amount=signed
            )
        )
    return True


def received(session: Session, shop_id: str, plan_id: str) -> int:
    """Minor units captured for a plan and not given back."""
    balance = (
        select(func.coalesce(func.sum(Posting.amount), 0))
        .join(Journal, (Journal.shop_id == Posting.shop_id) & (Journal.id == Posting.journal_id))
        .where(Journal.shop_id == shop_id, Journal.plan_id == plan_id, Posting.account == GATEWAY)
    )
    return int(session.scalar(balance) or 0)
