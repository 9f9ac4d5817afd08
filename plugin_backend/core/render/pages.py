"""Pages, drawn from a template and its view."""

from typing import Any

from plugin_backend.core import i18n
from plugin_backend.core.render.environment import environment, static_url
from plugin_backend.core.views import DashboardView, ShopView, TourView

__all__ = ["page", "static_url"]

_ABSENT: dict[str, Any] = {"csrf": "", "problems": (), "refresh": 2, "shop": None}


def page(template: str, locale: str, **context: Any) -> str:
    """The page ``template`` (a path under ``templates/``) in the language nearest to ``locale``.

    What a template needs stands in the comment at its top; a value that is missing raises ``UndefinedError``. Every
    page may be given ``csrf`` (the hidden field of its forms, "" for none). Dates are told in the zone of the
    ``shop``, ``dashboard`` or ``tour`` in the context, else in UTC.
    """
    language = i18n.negotiate(locale)
    values = {**_ABSENT, "tz": _zone(context), **context}
    return environment(language, html=True).get_template(template).render(values)


def _zone(context: dict[str, Any]) -> str:
    for owner in (context.get("dashboard"), context.get("shop"), context.get("tour")):
        if isinstance(owner, DashboardView | ShopView | TourView):
            return owner.timezone
    return "UTC"
