"""What each test card does. Numbers that are none of these are refused by the page."""

from dataclasses import dataclass

OK, REFUSED = "000", "051"


@dataclass(frozen=True, slots=True)
class TestCard:
    """``page``, ``capture`` and ``rebill`` are the result codes of the three ways to pay with it; "" is a transaction that
    stays pending. ``confirmed`` is that of a rebill of what its customer paid on a page. ``challenge``: the page asks for
    3-D Secure. ``lapses``: the bank lets go of what was authorised."""

    __test__ = False

    number: str
    page: str = OK
    capture: str = OK
    rebill: str = OK
    confirmed: str = OK
    challenge: bool = False
    lapses: bool = False


CARDS = {
    "ok": TestCard("4111111111111111"),
    "challenge": TestCard("4000000000003220", challenge=True),
    "challenge_payment": TestCard("4000002760003184", challenge=True, lapses=True),
    "pending": TestCard("4000000000000077", capture="", rebill=""),
    "limit": TestCard("4000000000006975", capture="034", rebill="034"),
    "lost": TestCard("4000000000009987", capture="041", rebill="041"),
    "unknown": TestCard("4000000000000002", capture="917", rebill="917"),
    "authentication": TestCard("4000002500003155", rebill="065"),
    "duplicate": TestCard("4000000000000940", rebill="094"),
    "refused": TestCard("4000000000009995", page="051"),
}
BY_NUMBER = {card.number: card for card in CARDS.values()}


def means(number: str) -> dict[str, object]:
    """What PayXpert tells of a card."""
    return {
        "cardNumber": f"{number[:6]}XXXXXX{number[-4:]}",
        "cardBrand": "Mcrd" if number.startswith("5") else "Visa",
        "cardExpireMonth": "12",
        "cardExpireYear": "2034",
        "iinCountry": "FR",
        "is3DSecure": True,
        "statementDescriptor": "PAYXPERT TEST",
    }
