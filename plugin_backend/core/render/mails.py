"""Mails: subject, plain text and HTML, drawn from one template so that both parts say the same.

A template of ``mail/`` has a block ``subject`` and a block ``body`` made of ``parts`` (paragraph, button, basket,
schedule); the parts exist once for text and once for HTML.
"""

import re
from dataclasses import dataclass, fields

from plugin_backend.core import i18n
from plugin_backend.core.render.environment import environment
from plugin_backend.core.views import (
    ActionNeededMail,
    AlertMail,
    CancelledMail,
    CardNeededMail,
    CheckMail,
    CompletedMail,
    CreditMail,
    FailedMail,
    Mail,
    NoticeMail,
    OfferMail,
    OptInMail,
    PlanMail,
    ReceiptMail,
    SignInMail,
)

MAILS: dict[str, type] = {
    "offer": OfferMail,
    "offer_after_decline": OfferMail,
    "plan_confirmed": PlanMail,
    "receipt": ReceiptMail,
    "payment_failed": FailedMail,
    "payment_action_needed": ActionNeededMail,
    "payment_notice": NoticeMail,
    "card_needed": CardNeededMail,
    "plan_completed": CompletedMail,
    "plan_cancelled": CancelledMail,
    "plan_credited": CreditMail,
    "refund_made": CreditMail,
    "alert": AlertMail,
    "opt_in": OptInMail,
    "sign_in": SignInMail,
    "check": CheckMail,
}
"""Each kind of mail and what it is drawn from."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail ready to be sent: ``subject`` is one line, ``text`` and ``html`` are the two parts."""

    subject: str
    text: str
    html: str


def mail(kind: str, locale: str, context: Mail) -> Rendered:
    """The mail in the language nearest to ``locale``. ``ValueError`` where ``kind`` is not drawn from ``context``."""
    if not isinstance(context, MAILS.get(kind, type(None))):
        raise ValueError(f"a mail of kind {kind} is not drawn from {type(context).__name__}")
    language = i18n.negotiate(locale)
    values: dict[str, object] = {field.name: getattr(context, field.name) for field in fields(context)}
    values["tz"] = "UTC" if isinstance(context, SignInMail | CheckMail) else context.shop.timezone
    values["subject"] = _subject(kind, language, values)
    return Rendered(
        str(values["subject"]),
        _tidy(environment(language, html=False).get_template(f"mail/{kind}.jinja").render(values)),
        environment(language, html=True).get_template(f"mail/{kind}.jinja").render(values),
    )


def _subject(kind: str, language: str, values: dict[str, object]) -> str:
    """The subject as one line: a name with a line break in it must not begin another header."""
    template = environment(language, html=False).get_template(f"mail/{kind}.jinja")
    said = "".join(template.blocks["subject"](template.new_context(values)))
    return " ".join(said.split())


def _tidy(text: str) -> str:
    """At most one empty line in a row, no space at a line's end, one line break at the end."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
