"""The names of a basket: rows that turn out to be one basket become one."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plugin_backend.core.ids import new_id
from plugin_backend.domain import moves
from plugin_backend.domain.carts.rows import BEFORE_EVERYTHING, Cart
from plugin_backend.domain.carts.standing import settle
from plugin_backend.domain.merchants import Shop


def locked(session: Session, shop: Shop, key: str, at: datetime, aliases: tuple[str, ...] = ()) -> Cart:
    """The cart of that name, made where it is new, locked until the transaction ends. Rows that turn out to be one
    basket become one."""
    names = [key, *aliases]
    row = {
        "shop_id": shop.id,
        "id": new_id(Cart.prefix),
        "key": key,
        "keys": names,
        "state": "",
        "reason": "",
        "created_at": at,
        "updated_at": BEFORE_EVERYTHING,
        "changed_at": at,
        "lines": [],
        "sold_out": [],
        "told": {},
    }
    found = _by_names(session, shop, names)
    if not found:
        session.execute(insert(Cart).values(row).on_conflict_do_nothing(index_elements=["shop_id", "key"]))
        found = _by_names(session, shop, names)
    # The one that an offer stands for is the one whose link is out; else the one that is meant, or the older.
    cart, *others = sorted(
        found, key=lambda row: (row.offer_id is None, row.state != "offered", row.key != key, row.id)
    )
    twins = [other for other in others if other.offer_id is None and other.state != "offered"]
    taken = {other.key for other in others if other not in twins}
    cart.keys = sorted({*names, *cart.keys, *(name for twin in twins for name in twin.keys)} - taken)
    for twin in twins:
        _swallow(session, cart, twin)
    session.flush()
    cart.key = _key(cart.keys)
    if twins:
        settle(session, shop, cart, changed=True)
    return cart


def _key(names: list[str]) -> str:
    """The name furthest along: an ``order:`` comes after a ``checkout:`` and that after a ``cart:``, and of two orders
    the later has the higher number."""
    return max(names, key=lambda name: (name.partition(":")[0], len(name), name))


def _swallow(session: Session, cart: Cart, twin: Cart) -> None:
    """Take in all that was told of the same basket under another name. The other row stays for its history's sake,
    nameless."""
    newest = (twin.updated_at, twin.version, twin.content_hash)
    if newest > (cart.updated_at, cart.version, cart.content_hash):
        cart.updated_at, cart.version, cart.content_hash = newest
        cart.amount, cart.currency = twin.amount, twin.currency
        cart.lines, cart.empty = twin.lines, twin.empty
    cart.changed_at = max(twin.changed_at, cart.changed_at)
    hear(cart, twin.told)
    if failure(twin) > failure(cart):
        cart.failed_at, cart.decline = twin.failed_at, twin.decline
    cart.barred = cart.barred or twin.barred
    cart.removed = cart.removed or twin.removed
    cart.removed_at = later(cart.removed_at, twin.removed_at)
    cart.restored_at = later(cart.restored_at, twin.restored_at)
    twin.key, twin.keys = twin.id, []
    if twin.state not in ("lost", "ordered"):
        moves.move(session, twin, "lost", "the same basket under another name")
    twin.rest(None)


def failure(cart: Cart) -> tuple[datetime, bool, str]:
    """Of two tellings of one decline the one that knows why counts, whichever comes first."""
    return cart.failed_at or BEFORE_EVERYTHING, cart.decline not in ("", "unknown"), cart.decline


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two moments, either of which may not be known."""
    return max(filter(None, (one, other)), default=None)


def find(session: Session, shop_id: str, names: list[str]) -> Cart | None:
    """The basket that goes by one of these names, locked; of several the one that an offer stands for, else the newest."""
    found = select(Cart).where(Cart.shop_id == shop_id, Cart.keys.overlap(names)).with_for_update()
    rows = session.scalars(found.order_by(Cart.id).execution_options(populate_existing=True)).all()
    return max(rows, key=lambda row: (row.state == "offered", row.updated_at), default=None)


def _by_names(session: Session, shop: Shop, names: list[str]) -> list[Cart]:
    found = select(Cart).where(Cart.shop_id == shop.id, Cart.keys.overlap(names))
    return list(
        session.scalars(found.order_by(Cart.id).with_for_update().execution_options(populate_existing=True))
    )


def hear(cart: Cart, told: dict[str, Any]) -> None:
    """Take in what was told beside the basket itself: lists of a moment, whatever decides between two of one moment, and
    the value."""
    news = {name: word for name, word in told.items() if word > cart.told.get(name, ["", ""])}
    cart.told = {**cart.told, **news}
    for name, word in news.items():
        setattr(cart, name, word[-1])
