"""Set-ups: a card being taken on the gateway's own page, for an offer that was accepted or a plan that needs another; or a
shopper being led to the shop's own checkout."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import moves
from plugin_backend.sdk import clock

# Cards begun within an hour, for one offer and from one network: more looks like trying out stolen ones.
MOST_OF_AN_OFFER, MOST_OF_A_NETWORK = 5, 20
# How long a customer may stay on the gateway's page, and how often we ask in case neither browser nor callback comes.
LIFE = timedelta(hours=2)
_ASK_AGAIN = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30))


class Setup(moves.Stateful, Due, Row, Base):
    """One try at taking a card. ``url`` is the gateway's page; without an ``account_id`` it is the shop's own checkout, which
    takes the payment itself. ``plan_id`` is set where an existing plan gets another
    card; ``kind`` is what is to be taken, and ``earlier`` names the order of which the payment method is taken over instead
    ("" for none). ``shown_amount`` is the total that was accepted, in minor units of ``shown_currency``; ``method_id`` the
    card that came of it. Its id is the reference under which the gateway knows it."""

    __tablename__ = "setups"
    prefix = "set"
    noun = "setup"
    bell = "present"

    offer_id: Mapped[str] = mapped_column(index=True)
    plan_id: Mapped[str | None]
    account_id: Mapped[str]
    kind: Mapped[str] = mapped_column(default="card")
    earlier: Mapped[str] = mapped_column(default="")
    gateway_id: Mapped[str] = mapped_column(default="")
    url: Mapped[str] = mapped_column(default="")
    locale: Mapped[str]
    ip: Mapped[str] = mapped_column(default="")
    shown_amount: Mapped[int | None] = mapped_column(BigInteger)
    shown_currency: Mapped[str] = mapped_column(default="")
    method_id: Mapped[str | None]
    asked: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime]

    __table_args__ = (
        due_index("setups"),
        Index("ix_setups_network", "shop_id", "ip", "created_at"),
        ForeignKeyConstraint(["shop_id", "offer_id"], ["offers.shop_id", "offers.id"]),
        Index(
            "uq_setups_one_open",
            "shop_id",
            "offer_id",
            unique=True,
            postgresql_where="state IN ('begun', 'waiting')",
        ),
        Index("ix_setups_method", "shop_id", "method_id", postgresql_where="method_id IS NOT NULL"),
    )


def begin(
    session: Session,
    shop_id: str,
    offer_id: str,
    account_id: str,
    *,
    locale: str,
    ip: str,
    plan_id: str | None = None,
    kind: str = "card",
    earlier: str = "",
    shown_amount: int | None = None,
    shown_currency: str = "",
) -> Setup:
    """A new set-up, due at once. ``ip`` is cut to its network before it comes here."""
    row = Setup(
        shop_id=shop_id,
        offer_id=offer_id,
        plan_id=plan_id,
        account_id=account_id,
        kind=kind,
        earlier=earlier,
        locale=locale,
        ip=ip,
        shown_amount=shown_amount,
        shown_currency=shown_currency,
        asked=0,
        expires_at=clock.now() + LIFE,
    )
    row.rest(clock.now())
    moves.begin(session, row, "begun")
    return row


def too_many(session: Session, shop_id: str, offer_id: str, ip: str) -> bool:
    """Were so many cards begun within the hour for one offer, or from one network, that somebody may be trying cards
    out?"""
    since = clock.now() - timedelta(hours=1)
    begun = select(func.count()).where(Setup.shop_id == shop_id, Setup.created_at > since)
    if session.scalars(begun.where(Setup.offer_id == offer_id)).one() >= MOST_OF_AN_OFFER:
        return True
    return bool(ip) and session.scalars(begun.where(Setup.ip == ip)).one() >= MOST_OF_A_NETWORK


def latest(session: Session, shop_id: str, offer_id: str, *, lock: bool = False) -> Setup | None:
    """The newest set-up of an offer."""
    found = (
        select(Setup)
        .where(Setup.shop_id == shop_id, Setup.offer_id == offer_id)
        .order_by(Setup.created_at.desc(), Setup.id.desc())
        .limit(1)
    )
    return session.scalar(found.with_for_update() if lock else found)


def that_stored(session: Session, shop_id: str, method_id: str) -> Setup | None:
    """The newest set-up of which this card came; None where none is known, as of a card of an earlier order."""
    found = select(Setup).where(
        Setup.shop_id == shop_id, Setup.method_id == method_id, Setup.state == "completed"
    )
    return session.scalars(found.order_by(Setup.created_at.desc(), Setup.id.desc()).limit(1)).first()


def opened(session: Session, setup: Setup, url: str, gateway_id: str) -> None:
    """The gateway has a page; we wait for the customer."""
    setup.url, setup.gateway_id = url, gateway_id
    moves.move(session, setup, "waiting")
    setup.rest(clock.now() + _ASK_AGAIN[0])


def wait(session: Session, setup: Setup) -> bool:
    """Nothing new: ask again later. False where its time is over."""
    now = clock.now()
    if now >= setup.expires_at:
        return False
    step = _ASK_AGAIN[min(setup.asked, len(_ASK_AGAIN) - 1)]
    setup.asked += 1
    setup.rest(min(now + step, setup.expires_at))
    return True


def finish(
    session: Session, setup: Setup, state: str, reason: str = "", *, method_id: str | None = None
) -> None:
    """``completed`` with the card that came of it, ``failed`` or ``expired``. The address of the page is forgotten."""
    moves.move(session, setup, state, reason)
    setup.method_id = method_id
    setup.url = ""
    setup.rest(None)


def evidence(session: Session, setup: Setup) -> None:
    """The browser came back, or the gateway called: look now. A row that a worker holds is being looked at anyway."""
    if setup.state == "waiting" and not setup.taken:
        setup.due_at = clock.now()
