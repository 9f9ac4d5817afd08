"""A shop's accounts at gateways, and which of them new plans use."""

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.domain import moves, schedules, vault
from plugin_backend.domain.merchants import settings as sealing
from plugin_backend.domain.merchants.doors import hook_path, open_door
from plugin_backend.domain.merchants.errors import Unknown
from plugin_backend.domain.merchants.rows import GatewayAccount, Listing, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import Flaw


def add_account(
    session: Session, shop: Shop, gateway: str, settings: Mapping[str, str], *, account_id: str = ""
) -> GatewayAccount:
    """Keep a gateway account's settings, sealed, and open the door for its callbacks; it becomes the active one. In test
    mode it is probed at once; a live one is not, since that would move money. What it will say is dropped at the shop's
    intake, which is made with the first account. ``account_id`` is its id where that was told to somebody before."""
    vault.furnish(session, shop.id)
    _use_none(session, shop)
    account_id = account_id or new_id(GatewayAccount.prefix)
    row = GatewayAccount(shop_id=shop.id, id=account_id, gateway=gateway, mode=shop.mode)
    path = hook_path(row.id, shop.id)
    own = {**settings, sealing.CALLBACK: settings.get(sealing.CALLBACK) or house().url(path)}
    sealing.seal(session, row, own, registry.gateways()[gateway])
    moves.begin(session, row, "not_probed", "" if shop.test else "live_account")
    row.rest(clock.now() if shop.test else None)
    _listing(session, shop, row)
    open_door(session, "hook", path.rpartition("/")[2], shop.id, row.id)
    return row


def misdirected(session: Session, shop_id: str, account_id: str, why: str) -> None:
    """A call came to the account's address that is none of its own. Its page says so, until somebody asks how the account
    stands or gives it other keys. Whoever holds the row is not waited for: the next such call says it as well."""
    found = select(GatewayAccount).where(GatewayAccount.shop_id == shop_id, GatewayAccount.id == account_id)
    row = session.scalar(found.with_for_update(skip_locked=True))
    if row is not None and all(flaw["reason"] != "misdirected" for flaw in row.flaws):
        row.flaws = [*row.flaws, asdict(Flaw("misdirected", detail=why))]


def use_for_new_plans(session: Session, shop: Shop, account: GatewayAccount) -> None:
    """From now on new plans are made with this account. Those that run stay where they are, to their end. The caller holds
    the shop's lock."""
    _use_none(session, shop)
    account.active = True
    session.flush()


def _use_none(session: Session, shop: Shop) -> None:
    found = select(GatewayAccount).where(GatewayAccount.shop_id == shop.id, GatewayAccount.active)
    for row in session.scalars(found):
        row.active = False
    # Before another one is: the database takes one at most.
    session.flush()


def _listing(session: Session, shop: Shop, account: GatewayAccount) -> None:
    row = Listing(shop_id=shop.id, id=new_id(Listing.prefix), account_id=account.id)
    row.rest(schedules.tonight(clock.now(), shop.zone))
    session.add(row)


def account(session: Session, shop_id: str, account_id: str) -> GatewayAccount:
    """One of the shop's accounts; ``Unknown`` where it has none of that id."""
    row = session.get(GatewayAccount, (shop_id, account_id))
    if row is None:
        raise Unknown(f"shop {shop_id} has no gateway account {account_id}")
    return row


def active_account(session: Session, shop_id: str) -> GatewayAccount:
    """The account that new plans use; ``Unknown`` where there is none."""
    row = usable_account(session, shop_id)
    if row is None:
        raise Unknown(f"shop {shop_id} has no gateway account")
    return row


def usable_account(session: Session, shop_id: str) -> GatewayAccount | None:
    """As ``active_account``, None where there is none."""
    return session.scalar(
        select(GatewayAccount).where(GatewayAccount.shop_id == shop_id, GatewayAccount.active.is_(True))
    )


def accounts_of(session: Session, shop_id: str) -> list[GatewayAccount]:
    """The shop's accounts that new plans use, or that old ones still do: newest first."""
    found = select(GatewayAccount).where(GatewayAccount.shop_id == shop_id)
    return list(session.scalars(found.order_by(GatewayAccount.id.desc())))
