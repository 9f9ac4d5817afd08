"""Amounts as Stripe counts them, which is not always as ISO 4217 does (docs.stripe.com/currencies)."""

from plugin_backend.sdk.money import EXPONENTS, Money

# Counted in whole units: as in ISO 4217, but for the ariary (MGA), whose fifths Stripe does not know, and the Icelandic
# krona and the Ugandan shilling, which it goes on counting in hundredths that must be whole.
_ZERO = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))


class NotTaken(ValueError):
    """Stripe takes no such amount; the message says why, without the amount."""


def to_stripe(money: Money) -> int:
    """The amount in Stripe's own units. ``NotTaken`` where it has none for it: a fraction of a currency that it counts
    whole, a last digit that the card networks cannot carry, a currency whose units it does not take."""
    exponent = _exponent(money.currency)
    if money.currency in _THREE and not money.payable:
        raise NotTaken(f"Stripe takes {money.currency} to two decimals only")
    units, rest = divmod(money.minor * 10**exponent, 10**money.exponent)
    if rest:
        raise NotTaken(f"Stripe counts {money.currency} in whole units")
    return int(units)


def takes(currency: str) -> bool:
    """Is this a currency of ours that Stripe's amounts can be told in?"""
    try:
        return currency in EXPONENTS and _exponent(currency) >= 0
    except NotTaken:
        return False


def from_stripe(units: int, currency: str) -> Money:
    """The amount that Stripe names; ``currency`` in whatever case. ``ValueError`` for what is no amount of ours."""
    code = currency.upper()
    if code not in EXPONENTS:
        raise ValueError("not a currency of ISO 4217 that can be charged")
    minor, rest = divmod(units * 10 ** EXPONENTS[code], 10 ** _exponent(code))
    if rest:
        raise ValueError("a fraction of a unit that has none")
    return Money(int(minor), code)


def _exponent(currency: str) -> int:
    if currency in _ZERO:
        return 0
    if currency in _THREE:
        return 3
    if EXPONENTS[currency] > 2:
        raise NotTaken(f"Stripe does not take {currency}")
    return 2
