"""Whether what a shop is asked tells anything new."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.domain.carts.rows import BEFORE_EVERYTHING, Cart, lines_as_json
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


def _stood_so(
    cart: Cart, event: sdk.CartChanged | sdk.CartRemoved | sdk.CartRestored | sdk.PaymentFailed
) -> bool:
    match event:
        case sdk.CartChanged():
            return cart.updated_at >= event.updated_at
        case sdk.CartRemoved():
            return cart.removed
        case sdk.CartRestored():
            return (cart.restored_at or BEFORE_EVERYTHING) >= event.at
        case sdk.PaymentFailed():
            return (cart.failed_at or BEFORE_EVERYTHING) >= event.at


def stands_so(cart: Cart, seen: sdk.CartChanged | sdk.OrderPlaced | sdk.OrderCancelled) -> bool:
    """Is the basket in the shop what we know it to be? Then nothing is learnt by its being shown once more."""
    return (
        isinstance(seen, sdk.CartChanged)
        and seen.total == cart.total
        and seen.empty == cart.empty
        and lines_as_json(seen.lines) == cart.lines
    )
