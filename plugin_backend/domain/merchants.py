"""Merchants, their shops, the shops' connections and gateway accounts, and the doors by which the outside finds them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from sqlalchemy import Interval, LargeBinary, UniqueConstraint, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core import registry
from plugin_backend.core.db import LINEAGE, Base, transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import Place, hash_key
from plugin_backend.domain import dunning, moves, polls, schedules, vault
from plugin_backend.domain.vault.uses import SETTINGS
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector, settings_of
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.gateway import Gateway


class Unknown(RepriseError):
    """There is no such thing here."""

    permanent = True


class NotATestShop(RepriseError):
    """Only a test shop's clock can be moved."""

    permanent = True


class NotAble(RepriseError):
    """The shop lacks something without which it could not keep its offers."""

    permanent = True


class Merchant(Base):
    """Whoever runs shops here."""

    __tablename__ = "merchants"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.real_now)


class Shop(Base):
    """A shop and its rules. ``mode`` is ``test`` or ``live``; a live one begins ``watch_only``, and one that is not connected
    yet is ``connecting``. ``clock_offset`` is how
    far a test shop's clock stands ahead, ``travel_to`` where it is going. Until ``charges_held_until`` nobody is charged
    without being there. ``retry_days`` is the ladder of retries, ``visa_retries`` how many refusals Visa lets a card
    collect in 30 days. ``origins`` are where its pages come from besides its address, ``storefront_seen_at`` is when one of
    them last called (real time). Amounts are minor units of ``currency``."""

    __tablename__ = "shops"

    id: Mapped[str] = mapped_column(primary_key=True)
    merchant_id: Mapped[str]
    name: Mapped[str]
    platform: Mapped[str]
    address: Mapped[str]
    mode: Mapped[str]
    state: Mapped[str]
    country: Mapped[str] = mapped_column(default="FR")
    currency: Mapped[str] = mapped_column(default="EUR")
    locale: Mapped[str] = mapped_column(default="fr")
    timezone: Mapped[str] = mapped_column(default="Europe/Paris")
    company: Mapped[Literal["small", "large"]] = mapped_column(Text, default="small")
    contact: Mapped[str] = mapped_column(default="")
    idle_seconds: Mapped[int] = mapped_column(default=3600)
    smallest_offer: Mapped[int] = mapped_column(default=2000)
    mail_pause_hours: Mapped[int] = mapped_column(default=72)
    origins: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    storefront_seen_at: Mapped[datetime | None]
    charges_held_until: Mapped[datetime | None]
    retry_days: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), default=lambda: list(dunning.DEFAULT_LADDER)
    )
    visa_retries: Mapped[int] = mapped_column(default=dunning.VISA_RETRIES)
    clock_offset: Mapped[timedelta] = mapped_column(Interval, default=timedelta(0))
    travel_to: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.real_now)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def idle(self) -> timedelta:
        return timedelta(seconds=self.idle_seconds)

    @property
    def test(self) -> bool:
        return self.mode == "test"


class Connection(vault.Sealed, Due, Row, Base):
    """How a shop speaks with us: its platform's settings, sealed. ``door_settings`` is the part that judging a webhook
    needs; the web process can open that and nothing else. ``can_write`` says whether the settings hold what writing to the
    shop needs, ``own_checkout`` whether its owner lets no plan be begun, and shoppers are led to the shop's own checkout. Its timer is the daily housekeeping."""

    __tablename__ = "connections"
    prefix = "con"
    bell = "tidy"
    sealed_column = "settings"
    sealed_under = vault.keys.SHOP

    platform: Mapped[str]
    settings: Mapped[bytes] = mapped_column(LargeBinary)
    door_settings: Mapped[bytes] = mapped_column(LargeBinary)
    can_write: Mapped[bool] = mapped_column(default=False)
    own_checkout: Mapped[bool] = mapped_column(default=False)

    @property
    def place(self) -> Place:
        return _place(self)


