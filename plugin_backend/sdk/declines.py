"""Why a shop's own checkout refused a card, as far as its gateway's code or note tells.

What plugins leave in an order is a code, a sentence, or a code in a sentence, in the shop's language. Whatever smells of a
lost or stolen card or of fraud is ``fraud``, and nothing is ever offered after it: to be wrong about that costs one offer.
"""

import re
from typing import get_args

from plugin_backend.sdk.shop_events import CheckoutDecline

# Words, in codes and in sentences. Sources: Stripe's decline codes (docs.stripe.com/declines/codes), Mollie's
# ``failureReason``, Adyen's ``refusalReason``, Shopify's ``OrderTransactionErrorCode``, and how WooCommerce's plugins for
# these put them into notes.
_WORDS: tuple[tuple[CheckoutDecline, re.Pattern[str]], ...] = (
    (
        "fraud",
        re.compile(
            r"fraud|stolen|vol[ée]e|lost.?card|card.{0,20}\blost\b|perdue|pick.?up|capture.?card|retain.?card"
            r"|black.?list|block.?list|highest.?risk|security.?violation|restricted.?card",
            re.IGNORECASE,
        ),
    ),
    (
        "limit",
        re.compile(
            r"limit|velocity|withdrawal.{0,8}(count|amount|exceed)|amount.?(is.?)?too.?(large|high)|plafond",
            re.IGNORECASE,
        ),
    ),
    (
        "funds",
        re.compile(
            r"insufficient|not.?enough|low.?balance|fonds.{0,12}suffisant|insuffisan|provision", re.IGNORECASE
        ),
    ),
)
# ISO 8583 response codes, which many gateways pass on as they are.
_ISO: dict[str, CheckoutDecline] = {
    **dict.fromkeys(("04", "07", "34", "41", "43", "59", "62", "63"), "fraud"),
    **dict.fromkeys(("61", "65"), "limit"),
    "51": "funds",
}
# Numbers that mean something with one gateway only: Braintree's processor responses and PayPal's.
_NUMBERS: dict[str, dict[str, CheckoutDecline]] = {
    "braintree": {
        **dict.fromkeys(("2012", "2013", "2014", "2022", "2047", "2057"), "fraud"),
        **dict.fromkeys(("2002", "2003"), "limit"),
        "2001": "funds",
    },
    "paypal": {
        **dict.fromkeys(("9500", "9510", "9520", "9530", "0800"), "fraud"),
        "5120": "funds",
        "5650": "other",
    },
}
_NAMES = {"ppcp": "paypal", "paypal": "paypal", "braintree": "braintree"}
_NUMBER = re.compile(r"(?<![\w.,])[0-9]{2,4}(?![\w.,])")


def decline_of(reason: str, gateway: str = "") -> CheckoutDecline:
    """The class of a decline: ``fraud`` wherever anything says so, ``other`` where something is said that is none of
    ours, ``unknown`` where nothing is. ``gateway`` is the payment method's own id in the shop."""
    if not reason.strip():
        return "unknown"
    found = {kind for kind, words in _WORDS if words.search(reason)} | _by_number(reason.strip(), gateway)
    return next((kind for kind in ("fraud", "limit", "funds") if kind in found), "other")


def told(decline: str, reason: str, gateway: str) -> CheckoutDecline:
    """The class that a sender names, else that of the reason it gives; fraud where either says so."""
    read = decline_of(reason, gateway)
    named = decline in get_args(CheckoutDecline) and decline != "unknown"
    return decline if named and read != "fraud" else read  # type: ignore[return-value]


def _by_number(reason: str, gateway: str) -> set[CheckoutDecline]:
    known = next((table for name, table in _NAMES.items() if name in gateway.lower()), "")
    numbers = set(_NUMBER.findall(reason))
    found = {_NUMBERS[known][number] for number in numbers & _NUMBERS[known].keys()} if known else set()
    # A number of two digits may be an amount or a count, unless it is all that was said.
    return found | ({_ISO[reason]} if reason in _ISO else set())
