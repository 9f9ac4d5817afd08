"""The page behind an offer's link, from the open offer to the first payment. GET shows and never accepts."""

from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import TooManyRequests

from plugin_backend.core import i18n
from plugin_backend.core.views import Difference, Way
from plugin_backend.domain import (
    billing,
    customers,
    merchants,
    messages,
    offers,
    plans,
    recalls,
    setups,
    showing,
)
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from plugin_backend.web import links, reader, ways

pages = Blueprint("offer", __name__, url_prefix="/o")


@pages.get("/<secret>")
def show(secret: str) -> Any:
    """How the offer stands now."""
    return links.visit(
        "offer", secret, lambda session, shop, offer_id: _standing(session, shop, offer_id, secret)
    )


@pages.post("/<secret>/accept")
def accept(secret: str) -> Any:
    """Accept exactly what was shown: once, however often and however parallel it is asked."""

    def work(session: Session, shop: Shop, offer_id: str) -> Any:
        # The lock lets one of several clicks through; the others find the offer accepting and are led on.
        offer = session.get_one(Offer, (shop.id, offer_id), with_for_update=True)
        answer = _accept(session, shop, offer, secret) if offer.state == "open" else None
        return answer or _on_the_way(secret)

    return links.visit("offer", secret, work, post=True, bells=("present",))


def _accept(session: Session, shop: Shop, offer: Offer, secret: str) -> Response | None:
    if offer.kind == offers.CHECKOUT:
        return _lead_back(session, shop, offer)
    country = request.form.get("country", "")
    if country not in i18n.countries():
        return _open(session, shop, offer, secret, code=422, problems=("country",))
    if request.form.get("mandate") != "yes":
        return _open(session, shop, offer, secret, code=422, problems=("mandate",), country=country)
    email = customers.address(request.form.get("email", ""))
    if offer.customer_id is None and not email:
        return _open(session, shop, offer, secret, code=422, problems=("email",), country=country)
    way = _chosen(session, shop, offer, country)
    if way is None:
        return _open(session, shop, offer, secret, code=422, problems=("way",), country=country)
    if setups.too_many(session, shop.id, offer.id, links.network()):
        raise TooManyRequests(retry_after=3600)
    language = reader.locale(offer.locale)
    shown = request.form.get("terms", "")
    try:
        with session.begin_nested():
            offers.accept(session, shop, offer, shown=shown, country=country, locale=language, email=email)
    except offers.Changed:
        return _open(
            session, shop, offer, secret, code=409, template="offer/changed.html", country=country, changes=()
        )
    except offers.Over as over:
        return _not_any_more(session, shop, offer, over)
    _take_payment_method(session, shop, offer, way, language)
    return None


def _chosen(session: Session, shop: Shop, offer: Offer, country: str) -> Way | None:
    """How the customer wants to pay: the first way where he was not asked, None for one that there is not (any more)."""
    found = ways.ways_of(session, shop, offer, country, reader.locale(offer.locale))
    wanted = request.form.get("way", "")
    return next((way for way in found if wanted in ("", way.value)), None)


def _take_payment_method(session: Session, shop: Shop, offer: Offer, way: Way, language: str) -> None:
    account = merchants.active_account(session, shop.id)
    known = recalls.found(session, shop.id, offer.id, account.id) if way.value == ways.EARLIER else None
    kind, earlier = (known.kind, known.order_key) if known else (way.value, "")
    _begin_setup(session, offer, language, account_id=account.id, kind=kind, earlier=earlier)


def _lead_back(session: Session, shop: Shop, offer: Offer) -> Response | None:
    """To the shop's own checkout: nothing is agreed here, so that nothing is asked either."""
    if setups.too_many(session, shop.id, offer.id, links.network()):
        raise TooManyRequests(retry_after=3600)
    try:
        offers.lead_back(session, offer)
    except offers.Over as over:
        return _not_any_more(session, shop, offer, over)
    _begin_setup(session, offer, reader.locale(offer.locale))
    return None


def _not_any_more(session: Session, shop: Shop, offer: Offer, over: offers.Over) -> Response:
    if str(over) == "bought":
        offers.withdraw(session, offer, "bought")
    return _over(session, shop, offer, str(over))


def _begin_setup(
    session: Session,
    offer: Offer,
    language: str,
    *,
    account_id: str = "",
    kind: str = "card",
    earlier: str = "",
) -> None:
    setups.begin(
        session,
        offer.shop_id,
        offer.id,
        account_id,
        locale=language,
        ip=links.network(),
        kind=kind,
        earlier=earlier,
        shown_amount=offer.amount,
        shown_currency=offer.currency,
    )


@pages.post("/<secret>/stop")
def stop(secret: str) -> Any:
    """Not interested: the offer is withdrawn, and nobody writes about this basket again."""

    def work(session: Session, shop: Shop, offer_id: str) -> Response:
        offer = session.get_one(Offer, (shop.id, offer_id), with_for_update=True)
        offers.not_interested(session, offer)
        return _page("offer/stopped.html", shop, offer)

    return links.visit("offer", secret, work, post=True)


