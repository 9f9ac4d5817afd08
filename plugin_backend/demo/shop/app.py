"""The fake shop as one Flask application."""

from flask import Flask, Response

from plugin_backend.demo.shop import control, storefront, switches
from plugin_backend.demo.shop.shopify import api
from plugin_backend.demo.shop.woo import rest
from plugin_backend.demo.shop.world import World


def create_app(world: World) -> Flask:
    app = Flask(__name__)
    app.url_map.strict_slashes = False
    switches.install(app, world.switches)
    for part in (
        control.blueprint(world),
        storefront.blueprint(world.woo),
        storefront.blueprint(world.shopify),
        rest.blueprint(world.woo, world.switches),
        api.blueprint(world.shopify, world.switches),
    ):
        app.register_blueprint(part)

    @app.after_request
    def keep(response: Response) -> Response:
        world.save()
        return response

    return app
