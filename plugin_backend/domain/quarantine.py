"""Quarantine: where the database is not the one that we left off with, nothing new is charged or refunded until it is
known what the gateway captured meanwhile.

Nobody sets it. An account carries the lineage in which its captures are known, and one whose lineage is not that of the
database which answers is held: from the first statement after a restore or a fail-over, for every process.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, exists, literal_column, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import LINEAGE, Base, transaction
from plugin_backend.domain import cases, merchants
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import GatewayAccount, Listing
from plugin_backend.sdk import clock

CASE = "quarantine"
_HERE: ColumnElement[str] = literal_column(LINEAGE)
_NOT_HERE: ColumnElement[bool] = GatewayAccount.lineage != _HERE


class Installation(Base):
    """One row: the lineage in which no account is held, and since when. What a process without a shop can ask.
    ``refusals`` counts the keys that were refused, so that whoever has one at hand sees that it is time to look again."""

    __tablename__ = "installation"

    one: Mapped[bool] = mapped_column(primary_key=True, default=True)
    lineage: Mapped[str]
    since: Mapped[datetime]
    refusals: Mapped[int] = mapped_column(default=0)


def holds(session: Session, shop_id: str, account_id: str) -> bool:
    """May nothing new be charged or refunded by this account? The price is one row by its key, and one look at
    the server's control file."""
    found = select(_NOT_HERE).where(GatewayAccount.shop_id == shop_id, GatewayAccount.id == account_id)
    return bool(session.scalar(found))


def held(session: Session, shop_id: str) -> list[str]:
    """The ids of the shop's accounts that are in quarantine."""
    found = select(GatewayAccount.id).where(GatewayAccount.shop_id == shop_id, _NOT_HERE)
    return list(session.scalars(found.order_by(GatewayAccount.id)))


def hasten(session: Session, shop_id: str) -> None:
    """An account that has come into quarantine does not wait for the night. One that has its case was looked at."""
    noticed = exists().where(
        Case.shop_id == shop_id, Case.kind == CASE, Case.subject == GatewayAccount.id, Case.state == "open"
    )
    new = select(GatewayAccount.id).where(GatewayAccount.shop_id == shop_id, _NOT_HERE, ~noticed)
    session.execute(
        update(Listing)
        .where(Listing.shop_id == shop_id, Listing.account_id.in_(new), Listing.taken.is_(False))
        .values(due_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def notice(session: Session, account: GatewayAccount) -> datetime:
    """Show a person that the account is held, and say since when that is known."""
    case = cases.open_case(session, account.shop_id, CASE, account.id, gateway=account.gateway)
    return case.created_at


def lift(session: Session, account: GatewayAccount, reason: str) -> None:
    """From here on the account may charge: all that it captured is known, or a person answers for it with ``reason``.
    The caller holds the account's lock."""
    notice(session, account)
    account.lineage = session.scalars(select(_HERE)).one()
    cases.settle(session, account.shop_id, CASE, account.id, reason)


def everywhere() -> list[tuple[str, str]]:
    """(shop, account) of all that is held, each shop in a transaction of its own."""
    with transaction(None) as session:
        shops = [shop.id for shop in merchants.all_shops(session)]
    found = []
    for shop_id in shops:
        with transaction(shop_id) as session:
            found += [(shop_id, account_id) for account_id in held(session, shop_id)]
    return found


def is_anywhere(session: Session) -> bool:
    """Is some account of the installation held? Asked without a shop; the clock keeps the answer."""
    return bool(session.scalar(select(Installation.lineage != _HERE)))


def held_shops(connection: Connection) -> list[str]:
    """As the clock: the shops that have an account in quarantine. Where there is none any more, the installation is
    told so."""
    if not connection.scalar(text(f"SELECT lineage <> {LINEAGE} FROM installation")):  # noqa: S608
        return []
    query = f"SELECT DISTINCT shop_id FROM gateway_accounts WHERE lineage <> {LINEAGE} ORDER BY shop_id"  # noqa: S608
    shops = list(connection.scalars(text(query)))
    if not shops:
        clear = f"UPDATE installation SET lineage = {LINEAGE}, since = :now"  # noqa: S608
        connection.execute(text(clear), {"now": clock.real_now()})
    return shops
