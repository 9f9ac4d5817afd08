"""What a shop's pages ask while a shopper is there: ``docs/storefront.md`` is the contract.

The caller may be anybody. Nothing he says is believed but what the shop signed; nothing here asks the outside or makes an
offer. Plans are worked out from what is remembered of the shop; the rest is a row that a worker answers.
"""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, redirect, request, url_for
from werkzeug.exceptions import BadRequest, Forbidden, NotFound, RequestEntityTooLarge, TooManyRequests

from plugin_backend.core import i18n
from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.render import teaser
from plugin_backend.core.views import OfferView
from plugin_backend.domain import inquiries, merchants, messages, offers, optins
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import address as email_address
from plugin_backend.domain.inquiries import Inquiry
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.web import asking, fronts, links
from plugin_backend.web.fronts import Front, Fronts, Limiter

pages = Blueprint("storefront", __name__, url_prefix="/storefront/<key>")

LARGEST = 64 * 1024
_WAIT_MS = 300
_A_MINUTE = {"plans": 120, "answer": 120, "inquire": 20, "remind": 5, "plan": 30}
_SANDBOXED = "null"


class State:
    """What one process remembers of storefronts."""

    def __init__(self) -> None:
        self.fronts, self.limiter = Fronts(), Limiter()


@pages.record
def _begin(setup: Any) -> None:
    setup.app.extensions["storefront"] = State()


