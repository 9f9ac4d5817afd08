"""Whether what a shop is asked tells anything new."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain.carts.rows import BEFORE_EVERYTHING, Cart
from plugin_backend.domain.carts.sales import find_sale
from plugin_backend.sdk import connector as sdk


def knows(session: Session, shop_id: str, event: sdk.ShopEvent) -> bool:
    """Has this, or what came after it, been told before?"""
    match event:
        case sdk.OrderPlaced():
            return find_sale(session, shop_id, event.order_key) is not None
        case sdk.OrderCancelled():
            sale = find_sale(session, shop_id, event.order_key)
            return sale is not None and sale.cancelled_at is not None
        case sdk.OrderRefunded():
            sale = find_sale(session, shop_id, event.order_key)
            return sale is not None and sale.refunded_at is not None
        case sdk.CartChanged() | sdk.CartRemoved() | sdk.CartRestored() | sdk.PaymentFailed():
            names = [event.key, *(event.aliases if isinstance(event, sdk.CartChanged) else ())]
            found = select(Cart).where(Cart.shop_id == shop_id, Cart.keys.overlap(names))
            cart = session.scalar(found.limit(1))
            return cart is not None and _stood_so(cart, event)
        case _:
            return True


def explains(session: Session, shop_id: str, event: sdk.ShopEvent) -> bool:
    """Does this say why a payment was refused of which no more than that was told?"""
    if not isinstance(event, sdk.PaymentFailed) or event.decline == "unknown":
        return False
    found = select(Cart).where(Cart.shop_id == shop_id, Cart.keys.overlap([event.key]))
    cart = session.scalar(found.limit(1))
    return cart is not None and cart.decline in ("", "unknown") and not cart.barred


def _stood_so(
    cart: Cart, event: sdk.CartChanged | sdk.CartRemoved | sdk.CartRestored | sdk.PaymentFailed
) -> bool:
    match event:
        case sdk.CartChanged():
            same = cart.updated_at == event.updated_at and stands_so(cart, event)
            return same or cart.updated_at > event.updated_at
        case sdk.CartRemoved():
            return cart.removed
        case sdk.CartRestored():
            return (cart.restored_at or BEFORE_EVERYTHING) >= event.at
        case sdk.PaymentFailed():
            return (cart.failed_at or BEFORE_EVERYTHING) >= event.at


def stands_so(cart: Cart, seen: sdk.CartChanged | sdk.OrderPlaced | sdk.OrderCancelled) -> bool:
    """Does the basket in the shop come to what we know? Then nothing is learnt by its being shown once more: an API writes
    the same lines in other words than a webhook, and that must not put the basket's moment off."""
    return isinstance(seen, sdk.CartChanged) and seen.total == cart.total and seen.empty == cart.empty
