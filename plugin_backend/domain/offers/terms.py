"""What accepting an offer would mean: every amount and date, the mandate, and the law's answer."""

import json
from dataclasses import dataclass
from datetime import datetime

from plugin_backend.core.ids import digest
from plugin_backend.core.render import mandate_words
from plugin_backend.core.views import BasketLine, OfferView, Part, Rhythm, ShopView
from plugin_backend.domain import carts, regimes, schedules
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.rows import Offer
from plugin_backend.domain.offers.templates import INSTALMENTS, SUBSCRIPTION, Kind
from plugin_backend.sdk import clock


@dataclass(frozen=True, slots=True)
class Terms:
    """What accepting at a certain moment, in a certain country and language, means, as it is shown. ``digest`` names
    exactly these terms: total, currency, every amount and date, and the mandate's words."""

    view: OfferView
    mandate: str
    country: str
    verdict: regimes.Verdict
    digest: str


def judge(shop: Shop, country: str, kind: Kind, days: list[int]) -> regimes.Verdict:
    """What is paid at once at the shop's own checkout is judged as one payment."""
    terms = regimes.PlanTerms(SUBSCRIPTION if kind == SUBSCRIPTION else INSTALMENTS, tuple(days))
    return regimes.judge(country, company=shop.company, terms=terms)


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
    view = view_of(shop, cart, offer)
    mandate = mandate_words(view, shop_view(shop), locale)
    verdict = judge(shop, country, offer.kind, offer.days)
    return Terms(view, mandate, country, verdict, _digest(shop, view, mandate, country))


def view_of(shop: Shop, cart: Cart, offer: Offer) -> OfferView:
    """What is offered now, as it is shown."""
    return OfferView(
        kind=offer.kind,
        reference=offer.id,
        lines=basket_lines(cart),
        total=offer.total,
        parts=parts_of(shop, offer, clock.now()),
        expires_at=offer.expires_at,
        rhythm=Rhythm(offer.unit, offer.every) if offer.kind == SUBSCRIPTION else None,
    )


def parts_of(shop: Shop, offer: Offer, now: datetime) -> tuple[Part, ...]:
    """What would be paid, and when, if the offer were accepted now; of a subscription the first payment only."""
    if offer.kind != INSTALMENTS:
        return (Part(number=1, amount=offer.total, due=now, today=True),)
    amounts = schedules.instalments(offer.total, tuple(offer.days))
    if offer.light_first and 2 * amounts[0].minor > offer.amount:
        # Of two payments of an odd amount the first carries the remainder, which would make it more than half.
        amounts.reverse()
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