class GatewayAccount(vault.Sealed, moves.Stateful, Due, Row, Base):
    """A shop's account at a payment gateway. A ``paused`` one charges nobody without being there. Until
    ``broken_until`` its circuit breaker is open. Its state says how its probe went; ``probe_number`` counts the probes
    that were begun, ``probed_at`` is when the last one was. Its timer is the probe's. ``lineage`` is the history of the
    database in which we know of all that was captured by it."""

    __tablename__ = "gateway_accounts"
    prefix = "gwa"
    noun = "account"
    bell = "probe"
    sealed_column = "settings"
    sealed_under = vault.keys.SHOP

    gateway: Mapped[str]
    mode: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    paused: Mapped[bool] = mapped_column(default=False)
    broken_until: Mapped[datetime | None]
    lineage: Mapped[str] = mapped_column(default=literal_column(LINEAGE))
    settings: Mapped[bytes] = mapped_column(LargeBinary)
    door_settings: Mapped[bytes] = mapped_column(LargeBinary)
    probe_number: Mapped[int] = mapped_column(default=0)
    probed_at: Mapped[datetime | None]

    @property
    def place(self) -> Place:
        return _place(self)


class Listing(Due, Row, Base):
    """The timer of an account's nightly comparison with what its gateway lists; the account's own is the probe's."""

    __tablename__ = "listings"
    prefix = "lst"
    bell = "compare"

    account_id: Mapped[str]

    __table_args__ = (due_index("listings"), UniqueConstraint("shop_id", "account_id"))


class Door(Base):
    """What the outside knocks with, read before a shop is known: webhook paths, links. Only a hash is kept. This is the
    one table with a ``shop_id`` that row-level security does not guard."""

    __tablename__ = "doors"

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    shop_id: Mapped[str] = mapped_column(index=True)
    row_id: Mapped[str]


@contextmanager
def shop_time(shop: Shop) -> Iterator[None]:
    """Inside, ``clock.now()`` is the shop's own time."""
    with clock.shifted(shop.clock_offset):
        yield


def get_shop(session: Session, shop_id: str) -> Shop:
    """The shop; ``Unknown`` where there is none of that id."""
    shop = session.get(Shop, shop_id)
    if shop is None:
        raise Unknown(f"no shop {shop_id}")
    return shop


def load_shop(shop_id: str) -> Shop:
    """The shop as it stands now, read in a transaction of its own."""
    with transaction(shop_id) as session:
        return get_shop(session, shop_id)


def all_shops(session: Session) -> list[Shop]:
    return list(session.scalars(select(Shop).order_by(Shop.created_at, Shop.id)))


def activate(session: Session, shop: Shop) -> None:
    """Let a shop that only watches send offers. ``NotAble`` where it could not keep what an offer promises."""
    why = why_not_able(session, shop) if shop.state != "connecting" else "not_connected"
    if why:
        raise NotAble(f"{shop.id} cannot be activated: {why}")
    shop.state = "active"


def set_retries(shop: Shop, retry_days: tuple[int, ...], visa_retries: int) -> None:
    """How refused payments are tried again from now on; what waits for its next try keeps its day. ``ValueError`` beyond
    the bounds of either."""
    dunning.check_ladder(retry_days)
    dunning.check_visa_retries(visa_retries)
    shop.retry_days, shop.visa_retries = list(retry_days), visa_retries


def travel(session: Session, shop: Shop, span: timedelta | relativedelta) -> datetime:
    """Send a test shop's clock ahead; the clock process moves it from due moment to due moment. One that is on its way
    goes that much further than it was going: a month is counted from there. A span of the calendar ends after that day's
    payments. ``NotATestShop`` for a live one, whose time is everybody's."""
    if not shop.test:
        raise NotATestShop(f"{shop.id} is a live shop")
    now = clock.real_now() + shop.clock_offset
    start = max(now, shop.travel_to or now)
    goal = start + span if isinstance(span, timedelta) else schedules.by_calendar(start, span, shop.zone)
    shop.travel_to = goal
    session.flush()
    return goal


