"""Whole money: minor units and a currency, never a float.

Exponents are ISO 4217's, kept here because the display digits of the CLDR are wrong for a dozen currencies
(they call RSD, LBP or ALL zero-decimal) and would charge a hundred times too much or too little.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation

_TWO = """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split()
_THREE = "BHD IQD JOD KWD LYD OMR TND".split()
_FOUR = "CLF UYW".split()

EXPONENTS: dict[str, int] = {
    code: exponent for exponent, codes in ((0, _ZERO), (2, _TWO), (3, _THREE), (4, _FOUR)) for code in codes
}
# The networks of cards carry two decimals of a currency that has three (docs.stripe.com/currencies,
# checkout.com/docs/resources/calculating-the-amount), and nobody has a coin for a fraction of an ariary.
_STEPS = {**dict.fromkeys(_THREE, 10), "MGA": 100}
# Python's own 28 digits would round a longer amount without a word.
_EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of an ISO 4217 currency. Two currencies never mix: arithmetic and comparison across
    them raise ``ValueError``."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ValueError("money is counted in whole minor units")
        if self.currency not in EXPONENTS:
            raise ValueError("not a currency of ISO 4217 that can be charged")

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Read a decimal as shops write it: ``"29.35"``, ``"1000"``, ``"42.000"``.

        Zeros beyond the currency's exponent are allowed; any other digit there, an exponent, a blank or a sign of
        infinity raises ``ValueError``, since rounding somebody's price is not ours to do.
        """
        if currency not in EXPONENTS:
            raise ValueError("not a currency of ISO 4217 that can be charged")
        if len(text) > 32 or not text.lstrip("-").replace(".", "", 1).isdecimal():
            raise ValueError("not a decimal amount")
        try:
            value = Decimal(text).scaleb(EXPONENTS[currency], _EXACT)
        except InvalidOperation as error:
            raise ValueError("not a decimal amount") from error
        if value != value.to_integral_value():
            raise ValueError(f"more decimals than {currency} has")
        return cls(int(value), currency)

    @property
    def exponent(self) -> int:
        return EXPONENTS[self.currency]

    @property
    def step(self) -> int:
        """By how many minor units the amounts that a card can pay lie apart: 1 but for a few currencies."""
        return _STEPS.get(self.currency, 1)

    @property
    def payable(self) -> bool:
        """Can a card pay exactly this?"""
        return self.minor % self.step == 0

    def decimal(self) -> str:
        """The amount as a plain decimal with exactly the currency's digits: ``"33.34"``, ``"1000"``, ``"1.000"``."""
        return f"{Decimal(self.minor).scaleb(-self.exponent, _EXACT):.{self.exponent}f}"

    def split(self, parts: int) -> list["Money"]:
        """``parts`` amounts that differ by a remainder only, which the first carries; they sum to this exactly. Of what a
        card can pay, a card can pay every part."""
        if parts < 1:
            raise ValueError("at least one part")
        share = self.minor // (parts * self.step) * self.step
        remainder = self.minor - share * parts
        return [Money(share + remainder, self.currency)] + [Money(share, self.currency)] * (parts - 1)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other).minor

    def _same(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError("two currencies never mix")
        return other

    def as_json(self) -> dict[str, int | str]:
        return {"amount": self.minor, "currency": self.currency}


def total(amounts: list[Money]) -> Money:
    """The sum of at least one amount, all of one currency."""
    first, *rest = amounts
    for amount in rest:
        first = first + amount
    return first