@pages.route("/<secret>/back", methods=["GET", "POST"])
def back(secret: str) -> Any:
    """The browser comes back from the gateway: a reason to look, and no proof of anything: what a gateway's
    page posts along is not read."""

    def work(session: Session, shop: Shop, offer_id: str) -> Any:
        setup = setups.latest(session, shop.id, offer_id, lock=True)
        if setup is not None:
            setups.evidence(session, setup)
        plan = plans.of_offer(session, shop.id, offer_id)
        if plan is not None:
            first = plans.collection(session, shop.id, plan.id, 1)
            for attempt in billing.attempts_of(session, shop.id, first.id):
                billing.evidence(session, attempt)
        return redirect(url_for("offer.show", secret=secret, checking="1", **_lang()), 303)

    return links.visit("offer", secret, work, bells=("present", "reconcile"))


@pages.post("/<secret>/card")
def another_card(secret: str) -> Any:
    """The first payment was refused: take another card for the same plan."""
    return _go_on(secret, new_card=True)


@pages.post("/<secret>/again")
def again(secret: str) -> Any:
    """The shop or the gateway could not be reached: the customer, who is here, tries again."""
    return _go_on(secret, new_card=False)


def _go_on(secret: str, *, new_card: bool) -> Any:
    def work(session: Session, shop: Shop, offer_id: str) -> Any:
        made = plans.of_offer(session, shop.id, offer_id)
        plan = plans.locked(session, shop.id, made.id) if made else None
        if plan is not None and plan.state == "pending" and not plans.under_way(session, plan):
            _another_try(session, shop, plan, new_card=new_card)
        return _on_the_way(secret)

    return links.visit("offer", secret, work, post=True, bells=("present",))


def _on_the_way(secret: str) -> Any:
    return redirect(url_for("offer.show", secret=secret, wait="1", **_lang()), 303)


def _another_try(session: Session, shop: Shop, plan: Plan, *, new_card: bool) -> None:
    if not new_card:
        plan.reason = ""
        plan.rest(clock.now())
        return
    setup = setups.latest(session, shop.id, plan.offer_id, lock=True)
    if setup is None or setup.state not in ("begun", "waiting"):
        language = reader.locale(plan.locale)
        setups.begin(
            session,
            shop.id,
            plan.offer_id,
            plan.account_id,
            locale=language,
            ip=links.network(),
            plan_id=plan.id,
        )


def _standing(session: Session, shop: Shop, offer_id: str, secret: str) -> Any:
    offer = session.get_one(Offer, (shop.id, offer_id))
    match offer.state:
        case "open" if clock.now() >= offer.expires_at:
            return _over(session, shop, offer, "expired")
        case "open":
            return _show_open(session, shop, offer, secret)
        case "accepting":
            return _show_accepting(session, shop, offer, secret)
        case "accepted":
            return _show_plan(session, shop, offer, secret)
        case state:
            return _over(session, shop, offer, state)


def _show_open(session: Session, shop: Shop, offer: Offer, secret: str) -> Any:
    if offer.viewed_at is None:
        offer.viewed_at = clock.now()
    if offer.reason == "try_again" and "again" not in request.args:
        url = url_for("offer.show", secret=secret, again="1", **_lang())
        return _page("offer/try_again.html", shop, offer, retry_url=url, post=False)
    if offer.reason == "sold_out" and "again" not in request.args:
        url = url_for("offer.show", secret=secret, again="1", **_lang())
        return _sold_out(session, shop, offer, url, post=False)
    if offer.kind == offers.CHECKOUT:
        return _show_way_back(session, shop, offer, secret)
    if offer.reason == "basket_changed":
        return _open(
            session, shop, offer, secret, template="offer/changed.html", changes=_changes(session, offer)
        )
    # A card that cannot pay a plan was given: the customer is asked for another, and not told what a bank said of it.
    refused = {"card_stopped": ("card",), "card_once": ("card",), "card_gone": ("gone",)}
    return _open(session, shop, offer, secret, problems=refused.get(offer.reason, ()))


def _sold_out(session: Session, shop: Shop, offer: Offer, url: str, *, post: bool) -> Response:
    names = tuple(session.get_one(Cart, (shop.id, offer.cart_id)).sold_out)
    return _page("offer/sold_out.html", shop, offer, names=names, retry_url=url, post=post)


def _show_way_back(session: Session, shop: Shop, offer: Offer, secret: str) -> Response:
    """The basket as it is now, and the way to the shop's own checkout."""
    return _page(
        "offer/checkout.html",
        shop,
        offer,
        offer=offers.view_of(shop, session.get_one(Cart, (shop.id, offer.cart_id)), offer),
        go_url=url_for("offer.accept", secret=secret, **_lang()),
        stop_url=url_for("offer.stop", secret=secret, **_lang()),
    )


def _changes(session: Session, offer: Offer) -> tuple[Difference, ...]:
    setup = setups.latest(session, offer.shop_id, offer.id)
    before = (
        None
        if setup is None or setup.shown_amount is None
        else Money(setup.shown_amount, setup.shown_currency)
    )
    return () if before is None or before == offer.total else (Difference("total", before, offer.total),)


