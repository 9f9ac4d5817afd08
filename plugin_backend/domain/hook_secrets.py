"""A webhook secret takes the place of another, without a delivery lost: both are accepted here before the shop hears of
the new one, and for a day after."""

import json
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays, due
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row
from plugin_backend.core.house import house
from plugin_backend.core.seal import Place
from plugin_backend.domain import cases, merchants, moves, vault
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.vault.uses import DELIVERY
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector
from plugin_backend.sdk.errors import RepriseError

# Web remembers who stands behind a path for half a minute: until then it knows the old secret only.
KNOWN_BY_ALL = timedelta(minutes=1)
OVERLAP = timedelta(hours=24)
NOT_TOLD = "secret_not_told"


class HookSecret(vault.Dropped, moves.Stateful, Due, Row, Base):
    """A new secret of a connection's webhooks. ``brought`` is what was typed or made, dropped by the web process, until a
    worker has put it among the settings."""

    __tablename__ = "hook_secrets"
    prefix = "hks"
    noun = "secret"
    dropped_columns = ("brought",)
    bell = "resign"

    connection_id: Mapped[str]
    brought: Mapped[bytes | None] = mapped_column(LargeBinary)
    tries: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("ix_hook_secrets_due", "shop_id", "due_at", postgresql_where="due_at IS NOT NULL"),
        Index("uq_hook_secrets_open", "shop_id", unique=True, postgresql_where="state <> 'alone'"),
    )


@dataclass(frozen=True, slots=True)
class Telling:
    """A shop that is to sign with the new secret."""

    secret_id: str
    connector: Connector
    hook: str


def begin(session: Session, shop: Shop, secret: str) -> HookSecret | None:
    """Have this secret take the place of the one there is: for the web process. None while another is on its way."""
    connection = merchants.connection_of(session, shop.id)
    if of(session, shop.id) is not None:
        return None
    row = HookSecret(shop_id=shop.id, connection_id=connection.id)
    moves.begin(session, row, "asked")
    row.brought = vault.slot(session, shop.id).drop(_place(row), json.dumps({"secret": secret}).encode())
    row.rest(clock.now())
    return row


def of(session: Session, shop_id: str) -> HookSecret | None:
    """The one that is on its way."""
    return session.scalar(
        select(HookSecret).where(HookSecret.shop_id == shop_id, HookSecret.state != "alone")
    )


def _place(row: HookSecret) -> Place:
    return Place(row.shop_id, "", row.id, DELIVERY)


def take(session: Session, shop_id: str) -> list[str]:
    """The one whose moment has come, leased to the caller."""
    return due.take(session, HookSecret, shop_id, limit=1)


def prepare(session: Session, shop: Shop, row_id: str) -> Telling | None:
    """Do what asks nobody; what is to be told to the shop, or None."""
    row = _locked(session, shop, row_id)
    match row.state:
        case "asked":
            _announce(session, row)
        case "announced":
            connection = session.get_one(Connection, (shop.id, row.connection_id))
            use = vault.Use("shop_call", row.id)
            connector = merchants.connector_of(session, shop, connection, use)
            return Telling(row.id, connector, house().url(merchants.hook_path(connection.id, shop.id)))
        case "told":
            _change(session, row, {"old_secret": ""})
            moves.move(session, row, "alone")
            row.rest(None)
        case _:
            row.rest(None)
    return None


def _announce(session: Session, row: HookSecret) -> None:
    assert row.brought is not None
    taken = json.loads(vault.take(session, _place(row), row.brought, vault.to_read(row)))
    old = merchants.door_settings(_connection(session, row)).get("secret", "")
    _change(session, row, {"secret": taken["secret"], "old_secret": old})
    row.brought = None
    moves.move(session, row, "announced")
    row.rest(clock.now() + KNOWN_BY_ALL)


def ask(telling: Telling) -> RepriseError | None:
    """Tell the shop, with no transaction open; where the owner must tell it himself there is nobody to ask."""
    assert_no_transaction()
    try:
        if telling.connector.can_write and telling.connector.capabilities.webhooks_api:
            telling.connector.ensure_webhooks(telling.hook, resign=True)
    except RepriseError as error:
        return error
    return None


def record(session: Session, shop: Shop, telling: Telling, error: RepriseError | None) -> None:
    """The shop signs with the new one; the old one is accepted for another day. Where it did not answer it is asked
    again, and both are accepted for as long as that takes."""
    row = _locked(session, shop, telling.secret_id)
    if row.state != "announced":
        return
    if error is None:
        moves.move(session, row, "told")
        row.rest(clock.now() + OVERLAP)
        cases.settle(session, shop.id, NOT_TOLD, row.connection_id, "told")
        return
    steps = delays.DELAYS.ask_again
    row.tries += 1
    row.reason = f"{type(error).__name__}: {error}"[:300]
    row.rest(clock.now() + steps[min(row.tries, len(steps)) - 1])
    if error.permanent:
        cases.open_case(session, shop.id, NOT_TOLD, row.connection_id, reason=str(error)[:300])


def _change(session: Session, row: HookSecret, changes: dict[str, str]) -> None:
    merchants.change_settings(session, _connection(session, row), changes, vault.Use("shop_call", row.id))


def _connection(session: Session, row: HookSecret) -> Connection:
    key = (row.shop_id, row.connection_id)
    return session.get_one(Connection, key, with_for_update=True, populate_existing=True)


def _locked(session: Session, shop: Shop, row_id: str) -> HookSecret:
    return session.get_one(HookSecret, (shop.id, row_id), with_for_update=True, populate_existing=True)
