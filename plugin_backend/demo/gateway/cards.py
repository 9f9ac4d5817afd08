"""The test cards: the only numbers the card page takes, and what each of them does.

The numbers are widely used test numbers of the card schemes' ranges and belong to nobody. What a card does is kept
with its token by name, so a number is never written down.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """One card, or one bank account (``method`` is ``sepa_debit``, ``number`` its IBAN), and its behaviour.

    ``at_setup`` is ``stored``, ``requires_action`` or a decline code. ``present`` and ``absent`` say what a charge does
    with and without the customer: ``captured``, ``requires_action``, ``pending`` or a decline code. ``once`` names one
    charge by its place (2: the second with this token) and the decline code that charge alone gets. ``advice`` is the
    network's advice to the merchant beside its declines, and while it is stored.
    """

    name: str
    number: str
    present: str = "captured"
    absent: str = "captured"
    at_setup: str = "stored"
    once: tuple[int, str] | None = None
    brand: str = "visa"
    advice: str = ""
    method: str = "card"

    @property
    def spaced(self) -> str:
        return " ".join(self.number[at : at + 4] for at in range(0, len(self.number), 4))

    def answer_to(self, initiator: str, nth: int) -> str:
        """What the ``nth`` charge (from 1) with this card does."""
        if self.once and self.once[0] == nth:
            return self.once[1]
        return self.present if initiator == "customer" else self.absent


def _declining(name: str, number: str, code: str) -> SandboxCard:
    return SandboxCard(name, number, present=code, absent=code)


def _advising(advice: str, last: str) -> SandboxCard:
    """A card of Mastercard's that declines with nothing but the network's advice to go by."""
    return SandboxCard(
        f"advice_{advice}",
        f"520082828282{last}",
        present="do_not_honor",
        absent="do_not_honor",
        brand="mastercard",
        advice=advice,
    )


CARDS = (
    SandboxCard("ok", "4242424242424242"),
    SandboxCard("ok_mastercard", "5555555555554444", brand="mastercard"),
    SandboxCard("limit_once", "4000000000000341", once=(2, "card_limit")),
    SandboxCard("challenge_setup", "4000000000003220", at_setup="requires_action"),
    SandboxCard("challenge_payment", "4000002760003184", present="requires_action"),
    SandboxCard("needs_customer", "4000002500003155", absent="authentication_required"),
    SandboxCard("pending", "4000000000000077", present="pending", absent="pending"),
    _declining("limit", "4000000000006975", "card_limit"),
    _declining("funds", "4000000000009995", "insufficient_funds"),
    _declining("lost", "4000000000009987", "lost_card"),
    _declining("expired", "4000000000000069", "expired_card"),
    _declining("processing", "4000000000000119", "processing_error"),
    _declining("fraud", "4100000000000019", "suspected_fraud"),
    _declining("unknown", "4000000000000002", "refusal_417"),
    SandboxCard("wrong_code", "4000000000000127", at_setup="incorrect_cvc"),
    SandboxCard("prepaid", "5200828282820407", brand="mastercard", advice="40"),
    SandboxCard("single_use", "5200828282820415", brand="mastercard", advice="41"),
    _advising("01", "0019"),
    _advising("02", "0027"),
    _advising("03", "0035"),
    _advising("21", "0217"),
    _advising("24", "0241"),
    _advising("25", "0258"),
    _advising("26", "0266"),
    _advising("27", "0274"),
    _advising("28", "0282"),
    _advising("29", "0290"),
    _advising("30", "0308"),
    SandboxCard(
        "debit",
        "FR1420041010050500013M02606",
        present="pending",
        absent="pending",
        brand="",
        method="sepa_debit",
    ),
    SandboxCard(
        "debit_closed",
        "AT861904300235473202",
        present="account_closed",
        absent="account_closed",
        brand="",
        method="sepa_debit",
    ),
)

BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {card.name: card for card in CARDS}
