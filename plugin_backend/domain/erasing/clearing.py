"""The end of an erasure: what is forgotten, in one transaction, and what stays because the law asks for it.

Books, amounts, dates, a card's brand, last four digits and expiry, the gateway's ids, mandates and answers about consent
stay, under an id that leads to nobody any more.
"""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from plugin_backend.core.ids import named, raw
from plugin_backend.domain import exchanges, inbox, moves, plans, vault
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.erasing.beginning import freeze
from plugin_backend.domain.erasing.rows import Erasure, Tombstone
from plugin_backend.domain.merchants import Door
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.optins import OptIn
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.setups import Setup
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.sdk import clock


def shred(session: Session, row: Erasure, reason: str) -> list[str]:
    """Forget what the erasure is about and leave its tombstone. Ids of the keys that were destroyed. The caller holds the
    row's lock."""
    methods = [row.method_id] if row.method_id else _methods_of(session, row)
    keys = vault.shred(session, row.shop_id, row.customer_id, methods, use_id=row.id)
    if not row.method_id:
        _forget_person(session, row.shop_id, row.customer_id)
    session.add(
        Tombstone(
            shop_id=row.shop_id,
            id=named(Tombstone.prefix, raw(row.id)),
            customer_id=row.customer_id,
            whole=not row.method_id,
            methods=methods,
            keys=keys,
            cause=row.cause,
            asked_by=row.asked_by,
        )
    )
    moves.move(session, row, "shredded", reason)
    row.rest(None)
    return keys


def again(session: Session, stone: Tombstone) -> bool:
    """Forget once more what an older backup has brought back; False where it has brought back nothing. Who was forgotten
    has no running plan, whatever the backup knows; the shop and the customer were told when it ended."""
    vault.destroy(session, stone.shop_id, stone.keys, use_id=stone.id)
    customer = session.get(Customer, (stone.shop_id, stone.customer_id), with_for_update=True)
    if customer is None or not _is_back(session, customer, stone):
        return False
    if stone.whole:
        freeze(session, customer)
        _end_plans(session, customer)
        _forget_person(session, stone.shop_id, stone.customer_id)
    vault.shred(session, stone.shop_id, stone.customer_id, stone.methods, use_id=stone.id)
    row = session.get(Erasure, (stone.shop_id, named(Erasure.prefix, raw(stone.id))), with_for_update=True)
    if row is not None and row.state != "shredded":
        moves.move(session, row, "shredded", "known from a tombstone")
        row.rest(None)
    return True


def _is_back(session: Session, customer: Customer, stone: Tombstone) -> bool:
    kept = vault.sealed_of(session, stone.shop_id, stone.customer_id)
    return (stone.whole and customer.email != "") or any(row.id in stone.methods for row in kept)


def _end_plans(session: Session, customer: Customer) -> None:
    running = select(Plan.id).where(
        Plan.shop_id == customer.shop_id,
        Plan.customer_id == customer.id,
        Plan.state.not_in(plans.ENDED),
    )
    for plan in plans.lock_all(session, customer.shop_id, list(session.scalars(running))):
        plans.end(session, plan, "cancelled", "being_forgotten")


def _methods_of(session: Session, row: Erasure) -> list[str]:
    found = select(PaymentMethod.id).where(
        PaymentMethod.shop_id == row.shop_id, PaymentMethod.customer_id == row.customer_id
    )
    return list(session.scalars(found.order_by(PaymentMethod.id)))


def _forget_person(session: Session, shop_id: str, customer_id: str) -> None:
    """His row is locked before all else: who learns something of him holds it, and is waited for."""
    customer = session.get_one(Customer, (shop_id, customer_id), with_for_update=True, populate_existing=True)
    exchanges.forget(session, shop_id)
    if customer.email:
        inbox.forget(session, shop_id, (customer.email,))
    customer.email = customer.name = customer.locale = customer.country = ""
    customer.frozen_at = customer.frozen_at or clock.now()
    _forget_baskets(session, shop_id, customer_id)
    _forget_cards(session, shop_id, customer_id)
    his = (Message.shop_id == shop_id, Message.customer_id == customer_id)
    session.execute(update(Message).where(*his).values(recipient="", subject="", text="", html=""))
    made = select(Offer.id).where(Offer.shop_id == shop_id, Offer.customer_id == customer_id)
    session.execute(
        update(Setup).where(Setup.shop_id == shop_id, Setup.offer_id.in_(made)).values(ip="", url="")
    )
    _close_doors(session, shop_id, customer_id)


def _forget_baskets(session: Session, shop_id: str, customer_id: str) -> None:
    nothing = {"lines": [], "sold_out": [], "told": {}, "content_hash": ""}
    nothing |= {"platform_id": "", "locale": "", "country": ""}
    his = (Cart.shop_id == shop_id, Cart.customer_id == customer_id)
    session.execute(update(Cart).where(*his).values(amount=None, currency=None, **nothing))


def _forget_cards(session: Session, shop_id: str, customer_id: str) -> None:
    """A card that was refused for good is known again all the same, by a keyed hash: it must not be charged by whoever
    gives it next."""
    his = (PaymentMethod.shop_id == shop_id, PaymentMethod.customer_id == customer_id)
    session.execute(
        update(PaymentMethod).where(*his).values(country="", funding="", due_at=None, taken=False)
    )
    unstopped = (*his, PaymentMethod.stopped_at.is_(None))
    session.execute(update(PaymentMethod).where(*unstopped).values(fingerprint=PaymentMethod.id))


def _close_doors(session: Session, shop_id: str, customer_id: str) -> None:
    """The links in his mails lead nowhere any more."""
    of_offers = select(Offer.id).where(Offer.shop_id == shop_id, Offer.customer_id == customer_id)
    of_plans = select(Plan.id).where(Plan.shop_id == shop_id, Plan.customer_id == customer_id)
    of_opt_ins = select(OptIn.id).where(OptIn.shop_id == shop_id, OptIn.customer_id == customer_id)
    rows = of_offers.union_all(of_plans, of_opt_ins)
    session.execute(
        delete(Door)
        .where(Door.shop_id == shop_id, (Door.row_id == customer_id) | Door.row_id.in_(rows))
        .execution_options(synchronize_session=False)
    )
