"""Baskets and sales, put together from deliveries in whatever order they came.

Where a basket stands follows from the *set* of its deliveries, not from their order: of two states the later
``updated_at`` is newer, then the higher version, then the greater hash of the content; a sale wins over everything;
a removal without a time wins over every state of the basket but a restoration.

A basket goes by several names, and a delivery that tells two of them (``aliases``) makes them one basket, whichever came
first: what was told under either is put together by the rules above, and it is called by the name furthest along
(``_key``). A basket that an offer stands for, or was accepted for, is left as it is until the offer has ended.
"""

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.domain import consent, customers, moves
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money

BEFORE_EVERYTHING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Cart(moves.Stateful, Due, Row, Base):
    """A basket. ``key`` is its name in the shop and ``keys`` every name it was ever given; ``told`` keeps what only some
    deliveries tell, each with the time of the one that told it; ``changed_at`` (shop time) is when its newest state reached us, from
    which the idle delay runs; ``failed_at`` when a payment of it was last declined; ``offer_id``
    the offer that is being accepted, or was: it locks the basket."""

    __tablename__ = "carts"
    prefix = "cart"
    noun = "cart"
    bell = "offer"

    key: Mapped[str]
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    customer_id: Mapped[str | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    lines: Mapped[list[Any]] = mapped_column(default=list)
    platform_id: Mapped[str] = mapped_column(default="")
    locale: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="")
    empty: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    content_hash: Mapped[str] = mapped_column(default="")
    told: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed_at: Mapped[datetime]
    failed_at: Mapped[datetime | None]
    decline: Mapped[str] = mapped_column(default="")
    removed: Mapped[bool] = mapped_column(default=False)
    removed_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    offer_id: Mapped[str | None]

    __table_args__ = (
        due_index("carts"),
        UniqueConstraint("shop_id", "key"),
        Index("ix_carts_customer", "shop_id", "customer_id"),
        Index("ix_carts_keys", "keys", postgresql_using="gin"),
    )

    @property
    def total(self) -> Money | None:
        return None if self.amount is None or self.currency is None else Money(self.amount, self.currency)


class Sale(Row, Base):
    """An order somebody placed in the shop, by whatever path. ``cart_keys`` are the names its basket may have had;
    ``our_reference`` is the plan's where the order is our own. An order of which only the cancellation or the refund was
    told has neither basket nor customer, so that it counts for nobody as bought."""

    __tablename__ = "sales"
    prefix = "sale"

    order_key: Mapped[str]
    cart_keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    customer_id: Mapped[str | None]
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    placed_at: Mapped[datetime]
    known_at: Mapped[datetime]
    our_reference: Mapped[str] = mapped_column(default="")
    cancelled_at: Mapped[datetime | None]
    refunded_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("shop_id", "order_key"),
        Index("ix_sales_cart_keys", "cart_keys", postgresql_using="gin"),
        Index("ix_sales_customer", "shop_id", "customer_id"),
    )


def cart_changed(session: Session, shop: Shop, event: sdk.CartChanged, at: datetime) -> Cart:
    """Take in a state of a basket that reached us at ``at`` (shop time); an older one than we know changes nothing."""
    cart = _locked(session, shop, event.key, at, event.aliases)
    order = (event.updated_at, event.version, _content(event))
    newer = order > (cart.updated_at, cart.version, cart.content_hash)
    if newer:
        _take_over(cart, event, at)
        cart.updated_at, cart.version, cart.content_hash = order
    customer = customers.meet(session, shop.id, event.person)
    _note(cart, event, customer.id if customer else "")
    if customer is not None and event.consent is not None:
        consent.record(session, shop.id, customer.id, event.consent, event.updated_at)
    settle(session, shop, cart, changed=newer)
    return cart


def payment_failed(session: Session, shop: Shop, event: sdk.PaymentFailed, at: datetime) -> Cart:
    """A payment of a basket was declined: an offer is due at once, unless it was bought meanwhile or has changed."""
    cart = (
        cart_changed(session, shop, event.cart, at) if event.cart else _locked(session, shop, event.key, at)
    )
    newer = (event.at, event.decline != "unknown", event.decline) > _failure(cart)
    if newer:
        cart.failed_at, cart.decline = event.at, event.decline
    settle(session, shop, cart, changed=newer)
    return cart


def cart_removed(session: Session, shop: Shop, event: sdk.CartRemoved, at: datetime) -> Cart:
    """A basket was deleted in the shop."""
    cart = _locked(session, shop, event.key, at)
    cart.removed = True
    if event.at is not None:
        cart.removed_at = _later(event.at, cart.removed_at)
    settle(session, shop, cart)
    return cart


def cart_restored(session: Session, shop: Shop, event: sdk.CartRestored, at: datetime) -> Cart:
    """A deleted basket came back."""
    cart = _locked(session, shop, event.key, at)
    cart.restored_at = _later(event.at, cart.restored_at)
    settle(session, shop, cart)
    return cart


