"""The Jinja environments: one for each language, and for HTML and plain text.

Templates get ``_``, ``money``, ``date``, ``minute``, ``moment``, ``bdi``, ``frequency``, ``listed``, ``words``, ``lang``, ``dir``,
``static`` and the sentences of ``sentences``. In HTML, amounts and names come wrapped in ``<bdi>``, so that a
right-to-left sentence keeps them whole. Dates are told in the zone ``tz`` of the context.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from plugin_backend.core import i18n
from plugin_backend.core.render.codes import ICONS, TONES
from plugin_backend.core.render.sentences import Sentences
from plugin_backend.core.render.words import Words
from plugin_backend.core.views import Cell, Link, Reason, State
from plugin_backend.sdk.money import Money

_PACKAGE = Path(__file__).parent.parent.parent
TEMPLATES = _PACKAGE / "templates"
STATIC = _PACKAGE / "static"


@lru_cache
def environment(language: str, *, html: bool) -> Environment:
    """The templates in one of ``i18n.LANGUAGES``, escaped for HTML or not at all. A missing value is an error."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,  # noqa: S701  plain text is the one thing that is not escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    said = i18n.translator(language)
    env.install_gettext_callables(  # type: ignore[attr-defined]
        said.gettext, said.ngettext, newstyle=True, pgettext=said.pgettext, npgettext=said.npgettext
    )
    env.globals.update(_plain_helpers(language, html=html))
    env.globals.update(_helpers_in_zone(language, html=html))
    return env


@lru_cache
def static_url(name: str) -> str:
    """The address of a file of ``static/``, which changes with its content and may be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _plain_helpers(language: str, *, html: bool) -> dict[str, Any]:
    sentences, words = Sentences(language, html=html), Words(i18n.translator(language))
    return {
        "form": "html" if html else "txt",
        "lang": language,
        "dir": i18n.direction(language),
        "languages": i18n.LANGUAGES,
        "static": static_url,
        "bdi": sentences.bdi,
        "money": sentences.money,
        "plain_money": partial(i18n.money, locale=language),
        "mail_link": sentences.mail_link,
        "listed": sentences.listed,
        "quantity": lambda text: sentences.bdi(i18n.quantity(text, language)),
        "frequency": lambda rhythm: i18n.frequency_words(rhythm.unit, rhythm.every, language),
        "ending_words": sentences.ending,
        "country_choices": partial(i18n.country_choices, locale=language),
        "badge": partial(_badge, words),
        "words": words,
    }


def _helpers_in_zone(language: str, *, html: bool) -> dict[str, Any]:
    """The helpers that tell a date, each with the zone of the page it is on."""
    sentences, words = Sentences(language, html=html), Words(i18n.translator(language))
    return {
        "date": _zoned(lambda at, tz: i18n.date_words(at, language, tz)),
        "minute": _zoned(lambda at, tz: i18n.minute_words(at, language, tz)),
        "moment": _zoned(lambda at, tz: i18n.datetime_words(at, language, tz)),
        "sentences": _zoned(sentences.parts),
        "in_words": _zoned(sentences.terms),
        "cell": _zoned(partial(_cell, words, sentences)),
    }


def _zoned(helper: Callable[[Any, str], Any]) -> Callable[[Context, Any], Any]:
    @pass_context
    def in_zone(context: Context, value: Any) -> Any:
        return helper(value, context["tz"])

    return in_zone


def _cell(words: Words, sentences: Sentences, value: Cell, tz: str) -> str:
    """A value of a list or detail page as HTML, whatever its type."""
    match value:
        case None | "":
            return Markup('<span class="quiet">–</span>')
        case Money():
            return sentences.money(value)
        case datetime():
            shown = i18n.datetime_words(value, sentences.language, tz)
            return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), shown)
        case State():
            return _badge(words, value.noun, value.state)
        case Reason():
            return escape(words.reason(value.code))
        case Link():
            return Markup('<a href="{}">{}</a>').format(value.url, sentences.bdi(value.label))
        case _:
            return sentences.bdi(str(value))


def _badge(words: Words, noun: str, state: str) -> Markup:
    """The state as an icon for the eye, a word for everybody and a colour as the third."""
    tone = TONES.get(state, "plain")
    return Markup('<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>').format(
        tone, ICONS[tone], words.state(noun, state)
    )
