"""Which plans exist for an amount, before there is a basket: nothing is kept, and nothing is promised."""

from datetime import timedelta

from plugin_backend.core.views import OfferView, Rhythm
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers.making import smallest
from plugin_backend.domain.offers.rows import Offer
from plugin_backend.domain.offers.templates import INSTALMENTS, Template
from plugin_backend.domain.offers.terms import judge, parts_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money


def preview(shop: Shop, template: Template | None, total: Money, country: str) -> OfferView | None:
    """The plan that a basket of this total would be offered to somebody who lives in ``country`` ("": where the shop
    is), None where there would be none."""
    if template is None or shop.state != "active":
        return None
    days = list(template.days) if template.kind == INSTALMENTS else [0]
    if total.minor < smallest(shop, total.currency, len(days)) or not total.payable:
        return None
    if not judge(shop, country or shop.country, template.kind, template.days).allowed:
        return None
    # Never added to a session: it lends its arithmetic, so that a preview cannot differ from an offer.
    offer = Offer(
        kind=template.kind, amount=total.minor, currency=total.currency, days=days, light_first=False
    )
    return OfferView(
        kind=template.kind,
        reference="",
        lines=(),
        total=total,
        parts=parts_of(shop, offer, clock.now()),
        expires_at=clock.now() + timedelta(days=template.open_days),
        rhythm=None if template.kind == INSTALMENTS else Rhythm(template.unit, template.every),
    )