def _open(
    session: Session,
    shop: Shop,
    offer: Offer,
    secret: str,
    *,
    code: int = 200,
    template: str = "offer/open.html",
    country: str = "",
    **context: Any,
) -> Response:
    language = reader.locale(offer.locale)
    cart = session.get_one(Cart, (shop.id, offer.cart_id))
    chosen = country or offer.country
    terms = offers.terms_of(shop, cart, offer, country=chosen, locale=language)
    return reader.shown(
        template,
        language,
        code=code,
        shop=offers.shop_view(shop),
        offer=terms.view,
        mandate=terms.mandate,
        terms=terms.digest,
        countries=i18n.countries(),
        country=chosen,
        nobody=offer.customer_id is None,
        email=request.form.get("email", ""),
        ways=ways.ways_of(session, shop, offer, chosen, language),
        way=request.form.get("way", ""),
        accept_url=url_for("offer.accept", secret=secret, **_lang()),
        stop_url=url_for("offer.stop", secret=secret, **_lang()),
        **context,
    )


def _show_accepting(session: Session, shop: Shop, offer: Offer, secret: str) -> Any:
    """The card is being taken: lead to the gateway's page, or wait for what became of it."""
    setup = setups.latest(session, shop.id, offer.id)
    # Straight after a form no redirect may lead to another origin: browsers hold the form's policy against it.
    waiting = "checking" in request.args or "wait" in request.args
    if setup is not None and setup.state == "waiting" and not waiting:
        return redirect(setup.url, 303)
    return _checking(shop, offer, secret)


def _show_plan(session: Session, shop: Shop, offer: Offer, secret: str) -> Any:
    plan = plans.of_offer(session, shop.id, offer.id)
    if plan is None:
        return _checking(shop, offer, secret)
    if plan.state == "pending":
        return _show_pending(session, shop, offer, plan, secret)
    if plan.state == "cancelled" and plan.order_key == "":
        return _page("offer/withdrawn.html", shop, offer)
    view = showing.plan_view(session, shop, plan)
    portal = messages.secret_path("p", shop.id, plan.id)
    return _page(
        "offer/accepted.html", shop, offer, plan=view, portal_url=portal, receipt_url=f"{portal}/receipt/1"
    )


def _show_pending(session: Session, shop: Shop, offer: Offer, plan: Plan, secret: str) -> Any:
    """The first payment is not there yet: say what is going on, and whose turn it is."""
    setup = setups.latest(session, shop.id, offer.id)
    if setup is not None and setup.plan_id and setup.state in ("begun", "waiting"):
        return _show_accepting(session, shop, offer, secret)
    first = plans.collection(session, shop.id, plan.id, 1)
    attempts = billing.attempts_of(session, shop.id, first.id)
    if first.state == "requires_action" and "checking" not in request.args:
        return _page("offer/action.html", shop, offer, amount=first.money, action_url=attempts[-1].action_url)
    if attempts and attempts[-1].state == "pending":
        return _page("offer/under_way.html", shop, offer, amount=first.money)
    if first.state == "retry_wait":
        decline = attempts[-1].decline or "authentication"
        retry = url_for("offer.another_card", secret=secret, **_lang())
        return _page("offer/declined.html", shop, offer, amount=first.money, decline=decline, retry_url=retry)
    url = url_for("offer.again", secret=secret, **_lang())
    if plan.reason == "sold_out":
        return _sold_out(session, shop, offer, url, post=True)
    if plan.reason in ("shop_unreachable", "gateway_unreachable"):
        return _page("offer/try_again.html", shop, offer, retry_url=url, post=True)
    return _checking(shop, offer, secret)


def _checking(shop: Shop, offer: Offer, secret: str) -> Response:
    """The page that renews itself: on the way to the gateway it leads there as soon as it can, on the way back it waits
    for what became of the payment."""
    plain = url_for("offer.show", secret=secret, **_lang())
    on_the_way_back = url_for("offer.show", secret=secret, checking="1", **_lang())
    return reader.renewing(
        reader.locale(offer.locale),
        to=on_the_way_back if "checking" in request.args else plain,
        shop=offers.shop_view(shop),
        check_url=plain,
    )


def _over(session: Session, shop: Shop, offer: Offer, why: str) -> Response:
    if why == "not_lawful":
        return _page("offer/unavailable.html", shop, offer, code=409)
    if why == "expired":
        return _page("offer/expired.html", shop, offer, code=410, expired_at=offer.expires_at)
    return _page("offer/withdrawn.html", shop, offer, code=410)


def _page(template: str, shop: Shop, made: Offer, /, *, code: int = 200, **context: Any) -> Response:
    return reader.shown(
        template, reader.locale(made.locale), code=code, shop=offers.shop_view(shop), **context
    )


def _lang() -> dict[str, Any]:
    """The language chosen on the page goes along."""
    chosen = request.args.get("lang", "")
    return {"lang": chosen} if chosen in i18n.LANGUAGES else {}
