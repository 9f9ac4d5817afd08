"""Who may be mailed: what customers said about reminders, and the stop list."""

from datetime import datetime

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.ids import new_id
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk


class ConsentRecord(Row, Base):
    """One answer of a customer about reminders, as a signed delivery or the shop's own records told it: proof, never
    changed afterwards. ``given_at`` is when it was given, as far as the shop says."""

    __tablename__ = "consents"
    prefix = "cst"

    customer_id: Mapped[str] = mapped_column(index=True)
    granted: Mapped[bool]
    source: Mapped[str]
    text_version: Mapped[str]
    given_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint(
            "shop_id",
            "customer_id",
            "granted",
            "source",
            "text_version",
            "given_at",
            name="uq_consents_answer",
        ),
    )


class Suppression(Row, Base):
    """An address that must not get reminders again."""

    __tablename__ = "suppressions"
    prefix = "sup"

    email: Mapped[str]
    reason: Mapped[str]

    __table_args__ = (UniqueConstraint("shop_id", "email"),)


def record(session: Session, shop_id: str, customer_id: str, said: sdk.Consent, at: datetime) -> None:
    """Keep an answer once, however often it is told. ``at`` stands in for a time the shop does not give."""
    values = {
        "shop_id": shop_id,
        "id": new_id(ConsentRecord.prefix),
        "customer_id": customer_id,
        "granted": said.granted,
        "source": said.source,
        "text_version": said.text_version,
        "given_at": said.at or at,
    }
    session.execute(
        insert(ConsentRecord).values(values | {"created_at": clock.now()}).on_conflict_do_nothing()
    )


def suppress(session: Session, shop_id: str, email: str, reason: str) -> None:
    """Put an address on the stop list; it stays there."""
    values = {"shop_id": shop_id, "id": new_id(Suppression.prefix), "email": email, "reason": reason}
    session.execute(insert(Suppression).values(values | {"created_at": clock.now()}).on_conflict_do_nothing())


def suppressed(session: Session, shop_id: str, email: str) -> bool:
    found = select(Suppression.id).where(Suppression.shop_id == shop_id, Suppression.email == email)
    return session.scalar(found) is not None


def latest(session: Session, shop_id: str, customer_id: str) -> ConsentRecord | None:
    """The customer's last word; of two given at one moment the refusal counts."""
    return session.scalar(
        select(ConsentRecord)
        .where(ConsentRecord.shop_id == shop_id, ConsentRecord.customer_id == customer_id)
        .order_by(ConsentRecord.given_at.desc(), ConsentRecord.granted, ConsentRecord.id)
        .limit(1)
    )


def why_not(session: Session, shop_id: str, customer_id: str, email: str, *, bought_before: bool) -> str:
    """Why a reminder may not be sent, "" where it may: consent, or an earlier sale that was not followed by a refusal
    (Directive 2002/58/EC art. 13(2); Code des postes L. 34-5). A box that was left unticked is no consent; only where
    an earlier sale would have allowed the reminder is it a refusal."""
    if suppressed(session, shop_id, email):
        return "unsubscribed"
    word = latest(session, shop_id, customer_id)
    if word is None:
        return "" if bought_before else "no_consent"
    if word.granted:
        return ""
    return "consent_refused" if bought_before else "no_consent"
