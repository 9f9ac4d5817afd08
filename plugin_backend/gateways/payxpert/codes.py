"""PayXpert's result codes in our words, on the careful side: it passes on no network's advice to the merchant.

Source: the result code page of PayXpert's help centre. What is not in the table is ``unknown``: tried again little and late.
"""

from plugin_backend.sdk.gateway import Decline

SUCCESS = "000"
# The request resembles one that PayXpert has seen: the first of the two may have been executed.
DUPLICATE = "094"

DECLINES = {
    "001": Decline.UNKNOWN,
    "002": Decline.UNKNOWN,
    "003": Decline.CONFIGURATION,
    "004": Decline.NEVER,
    "005": Decline.UNKNOWN,
    "007": Decline.NEW_DATA,
    "012": Decline.CONFIGURATION,
    "013": Decline.CONFIGURATION,
    "014": Decline.NEVER,
    "015": Decline.NEVER,
    "021": Decline.UNKNOWN,
    "030": Decline.CONFIGURATION,
    "031": Decline.CONFIGURATION,
    "032": Decline.UNKNOWN,
    "033": Decline.NEW_DATA,
    "034": Decline.FUNDS,
    "035": Decline.CONFIGURATION,
    "041": Decline.NEVER,
    "043": Decline.NEVER,
    "051": Decline.FUNDS,
    "054": Decline.NEW_DATA,
    "055": Decline.NEW_DATA,
    "056": Decline.NEVER,
    "057": Decline.NEVER,
    "061": Decline.NEVER,
    "062": Decline.NEVER,
    "064": Decline.CONFIGURATION,
    "065": Decline.AUTHENTICATION,
    "075": Decline.NEW_DATA,
    "080": Decline.SYSTEM,
    "085": Decline.UNKNOWN,
    "091": Decline.SYSTEM,
    "096": Decline.SYSTEM,
    "097": Decline.NEVER,
}

# What the API says of a request, beside what a bank says of a card; HTTP 200 stands over both.
API_OK = frozenset({"", "000", "200"})
API_REFUSED = frozenset({"400", "401", "402", "405"})
API_NOT_OURS = frozenset({"403"})
API_UNKNOWN = frozenset({"312", "404"})
API_BROKEN = frozenset({"500", "501"})

# Operations that take money, in whole or as far as they went; that give it back; and that a bank begins.
TAKING = frozenset({"sale", "capture", "rebill"})
GIVING = frozenset({"refund", "refund_request"})
DISPUTING = frozenset({"chargeback", "dispute"})
WINNING = frozenset({"representment", "reversal"})


def decline_of(code: str) -> Decline:
    return DECLINES.get(code, Decline.UNKNOWN)
