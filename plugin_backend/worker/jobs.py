"""What runs without a visitor. ``drain`` answers a bell: it works off one shop's due rows of one kind, in batches, until
nothing is due. Every ask of the outside is made here, between two transactions of the domain."""

import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.core.db import Base, transaction
from plugin_backend.core.house import house
from plugin_backend.domain import (
    cases,
    erasing,
    exchanges,
    inbox,
    inquiries,
    leaving,
    letters,
    merchants,
    offers,
    optins,
    recalls,
    storefronts,
    vault,
)
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.inquiries import Inquiry
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.optins import OptIn
from plugin_backend.domain.vault import PaymentMethod, retiring
from plugin_backend.sdk import clock
from plugin_backend.worker import (
    charging,
    comparing,
    connecting,
    delivering,
    looking,
    polling,
    presenting,
    probing,
    reading,
    refunding,
    watching,
)
from plugin_backend.worker.erasing import erase

log = structlog.get_logger(__name__)

# A drain that is not done soon (rows come in faster than they are worked off) lets the other bells have their turn.
TURN_SECONDS = 5.0


def drain(bell: str, shop_id: str) -> None:
    """Work off what is due for a shop. It may run twice, late, or at the same time as another of its kind."""
    house().bells.answered(bell, shop_id)
    shop = merchants.load_shop(shop_id)
    with merchants.shop_time(shop), structlog.contextvars.bound_contextvars(shop=shop_id, bell=bell):
        turn_ends = time.monotonic() + TURN_SECONDS
        while DRAINS[bell](shop):
            if time.monotonic() >= turn_ends:
                house().bells.ring(bell, shop_id)
                break
        _ring_what_follows(shop, bell)


def _ring_what_follows(shop: Shop, answered: str) -> None:
    """Work makes work: whatever is due for this shop now is rung for, so that a customer does not wait for the clock."""
    with transaction(shop.id) as session:
        bells = {
            bell for model, bell in timers() if bell != answered and due.any_due(session, model, shop.id)
        }
    for bell in sorted(bells):
        house().bells.ring(bell, shop.id)


def timers() -> list[tuple[type[Any], str]]:
    """Every table with a timer, and the bell of its moment."""
    models = (mapper.class_ for mapper in Base.registry.mappers)
    return sorted(
        ((model, model.bell) for model in models if issubclass(model, due.Due)),
        key=lambda pair: pair[0].__tablename__,
    )


def each(
    shop: Shop,
    model: type[Any],
    work: Callable[[Session, Shop, Any], None],
    only: Collection[str] | None = None,
) -> int:
    """Do ``work`` for a batch of due rows, of ``only`` these ids where they are given, in one transaction, asking nobody.
    A row that cannot be worked is set aside for a person and does not hold up the others."""
    with transaction(shop.id) as session:
        due.alone(session, shop.id, model.__tablename__)
        rows = due.lock_due(session, model, shop.id, only=only)
        for row in rows:
            set_aside_on_surprise(session, shop, row, work)
    return len(rows)


def set_aside_on_surprise(
    session: Session, shop: Shop, row: Any, work: Callable[[Session, Shop, Any], None]
) -> None:
    """Any error at all in one row's work is a fault of ours; it must not stop the rest of the shop's work, nor be lost."""
    row_id = row.id
    try:
        with session.begin_nested():
            work(session, shop, row)
    except OperationalError:
        # A deadlock or a lost connection is nobody's fault: the whole batch comes again.
        raise
    except Exception as error:
        log.exception("work_failed", row=row_id)
        again = session.get_one(type(row), (shop.id, row_id))
        again.rest(clock.now() + due.SET_ASIDE)
        cases.open_case(session, shop.id, "work_failed", row_id, error=type(error).__name__)


def read(shop: Shop) -> int:
    """Deliveries become facts about carts, orders and charges."""
    return each(shop, DeliveryRow, reading.read_one)


