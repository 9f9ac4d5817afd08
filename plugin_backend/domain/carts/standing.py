"""Where a basket stands, from the facts about it alone."""

from datetime import timedelta

from sqlalchemy.orm import Session

from plugin_backend.domain import moves
from plugin_backend.domain.carts.rows import BEFORE_EVERYTHING, Cart
from plugin_backend.domain.carts.sales import bought
from plugin_backend.domain.merchants import Shop


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
