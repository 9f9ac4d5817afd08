"""Access tokens that end are renewed before they do, one at a time for each connection: its renewal's lease is the lock.
A token that is renewed twice at once may leave both without one that holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays, due, registry
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, merchants, vault
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector
from plugin_backend.sdk.errors import RepriseError

REFUSED = "keys_not_renewed"
_PAUSE = timedelta(minutes=1)


class Renewal(Due, Row, Base):
    """The timer of a connection's tokens. ``tries`` counts how often renewing them has failed since it last went well."""

    __tablename__ = "renewals"
    prefix = "rnw"
    bell = "renew"

    connection_id: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)

    __table_args__ = (due_index("renewals"), UniqueConstraint("shop_id", "connection_id"))


@dataclass(frozen=True, slots=True)
class Ask:
    """A connection whose tokens are to be renewed, and the settings that it had when it was asked for."""

    renewal_id: str
    connection_id: str
    sealed: bytes
    connector: Connector


@dataclass(frozen=True, slots=True)
class Renewed:
    """The settings that are others now; none where nothing had to be renewed."""

    changes: Mapping[str, str]


def plan(session: Session, shop: Shop, connection: Connection, settings: Mapping[str, str]) -> None:
    """Renew in time what expires in these settings of the connection; what was under way with others counts no more."""
    row = _of(session, shop.id, connection.id)
    moment = _moment(
        shop, registry.connectors()[connection.platform](settings, house().http(private=shop.test))
    )
    if row is None and moment is not None:
        row = Renewal(shop_id=shop.id, id=new_id(Renewal.prefix), connection_id=connection.id)
        session.add(row)
    if row is not None:
        row.tries = 0
        row.rest(moment)


def _moment(shop: Shop, connector: Connector) -> datetime | None:
    """Tokens end in real time, rows fall due in the shop's. One that hardly lives is not renewed without a pause."""
    if connector.renew_at is None:
        return None
    return max(connector.renew_at + shop.clock_offset, clock.now() + _PAUSE)


def take(session: Session, shop_id: str) -> list[str]:
    """The renewal that is due, leased to the caller: nobody else renews those tokens meanwhile."""
    return due.take(session, Renewal, shop_id, limit=1)


def prepare(session: Session, shop: Shop, row_id: str) -> Ask:
    """Open the settings for the call."""
    row = session.get_one(Renewal, (shop.id, row_id))
    connection = session.get_one(Connection, (shop.id, row.connection_id))
    use = vault.Use("shop_call", row.id)
    connector = merchants.connector_of(session, shop, connection, use)
    return Ask(row.id, connection.id, connection.settings, connector)


def ask(asked: Ask) -> Renewed | RepriseError:
    """Renew, with no transaction open."""
    assert_no_transaction()
    try:
        return Renewed(asked.connector.refresh())
    except RepriseError as error:
        return error


def record(session: Session, shop: Shop, asked: Ask, came: Renewed | RepriseError) -> None:
    """Keep the new tokens. Where other settings were given meanwhile nothing is kept: they are of another key, or are
    renewed again when the lease is over, by the refresh token that holds until the new one is used."""
    connection = session.get_one(
        Connection, (shop.id, asked.connection_id), with_for_update=True, populate_existing=True
    )
    row = session.get_one(Renewal, (shop.id, asked.renewal_id), with_for_update=True, populate_existing=True)
    if not row.taken or connection.settings != asked.sealed:
        return
    if isinstance(came, RepriseError):
        _failed(session, shop, row, connection, came)
        return
    use = vault.Use("shop_call", row.id)
    if came.changes:
        merchants.change_settings(session, connection, came.changes, use)
        cases.settle(session, shop.id, REFUSED, connection.id, "renewed")
    row.tries = 0
    row.rest(_moment(shop, merchants.connector_of(session, shop, connection, use)))


def _failed(session: Session, shop: Shop, row: Renewal, connection: Connection, error: RepriseError) -> None:
    """Asked again ever more slowly; a shop that says no is a case at once, and asked once a day."""
    steps = delays.DELAYS.ask_again
    row.tries += 1
    row.rest(clock.now() + (due.DAY if error.permanent else steps[min(row.tries, len(steps)) - 1]))
    if error.permanent:
        cases.open_case(session, shop.id, REFUSED, connection.id, reason=str(error)[:300])


def _of(session: Session, shop_id: str, connection_id: str) -> Renewal | None:
    found = select(Renewal).where(Renewal.shop_id == shop_id, Renewal.connection_id == connection_id)
    return session.scalar(found.with_for_update())
