"""The pages a visitor sees. They work without JavaScript, by keyboard, and for a plain HTTP client with cookies:

``POST basket`` (sku, quantity), ``GET checkout``, ``POST checkout`` (email, name, country, locale, consent, outcome).
Each POST answers 303, or 422 with the page and what was wrong.
"""

from typing import Any, Protocol

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from plugin_backend.demo.shop import words
from plugin_backend.demo.shop.basket import OUTCOMES, Basket, Mistyped, Outcome, Shopper, Visit
from plugin_backend.demo.shop.products import BY_SKU, PRODUCTS
from plugin_backend.sdk.money import Money


class Shop(Protocol):
    """What the pages need of a shop, whichever platform it plays."""

    slug: str
    name: str
    language: str
    currency: str
    country: str

    def basket(self, token: str) -> Basket: ...

    def put(self, basket: Basket, sku: str, quantity: int) -> None: ...

    def reach_checkout(self, basket: Basket) -> None: ...

    def finish(self, basket: Basket, shopper: Shopper, outcome: Outcome) -> Visit: ...

    def recover(self, key: str) -> Basket | None: ...

    @property
    def front(self) -> str:
        """Where the pages' script asks, without a slash at its end; "" where there is no script."""
        ...

    def word(self, basket: Basket, *, declined: bool) -> dict[str, Any] | None:
        """What the script hands on of a basket, or of its declined payment; None where there is none."""
        ...


def outcome_of(text: str) -> Outcome:
    for known in OUTCOMES:
        if known == text:
            return known
    raise Mistyped("outcome")


def quantity_of(text: str) -> int:
    if not text.isdecimal():
        raise Mistyped("quantity")
    return int(text)


def blueprint(shop: Shop) -> Blueprint:
    front = Blueprint(f"{shop.slug}_front", __name__, url_prefix=f"/{shop.slug}")
    _browsing(front, shop)
    _checking_out(front, shop)
    _coming_back(front, shop)
    return front


def _language(shop: Shop) -> str:
    asked = request.args.get("lang") or request.cookies.get("lang", "")
    return asked if asked in words.LANGUAGES else shop.language


def _basket(shop: Shop) -> Basket:
    return shop.basket(request.cookies.get("basket", ""))


def _remember(shop: Shop, response: AnyResponse, basket: Basket | None = None) -> AnyResponse:
    path = f"/{shop.slug}"
    if basket is not None:
        response.set_cookie("basket", basket.token, path=path, httponly=True, samesite="Lax")
    if request.args.get("lang") in words.LANGUAGES:
        response.set_cookie("lang", request.args["lang"], path=path, httponly=True, samesite="Lax")
    return response


def _page(shop: Shop, name: str, status: int = 200, **facts: Any) -> Response:
    language = _language(shop)
    basket = _basket(shop) if "basket" in request.cookies else None
    rows = _rows(shop, basket, language)
    minor = sum(row["minor"] for row in rows)
    common = {
        "shop": shop,
        "lang": language,
        "other": "en" if language == "fr" else "fr",
        "t": words.WORDS[language],
        "rows": rows,
        "count": sum(row["quantity"] for row in rows),
        "total": words.amount(minor, shop.currency, language),
        "decimal": Money(minor, shop.currency).decimal(),
        "script": f"{shop.front.partition('/storefront/')[0]}/static/storefront.js" if shop.front else "",
    }
    response = make_response(render_template(f"{name}.html", **(common | facts)), status)
    _remember(shop, response)
    return response


def _rows(shop: Shop, basket: Basket | None, language: str) -> list[dict[str, Any]]:
    rows = []
    for sku, quantity in (basket.quantities if basket else {}).items():
        one = BY_SKU[sku]
        minor = one.price(shop.currency) * quantity
        shown = words.amount(minor, shop.currency, language)
        rows.append(
            {"sku": sku, "title": one.title(language), "quantity": quantity, "minor": minor, "price": shown}
        )
    return rows


def _browsing(front: Blueprint, shop: Shop) -> None:
    @front.get("/")
    def shelf() -> Response:
        language = _language(shop)
        shown = [
            (one.sku, one.title(language), words.amount(one.price(shop.currency), shop.currency, language))
            for one in PRODUCTS
        ]
        return _page(shop, "shelf", products=shown)

    @front.get("/basket")
    def basket() -> Response:
        return _page(shop, "basket")

    @front.post("/basket")
    def put() -> AnyResponse:
        """Set the quantity of one thing; 0 takes it out."""
        found = _basket(shop)
        try:
            shop.put(found, request.form.get("sku", ""), quantity_of(request.form.get("quantity", "1")))
        except Mistyped as error:
            return _page(shop, "basket", 422, complaint=words.complaint(_language(shop), error))
        return _remember(shop, redirect(url_for(f"{front.name}.basket"), 303), found)

    @front.get("/reprise")
    def word() -> Response:
        """Which basket this is, for the script in the page."""
        said = shop.word(_basket(shop), declined="declined" in request.args)
        return Response(status=204) if said is None else jsonify(said)


def _checking_out(front: Blueprint, shop: Shop) -> None:
    def form(status: int = 200, **facts: Any) -> Response:
        countries = words.COUNTRIES[_language(shop)]
        return _page(shop, "checkout", status, **({"countries": countries, "typed": {}} | facts))

    @front.get("/checkout")
    def checkout() -> AnyResponse:
        """Opening the checkout is what the platform tells the outside about."""
        try:
            shop.reach_checkout(_basket(shop))
        except Mistyped:
            return redirect(url_for(f"{front.name}.basket"), 303)
        return form()

    @front.post("/checkout")
    def finish() -> AnyResponse:
        typed, language = request.form, _language(shop)
        try:
            outcome = outcome_of(typed.get("outcome", ""))
            shopper = Shopper(
                typed.get("email", "").strip(),
                typed.get("name", "").strip(),
                typed.get("country", ""),
                typed.get("locale", language),
                "consent" in typed,
            )
            visit = shop.finish(_basket(shop), shopper, outcome)
        except Mistyped as error:
            return form(422, typed=typed, wrong=error.field, complaint=words.complaint(language, error))
        return redirect(
            url_for(f"{front.name}.ended", outcome=visit.outcome, order=visit.order_id or None), 303
        )


def _coming_back(front: Blueprint, shop: Shop) -> None:
    @front.get("/ended/<outcome>")
    def ended(outcome: str) -> Response:
        if outcome not in OUTCOMES:
            abort(404)
        return _page(shop, "ended", outcome=outcome, order=request.args.get("order", ""))

    @front.get("/checkout/order-pay/<number>/")
    @front.get("/checkouts/<number>/recover")
    def recover(number: str) -> AnyResponse:
        """The link in a message: the basket is the visitor's again."""
        found = shop.recover(request.args.get("key", ""))
        if found is None:
            abort(404)
        return _remember(shop, redirect(url_for(f"{front.name}.basket"), 303), found)
