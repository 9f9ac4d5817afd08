"""A shop that leaves us, and what platforms ask to be forgotten: carried out as soon as it may be."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.domain import carts, cases, consent, customers, erasing, inbox, merchants, offers, polls
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk

DISCONNECTED, REDACTED = "disconnected", "redacted"
REDACTION = "customer_redacted"


def disconnect(session: Session, shop_id: str, *, redact: bool) -> None:
    """The shop has removed us (``redact``: and asks that everything of it be forgotten). Nothing new is offered, what was
    offered no longer stands, and our keys to it are forgotten; running plans are owed to their customers and go on. A
    person is told, since no order can be written back any more."""
    shop = session.get_one(Shop, shop_id, with_for_update=True, populate_existing=True)
    shop.state = REDACTED if redact or shop.state == REDACTED else DISCONNECTED
    open_ = select(Offer).where(Offer.shop_id == shop_id, Offer.state == "open")
    for offer in session.scalars(open_.with_for_update()):
        offers.withdraw(session, offer, DISCONNECTED)
    connection = merchants.connection_of(session, shop_id)
    merchants.forget_keys(session, shop, connection)
    poll = polls.of_shop(session, shop_id)
    poll.able, poll.silent_at = False, None
    poll.rest(None)
    if redact:
        # The daily housekeeping forgets the customers, and begins now.
        connection.rest(clock.now())
    cases.open_case(session, shop_id, DISCONNECTED, shop_id, redact=redact)


def redacted(session: Session, shop: Shop, event: sdk.CustomerRedacted, told_by: str) -> None:
    """A customer is to be forgotten: he gets no more mail from now on, and is forgotten at once where that may be; else as
    soon as it may, and a person sees it. Who is not known here has nothing to be forgotten."""
    email = customers.address(event.email)
    if email:
        consent.suppress(session, shop.id, email, "redacted")
        inbox.forget(session, shop.id, (email,))
    elif not event.platform_id:
        cases.open_case(session, shop.id, REDACTION, told_by)
    for customer in whom(session, shop.id, event.email, event.platform_id):
        _forget(session, shop, customer, asked_by=told_by)


def data_requested(session: Session, shop: Shop, event: sdk.CustomerDataRequested, told_by: str) -> None:
    """A customer asks what is kept of him: a person sends it, all of it or that there is nothing."""
    found = whom(session, shop.id, event.email, event.platform_id)
    for customer in found:
        cases.open_case(session, shop.id, "data_requested", customer.id, customer=customer.id)
    if not found:
        cases.open_case(session, shop.id, "data_requested", told_by, reason="nothing_kept")


def whom(session: Session, shop_id: str, email: str, platform_id: str) -> list[Customer]:
    """Everybody whom an address, or the number that the platform has for somebody, may mean."""
    found = customers.find(session, shop_id, email) if customers.address(email) else None
    numbered: list[Customer] = []
    if platform_id:
        of_number = select(Cart.customer_id).where(Cart.shop_id == shop_id, Cart.platform_id == platform_id)
        people = select(Customer).where(
            Customer.shop_id == shop_id, Customer.id.in_(of_number), Customer.email != ""
        )
        numbered = list(session.scalars(people.order_by(Customer.id)))
    return [*([found] if found else []), *(one for one in numbered if found is None or one.id != found.id)]


def carry_out(session: Session, shop: Shop) -> bool:
    """Forget whom it was asked for and could not be done before; of a shop that is to be forgotten, its other customers,
    so many at a time. True where there are more."""
    waiting = select(Case.subject).where(
        Case.shop_id == shop.id, Case.kind == REDACTION, Case.state == "open", Case.subject.like("cus\\_%")
    )
    for customer_id in list(session.scalars(waiting)):
        customer = session.get_one(Customer, (shop.id, customer_id))
        _forget(session, shop, customer, asked_by=REDACTION)
    if shop.state != REDACTED:
        return False
    left = select(Customer).where(
        Customer.shop_id == shop.id,
        Customer.email != "",
        Customer.frozen_at.is_(None),
        Customer.id.not_in(waiting),
    )
    found = list(session.scalars(left.order_by(Customer.id).limit(due.BATCH)))
    for customer in found:
        _forget(session, shop, customer, asked_by=REDACTED)
    carts.forget_strangers(session, shop.id)
    inbox.purge_bodies(session, shop.id, clock.real_now() + inbox.KEEP_BODIES)
    return len(found) == due.BATCH


def _forget(session: Session, shop: Shop, customer: Customer, *, asked_by: str) -> None:
    try:
        erasing.begin(session, shop, customer.id, cause=erasing.PLATFORM, asked_by=asked_by)
    except erasing.NotNow as error:
        cases.open_case(session, shop.id, REDACTION, customer.id, reason=error.why)
