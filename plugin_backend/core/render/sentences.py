"""Sentences that more than one page or mail says: payments in words, what ending does, and the mandate.

They are built here and not in a template, so that a page, both parts of a mail and the stored mandate cannot differ.
"""

from collections.abc import Iterable

from markupsafe import Markup, escape

from plugin_backend.core import i18n
from plugin_backend.core.views import Ending, OfferView, Part, PlanView, ShopView
from plugin_backend.sdk.money import Money

MANDATE_VERSION = "2"
"""Changes with every change of the sentences of ``mandate_words`` in any language; stored beside each mandate."""


class Sentences:
    """Sentences in one language, as HTML (escaped, amounts and names in ``<bdi>``) or as plain text."""

    def __init__(self, language: str, *, html: bool) -> None:
        self.language = language
        self._html = html
        self._said = i18n.translator(language)

    def bdi(self, text: str) -> str:
        """A name or number that keeps its own direction within a sentence."""
        return Markup("<bdi>{}</bdi>").format(text) if self._html else text

    def money(self, amount: Money) -> str:
        return self.bdi(i18n.money(amount, self.language))

    def mail_link(self, address: str) -> str:
        if not self._html:
            return address
        return Markup('<a href="mailto:{}"><bdi>{}</bdi></a>').format(address, address)

    def listed(self, items: Iterable[str]) -> str:
        """The items joined as in a sentence."""
        if not self._html:
            return i18n.listed(items, self.language)
        return Markup(i18n.listed((str(escape(item)) for item in items), self.language))  # noqa: S704  all escaped

    def parts(self, parts: Iterable[Part], tz: str) -> list[str]:
        """Each payment in words: ``33,34 € today``, ``33,33 € on 17 December 2026``."""
        return [self._part(part, tz) for part in parts]

    def terms(self, view: OfferView | PlanView, tz: str) -> str:
        """All payments of an offer in one sentence."""
        paid = self.listed(self.parts(view.parts, tz))
        if view.rhythm is None or view.total is None:
            return self._fill("%(parts)s.", parts=paid)
        return self._fill(
            self._said.gettext("%(parts)s, then %(amount)s %(often)s."),
            parts=paid,
            amount=self.money(view.total),
            often=i18n.frequency_words(view.rhythm.unit, view.rhythm.every, self.language),
        )

    def ending(self, ending: Ending, shop: ShopView) -> list[str]:
        """What a cancellation or withdrawal does, a sentence each, the same before and after it."""
        said = self._said.gettext
        told = [said("No further payment is taken from your card.")]
        if ending.ends_at:
            until = i18n.minute_words(ending.ends_at, self.language, shop.timezone)
            told.insert(
                0, self._fill(said("What you have already paid for goes on until %(date)s."), date=until)
            )
        if ending.stopped:
            stopped = self.listed(self.parts(ending.stopped, shop.timezone))
            told.append(self._fill(said("These payments are stopped: %(parts)s."), parts=stopped))
        return told + self._money_after(ending, shop)

    def _money_after(self, ending: Ending, shop: ShopView) -> list[str]:
        said, told = self._said.gettext, []
        if ending.in_flight:
            told.append(
                said(
                    "One payment had already left. If it is taken after all, we look at it and write to you."
                )
            )
        if ending.refund:
            sentence = said("%(amount)s is paid back to your card within 14 days at most.")
            told.append(self._fill(sentence, amount=self.money(ending.refund)))
        if ending.owed:
            sentence = said("%(amount)s of your order is not paid yet. %(shop)s will write to you about it.")
            told.append(self._fill(sentence, amount=self.money(ending.owed), shop=self.bdi(shop.name)))
        return told

    def _part(self, part: Part, tz: str) -> str:
        amount = self.money(part.amount)
        if part.today:
            return self._fill(self._said.gettext("%(amount)s today"), amount=amount)
        due = i18n.date_words(part.due, self.language, tz)
        return self._fill(self._said.gettext("%(amount)s on %(date)s"), amount=amount, date=due)

    def _fill(self, sentence: str, **values: str) -> str:
        return (Markup(sentence) if self._html else sentence) % values  # noqa: S704  a message of ours


def mandate_words(offer: OfferView, shop: ShopView, locale: str) -> str:
    """Plain text that names the merchant, every amount and date, and how to stop. It is the same for the same offer,
    so that what was shown can be told from what was accepted."""
    language = i18n.negotiate(locale)
    said, plain = i18n.translator(language), Sentences(language, html=False)
    values = {
        "shop": shop.name,
        "parts": plain.listed(plain.parts(offer.parts, shop.timezone)),
        "total": plain.money(offer.total),
    }
    if offer.rhythm is None:
        sentence = said.gettext(
            "I allow %(shop)s to take these payments from the card or account that I give: %(parts)s. That is %(total)s in all."
        )
    else:
        values["often"] = i18n.frequency_words(offer.rhythm.unit, offer.rhythm.every, language)
        sentence = said.gettext(
            "I allow %(shop)s to take from the card or account that I give %(parts)s, then %(total)s %(often)s until I stop."
        )
    return f"{sentence % values} {_how_to_stop(shop, said)}"


def _how_to_stop(shop: ShopView, said: i18n.Translator) -> str:
    if not shop.contact_email:
        return said.gettext("I can stop them at any time with the link in each receipt.")
    sentence = said.gettext(
        "I can stop them at any time with the link in each receipt, or by writing to %(address)s."
    )
    return sentence % {"address": shop.contact_email}