def order_placed(session: Session, shop: Shop, event: sdk.OrderPlaced, at: datetime) -> list[Cart]:
    """Somebody bought: keep the sale, once, and give back the baskets it came from, settled."""
    customer = customers.meet(session, shop.id, event.person)
    _keep_sale(
        session,
        shop,
        event.order_key,
        event.placed_at,
        known_at=at,
        cart_keys=sorted(event.cart_keys),
        customer_id=customer.id if customer else None,
        amount=event.total.minor if event.total else None,
        currency=event.total.currency if event.total else None,
        our_reference=event.our_reference,
    )
    of_the_order = select(Cart).where(Cart.shop_id == shop.id, Cart.keys.overlap(list(event.cart_keys)))
    found = list(session.scalars(of_the_order.order_by(Cart.id).with_for_update()))
    for cart in found:
        settle(session, shop, cart)
    return found


def order_cancelled(session: Session, shop: Shop, event: sdk.OrderCancelled, at: datetime) -> None:
    """An order was cancelled in the shop. If it was a sale it stays one: nobody is asked to buy it again."""
    _keep_sale(session, shop, event.order_key, event.at, known_at=at, cancelled_at=event.at)


def order_refunded(session: Session, shop: Shop, event: sdk.OrderRefunded, at: datetime) -> None:
    """An order was refunded in the shop, wholly or in part."""
    _keep_sale(session, shop, event.order_key, event.at, known_at=at, refunded_at=event.at)


def _keep_sale(session: Session, shop: Shop, order_key: str, placed_at: datetime, **facts: Any) -> None:
    """An order is told of many times and in any order; what any telling knew is kept."""
    row = {
        "id": new_id(Sale.prefix),
        "shop_id": shop.id,
        "created_at": facts["known_at"],
        "order_key": order_key,
        "placed_at": placed_at,
        "cart_keys": [],
        "our_reference": "",
        **facts,
    }
    kept = insert(Sale).values(row)
    session.execute(kept.on_conflict_do_update(index_elements=["shop_id", "order_key"], set_=_MERGED))


# Where two tellings differ, the one that counts must not depend on which came first: the greater total, the first
# address in the alphabet.
_GREATER = "sales.amount IS NULL OR (excluded.currency, excluded.amount) > (sales.currency, sales.amount)"
_MERGED = {
    "our_reference": text("GREATEST(sales.our_reference, excluded.our_reference)"),
    "cart_keys": text("ARRAY(SELECT DISTINCT unnest(sales.cart_keys || excluded.cart_keys) ORDER BY 1)"),
    "customer_id": text(
        "(SELECT c.id FROM customers c WHERE c.shop_id = sales.shop_id"
        " AND c.id IN (sales.customer_id, excluded.customer_id) ORDER BY c.email LIMIT 1)"
    ),
    "amount": text(f"CASE WHEN {_GREATER} THEN excluded.amount ELSE sales.amount END"),
    "currency": text(f"CASE WHEN {_GREATER} THEN excluded.currency ELSE sales.currency END"),
    "placed_at": text("LEAST(sales.placed_at, excluded.placed_at)"),
    "cancelled_at": text("LEAST(sales.cancelled_at, excluded.cancelled_at)"),
    "refunded_at": text("LEAST(sales.refunded_at, excluded.refunded_at)"),
}


def find_sale(session: Session, shop_id: str, order_key: str) -> Sale | None:
    return session.scalar(select(Sale).where(Sale.shop_id == shop_id, Sale.order_key == order_key))


def bought(session: Session, cart: Cart) -> bool:
    """Was this basket bought in the shop, under any of the names it had? An order that we made ourselves is none."""
    found = select(Sale.id).where(
        Sale.shop_id == cart.shop_id, Sale.cart_keys.overlap(cart.keys), Sale.our_reference == ""
    )
    return session.scalar(found.limit(1)) is not None


def bought_since(session: Session, cart: Cart) -> bool:
    """Did the same customer buy anything since he left this basket? Then he is left in peace."""
    found = select(Sale.id).where(
        Sale.shop_id == cart.shop_id,
        Sale.customer_id == cart.customer_id,
        or_(Sale.known_at >= cart.changed_at, Sale.placed_at >= cart.updated_at),
    )
    return cart.customer_id is not None and session.scalar(found.limit(1)) is not None


def bought_before(session: Session, cart: Cart) -> bool:
    """Has this customer bought here at all?"""
    found = select(Sale.id).where(
        Sale.shop_id == cart.shop_id, Sale.customer_id == cart.customer_id, Sale.cancelled_at.is_(None)
    )
    return cart.customer_id is not None and session.scalar(found.limit(1)) is not None