@pages.url_value_preprocessor
def _take_key(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.key = (values or {}).pop("key", "")


@pages.before_request
def _judge() -> None:
    """Whose page it is, whether it may come from there, and whether it comes too often."""
    state: State = current_app.extensions["storefront"]
    front = state.fronts.find(g.key)
    if front is None:
        raise NotFound
    origin = request.headers.get("Origin", "")
    sandboxed = origin == _SANDBOXED and request.endpoint == "storefront.inquire"
    if origin and origin not in front.origins and not sandboxed:
        raise Forbidden("this origin is not one of the shop's")
    g.front, g.origin, g.sandboxed = front, "" if sandboxed else origin, sandboxed
    if request.method == "OPTIONS":
        return
    if (request.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge
    name = (request.endpoint or "").rpartition(".")[2]
    g.visitor = fronts.address(request.remote_addr or "")
    if not state.limiter.allow(_A_MINUTE[name], name, g.front.shop.id, g.visitor):
        raise _too_many(60)


@pages.after_request
def _let_read(response: Response) -> Response:
    """The answer may be read by a page of the shop, and by no other; no cookie goes either way."""
    response.vary.add("Origin")
    response.headers.setdefault("Cache-Control", "no-store")
    if g.get("origin"):
        response.headers["Access-Control-Allow-Origin"] = g.origin
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


@pages.get("/plans")
def plans() -> Response:
    """Which plans exist for an amount that the page names."""
    front: Front = g.front
    with merchants.shop_time(front.shop):
        view = offers.preview(front.shop, front.template, asking.amount(), asking.country())
        language = i18n.negotiate(request.args.get("lang", "")[:35], front.shop.locale)
        shown = [] if view is None else [_plan(front.shop, view, language)]
    answer = jsonify({"plans": shown, "lang": language, "test": front.shop.test})
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer


@pages.post("/inquiries")
def inquire() -> tuple[Response, int]:
    """A shopper asks for a plan for his basket; a worker makes the offer."""
    front: Front = g.front
    told = asking.body()
    basket = asking.basket(front.adapter, told)
    declined = told.get("declined") is True
    if g.sandboxed and not declined:
        raise Forbidden("a sandboxed page may only tell of a decline")
    with transaction(front.shop.id) as session:
        shop = merchants.get_shop(session, front.shop.id)
        with merchants.shop_time(shop):
            visitor = _visitor(shop)
            if inquiries.too_many(session, shop, visitor):
                raise _too_many(3600)
            row = inquiries.ask(
                session,
                shop,
                basket.names,
                delivery_id=basket.keep(session, shop.id, front),
                declined=declined,
                locale=asking.language(told),
                visitor=visitor,
            )
            poll = _poll(inquiries.secret(row))
    house().bells.ring_soon(Inquiry.bell, front.shop.id)
    return jsonify({} if g.sandboxed else {"state": "asked", "poll": poll, "wait_ms": _WAIT_MS}), 202


@pages.get("/inquiries/<secret>")
def answer(secret: str) -> Response:
    """What became of an inquiry. Why there is no offer is nobody's business in a public place."""
    front: Front = g.front
    way = links.follow(inquiries.DOOR, secret)
    if way is None or way.shop_id != front.shop.id:
        raise NotFound
    said: dict[str, Any] = {"poll": _poll(secret), "wait_ms": _WAIT_MS}
    with transaction(way.shop_id) as session:
        shop = merchants.get_shop(session, way.shop_id)
        with merchants.shop_time(shop):
            row = session.get_one(Inquiry, (shop.id, way.row_id))
            offer = inquiries.offer_of(session, row)
            if row.state == "asked":
                said["state"] = "asked"
            elif offer is None:
                said["state"] = "none"
            else:
                cart = session.get_one(Cart, (shop.id, offer.cart_id))
                language = i18n.negotiate(row.locale, offer.locale)
                terms = offers.terms_of(shop, cart, offer, country=offer.country, locale=language)
                url = house().url(messages.secret_path("o", shop.id, offer.id))
                said |= {"state": "offered", "offer": _offer(shop, terms.view, url, language)}
    if said["state"] == "asked":
        house().bells.ring_soon(Inquiry.bell, front.shop.id)
    return jsonify(said)


@pages.post("/reminders")
def remind() -> tuple[Response, int]:
    """A shopper types his address to be reminded: the address itself is asked. Whatever comes of it, the answer is the
    same, so that nobody learns whom the shop knows."""
    front: Front = g.front
    told = asking.body()
    basket = asking.basket(front.adapter, told)
    email = email_address(told["email"]) if isinstance(told.get("email"), str) else ""
    if not email:
        raise BadRequest("email: not an address")
    with transaction(front.shop.id) as session:
        shop = merchants.get_shop(session, front.shop.id)
        with merchants.shop_time(shop):
            basket.keep(session, shop.id, front)
            language = i18n.negotiate(asking.language(told), shop.locale)
            optins.ask(session, shop, basket.names, email, locale=language, visitor=_visitor(shop))
    for bell in ("read", "deliver"):
        house().bells.ring_soon(bell, front.shop.id)
    return jsonify({}), 202


@pages.get("/plan")
def plan() -> Any:
    """From the shop's account page, or an order's mail, to the page of a plan. The shop keeps no link to it and signs the way
    anew each time."""
    front: Front = g.front
    named = asking.plan(front.adapter)
    if not named:
        raise BadRequest("this way is too old, or was not signed by the shop")
    with transaction(front.shop.id) as session:
        row = session.get(Plan, (front.shop.id, named))
        if row is None:
            raise NotFound
        messages.link(session, "p", front.shop.id, row.id)
    return redirect(house().url(messages.secret_path("p", front.shop.id, named)), 303)


def _visitor(shop: Shop) -> str:
    """The visitor's address as a keyed hash: enough to count by."""
    return house().keys.link("visitor", shop.id, g.visitor)


def _poll(secret: str) -> str:
    return house().url(url_for("storefront.answer", key=g.key, secret=secret))


def _too_many(seconds: int) -> TooManyRequests:
    return TooManyRequests(retry_after=seconds)


def _offer(shop: Shop, view: OfferView, url: str, language: str) -> dict[str, Any]:
    said = teaser(view, language, shop.timezone)
    return {
        "url": url,
        "title": said.title,
        "words": said.words,
        "button": said.button,
        "until": view.expires_at.isoformat(),
        "plan": _plan(shop, view, language),
    }


def _plan(shop: Shop, view: OfferView, language: str) -> dict[str, Any]:
    rhythm = view.rhythm
    return {
        "kind": view.kind,
        "count": len(view.parts) if rhythm is None else None,
        "total": view.total.as_json(),
        "parts": [
            part.amount.as_json() | {"due": _day(part.due, shop), "today": part.today} for part in view.parts
        ],
        "rhythm": None if rhythm is None else {"unit": rhythm.unit, "every": rhythm.every},
        "words": teaser(view, language, shop.timezone).words,
    }


def _day(due: datetime, shop: Shop) -> str:
    return due.astimezone(shop.zone).date().isoformat()
