"""What every customer does who takes an offer: open the link, accept, type a card, and wait for the answer."""

from plugin_backend.demo.expecting import expect
from plugin_backend.demo.stage import Json, Stage, link_in
from plugin_backend.demo.visitor import Page, Visitor


def accept(stage: Stage, mail: Json, customer: Visitor) -> Page:
    """From the offer's mail to the gateway's card page."""
    offer = customer.open(link_in(mail, "/o/"))
    expect(offer.status == 200, f"the offer answered {offer.status}")
    form = offer.form("/accept")
    expect("mandate" in form.boxes, "the offer asks for no mandate")
    expect("mandate" not in form.fields, "the mandate is ticked already")
    for _ in range(2):
        # A double click: the second finds it accepted.
        customer.send(form, mandate=form.boxes["mandate"])
    return stage.until(lambda: _at(stage, customer, offer.url, "gateway"), "the gateway's card page")


def pay(stage: Stage, card_page: Page, number: str, customer: Visitor, offer_url: str) -> Page:
    """Type the card, answer the bank where it asks, and wait for the page that says it is done."""
    page = customer.send(card_page.form(""), number=number, expiry="12/34", code="123")
    if "/challenge" in page.url:
        page = customer.send(page.form("/challenge"), decision="approve")
    expect(_is_ours(stage, page), f"the gateway led to {page.url} ({page.status})")
    return stage.until(lambda: _accepted(customer, offer_url), "the page that says the order is placed")


def card_number(stage: Stage, name: str) -> str:
    """The number of a test card, by its name."""
    return str(stage.ask(stage.places.url("gateway", "/_test/cards"))["cards"][name])


def _at(stage: Stage, customer: Visitor, url: str, where: str) -> Page | None:
    page = customer.open(url)
    return page if page.url.startswith(stage.places.url(where)) else None


def _accepted(customer: Visitor, url: str) -> Page | None:
    page = customer.open(url)
    return page if any("/p/" in link.url for link in page.links) else None


def _is_ours(stage: Stage, page: Page) -> bool:
    return page.url.startswith(stage.places.url("web"))
