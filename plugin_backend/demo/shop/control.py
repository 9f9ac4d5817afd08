"""``/_control``: the strings behind the stage, as JSON. Mistakes are 400 with ``{"error": "..."}``.

- ``POST connect``: ``dialect``, ``webhook_url``, ``secret``; WooCommerce also ``plugin_secret`` (else the secret, where
  Standard Webhooks can sign with it), ``consumer_key``, ``consumer_secret``; Shopify also ``access_token``. Keys that
  are not given are made up and answered. ``webhooks: false`` leaves making the webhooks to the API's client.
  ``storefront`` is where the pages' script asks; without it there is no script in the pages.
- ``POST shopper``: ``dialect``, ``email``, ``name``, ``country``, ``locale`` (fr, en), ``consent``, ``outcome`` (leave,
  declined, buy), ``lines`` ([{sku, quantity}]; else one bedside lamp).
- ``POST switches``: see ``switches.Switches``. ``GET state``, ``GET idle``, ``GET products``.
"""

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from plugin_backend.demo.shop.basket import Mistyped, Shopper
from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.products import DEFAULT_SKU, PRODUCTS
from plugin_backend.demo.shop.storefront import Shop, outcome_of, quantity_of
from plugin_backend.demo.shop.wire import is_local
from plugin_backend.demo.shop.woo import payload as woo_payload
from plugin_backend.demo.shop.woo import plugin
from plugin_backend.demo.shop.world import World


class Mistake(Exception):
    """The request cannot be followed; the message says why."""


def blueprint(world: World) -> Blueprint:
    control = Blueprint("control", __name__)
    control.register_error_handler(Mistake, _refuse)
    control.register_error_handler(Mistyped, lambda error: _refuse(Mistake(f"{error.field} is not valid")))
    _connecting(control, world)
    _playing(control, world)
    _watching(control, world)
    return control


