"""Where a basket stands, from the facts about it alone."""

from datetime import timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from plugin_backend.domain import moves
from plugin_backend.domain.carts.rows import BEFORE_EVERYTHING, Cart
from plugin_backend.domain.carts.sales import bought
from plugin_backend.domain.merchants import Shop

SUPERSEDED = "another basket of the same customer is newer"


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


def settle_others(session: Session, shop: Shop, cart: Cart, *customer_ids: str | None) -> None:
    """Let the other baskets of these customers stand where they stand beside this one. Those that an offer stands for are
    left alone."""
    known = [customer_id for customer_id in dict.fromkeys(customer_ids) if customer_id]
    if not known:
        return
    open_ones = or_(
        Cart.state.in_(("active", "abandoned", "declined")),
        and_(Cart.state == "lost", Cart.reason == SUPERSEDED),
    )
    found = select(Cart).where(
        Cart.shop_id == shop.id, Cart.customer_id.in_(known), Cart.id != cart.id, open_ones
    )
    for other in session.scalars(found.order_by(Cart.id).with_for_update()):
        settle(session, shop, other)


def _standing(session: Session, cart: Cart) -> tuple[str, str]:
    if cart.state == "ordered" or bought(session, cart):
        return "ordered", "bought"
    if _is_removed(cart):
        return "lost", "removed"
    if cart.empty:
        return "lost", "emptied"
    if cart.state != "offered" and _superseded(session, cart):
        return "lost", SUPERSEDED
    if cart.failed_at is not None and cart.failed_at >= cart.updated_at:
        return "declined", cart.decline
    return "active", ""


def _superseded(session: Session, cart: Cart) -> bool:
    """Has the same customer another basket with a later state, whatever became of that one? A guest who signs in, or who
    begins again on another device, has one basket: the last one he touched. Rows without a name were taken in by others."""
    newer = or_(
        Cart.updated_at > cart.updated_at, and_(Cart.updated_at == cart.updated_at, Cart.key > cart.key)
    )
    found = select(Cart.id).where(
        Cart.shop_id == cart.shop_id,
        Cart.customer_id == cart.customer_id,
        Cart.id != cart.id,
        func.cardinality(Cart.keys) > 0,
        newer,
    )
    return cart.customer_id is not None and session.scalar(found.limit(1)) is not None


def _is_removed(cart: Cart) -> bool:
    if not cart.removed:
        return False
    if cart.removed_at is None:
        return cart.restored_at is None
    return cart.removed_at >= max(cart.updated_at, cart.restored_at or BEFORE_EVERYTHING)
