"""What a customer may pay with: the kinds that the shop's account takes in his country and currency, and the card of an
earlier order where it was found."""

from sqlalchemy.orm import Session

from plugin_backend.core import i18n
from plugin_backend.core.views import Card, Way
from plugin_backend.domain import merchants, recalls
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk.gateway import CARD, Method, offered

EARLIER = "earlier"
"""What the form calls the card of the earlier order."""


def ways_of(session: Session, shop: Shop, offer: Offer, country: str, language: str) -> tuple[Way, ...]:
    """The ways to pay, the one that costs the customer least first: a card that he need not type, a card, then the more
    local ones."""
    account = merchants.usable_account(session, shop.id)
    if account is None:
        return ()
    said = i18n.translator(language)
    kinds = tuple(
        Way(method.kind, said.gettext(method.title)) for method in _methods(account, country, offer.currency)
    )
    known = recalls.found(session, shop.id, offer.id, account.id)
    if known is None:
        return kinds
    return (Way(EARLIER, "", Card(known.brand, known.last4, kind=known.kind)), *kinds)


def _methods(account: GatewayAccount, country: str, currency: str) -> tuple[Method, ...]:
    """At least a card: what a gateway takes elsewhere only is of no use here."""
    return offered(merchants.door_capabilities(account).methods, country, currency) or (CARD,)
