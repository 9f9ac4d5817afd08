"""An offer as its customer would see it, for the owner to look at: the page and the mail, each whole in one file."""

import re
from dataclasses import dataclass

from plugin_backend.core import i18n
from plugin_backend.core.render.environment import STATIC
from plugin_backend.core.render.mails import Rendered, mail
from plugin_backend.core.render.pages import page
from plugin_backend.core.render.sentences import mandate_words
from plugin_backend.core.views import OfferMail, OfferView, ShopView

_SHEET = re.compile(r'<link rel="stylesheet" href="[^"]*">')


@dataclass(frozen=True, slots=True)
class Preview:
    """``page`` carries its style in itself; its forms and the mail's links lead nowhere."""

    page: str
    mail: Rendered


def draw(shop: ShopView, offer: OfferView, kind: str, locale: str, country: str) -> Preview:
    """The offer to somebody in ``country``, in the language nearest to ``locale``. ``kind`` is the mail's."""
    shown = page(
        "offer/open.html",
        locale,
        shop=shop,
        offer=offer,
        mandate=mandate_words(offer, shop, locale),
        terms="",
        countries=i18n.countries(),
        country=country,
        accept_url="#",
        stop_url="#",
        ways=(),
        way="",
        nobody=False,
        email="",
    )
    sheet = (STATIC / "reprise.css").read_text(encoding="utf-8")
    content = OfferMail(shop=shop, offer=offer, link="#", unsubscribe_link="#")
    return Preview(_SHEET.sub(lambda _: f"<style>{sheet}</style>", shown), mail(kind, locale, content))
