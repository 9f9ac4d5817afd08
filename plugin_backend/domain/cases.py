"""Cases: what a person must decide. One open case per subject and kind, however often it is found."""

from typing import Any

from sqlalchemy import Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.domain import moves


class Case(moves.Stateful, Row, Base):
    """Something a person must decide: ``kind`` says what, ``subject`` is the id of the row it is about."""

    __tablename__ = "cases"
    prefix = "case"
    noun = "case"

    kind: Mapped[str]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (
        Index("uq_cases_open", "shop_id", "kind", "subject", unique=True, postgresql_where="state = 'open'"),
    )


def open_case(session: Session, shop_id: str, kind: str, subject: str, **facts: Any) -> Case:
    """The open case of this kind about this row, made where there is none."""
    found = session.scalar(
        select(Case).where(
            Case.shop_id == shop_id, Case.kind == kind, Case.subject == subject, Case.state == "open"
        )
    )
    if found is not None:
        return found
    case = Case(shop_id=shop_id, kind=kind, subject=subject, facts=facts)
    moves.begin(session, case, "open")
    return case


def resolve(session: Session, case: Case, decision: str) -> None:
    """A person decided."""
    moves.move(session, case, "resolved", decision)


def settle(session: Session, shop_id: str, kind: str, subject: str, decision: str) -> None:
    """What a person was to decide about this row has been settled by somebody else: the customer."""
    found = select(Case).where(
        Case.shop_id == shop_id, Case.kind == kind, Case.subject == subject, Case.state == "open"
    )
    for case in session.scalars(found):
        resolve(session, case, decision)


def open_about(session: Session, shop_id: str, subject: str) -> bool:
    """Is there an open case about this row?"""
    found = select(Case.id).where(Case.shop_id == shop_id, Case.subject == subject, Case.state == "open")
    return session.scalar(found.limit(1)) is not None


def standing(session: Session, shop_id: str, kind: str, subject: str) -> str:
    """The state of the newest case of this kind about this row, "" where there never was one."""
    found = select(Case.state).where(Case.shop_id == shop_id, Case.kind == kind, Case.subject == subject)
    return session.scalar(found.order_by(Case.created_at.desc(), Case.id.desc()).limit(1)) or ""


def open_once(session: Session, shop_id: str, kind: str, subject: str, **facts: Any) -> None:
    """As ``open_case``, but what a person has once decided is not asked again."""
    if not standing(session, shop_id, kind, subject):
        open_case(session, shop_id, kind, subject, **facts)
