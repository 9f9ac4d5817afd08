"""Before anybody is written to about a basket, the shop is asked what became of it: a webhook may have been lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import update
from sqlalchemy.orm import Session

from plugin_backend.core import delays, due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.domain import carts, merchants, polling, vault
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.worker import asking, reading
from plugin_backend.worker import polling as rounds

# A small shop must not be overrun by our looking at its baskets.
_AT_ONCE = 4

Seen = sdk.CartChanged | sdk.OrderPlaced | sdk.OrderCancelled | None


@dataclass(frozen=True, slots=True)
class Look:
    """Baskets whose moment has come, by id, and the keys of those that the shop is to be asked about."""

    ids: tuple[str, ...]
    keys: dict[str, str]
    connector: sdk.Connector


def ready(shop: Shop) -> list[str]:
    """Ids of the carts whose moment has come and of which it is known how they stand in the shop. Those of which it is
    not, since the shop does not answer, wait."""
    with transaction(shop.id) as session:
        moments = {cart.id: cart.due_at for cart in due.peek(session, Cart, shop.id)}
        stands = polling.standing(session, shop, max(moments.values())) if moments else None
    if stands is None:
        return []
    if stands.poll_id:
        rounds.hurry(shop, stands.poll_id)
        with transaction(shop.id) as session:
            stands = polling.standing(session, shop, max(moments.values()))
    if not stands.known:
        _wait(shop, list(moments), stands.again_at)
        return []
    return _looked_at(shop, list(moments)) if stands.able else list(moments)


def _looked_at(shop: Shop, ids: list[str]) -> list[str]:
    with transaction(shop.id) as session:
        look = _prepare(session, shop, ids)
    return ids if look is None else _look(shop, look)


def _prepare(session: Session, shop: Shop, ids: Sequence[str]) -> Look | None:
    """Who has no address gets no mail, whatever became of his basket: about that nobody is asked."""
    rows = [session.get_one(Cart, (shop.id, cart_id)) for cart_id in ids]
    keys = {cart.id: cart.key for cart in rows if cart.customer_id and cart.offer_id is None}
    if not keys:
        return None
    connection = merchants.connection_of(session, shop.id)
    use = vault.Use("shop_call", connection.id)
    return Look(tuple(ids), keys, merchants.connector_of(session, shop, connection, use))


def _look(shop: Shop, look: Look) -> list[str]:
    known, names = set(look.ids) - set(look.keys), list(look.keys)
    for first in range(0, len(names), _AT_ONCE):
        asks = {
            name: partial(_ask, look.connector, look.keys[name]) for name in names[first : first + _AT_ONCE]
        }
        for told in asking.answers([asks]):
            for name, seen in told.items():
                if not isinstance(seen, RepriseError):
                    _take_in(shop, name, seen)
                    known.add(name)
    if len(known) < len(look.ids):
        _wait(shop, list(set(look.ids) - known), clock.now() + delays.DELAYS.poll)
    return sorted(known)


def _ask(connector: sdk.Connector, key: str) -> Seen | RepriseError:
    assert_no_transaction()
    try:
        return connector.read("cart", key)
    except RepriseError as error:
        return error


def _take_in(shop: Shop, cart_id: str, seen: Seen) -> None:
    """What says nothing new must not put the basket's moment off. What of it is sold out is news either way."""
    with transaction(shop.id) as session:
        due.alone(session, shop.id, DeliveryRow.__tablename__)
        cart = session.get_one(Cart, (shop.id, cart_id))
        if isinstance(seen, sdk.CartChanged):
            cart.sold_out = list(seen.sold_out)
        if seen is not None and not carts.stands_so(cart, seen):
            reading.take_in(session, shop, seen, clock.now(), told_by=cart_id)


def _wait(shop: Shop, ids: Sequence[str], until: datetime) -> None:
    """The carts' moment comes again later, unless they have changed meanwhile."""
    with transaction(shop.id) as session:
        session.execute(
            update(Cart)
            .where(Cart.shop_id == shop.id, Cart.id.in_(ids), Cart.due_at <= clock.now())
            .values(due_at=until)
            .execution_options(synchronize_session=False)
        )
