"""The hosted pages: where a card is typed and where 3-D Secure asks. They work without JavaScript, and each address
holds an identifier that cannot be guessed."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from plugin_backend.demo.gateway import charging, setups
from plugin_backend.demo.gateway.cards import BY_NAME, CARDS
from plugin_backend.demo.gateway.charging import Rejected
from plugin_backend.demo.gateway.parts import parts, tell
from plugin_backend.demo.gateway.records import Charge, Setup
from plugin_backend.demo.gateway.texts import TEXTS, language_of, price

pages = Blueprint("pages", __name__)


@pages.get("/pay/<setup_id>")
def card_page(setup_id: str) -> AnyResponse:
    """The card form; a set-up that has ended sends the browser back again, so an old tab still works."""
    setup = _setup(setup_id)
    if setup.state == "challenge":
        return redirect(url_for("pages.setup_challenge", setup_id=setup.id), 303)
    if setup.state != "open":
        return redirect(setup.return_url, 303)
    return _card_form(setup, {}, 200)


@pages.post("/pay/<setup_id>")
def submit_card(setup_id: str) -> AnyResponse:
    setup = _setup(setup_id)
    typed = setups.read_form(setup.method, request.form) if setup.state == "open" else None
    if isinstance(typed, dict):
        return _card_form(setup, typed, 422)
    if typed is not None and setups.submit(setup, typed) == "open":
        return _card_form(setup, _refused(setup), 422)
    return redirect(url_for("pages.card_page", setup_id=setup.id), 303)


@pages.post("/pay/<setup_id>/leave")
def leave(setup_id: str) -> AnyResponse:
    setup = _setup(setup_id)
    setups.fail(setup, "left")
    return redirect(setup.return_url, 303)


@pages.get("/pay/<setup_id>/challenge")
def setup_challenge(setup_id: str) -> AnyResponse:
    """The bank's question while a card is being stored."""
    setup = _setup(setup_id)
    if setup.state != "challenge":
        return redirect(url_for("pages.card_page", setup_id=setup.id), 303)
    return _page(
        "challenge.html", setup.locale, setup.return_url, merchant_text=setup.description, amount=None
    )


@pages.post("/pay/<setup_id>/challenge")
def answer_setup_challenge(setup_id: str) -> AnyResponse:
    setup = _setup(setup_id)
    if request.form.get("decision") == "approve":
        setups.approve(setup)
    elif setup.state == "challenge":
        setups.refuse(setup)
        if setup.state == "open":
            return _card_form(setup, _refused(setup), 422)
    return redirect(url_for("pages.card_page", setup_id=setup.id), 303)


@pages.get("/challenge/<charge_id>")
def challenge_page(charge_id: str) -> AnyResponse:
    """The bank's question about one payment."""
    charge = parts().book.charges.get(charge_id) or abort(404)
    if charge.state != "requires_action":
        return _ended(charge)
    return _page(
        "challenge.html",
        _locale_of(charge),
        charge.return_url,
        merchant_text=charge.description,
        amount=charge.amount,
    )


@pages.post("/challenge/<charge_id>")
def answer_challenge(charge_id: str) -> AnyResponse:
    """Capture or refuse, once; a charge that ended meanwhile stays as it is."""
    charge = parts().book.charges.get(charge_id) or abort(404)
    account, book = parts().book.accounts[charge.account], parts().book
    with book.lock:
        if charge.state == "requires_action":
            if request.form.get("decision") == "approve":
                charging.capture(book, account, charge)
            else:
                charging.refuse(book, account, charge, "authentication_failed")
            tell(account, charge, f"charge.{charge.state}", charge.callback_url)
    return _ended(charge)


@pages.errorhandler(Rejected)
def rejected(error: Rejected) -> AnyResponse:
    return make_response(str(error), error.status)


def _ended(charge: Charge) -> AnyResponse:
    if charge.return_url:
        return redirect(charge.return_url, 303)
    return _page("ended.html", _locale_of(charge), "", state=charge.state)


def _setup(setup_id: str) -> Setup:
    setup = parts().book.setups.get(setup_id) or abort(404)
    setups.expire(setup)
    return setup


def _refused(setup: Setup) -> dict[str, str]:
    return {"number" if setup.method == "card" else "iban": "error_refused"}


def _card_form(setup: Setup, errors: dict[str, str], status: int) -> Response:
    """The form. A card number that was typed is never sent back; ``?card=`` fills in a test card by its name."""
    chosen = BY_NAME.get(request.args.get("card", ""))
    filled = (
        {"number": chosen.spaced, "iban": chosen.spaced, "expiry": "12/34", "code": "123"} if chosen else {}
    )
    response = _page(
        "card.html",
        setup.locale,
        setup.return_url,
        setup=setup,
        amount=setup.amount,
        cards=[card for card in CARDS if card.method == setup.method],
        errors=errors,
        filled=filled,
    )
    response.status_code = status
    return response


def _page(template: str, locale: str, return_url: str, **shown: object) -> Response:
    language = language_of(locale)
    html = render_template(template, t=TEXTS[language], language=language, price=price, **shown)
    response = make_response(html)
    response.headers["Content-Security-Policy"] = _policy(return_url)
    return response


def _policy(return_url: str) -> str:
    """Nothing but our own style sheet. Browsers apply ``form-action`` to the redirect that follows a form too, so the
    origin the customer goes back to is named beside our own."""
    back = urlsplit(return_url)
    origin = f" {back.scheme}://{back.netloc}" if back.netloc else ""
    return (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        f"form-action 'self'{origin}"
    )


def _locale_of(charge: Charge) -> str:
    """The language of the page on which the card was stored."""
    account = parts().book.accounts[charge.account]
    with parts().book.lock:
        begun = [s for s in account.setups.values() if s.card and s.card.token == charge.token]
    return begun[0].locale if begun else "en"
