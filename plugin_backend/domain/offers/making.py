"""An offer is made for a basket, or kept back with a reason: when the basket's moment has come, or because its shopper
stands in the shop's page and asks."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugin_backend.core import i18n
from plugin_backend.domain import carts, consent, merchants, moves
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.ending import replace, withdraw
from plugin_backend.domain.offers.rows import OPEN_STATES, Offer
from plugin_backend.domain.offers.templates import CHECKOUT, INSTALMENTS, Template, active_template
from plugin_backend.domain.offers.terms import judge, parts_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money

# Why an offer is made: the basket was left, its card was refused, or its shopper asked in the shop's page. Only the second
# is told by the shop, and is a reason for a mail that no consent was given to.
ABANDONED, DECLINED, ASKED = "abandoned", "declined", "asked"
# How many offers one customer is made in a day, whatever is asked in his name.
MOST_A_DAY = 5
_SERVICE, _REMINDERS = (DECLINED,), (ABANDONED, ASKED)


def make(session: Session, shop: Shop, cart: Cart) -> Offer | None:
    """The offer for a cart whose moment has come, kept back with a reason where it may not be sent. None where there is
    nothing to offer: no total, or the basket is spoken for. The caller holds the cart's lock."""
    cause = DECLINED if cart.state == "declined" else ABANDONED
    if cart.state == "active":
        moves.move(session, cart, "abandoned", "idle")
    cart.rest(None)
    template = active_template(session, shop.id)
    if cart.total is None or template is None or cart.offer_id is not None:
        return None
    offer = standing(session, cart)
    if offer is not None:
        _renew(session, cart, offer)
        return None
    customer = _customer(session, shop, cart)
    offer = _draft(shop, cart, customer, template, cause, declined=cause == DECLINED)
    if merchants.connection_of(session, shop.id).own_checkout:
        _lead_back(offer)
    why = _why_none(session, shop, cart, customer, offer) or ("sold_out" if cart.sold_out else "")
    if not why and _others_open(session, customer):
        why = "another_offer_open"
    why = why or why_not_mailed(session, shop, cart, customer, offer) or _why_not_now(session, shop)
    _enter(session, cart, offer, why)
    return offer


def on_page(session: Session, shop: Shop, cart: Cart, *, declined: bool, locale: str) -> Offer | None:
    """The offer for a shopper who asks in the shop's page: the one that stands, or a new one, kept back with a reason where
    there may be none. None as with ``make``. ``declined``: his page saw a decline, so that the first payment is at most
    half. The caller holds the cart's lock."""
    template = active_template(session, shop.id)
    if cart.total is None or template is None or cart.state in ("ordered", "recovered", "lost"):
        return None
    if cart.offer_id is not None:
        return session.get_one(Offer, (shop.id, cart.offer_id))
    offer = standing(session, cart)
    if offer is not None:
        _renew(session, cart, offer)
        return offer
    cause = DECLINED if cart.state == "declined" else ASKED
    customer = _customer(session, shop, cart)
    offer = _draft(shop, cart, customer, template, cause, declined=declined or cause == DECLINED)
    offer.locale = i18n.negotiate(locale, offer.locale)
    why = _why_none(session, shop, cart, customer, offer) or _asked_too_often(session, customer)
    if not why and merchants.connection_of(session, shop.id).own_checkout:
        # He stands in the shop, whose own checkout he has before him.
        why = "own_checkout"
    why = why or _why_not_now(session, shop)
    if not why and not make_room(session, customer, offer):
        why = "another_offer_open"
    if not why:
        cart.rest(None)
    _enter(session, cart, offer, why)
    return offer


def _customer(session: Session, shop: Shop, cart: Cart) -> Customer | None:
    return session.get(Customer, (shop.id, cart.customer_id)) if cart.customer_id else None


def _enter(session: Session, cart: Cart, offer: Offer, why: str) -> None:
    moves.begin(session, offer, "not_sent" if why else "open", why)
    if not why:
        offer.rest(offer.expires_at)
        moves.move(session, cart, "offered", offer.cause)


def _draft(
    shop: Shop, cart: Cart, customer: Customer | None, template: Template, cause: str, *, declined: bool
) -> Offer:
    country = cart.country or (customer.country if customer else "") or shop.country
    verdict = judge(shop, country, template.kind, template.days)
    return Offer(
        shop_id=shop.id,
        cart_id=cart.id,
        customer_id=customer.id if customer else None,
        template_id=template.id,
        cause=cause,
        light_first=declined,
        kind=template.kind,
        amount=cart.amount,
        currency=cart.currency,
        days=template.days if template.kind == INSTALMENTS else [0],
        unit=template.unit,
        every=template.every,
        ship=template.ship,
        country=country,
        locale=i18n.negotiate(cart.locale, customer.locale if customer else "", shop.locale),
        verdict={"allowed": verdict.allowed, "reason": verdict.reason, "source": verdict.source},
        expires_at=clock.now() + timedelta(days=template.open_days),
    )


def _lead_back(offer: Offer) -> None:
    """No plan is offered, but the way back to the shop's own checkout, where the whole is paid at once."""
    offer.kind, offer.days, offer.light_first = CHECKOUT, [0], False
    offer.verdict = {"allowed": True, "reason": "paid_at_once", "source": ""}


