"""Connecting an account at a gateway, or giving one other keys: what was typed is dropped for a worker, who asks the gateway
what is wrong with it before it is kept. Prepare, ask, record.

The account's id is chosen before there is one, since the address of its callbacks must often be entered at the gateway to
have a setting that is asked for here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import due, registry
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.core.seal import Place
from plugin_backend.domain import merchants, moves, probing, vault
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.vault.uses import DELIVERY
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import settings_of
from plugin_backend.sdk.gateway import Checked, Flaw, Gateway

CALLBACK = merchants.CALLBACK
# What does not keep an account from being connected: the gateway can only be told of the address once it is known.
_MAY_STAND = ("callbacks",)
_LATELY = timedelta(hours=1)


class Enrolment(vault.Dropped, moves.Stateful, Due, Row, Base):
    """One try at connecting an account of the ``gateway``, or at changing the settings of one that is there: ``account_id``
    is the id that it has or is to have. ``typed`` is what was typed and is no secret, ``kept`` is dropped: the secrets.
    ``flaws`` are what is wrong with them, as ``Flaw`` has it."""

    __tablename__ = "enrolments"
    prefix = "enr"
    noun = "enrolment"
    dropped_columns = ("kept",)
    bell = "enrol"

    gateway: Mapped[str]
    account_id: Mapped[str]
    typed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kept: Mapped[bytes | None] = mapped_column(LargeBinary)
    flaws: Mapped[list[Any]] = mapped_column(default=list)

    __table_args__ = (
        due_index("enrolments"),
        Index("uq_enrolments_open", "shop_id", unique=True, postgresql_where="state <> 'connected'"),
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings to be tried. ``gateway`` is None where they are so wrong that nobody can be asked, for ``flaws``."""

    row_id: str
    settings: Mapping[str, str] = field(repr=False)
    gateway: Gateway | None
    flaws: tuple[Flaw, ...] = ()


def current(session: Session, shop_id: str, *, lock: bool = False) -> Enrolment | None:
    """The one that is not over."""
    found = select(Enrolment).where(Enrolment.shop_id == shop_id, Enrolment.state != "connected")
    return session.scalar(found.with_for_update() if lock else found)


def begin(session: Session, shop: Shop, gateway: str, account: GatewayAccount | None = None) -> Enrolment:
    """An account is to be connected, or this one to get other settings. One that was begun before is taken up again. The
    caller holds the shop's lock; ``merchants.Unknown`` for a gateway that is not offered here."""
    if gateway not in offered(shop):
        raise merchants.Unknown(f"no gateway {gateway} for {shop.id}")
    row = current(session, shop.id, lock=True)
    if row is None:
        row = Enrolment(shop_id=shop.id, gateway="", account_id="")
        row.rest(None)
        moves.begin(session, row, "open")
    if row.state == "open":
        row.gateway = gateway
        row.account_id = account.id if account else new_id(GatewayAccount.prefix)
        row.typed, row.flaws, row.reason = dict(account.typed) if account else {}, [], ""
    return row


def offered(shop: Shop) -> list[str]:
    """The gateways at which this shop may have an account: one that plays with money is refused on a live shop."""
    return [name for name, adapter in registry.gateways().items() if shop.test or not adapter.test_only]


def check_again(session: Session, shop: Shop, account: GatewayAccount) -> None:
    """Have the gateway asked how an account stands, with the settings it has. The caller holds the shop's lock. Where an
    account is being connected just now, nothing is done."""
    row = current(session, shop.id, lock=True)
    if row is not None and (row.state != "open" or row.account_id != account.id):
        return
    bring(session, begin(session, shop, account.gateway, account), {})


def find_out(session: Session, shop: Shop, account_ids: Sequence[str]) -> None:
    """A gateway has just refused us: have it asked what is wrong with these accounts, once in an hour each."""
    shop = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
    lately = clock.real_now() - _LATELY
    for account_id in account_ids:
        account = session.get_one(GatewayAccount, (shop.id, account_id))
        if account.checked_at is None or account.checked_at < lately:
            check_again(session, shop, account)


def callback_path(row: Enrolment) -> str:
    """Where the gateway will call."""
    return merchants.hook_path(row.account_id, row.shop_id)


def bring(session: Session, row: Enrolment, typed: Mapping[str, str]) -> None:
    """The settings were typed; a worker tries them. Of an account that is there, what was not typed stays as it is."""
    secret = {name for name, hidden in settings_of(registry.gateways()[row.gateway].settings) if hidden}
    row.typed = {**row.typed, **{name: value for name, value in typed.items() if name not in secret}}
    hidden = {name: value for name, value in typed.items() if name in secret and value}
    row.kept = vault.slot(session, row.shop_id).drop(_place(row), json.dumps(hidden).encode())
    row.flaws = []
    moves.move(session, row, "brought")
    row.rest(clock.now())


