"""Pages and mails, drawn from views in the reader's language; usable with and without a web framework.

``page`` draws a template of ``templates/``; what each wants stands in the comment at its top. ``mail`` draws both parts
of a mail from one template. ``mandate_words`` is the sentence that an offer page shows and that is kept as the mandate.
``teaser`` is what a shop's own page says of a plan.
"""

from plugin_backend.core.render.mails import MAILS, Rendered, mail
from plugin_backend.core.render.pages import page, static_url
from plugin_backend.core.render.sentences import MANDATE_VERSION, mandate_words
from plugin_backend.core.render.teasers import Teaser, teaser

__all__ = [
    "MAILS",
    "MANDATE_VERSION",
    "Rendered",
    "Teaser",
    "mail",
    "mandate_words",
    "page",
    "static_url",
    "teaser",
]
