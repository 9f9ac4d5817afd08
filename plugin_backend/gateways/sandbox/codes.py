"""The sandbox's decline codes in our words. What is not in the table is ``unknown``: tried again little and late."""

from plugin_backend.sdk.gateway import Decline

DECLINES = {
    "card_limit": Decline.FUNDS,
    "insufficient_funds": Decline.FUNDS,
    "lost_card": Decline.NEVER,
    "stolen_card": Decline.NEVER,
    "account_closed": Decline.NEVER,
    "expired_card": Decline.NEW_DATA,
    "incorrect_cvc": Decline.NEW_DATA,
    "authentication_required": Decline.AUTHENTICATION,
    "authentication_failed": Decline.AUTHENTICATION,
    "processing_error": Decline.SYSTEM,
    "issuer_unavailable": Decline.SYSTEM,
    "currency_not_supported": Decline.CONFIGURATION,
    "suspected_fraud": Decline.FRAUD,
    "do_not_honor": Decline.UNKNOWN,
}


def decline_of(code: str) -> Decline:
    return DECLINES.get(code, Decline.UNKNOWN)