def _refuse(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def _asked() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Mistake("a JSON object is wanted")
    return body


def _text(asked: Mapping[str, Any], name: str, default: str = "") -> str:
    value = asked.get(name, default)
    if not isinstance(value, str):
        raise Mistake(f"{name} is a string")
    return value


def _connecting(control: Blueprint, world: World) -> None:
    @control.post("/_control/connect")
    def connect() -> Response:
        asked = _asked()
        dialect, url, secret = (_text(asked, name) for name in ("dialect", "webhook_url", "secret"))
        if not is_local(url):
            raise Mistake("webhook_url is a plain http address of this machine")
        front = _text(asked, "storefront")
        if front and not is_local(front):
            raise Mistake("storefront is a plain http address of this machine")
        if dialect == "woo":
            return jsonify(_connect_woo(world, asked, url, secret))
        if dialect == "shopify":
            return jsonify(_connect_shopify(world, asked, url, secret))
        raise Mistake("dialect is woo or shopify")


def _connect_woo(world: World, asked: Mapping[str, Any], url: str, secret: str) -> dict[str, Any]:
    shop, state = world.woo, world.woo.state
    plugin_secret = _text(asked, "plugin_secret", secret)
    usable = plugin.usable(plugin_secret)
    if "plugin_secret" in asked and not usable:
        raise Mistake("plugin_secret is not a Standard Webhooks secret")
    with shop.lock:
        state.consumer_key = _text(asked, "consumer_key", f"ck_{secrets.token_hex(20)}")
        state.consumer_secret = _text(asked, "consumer_secret", f"cs_{secrets.token_hex(20)}")
        state.plugin_url, state.plugin_secret = url, plugin_secret if usable else ""
        state.front = _text(asked, "storefront").rstrip("/")
        state.webhooks.clear()
    if asked.get("webhooks", True):
        shop.connect(url, secret)
    return {
        "dialect": "woo",
        "url": shop.home,
        "consumer_key": state.consumer_key,
        "consumer_secret": state.consumer_secret,
        "plugin": usable,
        "webhooks": [woo_payload.webhook(hook, shop.home) for hook in state.webhooks.values()],
    }


def _connect_shopify(world: World, asked: Mapping[str, Any], url: str, secret: str) -> dict[str, Any]:
    shop, state = world.shopify, world.shopify.state
    if not secret:
        raise Mistake("secret is the app's client secret")
    with shop.lock:
        state.client_secret = secret
        state.access_token = _text(asked, "access_token", f"shpat_{secrets.token_hex(16)}")
        state.front = _text(asked, "storefront").rstrip("/")
        state.subscriptions.clear()
        if asked.get("webhooks", True):
            shop.connect(url)
        return {
            "dialect": "shopify",
            "url": shop.home,
            "access_token": state.access_token,
            "webhooks": [dataclasses.asdict(one) for one in state.subscriptions.values()],
        }


def _playing(control: Blueprint, world: World) -> None:
    @control.post("/_control/switches")
    def turn() -> Response:
        try:
            world.switches.turn(_asked())
        except ValueError as error:
            raise Mistake(str(error)) from None
        return jsonify(dataclasses.asdict(world.switches))

    @control.post("/_control/shopper")
    def visit() -> Response:
        """A whole visit through the same doors as the pages."""
        asked = _asked()
        shops: dict[str, Shop] = {"woo": world.woo, "shopify": world.shopify}
        shop = shops.get(_text(asked, "dialect"))
        if shop is None:
            raise Mistake("dialect is woo or shopify")
        locale = _text(asked, "locale", shop.language)
        person = (_text(asked, "email"), _text(asked, "name"), _text(asked, "country", shop.country))
        shopper = Shopper(*person, locale, asked.get("consent", False) is True)
        outcome = outcome_of(_text(asked, "outcome"))
        basket = shop.basket("")
        for line in asked.get("lines") or [{"sku": DEFAULT_SKU, "quantity": 1}]:
            shop.put(basket, line.get("sku", ""), quantity_of(str(line.get("quantity", 1))))
        shop.reach_checkout(basket)
        return jsonify(dataclasses.asdict(shop.finish(basket, shopper, outcome)))


def _watching(control: Blueprint, world: World) -> None:
    @control.get("/_control/state")
    def state() -> Response:
        return jsonify(
            idle=world.idle(),
            switches=dataclasses.asdict(world.switches),
            woo=_woo(world),
            shopify=_shopify(world),
        )

    @control.get("/_control/idle")
    def idle() -> Response:
        """True once nothing is being delivered and no retry waits."""
        return jsonify(idle=world.idle())

    @control.get("/_control/products")
    def products() -> Response:
        return jsonify([dataclasses.asdict(product) for product in PRODUCTS])

    @control.get("/")
    def door() -> str:
        return render_template("door.html", world=world)

    @control.get("/log")
    def log() -> str:
        sent = [*world.woo.courier.log, *world.shopify.courier.log]
        return render_template("log.html", sent=sorted(sent, key=lambda one: one.at, reverse=True))


def _woo(world: World) -> dict[str, Any]:
    shop = world.woo
    with shop.lock:
        orders = [
            {**woo_payload.order(order, shop.home), "notes": [note.note for note in order.notes]}
            for order in shop.state.orders.values()
        ]
        hooks = [dataclasses.asdict(hook) | {"secret": "..."} for hook in shop.state.webhooks.values()]
        baskets = [dataclasses.asdict(basket) for basket in shop.state.baskets.values()]
        return {"orders": orders, "carts": baskets, "webhooks": hooks, "deliveries": _sent(shop.courier)}


def _shopify(world: World) -> dict[str, Any]:
    shop = world.shopify
    with shop.lock:
        told = dataclasses.asdict(shop.state)
        for order, one in zip(told["orders"].values(), shop.state.orders.values(), strict=True):
            order |= {"financial_status": one.financial_status, "total": one.total, "received": one.received}
        lists = {
            name: list(told[name].values()) for name in ("orders", "checkouts", "drafts", "subscriptions")
        }
        return lists | {"carts": list(told["baskets"].values()), "deliveries": _sent(shop.courier)}


def _sent(courier: Courier) -> list[dict[str, Any]]:
    return [one.as_json() for one in list(courier.log)]