def _why_none(session: Session, shop: Shop, cart: Cart, customer: Customer | None, offer: Offer) -> str:
    """Why there may be no offer for this basket, "" where there may."""
    if carts.bought(session, cart) or carts.bought_since(session, cart):
        return "bought_meanwhile"
    if cart.barred:
        return "declined_for_fraud"
    if offer.amount < smallest(shop, offer.currency, len(offer.days)):
        return "below_minimum"
    if not offer.payable:
        return "not_payable"
    if not offer.verdict["allowed"]:
        return f"not_lawful: {offer.verdict['reason']}"
    if offer.light_first and 2 * parts_of(shop, offer, clock.now())[0].amount.minor > offer.amount:
        return "first_above_half"
    if customer is not None and customer.frozen_at is not None:
        return "being_forgotten"
    return ""


def _why_not_now(session: Session, shop: Shop) -> str:
    """What of the shop keeps an offer back. It is asked last: what is kept back for that alone would have been made."""
    return "watch_only" if shop.state != "active" else merchants.why_not_able(session, shop)


def smallest(shop: Shop, currency: str, parts: int) -> int:
    """The least amount that is offered, in minor units: the shop's own minimum in its own currency; in another one at
    least what a card can pay for each payment."""
    return shop.smallest_offer if currency == shop.currency else parts * Money(0, currency).step


def why_not_mailed(session: Session, shop: Shop, cart: Cart, customer: Customer | None, offer: Offer) -> str:
    """Why nothing may be mailed about the offer, "" where it may."""
    if customer is None:
        return "no_email"
    if offer.cause == DECLINED:
        # A service mail about the customer's own failed payment, not advertising: only the stop list holds it back.
        word = "unsubscribed" if consent.suppressed(session, shop.id, customer.email) else ""
    else:
        bought_before = carts.bought_before(session, cart)
        word = consent.why_not(session, shop.id, customer.id, customer.email, bought_before=bought_before)
    return word or ("mailed_lately" if _mailed_lately(session, shop, customer, offer) else "")


def _others_open(session: Session, customer: Customer | None) -> list[Offer]:
    """The open offers of a customer, locked. His row is locked too, so that two baskets of his that fall due at once wait
    for one another; the unique index is behind it. Offers come first, as where he is forgotten."""
    if customer is None:
        return []
    found = select(Offer).where(
        Offer.shop_id == customer.shop_id, Offer.customer_id == customer.id, Offer.state.in_(OPEN_STATES)
    )
    locked = found.with_for_update().execution_options(populate_existing=True)
    session.scalars(locked).all()
    session.get_one(Customer, (customer.shop_id, customer.id), with_for_update=True, populate_existing=True)
    return list(session.scalars(locked))


def claim(session: Session, offer: Offer, customer: Customer) -> bool:
    """An offer that was shown to nobody in particular is this customer's from now on; False where it cannot be: he is being
    forgotten, or accepts another one."""
    if offer.customer_id not in (None, customer.id) or customer.frozen_at is not None:
        return False
    if not make_room(session, customer, offer):
        return False
    offer.customer_id = customer.id
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    cart.customer_id = cart.customer_id or customer.id
    return True


def make_room(session: Session, customer: Customer | None, offer: Offer) -> bool:
    """Whoever is here now is worth more than a mail that is out: his other offers, which nobody has accepted yet, give way
    to this one. False where one of them is being accepted."""
    others = [other for other in _others_open(session, customer) if other.id != offer.id]
    if any(other.state != "open" for other in others):
        return False
    for other in others:
        replace(session, other)
    session.flush()
    return True


def _asked_too_often(session: Session, customer: Customer | None) -> str:
    if customer is None:
        return ""
    made = select(func.count()).where(
        Offer.shop_id == customer.shop_id,
        Offer.customer_id == customer.id,
        Offer.state != "not_sent",
        Offer.created_at > clock.now() - timedelta(days=1),
    )
    return "asked_too_often" if session.scalars(made).one() >= MOST_A_DAY else ""


def _mailed_lately(session: Session, shop: Shop, customer: Customer, offer: Offer) -> bool:
    since = clock.now() - timedelta(hours=shop.mail_pause_hours)
    found = select(Offer.id).where(
        Offer.shop_id == shop.id,
        Offer.customer_id == customer.id,
        Offer.cause.in_(_SERVICE if offer.cause == DECLINED else _REMINDERS),
        Offer.id != (offer.id or ""),
        Offer.state != "not_sent",
        Offer.created_at > since,
    )
    return session.scalar(found.limit(1)) is not None


def standing(session: Session, cart: Cart) -> Offer | None:
    """The basket's offer that is open, or being accepted; locked."""
    found = select(Offer).where(
        Offer.shop_id == cart.shop_id, Offer.cart_id == cart.id, Offer.state.in_(OPEN_STATES)
    )
    return session.scalar(found.with_for_update())


def _renew(session: Session, cart: Cart, offer: Offer) -> None:
    """The basket changed while its offer stood: the link leads to the new amounts, and no second mail goes out."""
    if offer.state != "open" or cart.amount is None or cart.currency is None:
        return
    total = Money(cart.amount, cart.currency)
    if total.minor < len(offer.days) * total.step:
        withdraw(session, offer, "nothing left to pay")
        return
    offer.amount, offer.currency = cart.amount, cart.currency
    if not offer.payable:
        withdraw(session, offer, "not_payable")
    elif cart.state != "offered":
        moves.move(session, cart, "offered", "its offer stands")
