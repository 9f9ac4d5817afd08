"""Merchants, shops, connections, accounts and doors as rows."""

from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Index, Interval, LargeBinary, UniqueConstraint, literal_column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core.db import LINEAGE, Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.seal import Place
from plugin_backend.domain import dunning, moves, vault
from plugin_backend.domain.vault.uses import SETTINGS
from plugin_backend.sdk import clock


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
        return place_of(self)


class GatewayAccount(vault.Sealed, moves.Stateful, Due, Row, Base):
    """A shop's account at a payment gateway. A ``paused`` one charges nobody without being there. Until
    ``broken_until`` its circuit breaker is open. Its state says how its probe went; ``probe_number`` counts the probes
    that were begun, ``probed_at`` is when the last one was. Its timer is the probe's. ``lineage`` is the history of the
    database in which we know of all that was captured by it. New plans use the one that is ``active``, of which a shop has
    one at most; plans that run stay on theirs. ``typed`` are the settings that are no secret. ``identity`` and ``title`` are
    how the gateway knows the account, and ``flaws`` what it said was wrong with it at ``checked_at``, or what was found here
    since."""

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
    typed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    identity: Mapped[str] = mapped_column(default="")
    title: Mapped[str] = mapped_column(default="")
    flaws: Mapped[list[Any]] = mapped_column(default=list)
    checked_at: Mapped[datetime | None]

    __table_args__ = (
        due_index("gateway_accounts"),
        Index("uq_gateway_accounts_active", "shop_id", unique=True, postgresql_where="active"),
    )

    @property
    def place(self) -> Place:
        return place_of(self)


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


def place_of(row: Connection | GatewayAccount) -> Place:
    """Where its sealed settings belong."""
    account = row.id if isinstance(row, GatewayAccount) else ""
    return Place(row.shop_id, "", row.id, SETTINGS, account)
