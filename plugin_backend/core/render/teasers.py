"""What a shop's own page says of a plan: a title, one sentence and a button. Plain text, since the page is not ours, and
neutral, since some read it after a decline."""

from dataclasses import dataclass

from plugin_backend.core import i18n
from plugin_backend.core.render.sentences import Sentences
from plugin_backend.core.views import OfferView


@dataclass(frozen=True, slots=True)
class Teaser:
    """``words`` names what is paid today, what comes after it, and the total."""

    title: str
    words: str
    button: str


def teaser(view: OfferView, locale: str, timezone: str) -> Teaser:
    """The teaser of a plan in the language nearest to ``locale``; dates that have to be named, in ``timezone``."""
    language = i18n.negotiate(locale)
    said = i18n.translator(language)
    if view.rhythm is None:
        count = len(view.parts)
        title = said.ngettext("Pay in %(num)s payment", "Pay in %(num)s payments", count) % {"num": count}
        words = _instalments(view, language, timezone)
    else:
        title = said.gettext("Pay by subscription")
        words = Sentences(language, html=False).terms(view, timezone)
    return Teaser(title, words, said.gettext("See the payments"))


def _instalments(view: OfferView, language: str, timezone: str) -> str:
    said, plain = i18n.translator(language), Sentences(language, html=False)
    first, *others = view.parts
    values = {"first": plain.money(first.amount), "total": plain.money(view.total)}
    if not others:
        return said.gettext("%(first)s today; total %(total)s") % values
    if len({part.amount for part in others}) > 1:
        values["others"] = plain.listed(plain.parts(others, timezone))
        return said.gettext("%(first)s today, then %(others)s; total %(total)s") % values
    values |= {"count": str(len(others)), "amount": plain.money(others[0].amount)}
    return said.gettext("%(first)s today, then %(count)s × %(amount)s; total %(total)s") % values