def take(session: Session, shop_id: str) -> list[str]:
    """The one that is due, leased to the caller."""
    return due.take(session, Enrolment, shop_id, limit=1)


def prepare(session: Session, shop: Shop, row_id: str) -> Trial | None:
    """The adapter with the settings that are to be tried; None where nothing is any more."""
    row = _locked(session, shop, row_id)
    if row.state != "brought" or row.kept is None:
        row.rest(None)
        return None
    adapter = registry.gateways()[row.gateway]
    settings = _settings(session, shop, row)
    try:
        checked = merchants.check_settings(adapter, settings)
    except ValidationError as error:
        wrong = error.messages if isinstance(error.messages, dict) else {}
        return Trial(row.id, {}, None, (Flaw("settings", detail=", ".join(sorted(map(str, wrong)))),))
    if _wrong_mode(shop, adapter.mode_of(checked)):
        return Trial(row.id, {}, None, (Flaw("wrong_mode"),))
    gateway = adapter(checked, house().http(private=shop.test))
    if probing.promises_nothing(gateway.capabilities):
        return Trial(row.id, {}, None, (Flaw("promises_nothing"),))
    return Trial(row.id, checked, gateway)


def _settings(session: Session, shop: Shop, row: Enrolment) -> dict[str, str]:
    assert row.kept is not None
    kept = json.loads(vault.take(session, _place(row), row.kept, vault.to_read(row)))
    typed = {name: value for name, value in {**row.typed, **kept}.items() if value != ""}
    account = session.get(GatewayAccount, (shop.id, row.account_id))
    if account is not None:
        typed = merchants.settings_with(session, account, typed, vault.Use("gateway_call", row.id))
    if CALLBACK in registry.gateways()[row.gateway].settings().fields:
        typed[CALLBACK] = typed.get(CALLBACK) or house().url(callback_path(row))
    return typed


def ask(trial: Trial) -> Checked:
    """Ask the gateway, with no transaction open."""
    assert_no_transaction()
    return Checked(trial.flaws) if trial.gateway is None else trial.gateway.checks()


def record(session: Session, shop: Shop, trial: Trial, checked: Checked) -> None:
    """Keep the settings where nothing is wrong with them, else say what is."""
    shop = session.get_one(Shop, shop.id, with_for_update=True, populate_existing=True)
    row = _locked(session, shop, trial.row_id)
    if row.state != "brought":
        return
    account = session.get(GatewayAccount, (shop.id, row.account_id), with_for_update=True)
    flaws = [*checked.flaws, *_unfitting(shop, account, checked)]
    row.kept, row.flaws = None, [asdict(flaw) for flaw in flaws]
    row.rest(None)
    if any(flaw.reason not in _MAY_STAND for flaw in flaws):
        moves.move(session, row, "open", flaws[0].reason)
    else:
        account = _keep(session, shop, row, account, trial.settings)
        account.identity = checked.identity or account.identity
        account.title = checked.title or account.title
        moves.move(session, row, "connected")
    if account is not None:
        account.flaws, account.checked_at = row.flaws, clock.real_now()


def _unfitting(shop: Shop, account: GatewayAccount | None, checked: Checked) -> Sequence[Flaw]:
    """What the gateway finds nothing wrong with, and we do."""
    found = []
    if _wrong_mode(shop, checked.mode):
        found.append(Flaw("wrong_mode"))
    if checked.currencies is not None and shop.currency not in checked.currencies:
        found.append(Flaw("currency", detail=shop.currency))
    known = account.identity if account is not None else ""
    if known and checked.identity and known != checked.identity:
        found.append(Flaw("other_account", detail=checked.title))
    return found


def _wrong_mode(shop: Shop, mode: str) -> bool:
    return mode not in ("", shop.mode)


def _keep(
    session: Session,
    shop: Shop,
    row: Enrolment,
    account: GatewayAccount | None,
    settings: Mapping[str, str],
) -> GatewayAccount:
    if account is None:
        return merchants.add_account(session, shop, row.gateway, settings, account_id=row.account_id)
    merchants.change_settings(session, account, settings, vault.Use("gateway_call", row.id))
    return account


def _place(row: Enrolment) -> Place:
    return Place(row.shop_id, "", row.id, DELIVERY, "kept")


def _locked(session: Session, shop: Shop, row_id: str) -> Enrolment:
    return session.get_one(Enrolment, (shop.id, row_id), with_for_update=True, populate_existing=True)
