"""Offers: made from a template for a basket that was left or refused, shown, and accepted once."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Integer, Text

from plugin_backend.core import i18n
from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import digest
from plugin_backend.core.render import mandate_words
from plugin_backend.core.views import BasketLine, OfferView, Part, Rhythm, ShopView
from plugin_backend.domain import carts, consent, customers, merchants, moves, regimes, schedules
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.templates import DEFAULT_DAYS as DEFAULT_DAYS
from plugin_backend.domain.offers.templates import INSTALMENTS as INSTALMENTS
from plugin_backend.domain.offers.templates import LARGE_COMPANY_DAYS as LARGE_COMPANY_DAYS
from plugin_backend.domain.offers.templates import SUBSCRIPTION as SUBSCRIPTION
from plugin_backend.domain.offers.templates import Kind as Kind
from plugin_backend.domain.offers.templates import Template as Template
from plugin_backend.domain.offers.templates import active_template as active_template
from plugin_backend.domain.offers.templates import default_template as default_template
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money

OPEN_STATES = ("open", "accepting")


class Offer(moves.Stateful, Due, Row, Base):
    """One offer for one basket. Its timer is its end. ``cause`` is ``abandoned`` or ``declined``; ``verdict`` the law's
    answer and its source; ``terms`` what was accepted, and ``terms_hash`` its hash, once it is accepted."""

    __tablename__ = "offers"
    prefix = "off"
    noun = "offer"
    bell = "expire"

    cart_id: Mapped[str] = mapped_column(index=True)
    customer_id: Mapped[str | None]
    template_id: Mapped[str]
    cause: Mapped[str]
    kind: Mapped[Kind] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    days: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    unit: Mapped[schedules.Unit] = mapped_column(Text)
    every: Mapped[int]
    ship: Mapped[str]
    country: Mapped[str]
    locale: Mapped[str]
    verdict: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    viewed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    terms: Mapped[dict[str, Any] | None]
    terms_hash: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        due_index("offers"),
        ForeignKeyConstraint(["shop_id", "cart_id"], ["carts.shop_id", "carts.id"]),
        ForeignKeyConstraint(["shop_id", "customer_id"], ["customers.shop_id", "customers.id"]),
        Index(
            "uq_offers_one_open",
            "shop_id",
            "customer_id",
            unique=True,
            postgresql_where="state IN ('open', 'accepting')",
        ),
    )

    @property
    def total(self) -> Money:
        return Money(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class Terms:
    """What accepting at a certain moment, in a certain country and language, means, as it is shown. ``digest`` names
    exactly these terms: total, currency, every amount and date, and the mandate's words."""

    view: OfferView
    mandate: str
    country: str
    verdict: regimes.Verdict
    digest: str


class Changed(RepriseError):
    """The terms that were shown are no longer those that would be accepted: show them again."""


class Over(RepriseError):
    """The offer cannot be accepted any more."""

    permanent = True


def make(session: Session, shop: Shop, cart: Cart) -> Offer | None:
    """The offer for a cart whose moment has come, kept back with a reason where it may not be sent. None where there is
    nothing to offer: no total, or the basket is spoken for. The caller holds the cart's lock."""
    cause = "declined" if cart.state == "declined" else "abandoned"
    if cart.state == "active":
        moves.move(session, cart, "abandoned", "idle")
    cart.rest(None)
    template = active_template(session, shop.id)
    if cart.total is None or template is None or cart.offer_id is not None:
        return None
    standing = _standing_offer(session, cart)
    if standing is not None:
        _renew(session, cart, standing)
        return None
    customer = session.get(Customer, (shop.id, cart.customer_id)) if cart.customer_id else None
    offer = _draft(shop, cart, customer, template, cause)
    why = _why_not(session, shop, cart, customer, offer)
    moves.begin(session, offer, "not_sent" if why else "open", why)
    if not why:
        offer.rest(offer.expires_at)
        moves.move(session, cart, "offered", cause)
    return offer


