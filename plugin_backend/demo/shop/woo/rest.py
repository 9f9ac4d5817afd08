"""The part of ``/wp-json/wc/v3`` that a connector uses."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from plugin_backend.demo.shop.basket import now
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.demo.shop.woo import hooks, orders, payload
from plugin_backend.demo.shop.woo.oauth import Doorkeeper, Unauthorized, parameters
from plugin_backend.demo.shop.woo.orders import WooError
from plugin_backend.demo.shop.woo.shop import WooShop
from plugin_backend.demo.shop.woo.state import CURRENCY, VERSION, WORDPRESS, Shelf, Webhook

_API = "/woo/wp-json/wc/v3"
_NOBODY = {
    "GET": ("woocommerce_rest_cannot_view", "Sorry, you cannot list resources."),
    "POST": ("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources."),
    "PUT": ("woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource."),
    "DELETE": ("woocommerce_rest_cannot_delete", "Sorry, you are not allowed to delete this resource."),
}


def blueprint(shop: WooShop, switches: Switches) -> Blueprint:
    api = Blueprint("woo_rest", __name__)
    api.before_request(_guard(shop))
    api.register_error_handler(WooError, lambda error: _answer(error.as_json(), error.status))
    _about_the_shop(api, shop)
    _about_orders(api, shop, switches)
    _about_what_hangs_on_orders(api, shop)
    _about_products(api, shop)
    _about_webhooks(api, shop)
    _about_one_webhook(api, shop)
    return api


def _answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = payload.encode(value)
    return Response(body, status, dict(headers or {}), content_type="application/json; charset=UTF-8")


def _guard(shop: WooShop) -> Any:
    """Everything but the index wants an OAuth signature; a Basic header over http is not even looked at."""
    door = Doorkeeper()

    def check() -> None:
        if request.path.rstrip("/").endswith("/wp-json"):
            return
        query = list(request.args.items(multi=True))
        pairs = parameters(query, request.headers.get("Authorization", ""))
        if not any(name.startswith("oauth_") for name, _ in pairs):
            code, message = _NOBODY.get(request.method, _NOBODY["GET"])
            raise WooError(code, message, 401)
        url = shop.home + request.path.removeprefix("/woo")
        try:
            door.check(request.method, url, pairs, shop.state.consumer_key, shop.state.consumer_secret)
        except Unauthorized as error:
            raise WooError("woocommerce_rest_authentication_error", str(error), 401) from None

    return check


def _body() -> dict[str, Any]:
    """The JSON object of the request; PHP takes form fields as well."""
    if not request.is_json:
        return dict(request.form.items())
    try:
        read = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise WooError("rest_invalid_json", "Invalid JSON body passed.", 400) from None
    if not isinstance(read, dict):
        raise WooError("rest_invalid_json", "Invalid JSON body passed.", 400)
    return read


def _about_the_shop(api: Blueprint, shop: WooShop) -> None:
    @api.get("/woo/wp-json/")
    def index() -> Response:
        return _answer(_index(shop))

    @api.get(f"{_API}/system_status")
    def system_status() -> Response:
        return _answer(_system_status(shop))

    @api.get(f"{_API}/settings/general")
    def general() -> Response:
        values = {
            "woocommerce_default_country": shop.country,
            "woocommerce_calc_taxes": "no",
            "woocommerce_currency": CURRENCY,
            "woocommerce_price_num_decimals": "2",
        }
        return _answer(
            [{"id": name, "value": value, "group_id": "general"} for name, value in values.items()]
        )

    @api.route("/woo/wp-json/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def no_route(rest: str) -> Response:
        why = "No route was found matching the URL and request method."
        raise WooError("rest_no_route", why, 404)


def _index(shop: WooShop) -> dict[str, Any]:
    return {
        "name": shop.name,
        "description": "",
        "url": shop.home,
        "home": shop.home,
        "gmt_offset": "1",
        "timezone_string": payload.ZONE.key,
        "namespaces": ["oembed/1.0", "wc/v1", "wc/v2", "wc/v3", "wc/store/v1", "wp/v2"],
        "authentication": [],
    }


def _system_status(shop: WooShop) -> dict[str, Any]:
    environment = {
        "home_url": shop.home,
        "site_url": shop.home,
        "version": VERSION,
        "wp_version": WORDPRESS,
        "default_timezone": "UTC",
    }
    settings = {
        "api_enabled": False,
        "force_ssl": False,
        "currency": CURRENCY,
        "currency_symbol": "&euro;",
        "currency_position": "right_space",
        "thousand_separator": " ",
        "decimal_separator": ",",
        "number_of_decimals": 2,
    }
    return {"environment": environment, "settings": settings}


def _about_orders(api: Blueprint, shop: WooShop, switches: Switches) -> None:
    @api.get(f"{_API}/orders")
    def list_orders() -> Response:
        """An offset, where one is given, is where the page begins."""
        with shop.lock:
            found = orders.listing(shop, request.args)
            page, size = _number("page", 1), min(_number("per_page", 10), 100)
            begin = _number("offset", (page - 1) * size, least=0)
            rows = [payload.order(order, shop.home) for order in found[begin : begin + size]]
        pages = -(-len(found) // size)
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        if page < pages:
            headers["Link"] = f'<{shop.home}/wp-json/wc/v3/orders?page={page + 1}>; rel="next"'
        return _answer(rows, 200, headers)

    @api.post(f"{_API}/orders")
    def create_order() -> Response:
        with shop.lock:
            made = orders.create(shop, _body(), switches.total_drift)
            return _answer(payload.order(made, shop.home), 201)

    @api.get(f"{_API}/orders/<int:number>")
    def read_order(number: int) -> Response:
        with shop.lock:
            return _answer(payload.order(orders.find(shop, number), shop.home))

    @api.route(f"{_API}/orders/<int:number>", methods=["PUT", "POST", "PATCH"])
    def change_order(number: int) -> Response:
        with shop.lock:
            order = orders.find(shop, number, status=400)
            return _answer(
                payload.order(orders.update(shop, order, _body(), switches.total_drift), shop.home)
            )


def _about_what_hangs_on_orders(api: Blueprint, shop: WooShop) -> None:
    @api.get(f"{_API}/orders/<int:number>/notes")
    def list_notes(number: int) -> Response:
        """Newest first, those of the system among them."""
        with shop.lock:
            notes = orders.find(shop, number).notes[::-1]
            return _answer([payload.note(note, number, shop.home) for note in notes])

    @api.post(f"{_API}/orders/<int:number>/notes")
    def add_note(number: int) -> Response:
        """A note is the one change that fires no webhook."""
        body = _body()
        if not body.get("note"):
            raise WooError("rest_missing_callback_param", "Missing parameter(s): note", 400, params=["note"])
        with shop.lock:
            order = orders.find(shop, number)
            for_customer = bool(body.get("customer_note", False))
            made = shop.add_note(order, str(body["note"]), author="reprise", customer_note=for_customer)
            return _answer(payload.note(made, number, shop.home), 201)

    @api.post(f"{_API}/orders/<int:number>/refunds")
    def add_refund(number: int) -> Response:
        with shop.lock:
            made = orders.refund(shop, orders.find(shop, number), _body())
            return _answer(payload.refund(made, number, shop.home), 201)


def _about_products(api: Blueprint, shop: WooShop) -> None:
    @api.get(f"{_API}/products")
    def list_products() -> Response:
        """``sku``: one or several, separated by commas."""
        wanted = [sku for sku in request.args.get("sku", "").split(",") if sku]
        with shop.lock:
            shelves = sorted(shop.state.shelves.items(), reverse=True)
            rows = [payload.product(number, shelf, shop.home) for number, shelf in shelves]
            return _page([row for row in rows if not wanted or row["sku"] in wanted])

    @api.get(f"{_API}/products/<int:number>")
    def read_product(number: int) -> Response:
        with shop.lock:
            return _answer(payload.product(number, _shelf(shop, number), shop.home))

    @api.route(f"{_API}/products/<int:number>", methods=["PUT", "POST", "PATCH"])
    def change_product(number: int) -> Response:
        """Of a product only its stock can be changed here."""
        left = _body().get("stock_quantity")
        with shop.lock:
            shelf = _shelf(shop, number)
            if type(left) is int:
                shelf.stock, shelf.modified = left, now()
                shop.announce([("product.updated", number)])
            return _answer(payload.product(number, shelf, shop.home))


def _shelf(shop: WooShop, number: int) -> Shelf:
    found = shop.state.shelves.get(number)
    if found is None:
        raise WooError("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
    return found


def _page(rows: list[dict[str, Any]]) -> Response:
    """The page of a list that was asked for."""
    page, size = _number("page", 1), min(_number("per_page", 10), 100)
    pages = str(-(-len(rows) // size))
    totals = {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": pages}
    return _answer(rows[(page - 1) * size : page * size], 200, totals)


def _number(name: str, default: int, least: int = 1) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise orders.invalid(name, f"{name} must be greater than or equal to {least}")
    return int(text)


def _about_webhooks(api: Blueprint, shop: WooShop) -> None:
    @api.get(f"{_API}/webhooks")
    def list_webhooks() -> Response:
        with shop.lock:
            found = sorted(shop.state.webhooks.values(), key=lambda hook: -hook.id)
            return _page([payload.webhook(hook, shop.home) for hook in found])

    @api.post(f"{_API}/webhooks")
    def create_webhook() -> Response:
        """The ping leaves while the client waits for this answer; that it fails does not matter here."""
        body = _body()
        topic, url = str(body.get("topic") or ""), str(body.get("delivery_url") or "")
        if "." not in topic:
            raise WooError(
                "woocommerce_rest_invalid_topic", "Webhook topic is required and must be valid.", 400
            )
        if not url.startswith(("http://", "https://")):
            raise WooError(
                "woocommerce_rest_invalid_delivery_url",
                "Webhook delivery URL must be a valid URL starting with http:// or https://.",
                400,
            )
        made = shop.new_webhook(topic, url, str(body.get("secret") or ""), str(body.get("name") or ""))
        hooks.ping(shop, made.id)
        return _answer(payload.webhook(made, shop.home), 201)


def _about_one_webhook(api: Blueprint, shop: WooShop) -> None:
    @api.get(f"{_API}/webhooks/<int:number>")
    def read_webhook(number: int) -> Response:
        with shop.lock:
            return _answer(payload.webhook(_hook(shop, number), shop.home))

    @api.route(f"{_API}/webhooks/<int:number>", methods=["PUT", "POST", "PATCH"])
    def change_webhook(number: int) -> Response:
        """A new address or waking it up pings again; the count of failures stays as it was."""
        body = _body()
        with shop.lock:
            hook = _hook(shop, number)
            _change(hook, body)
            pending = hook.pending_delivery
        if pending:
            hooks.ping(shop, number)
        return _answer(payload.webhook(hook, shop.home))

    @api.delete(f"{_API}/webhooks/<int:number>")
    def delete_webhook(number: int) -> Response:
        if request.args.get("force") not in ("true", "1"):
            raise WooError("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
        with shop.lock:
            hook = _hook(shop, number)
            del shop.state.webhooks[number]
            return _answer(payload.webhook(hook, shop.home))


def _hook(shop: WooShop, number: int) -> Webhook:
    found = shop.state.webhooks.get(number)
    if found is None:
        raise WooError("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
    return found


def _change(hook: Webhook, body: Mapping[str, Any]) -> None:
    status = body.get("status", hook.status)
    if status not in ("active", "paused", "disabled"):
        raise orders.invalid("status", "status is not one of active, paused, disabled.")
    woken = status == "active" and hook.status != "active"
    moved = "delivery_url" in body and body["delivery_url"] != hook.delivery_url
    hook.status = status
    for name in ("name", "topic", "delivery_url", "secret"):
        if body.get(name):
            setattr(hook, name, str(body[name]))
    hook.modified = now()
    hook.pending_delivery = hook.pending_delivery or woken or moved
