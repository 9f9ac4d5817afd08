"""Sales: what was bought, kept once for each order, and who is to be left in peace for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from plugin_backend.core.ids import new_id
from plugin_backend.domain.carts.rows import Cart, Sale
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import connector as sdk


def order_cancelled(session: Session, shop: Shop, event: sdk.OrderCancelled, at: datetime) -> None:
    """An order was cancelled in the shop. If it was a sale it stays one: nobody is asked to buy it again."""
    keep_sale(session, shop, event.order_key, event.at, known_at=at, cancelled_at=event.at)


def order_refunded(session: Session, shop: Shop, event: sdk.OrderRefunded, at: datetime) -> None:
    """An order was refunded in the shop, wholly or in part."""
    keep_sale(session, shop, event.order_key, event.at, known_at=at, refunded_at=event.at)


def keep_sale(session: Session, shop: Shop, order_key: str, placed_at: datetime, **facts: Any) -> None:
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


def last_sale(session: Session, shop_id: str, customer_id: str) -> Sale | None:
    """The customer's newest order that was neither cancelled, refunded nor ours."""
    found = select(Sale).where(
        Sale.shop_id == shop_id,
        Sale.customer_id == customer_id,
        Sale.cancelled_at.is_(None),
        Sale.refunded_at.is_(None),
        Sale.our_reference == "",
    )
    return session.scalar(found.order_by(Sale.placed_at.desc(), Sale.id.desc()).limit(1))


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