def _draft(shop: Shop, cart: Cart, customer: Customer | None, template: Template, cause: str) -> Offer:
    country = cart.country or (customer.country if customer else "") or shop.country
    verdict = _judge(shop, country, template.kind, template.days)
    return Offer(
        shop_id=shop.id,
        cart_id=cart.id,
        customer_id=customer.id if customer else None,
        template_id=template.id,
        cause=cause,
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


def _why_not(session: Session, shop: Shop, cart: Cart, customer: Customer | None, offer: Offer) -> str:
    """Why the offer is kept back, "" where it may go. That the shop only watches is the last of it: what is kept back for
    that alone would have been sent."""
    if carts.bought(session, cart) or carts.bought_since(session, cart):
        return "bought_meanwhile"
    if customer is None:
        return "no_email"
    if offer.amount < (shop.smallest_offer if offer.currency == shop.currency else len(offer.days)):
        return "below_minimum"
    if not offer.verdict["allowed"]:
        return f"not_lawful: {offer.verdict['reason']}"
    if _another_open(session, customer):
        return "another_offer_open"
    if customer.frozen_at is not None:
        return "being_forgotten"
    if offer.cause == "declined":
        # A service mail about the customer's own failed payment, not advertising: only the stop list holds it back.
        word = "unsubscribed" if consent.suppressed(session, shop.id, customer.email) else ""
    else:
        bought_before = carts.bought_before(session, cart)
        word = consent.why_not(session, shop.id, customer.id, customer.email, bought_before=bought_before)
    if not word and _mailed_lately(session, shop, customer, offer.cause):
        word = "mailed_lately"
    if not word and shop.state != "active":
        word = "watch_only"
    return word or merchants.why_not_able(session, shop)


def _another_open(session: Session, customer: Customer) -> bool:
    # The customer's row is locked, so that two baskets of his that fall due at once wait for one another; the unique
    # index is behind it.
    session.get_one(Customer, (customer.shop_id, customer.id), with_for_update=True, populate_existing=True)
    found = select(Offer.id).where(
        Offer.shop_id == customer.shop_id, Offer.customer_id == customer.id, Offer.state.in_(OPEN_STATES)
    )
    return session.scalar(found.limit(1)) is not None


def _mailed_lately(session: Session, shop: Shop, customer: Customer, cause: str) -> bool:
    since = clock.now() - timedelta(hours=shop.mail_pause_hours)
    found = select(Offer.id).where(
        Offer.shop_id == shop.id,
        Offer.customer_id == customer.id,
        Offer.cause == cause,
        Offer.state != "not_sent",
        Offer.created_at > since,
    )
    return session.scalar(found.limit(1)) is not None


def _standing_offer(session: Session, cart: Cart) -> Offer | None:
    found = select(Offer).where(
        Offer.shop_id == cart.shop_id, Offer.cart_id == cart.id, Offer.state.in_(OPEN_STATES)
    )
    return session.scalar(found.with_for_update())


def _renew(session: Session, cart: Cart, offer: Offer) -> None:
    """The basket changed while its offer stood: the link leads to the new amounts, and no second mail goes out."""
    if offer.state != "open" or cart.amount is None or cart.currency is None:
        return
    if cart.amount < len(offer.days):
        withdraw(session, offer, "nothing left to pay")
    else:
        offer.amount, offer.currency = cart.amount, cart.currency
        moves.move(session, cart, "offered", "its offer stands")


def _judge(shop: Shop, country: str, kind: Kind, days: list[int]) -> regimes.Verdict:
    return regimes.judge(country, company=shop.company, terms=regimes.PlanTerms(kind, tuple(days)))


def shop_view(shop: Shop) -> ShopView:
    """The merchant as customers know him."""
    return ShopView(
        name=shop.name, locale=shop.locale, timezone=shop.timezone, contact_email=shop.contact, test=shop.test
    )


def basket_lines(cart: Cart) -> tuple[BasketLine, ...]:
    return tuple(
        BasketLine(title=line.title, quantity=line.quantity, total=line.total)
        for line in carts.lines_of(cart.lines)
    )


def terms_of(shop: Shop, cart: Cart, offer: Offer, *, country: str, locale: str) -> Terms:
    """What accepting now would mean."""
    view = OfferView(
        kind=offer.kind,
        reference=offer.id,
        lines=basket_lines(cart),
        total=offer.total,
        parts=parts_of(shop, offer, clock.now()),
        expires_at=offer.expires_at,
        rhythm=None if offer.kind == INSTALMENTS else Rhythm(offer.unit, offer.every),
    )
    mandate = mandate_words(view, shop_view(shop), locale)
    verdict = _judge(shop, country, offer.kind, offer.days)
    return Terms(view, mandate, country, verdict, _digest(shop, view, mandate, country))


def parts_of(shop: Shop, offer: Offer, now: datetime) -> tuple[Part, ...]:
    """What would be paid, and when, if the offer were accepted now; of a subscription the first payment only."""
    if offer.kind == SUBSCRIPTION:
        return (Part(number=1, amount=offer.total, due=now, today=True),)
    amounts = schedules.instalments(offer.total, tuple(offer.days))
    dues = schedules.day_offsets(now, tuple(offer.days), shop.zone)
    return tuple(
        Part(number=number, amount=amount, due=due, today=number == 1)
        for number, (amount, due) in enumerate(zip(amounts, dues, strict=True), 1)
    )


def _digest(shop: Shop, view: OfferView, mandate: str, country: str) -> str:
    dates = [part.due.astimezone(shop.zone).date().isoformat() for part in view.parts]
    amounts = [part.amount.minor for part in view.parts]
    facts = [view.kind, view.total.minor, view.total.currency, amounts, dates, mandate, country]
    return digest(json.dumps(facts))


def accept(session: Session, shop: Shop, offer: Offer, *, shown: str, country: str, locale: str) -> Terms:
    """Accept exactly the terms that were shown. The caller holds the offer's lock and it is ``open``.

    ``Changed`` where the terms are others by now, ``Over`` where it may not be accepted at all. The basket is locked to
    this offer; the customer's country decides the law once more.
    """
    cart = session.get_one(Cart, (shop.id, offer.cart_id), with_for_update=True)
    if cart.state == "ordered" or carts.bought(session, cart):
        raise Over("bought")
    if clock.now() >= offer.expires_at:
        raise Over("expired")
    if offer.amount < len(offer.days):
        raise Over("nothing_to_pay")
    terms = terms_of(shop, cart, offer, country=country, locale=locale)
    if not terms.verdict.allowed:
        raise Over("not_lawful")
    if terms.digest != shown:
        raise Changed("the terms have changed")
    offer.country, offer.locale = country, locale
    offer.accepted_at, offer.terms_hash = clock.now(), terms.digest
    offer.terms = _terms_json(terms)
    offer.verdict = {"allowed": True, "reason": terms.verdict.reason, "source": terms.verdict.source}
    moves.move(session, offer, "accepting")
    offer.rest(None)
    cart.offer_id = offer.id
    cart.rest(None)
    return terms


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {
        "mandate": terms.mandate,
        "country": terms.country,
        "parts": [
            {"number": part.number, "amount": part.amount.minor, "due": part.due.isoformat()}
            for part in terms.view.parts
        ],
    }


def reopen(session: Session, offer: Offer, reason: str) -> None:
    """Nothing came of an acceptance: the offer stands as before, and the basket is free again."""
    if offer.state != "accepting":
        return
    moves.move(session, offer, "open", reason)
    offer.terms, offer.terms_hash = None, ""
    offer.rest(offer.expires_at)
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    cart.offer_id = None


def withdraw(session: Session, offer: Offer, reason: str) -> None:
    """The offer no longer stands."""
    if offer.state in OPEN_STATES:
        moves.move(session, offer, "withdrawn", reason)
        offer.rest(None)


def not_interested(session: Session, offer: Offer) -> None:
    """The customer wants to hear no more of this basket."""
    if offer.state != "open":
        return
    withdraw(session, offer, "not interested")
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    if cart.state in ("offered", "active", "abandoned", "declined"):
        moves.move(session, cart, "lost", "not interested")
        cart.rest(None)


def withdraw_for_cart(session: Session, cart: Cart, reason: str) -> None:
    """The basket was bought or lost: whatever was offered for it no longer stands."""
    for offer in session.scalars(
        select(Offer)
        .where(Offer.shop_id == cart.shop_id, Offer.cart_id == cart.id, Offer.state.in_(OPEN_STATES))
        .with_for_update()
    ):
        withdraw(session, offer, reason)


def expire(session: Session, offer: Offer) -> None:
    """Its time is over. The basket stays abandoned, and nobody is written to again."""
    moves.move(session, offer, "expired")
    offer.rest(None)
    cart = session.get_one(Cart, (offer.shop_id, offer.cart_id), with_for_update=True)
    if cart.state == "offered":
        moves.move(session, cart, "abandoned", "its offer expired")


def of_customer(session: Session, shop_id: str, offer: Offer) -> Customer:
    """The customer an offer was made to."""
    if offer.customer_id is None:
        raise Over("nobody to offer it to")
    return customers.get(session, shop_id, offer.customer_id)


def first_amount(shop: Shop, offer: Offer) -> Money:
    """What is paid on acceptance."""
    return parts_of(shop, offer, clock.now())[0].amount
