"""Disputes: a cardholder's bank took a captured payment back, and decides whether it stays so."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.domain import moves
from plugin_backend.domain.billing.attempts import Attempt
from plugin_backend.sdk.money import Money


class Dispute(moves.Stateful, Row, Base):
    """One dispute of one captured attempt, as its gateway calls it. ``evidence`` is everything that was said of it,
    believed or not, in the order in which it came."""

    __tablename__ = "disputes"
    prefix = "dsp"
    noun = "dispute"

    account_id: Mapped[str]
    gateway_id: Mapped[str]
    plan_id: Mapped[str] = mapped_column(index=True)
    attempt_id: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    evidence: Mapped[list[Any]] = mapped_column(default=list)

    __table_args__ = (
        ForeignKeyConstraint(["shop_id", "attempt_id"], ["attempts.shop_id", "attempts.id"]),
        UniqueConstraint("shop_id", "account_id", "gateway_id"),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


def disputed(session: Session, attempt: Attempt, *states: str) -> int:
    """Minor units of the attempt under disputes in one of these states."""
    found = select(func.coalesce(func.sum(Dispute.amount), 0)).where(
        Dispute.shop_id == attempt.shop_id, Dispute.attempt_id == attempt.id, Dispute.state.in_(states)
    )
    return int(session.scalar(found) or 0)