def open_door(session: Session, kind: str, secret: str, shop_id: str, row_id: str) -> None:
    """Let ``secret`` lead to a row of the shop."""
    leads_to = {"kind": kind, "shop_id": shop_id, "row_id": row_id}
    door = insert(Door).values(key_hash=hash_key(secret), **leads_to)
    session.execute(door.on_conflict_do_update(index_elements=["key_hash"], set_=leads_to))


def knock(session: Session, kind: str, secret: str) -> Door | None:
    """Where ``secret`` leads, or None."""
    door = session.get(Door, hash_key(secret))
    return door if door is not None and door.kind == kind else None


def hook_path(row_id: str, shop_id: str) -> str:
    """The unguessable path at which a connection or a gateway account receives its webhooks."""
    return f"/hooks/{house().keys.link('hook', shop_id, row_id)}"


def connect(session: Session, shop: Shop, settings: Mapping[str, str]) -> Connection:
    """Keep a shop's platform settings, sealed, and open the door for its webhooks."""
    row = Connection(shop_id=shop.id, id=new_id(Connection.prefix), platform=shop.platform)
    _seal_settings(session, row, settings, registry.connectors()[shop.platform])
    row.due_at = clock.now() + timedelta(days=1)
    session.add(row)
    polls.begin(session, shop.id, row.id)
    open_door(session, "hook", hook_path(row.id, shop.id).rpartition("/")[2], shop.id, row.id)
    return row


def change_settings(session: Session, row: Connection, changes: Mapping[str, str], use: vault.Use) -> None:
    """Lay these over a connection's settings; "" takes one away. The caller holds the row's lock."""
    merged = {**_open_settings(session, row, use), **changes}
    kept = {name: value for name, value in merged.items() if value}
    _seal_settings(session, row, kept, registry.connectors()[row.platform])


def add_account(session: Session, shop: Shop, gateway: str, settings: Mapping[str, str]) -> GatewayAccount:
    """Keep a gateway account's settings, sealed, and open the door for its callbacks; it becomes the active one. In test
    mode it is probed at once; a live one is not, since that would move money. What it will say is dropped at the shop's
    intake, which is made with the first account."""
    vault.furnish(session, shop.id)
    for other in session.scalars(select(GatewayAccount).where(GatewayAccount.shop_id == shop.id)):
        other.active = False
    row = GatewayAccount(shop_id=shop.id, id=new_id(GatewayAccount.prefix), gateway=gateway, mode=shop.mode)
    path = hook_path(row.id, shop.id)
    _seal_settings(
        session,
        row,
        {**settings, "callback_url": settings.get("callback_url") or house().url(path)},
        registry.gateways()[gateway],
    )
    moves.begin(session, row, "not_probed", "" if shop.test else "live_account")
    row.rest(clock.now() if shop.test else None)
    _listing(session, shop, row)
    open_door(session, "hook", path.rpartition("/")[2], shop.id, row.id)
    return row


def _listing(session: Session, shop: Shop, account: GatewayAccount) -> None:
    row = Listing(shop_id=shop.id, id=new_id(Listing.prefix), account_id=account.id)
    row.rest(schedules.tonight(clock.now(), shop.zone))
    session.add(row)


def connection_of(session: Session, shop_id: str) -> Connection:
    """The shop's connection; ``Unknown`` where it has none."""
    row = session.scalar(select(Connection).where(Connection.shop_id == shop_id))
    if row is None:
        raise Unknown(f"shop {shop_id} is not connected")
    return row


def account(session: Session, shop_id: str, account_id: str) -> GatewayAccount:
    """One of the shop's accounts; ``Unknown`` where it has none of that id."""
    row = session.get(GatewayAccount, (shop_id, account_id))
    if row is None:
        raise Unknown(f"shop {shop_id} has no gateway account {account_id}")
    return row


def active_account(session: Session, shop_id: str) -> GatewayAccount:
    """The account that new plans use; ``Unknown`` where there is none."""
    row = session.scalar(
        select(GatewayAccount).where(GatewayAccount.shop_id == shop_id, GatewayAccount.active.is_(True))
    )
    if row is None:
        raise Unknown(f"shop {shop_id} has no gateway account")
    return row