def make_offers(shop: Shop) -> int:
    """Carts whose moment has come get their offer, or a reason why not, once the shop was asked what became of them."""
    ids = looking.ready(shop)
    return each(shop, Cart, _make_offer, only=ids) if ids else 0


def _make_offer(session: Session, shop: Shop, cart: Cart) -> None:
    offer = offers.make(session, shop, cart)
    if offer is None or offer.state != "open":
        return
    recalls.begin(session, shop, offer)
    if offer.cause == offers.DECLINED and storefronts.is_in_place(shop):
        # Its shopper is being shown the same offer where he stands.
        letters.if_page_is_left(session, shop, cart, offer)
    else:
        letters.offer_made(session, shop, cart, offer)


def answer(shop: Shop) -> int:
    """Shoppers who ask in the shop's page get their offer, or there is none."""
    return each(shop, Inquiry, _answer)


def _answer(session: Session, shop: Shop, row: Inquiry) -> None:
    """The message that came with it is read first, since nobody else may have come to it yet."""
    if row.delivery_id is not None:
        told = session.get_one(DeliveryRow, (shop.id, row.delivery_id), with_for_update=True)
        if told.state == "received":
            reading.read_one(session, shop, told)
    inquiries.answer(session, shop, row)
    offer = inquiries.offer_of(session, row)
    if offer is not None:
        recalls.begin(session, shop, offer)


def expire_optins(shop: Shop) -> int:
    """Addresses that never said yes are forgotten, where they are known for nothing else."""
    return each(shop, OptIn, _expire_optin)


def _expire_optin(session: Session, shop: Shop, row: OptIn) -> None:
    if optins.expire(session, row):
        erasing.begin(session, shop, row.customer_id, cause=erasing.UNANSWERED, asked_by=row.id)


def expire_offers(shop: Shop) -> int:
    return each(shop, Offer, lambda session, shop, offer: offers.expire(session, offer))


def sweep(shop: Shop) -> int:
    """Cards whose use is over are to be forgotten."""
    return each(shop, PaymentMethod, erasing.sweep)


def tidy(shop: Shop) -> int:
    """The daily housekeeping of a shop."""

    def work(session: Session, shop: Shop, row: Connection) -> None:
        inbox.purge_bodies(session, shop.id, clock.real_now())
        exchanges.purge(session, shop.id, clock.real_now())
        inquiries.forget_visitors(session, shop.id)
        optins.forget_visitors(session, shop.id)
        retiring.destroy_keys(session, shop.id, clock.real_now())
        more = leaving.carry_out(session, shop)
        row.rest(clock.now() + (timedelta(0) if more else due.DAY))

    done = each(shop, Connection, work)
    if done:
        with transaction(None) as session:
            retiring.destroy_roots(session, clock.real_now())
    return done


def seal(shop: Shop) -> int:
    """The vault's log is sealed as it stands. Where it stands is told to our own log too: whoever rewrites the one does
    not have the other."""
    with transaction(shop.id) as session:
        mark = vault.seal_log(session, shop.id)
    if mark is None:
        return 0
    log.info("vault_log_sealed", seq=mark.seq, hash=mark.hash.hex())
    return 1


DRAINS: dict[str, Callable[[Shop], int]] = {
    "read": read,
    "poll": polling.poll,
    "watch": watching.watch,
    "offer": make_offers,
    "answer": answer,
    "optin": expire_optins,
    "expire": expire_offers,
    "deliver": delivering.deliver,
    "present": presenting.present,
    "charge": charging.charge,
    "compare": comparing.compare,
    "reconcile": charging.reconcile,
    "refund": refunding.refund,
    "probe": probing.probe,
    "sweep": sweep,
    "erase": erase,
    "tidy": tidy,
    "connect": connecting.connect,
    "enrol": connecting.enrol,
    "recall": presenting.recall,
    "check": connecting.check,
    "renew": connecting.renew,
    "resign": connecting.resign,
    "seal": seal,
}