def settle(session: Session, shop: Shop, cart: Cart, *, changed: bool = False) -> None:
    """Let the cart stand where the facts put it and set its timer. A cart that an offer is being accepted for, or was,
    is that offer's: only a sale in the shop, which is judged elsewhere, touches it."""
    if cart.offer_id is not None or cart.state == "recovered":
        return
    state, reason = _standing(session, cart)
    ended = state in ("ordered", "lost")
    if not (ended or changed or cart.state in ("", "lost")):
        return
    if state != cart.state:
        moves.move(session, cart, state, reason)
    cart.rest(None if ended else cart.changed_at + (timedelta(0) if state == "declined" else shop.idle))


def _standing(session: Session, cart: Cart) -> tuple[str, str]:
    if cart.state == "ordered" or bought(session, cart):
        return "ordered", "bought"
    if _is_removed(cart):
        return "lost", "removed"
    if cart.empty:
        return "lost", "emptied"
    if cart.failed_at is not None and cart.failed_at >= cart.updated_at:
        return "declined", cart.decline
    return "active", ""


def _is_removed(cart: Cart) -> bool:
    if not cart.removed:
        return False
    if cart.removed_at is None:
        return cart.restored_at is None
    return cart.removed_at >= max(cart.updated_at, cart.restored_at or BEFORE_EVERYTHING)


def _locked(session: Session, shop: Shop, key: str, at: datetime, aliases: tuple[str, ...] = ()) -> Cart:
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
        "told": {},
    }
    found = _by_names(session, shop, names)
    if not found:
        session.execute(insert(Cart).values(row).on_conflict_do_nothing(index_elements=["shop_id", "key"]))
        found = _by_names(session, shop, names)
    # The one that an offer stands for is the one whose link is out; else the older.
    cart, *others = sorted(found, key=lambda row: (row.offer_id is None, row.state != "offered", row.id))
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
        cart.amount, cart.currency, cart.lines, cart.empty = twin.amount, twin.currency, twin.lines, twin.empty
    cart.changed_at = max(twin.changed_at, cart.changed_at)
    _hear(cart, twin.told)
    if _failure(twin) > _failure(cart):
        cart.failed_at, cart.decline = twin.failed_at, twin.decline
    cart.removed = cart.removed or twin.removed
    cart.removed_at = _later(cart.removed_at, twin.removed_at)
    cart.restored_at = _later(cart.restored_at, twin.restored_at)
    twin.key, twin.keys = twin.id, []
    if twin.state not in ("lost", "ordered"):
        moves.move(session, twin, "lost", "the same basket under another name")
    twin.rest(None)


def _failure(cart: Cart) -> tuple[datetime, bool, str]:
    """Of two tellings of one decline the one that knows why counts, whichever comes first."""
    return cart.failed_at or BEFORE_EVERYTHING, cart.decline not in ("", "unknown"), cart.decline


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _by_names(session: Session, shop: Shop, names: list[str]) -> list[Cart]:
    found = select(Cart).where(Cart.shop_id == shop.id, Cart.keys.overlap(names))
    return list(
        session.scalars(found.order_by(Cart.id).with_for_update().execution_options(populate_existing=True))
    )


def _take_over(cart: Cart, event: sdk.CartChanged, at: datetime) -> None:
    cart.amount, cart.currency = (event.total.minor, event.total.currency) if event.total else (None, None)
    cart.lines = lines_as_json(event.lines)
    cart.empty = event.empty
    cart.changed_at = max(at, cart.changed_at)


def _note(cart: Cart, event: sdk.CartChanged, customer_id: str) -> None:
    """Take what the delivery tells beside the basket itself. Of two tellings the later one counts, and silence tells
    nothing: a shop's order does not know the language that its plugin knew."""
    person = event.person
    values = {
        "customer_id": customer_id,
        "locale": person.locale,
        "country": person.country,
        "platform_id": person.platform_id,
    }
    when = event.updated_at.astimezone(UTC).isoformat(timespec="microseconds")
    _hear(cart, {name: [when, value] for name, value in values.items() if value})


def _hear(cart: Cart, told: dict[str, Any]) -> None:
    later = {name: word for name, word in told.items() if word > cart.told.get(name, ["", ""])}
    cart.told = {**cart.told, **later}
    for name, (_, value) in later.items():
        setattr(cart, name, value)


def lines_as_json(lines: tuple[sdk.Line, ...]) -> list[dict[str, Any]]:
    return [
        {
            "title": line.title,
            "quantity": line.quantity,
            "sku": line.sku,
            "total": line.total.as_json() if line.total else None,
        }
        for line in lines
    ]


def lines_of(rows: list[Any]) -> tuple[sdk.Line, ...]:
    """Stored lines as the connectors know them."""
    return tuple(
        sdk.Line(
            title=row["title"],
            quantity=row["quantity"],
            sku=row["sku"],
            total=Money(row["total"]["amount"], row["total"]["currency"]) if row["total"] else None,
        )
        for row in rows
    )


def _content(event: sdk.CartChanged) -> str:
    return hashlib.sha256(json.dumps(asdict(event), default=str, sort_keys=True).encode()).hexdigest()