def accounts_of(session: Session, shop_id: str) -> list[GatewayAccount]:
    """The shop's accounts that new plans use, or that old ones still do: newest first."""
    found = select(GatewayAccount).where(GatewayAccount.shop_id == shop_id)
    return list(session.scalars(found.order_by(GatewayAccount.id.desc())))


def why_not_able(session: Session, shop: Shop) -> str:
    """Why this shop could not keep what an offer promises, "" where it can: there must be an account that charges, and a live
    shop must be told of orders. One that takes payments at its own checkout only must tell the way there."""
    connection = connection_of(session, shop.id)
    if connection.own_checkout:
        return "" if connection.can_write else "shop_not_writable"
    if session.scalar(select(GatewayAccount.id).where(GatewayAccount.shop_id == shop.id).limit(1)) is None:
        return "no_gateway"
    if not shop.test and not connection.can_write:
        return "shop_not_writable"
    return ""


def connector_of(session: Session, shop: Shop, row: Connection, use: vault.Use) -> Connector:
    """The shop's connector, with its settings opened: for workers."""
    return registry.connectors()[row.platform](
        _open_settings(session, row, use), house().http(private=shop.test)
    )


def gateway_of(session: Session, shop: Shop, row: GatewayAccount, use: vault.Use) -> Gateway:
    """The account's gateway, with its settings opened: for workers."""
    return registry.gateways()[row.gateway](
        _open_settings(session, row, use), house().http(private=shop.test)
    )


def door_of(row: Connection | GatewayAccount) -> Connector | Gateway:
    """The adapter as the web process may have it: able to judge a delivery, without a key to anything else."""
    http = house().http(private=False)
    if isinstance(row, Connection):
        return registry.connectors()[row.platform](door_settings(row), http)
    return registry.gateways()[row.gateway](door_settings(row), http)


def source(session: Session, shop_id: str, row_id: str) -> Connection | GatewayAccount | None:
    """Where a delivery came from, by the id that its path leads to; None where that is gone."""
    if row_id.startswith(f"{Connection.prefix}_"):
        return session.get(Connection, (shop_id, row_id))
    return session.get(GatewayAccount, (shop_id, row_id))


def _seal_settings(session: Session, row: Any, settings: Mapping[str, str], adapter: Any) -> None:
    row.settings = vault.seal(session, _place(row), json.dumps(dict(settings)).encode())
    door = json.dumps(dict(adapter.door(settings))).encode()
    row.door_settings = house().keys.seal_for_door(_place(row), door)
    if isinstance(row, Connection):
        connector = adapter(settings, house().http(private=False))
        row.can_write, row.own_checkout = connector.can_write, connector.own_checkout_only


def forget_keys(session: Session, shop: Shop, row: Connection) -> None:
    """Of a connection that is over only what judging a webhook needs is kept."""
    kept = {"url": shop.address, **door_settings(row)}
    _seal_settings(session, row, kept, registry.connectors()[row.platform])


def _open_settings(session: Session, row: Any, use: vault.Use) -> dict[str, str]:
    opened: dict[str, str] = json.loads(vault.unseal(session, _place(row), row.settings, use))
    return opened


def door_settings(row: Any) -> dict[str, str]:
    """The part of the settings that the web process may have."""
    opened: dict[str, str] = json.loads(house().keys.open_at_door(_place(row), row.door_settings))
    return opened


def _place(row: Connection | GatewayAccount) -> Place:
    account = row.id if isinstance(row, GatewayAccount) else ""
    return Place(row.shop_id, "", row.id, SETTINGS, account)


def check_settings(adapter: type[Connector] | type[Gateway], settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as the adapter's schema reads them. marshmallow's ``ValidationError`` names every wrong field."""
    loaded = adapter.settings().load(dict(settings))
    return {
        name: str(loaded[name]) for name, _ in settings_of(adapter.settings) if loaded.get(name) is not None
    }
