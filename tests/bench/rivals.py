"""What the webhook door is measured against: a view that does nothing, and one that does the same the usual way."""

import hashlib
import os

from flask import Flask, Response, request

from plugin_backend.core.db import APP_ROLE, connect_args, db, engine_url, transaction
from plugin_backend.core.ids import new_id
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import check_base64_hmac


def bare() -> Flask:
    """Answers 202 and looks at nothing."""
    app = Flask(__name__)

    @app.post("/hooks/<secret>")
    def take(secret: str) -> Response:
        return Response(status=202)

    @app.get("/plans")
    def plans() -> Response:
        return Response(b"{}", mimetype="application/json")

    return app


def orm() -> Flask:
    """Verifies the body, adds one object of the same table to the session, and answers 202 after the commit."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = engine_url(os.environ["DATABASE_URL"])
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": connect_args(APP_ROLE), "pool_size": 16}
    db.init_app(app)
    key = os.environ["BENCH_SECRET"].encode()

    @app.post("/hooks/<shop_id>")
    def take(shop_id: str) -> Response:
        body = request.get_data(cache=False)
        check_base64_hmac([key], body, request.headers.get("X-WC-Webhook-Signature", ""))
        with transaction(shop_id) as session:
            session.add(_row(shop_id, body))
        return Response(status=202)

    return app


def _row(shop_id: str, body: bytes) -> DeliveryRow:
    digest = hashlib.sha256(body).hexdigest()
    return DeliveryRow(
        shop_id=shop_id,
        id=new_id(DeliveryRow.prefix),
        created_at=clock.real_now(),
        due_at=clock.real_now(),
        received_at=clock.real_now(),
        state="received",
        reason="",
        source="orm",
        identity=digest,
        sha256=digest,
        topic=request.headers.get("X-WC-Webhook-Topic", ""),
        headers=dict(request.headers),
        body=body,
    )
