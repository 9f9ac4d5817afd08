"""A basket is left, offered in three payments, accepted, and paid to the end."""

import re

from plugin_backend.demo.expecting import expect
from plugin_backend.demo.seed import LUNA
from plugin_backend.demo.stage import Json, Stage, header, link_in, mail_text
from plugin_backend.demo.steps.accepting import accept, card_number, pay
from plugin_backend.demo.visitor import Visitor

ANA = "ana.ruiz@example.test"
_PARTS = ["33,34 €", "33,33 €", "33,33 €"]
_AMOUNT = re.compile(r"\d[\d ]*,\d\d €")


def basket_left(stage: Stage) -> Json:
    """In the storefront: a basket, an address, the consent, and gone."""
    shops = stage.sign_in()
    shopper, base = Visitor("fr"), stage.places.url("shop", "/woo")
    shopper.peek("POST", f"{base}/basket", {"sku": "LAMP-1", "quantity": "1"})
    form = shopper.open(f"{base}/checkout").form("/checkout")
    left = shopper.send(
        form, email=ANA, name="Ana Ruiz", country="FR", locale="fr", consent="on", outcome="leave"
    )
    expect(left.url.endswith("/ended/leave"), f"leaving led to {left.url}")
    stage.deliveries_left()
    delivery = stage.row(LUNA, "deliveries", "cart.updated", stage.words.state("delivery", "read"))
    cart = stage.row(LUNA, "carts", ANA, stage.words.state("cart", "active"))
    return {"shops": sorted(shops), "delivery": delivery, "cart": cart}


