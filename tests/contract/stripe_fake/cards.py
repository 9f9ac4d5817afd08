"""What a card or bank account does, by its number: Stripe's test numbers where it has one, and a few of our own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrong:
    """A refusal: ``code`` is the error's, ``decline`` the card network's in Stripe's words."""

    code: str = "card_declined"
    decline: str = ""
    advice: str = ""
    network_advice: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """``present`` and ``absent`` say what a payment does with and without the customer: ``paid``, ``challenge``,
    ``processing``, or a refusal. ``settles`` is what becomes of one that is under way."""

    brand: str = "visa"
    kind: str = "card"
    stored: bool = True
    present: str | Wrong = "paid"
    absent: str | Wrong = "paid"
    settles: str | Wrong = "paid"


_SEE_HIM = Wrong("authentication_required", "authentication_required")
_POOR = Wrong(decline="insufficient_funds", advice="try_again_later")
_STOLEN = Wrong(decline="stolen_card", advice="do_not_try_again", network_advice="03")
_STRANGE = Wrong(decline="moon_in_capricorn")
_NO = Wrong(decline="generic_decline")

NUMBERS = {
    "4242424242424242": Behaviour(),
    "5555555555554444": Behaviour("mastercard"),
    "4000000000000341": Behaviour(present=_NO, absent=_NO),
    "4000000000009995": Behaviour(present=_POOR, absent=_POOR),
    "4000000000009979": Behaviour(present=_STOLEN, absent=_STOLEN),
    "4000000000009000": Behaviour(present=_STRANGE, absent=_STRANGE),
    "4000000000000002": Behaviour(stored=False),
    "4000000000000077": Behaviour(present="processing", absent="processing"),
    "4000002760003184": Behaviour(present="challenge", absent=_SEE_HIM),
    "4000002500003155": Behaviour(absent=_SEE_HIM),
    "FR1420041010050500013M02606": Behaviour("", "sepa_debit", present="processing", absent="processing"),
    "AT861904300235473202": Behaviour(
        "", "sepa_debit", present="processing", absent="processing", settles=Wrong("insufficient_funds")
    ),
}
ALIASES = {"pm_card_visa": "4242424242424242", "pm_card_mastercard": "5555555555554444"}
