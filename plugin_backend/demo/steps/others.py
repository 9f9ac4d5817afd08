"""Two other shoppers: one who agreed to no reminder, and one whose card was declined in the shop."""

from plugin_backend.demo.expecting import expect
from plugin_backend.demo.seed import LUNA
from plugin_backend.demo.stage import Json, Stage, link_in
from plugin_backend.demo.steps.accepting import accept, card_number, pay
from plugin_backend.demo.visitor import Visitor

BEN, CHLOE = "ben.moreau@example.test", "chloe.petit@example.test"


def without_consent(stage: Stage) -> Json:
    """The offer is made and shown to the operator, and not sent."""
    stage.visit("woo", BEN, "leave", consent=False)
    stage.row(LUNA, "carts", BEN)
    stage.later(LUNA, "hour")
    said = (stage.words.state("offer", "not_sent"), stage.words.reason("no_consent"))
    offer = stage.row(LUNA, "offers", BEN, *said)
    expect(not stage.mails(BEN), "a mail went to somebody who agreed to none")
    return {"offer": offer, "mails": 0}


def declined_in_the_shop(stage: Stage) -> Json:
    """A declined payment makes its offer at once, with one neutral mail; it works with 3-D Secure at the set-up."""
    stage.visit("woo", CHLOE, "declined", consent=False)
    mail = stage.mail(CHLOE, 1)
    offer = stage.row(LUNA, "offers", CHLOE, stage.words.state("offer", "open"))
    expect(len(stage.mails(CHLOE)) == 1, "more than one mail about one decline")
    customer = Visitor("fr")
    card_page = accept(stage, mail, customer)
    done = pay(stage, card_page, card_number(stage, "challenge_setup"), customer, link_in(mail, "/o/"))
    challenged = len(stage.ledger("setup.challenged"))
    expect(challenged == 1, f"the bank asked {challenged} times")
    stage.mail(CHLOE, 3)
    offers = [row for row in stage.look(LUNA, "offers").rows if CHLOE in row]
    expect(len(offers) == 1, f"there are {len(offers)} offers for one decline")
    return {"subject": mail["subject"], "offer": offer, "page": done.text[:160]}


STEPS = (
    ("a basket without consent is not written to", without_consent),
    ("a declined payment gets its offer at once", declined_in_the_shop),
)