def offer_mailed(stage: Stage) -> Json:
    """An hour later the offer is in the mailbox, with every amount."""
    expect(not stage.mails(ANA), "a mail came before the basket counted as left")
    clock = stage.later(LUNA, "hour")
    mail = stage.mail(ANA, 1)
    amounts = _AMOUNT.findall(mail_text(mail))
    expect(mail["language"] == "fr", f"the mail is in {mail['language']!r}")
    for amount in ("100,00 €", *_PARTS):
        expect(amount in amounts, f"the mail says {amounts} and not {amount}")
    expect(amounts.count("33,34 €") < amounts.count("33,33 €"), f"the mail says {amounts}")
    expect(mail["unsubscribe_url"].startswith(stage.places.url("web", "/u/")), "no one-click unsubscribe")
    expect(header(mail, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click", "no List-Unsubscribe-Post")
    return {"clock": clock, "subject": mail["subject"], "amounts": amounts}


def looking_is_not_accepting(stage: Stage) -> Json:
    """Opening the link, as a mail scanner would, leaves the offer open."""
    reader, url = Visitor("fr"), link_in(stage.mail(ANA, 1), "/o/")
    looks = [reader.peek(method, url).status for method in ("GET", "GET", "HEAD")]
    scanner = reader.peek("GET", f"{url}/accept").status
    expect(looks == [200, 200, 200] and scanner == 405, f"looking was answered {looks}, {scanner}")
    offer = stage.row(LUNA, "offers", ANA, stage.words.state("offer", "open"))
    expect(not stage.ledger("setup.begun"), "the gateway was asked for a card page")
    shown = [row for row in reader.open(url).rows if "33,3" in row]
    expect(len(shown) == 3 and "33,34 €" in shown[0], f"the page shows {shown}")
    return {"looks": looks, "offer": offer, "schedule": shown}


def accepted_and_paid(stage: Stage) -> Json:
    """POST accepts, also when it is sent twice; the gateway takes the card; the first payment is there."""
    customer, mail = Visitor("fr"), stage.mail(ANA, 1)
    url = link_in(mail, "/o/")
    card_page = accept(stage, mail, customer)
    again = Visitor("fr").open(url)
    expect(again.url == card_page.url, f"the link leads to {again.url} while a card is taken")
    done = pay(stage, card_page, card_number(stage, "limit_once"), customer, url)
    mails = [stage.mail(ANA, number)["subject"] for number in (2, 3)]
    kinds = [
        stage.row(LUNA, "messages", ANA, stage.words.reason(kind), stage.words.state("message", "sent"))
        for kind in ("plan_confirmed", "receipt")
    ]
    expect(len(stage.ledger("setup.begun")) == 1, "more than one card page was opened")
    return {"card_page": card_page.url, "page": done.text[:160], "mails": mails, "messages": len(kinds)}


def shop_is_told(stage: Stage) -> Json:
    """The shop's order is paid, carries the plan, and has one note about the payment."""
    plan_id = _plan_id(stage)

    def written() -> Json | None:
        orders = stage.shop_state("woo")["orders"]
        told = (one for one in orders if one["billing"]["email"] == ANA and one["status"] == "processing")
        return next(told, None)

    order = stage.until(written, "the shop's order is processing")
    ours = {meta["key"]: meta["value"] for meta in order["meta_data"] if plan_id in str(meta["value"])}
    notes = stage.until(lambda: _notes(stage, order["id"]), "a note in the shop's order")
    expect(ours, f"no meta of the order names {plan_id}")
    expect(len(notes) == 1 and "33,34" in notes[0], f"the order's notes are {notes}")
    expect(order["total"] == "100.00", f"the order's total is {order['total']}")
    return {"order": order["id"], "status": order["status"], "meta": sorted(ours), "notes": notes}


def second_payment_declined_then_paid(stage: Stage) -> Json:
    """A month later: announced, refused for the card's limit, told, tried again on the ladder, paid."""
    clock = stage.later(LUNA, "month")
    mails = [stage.mail(ANA, number)["subject"] for number in (4, 5, 6)]
    row = stage.row(LUNA, "collections", "€33.33", stage.words.state("collection", "paid"))
    failed = stage.row(LUNA, "messages", ANA, stage.words.reason("payment_failed"))
    tries = [(entry["state"], entry["code"]) for entry in stage.ledger("charge.made")]
    expect(
        tries == [("captured", ""), ("declined", "card_limit"), ("captured", "")], f"the gateway saw {tries}"
    )
    return {"clock": clock, "mails": mails, "collection": row, "failed": failed, "tries": tries}


def last_payment_completes(stage: Stage) -> Json:
    """Another month later: the third payment is there and the plan is complete."""
    clock = stage.later(LUNA, "month")
    plan = stage.row(LUNA, "plans", ANA, stage.words.state("plan", "completed"))
    stage.row(
        LUNA, "messages", ANA, stage.words.reason("plan_completed"), stage.words.state("message", "sent")
    )
    stage.until(lambda: len(stage.mails(ANA)) == 9, f"nine mails to {ANA}")
    amounts = [entry["moved"]["amount"] for entry in stage.captures()]
    expect(amounts == [3334, 3333, 3333], f"the gateway captured {amounts}")
    recovered = stage.look(LUNA, "").text
    expect("€100.00" in recovered, "the dashboard does not show €100.00 as recovered")
    notes = stage.until(lambda: _notes(stage, 0, wanted=3), "three notes in the shop's order")
    return {
        "clock": clock,
        "plan": plan,
        "captured": amounts,
        "notes": notes,
        "mails": [mail["subject"] for mail in stage.mails(ANA)],
    }


def _plan_id(stage: Stage) -> str:
    (page,) = stage.open_all(LUNA, "plans")
    return page.url.rpartition("/")[2]


def _notes(stage: Stage, order_id: int, wanted: int = 1) -> list[str] | None:
    """Our notes about payments in Ana's order, once there are as many as wanted."""
    for order in stage.shop_state("woo")["orders"]:
        if order["billing"]["email"] == ANA and order_id in (0, order["id"]):
            notes = [" ".join(note.split()) for note in order["notes"] if "33,3" in " ".join(note.split())]
            return notes if len(notes) >= wanted else None
    return None


STEPS = (
    ("a basket is left with consent", basket_left),
    ("the offer is mailed", offer_mailed),
    ("looking is not accepting", looking_is_not_accepting),
    ("the offer is accepted and the first payment taken", accepted_and_paid),
    ("the shop is told", shop_is_told),
    ("the second payment is declined, tried again and paid", second_payment_declined_then_paid),
    ("the last payment completes the plan", last_payment_completes),
)
