"""The dashboard: what an operator sees and decides. ``session`` is the way in, ``visitors`` stands at the door of every
other room, ``frame`` is around every page."""

from flask import Blueprint

from plugin_backend.web.dashboard import (
    actions,
    connecting,
    connection,
    crediting,
    details,
    forgetting,
    frame,
    gateways,
    home,
    lists,
    running,
    session,
    settings,
    visitors,
    watching,
)

dashboard = Blueprint("dashboard", __name__)
dashboard.before_request(visitors.refuse_foreign_forms)
dashboard.after_request(frame.remember_language)
dashboard.register_blueprint(session.entrance)
_ROOMS = (
    *(session, home, connecting, connection, lists, details, crediting, forgetting, actions, running),
    *(settings, watching, gateways),
)
for room in _ROOMS:
    room.pages.before_request(visitors.require)
    dashboard.register_blueprint(room.pages)

__all__ = ["dashboard"]
