"""Stripe's codes in our words: ``decline_code`` of cards (docs.stripe.com/declines/codes), failure codes of SEPA debits, and
the few error codes that mean that this payment method cannot pay. What is not in the table is ``unknown``."""

from plugin_backend.sdk.gateway import Decline

DECLINES = {
    **dict.fromkeys(
        (
            "insufficient_funds",
            "card_velocity_exceeded",
            "withdrawal_count_limit_exceeded",
            "charge_exceeds_source_limit",
            "charge_exceeds_transaction_limit",
            "charge_exceeds_weekly_limit",
        ),
        Decline.FUNDS,
    ),
    **dict.fromkeys(
        (
            "lost_card",
            "stolen_card",
            "pickup_card",
            "restricted_card",
            "do_not_try_again",
            "no_action_taken",
            "revocation_of_all_authorizations",
            "revocation_of_authorization",
            "stop_payment_order",
            "account_closed",
            "bank_account_restricted",
            "debit_disputed",
            "debit_not_authorized",
            "invalid_mandate",
            "payment_intent_mandate_invalid",
            "payment_method_customer_decline",
        ),
        Decline.NEVER,
    ),
    **dict.fromkeys(
        (
            "expired_card",
            "expired_payment_method",
            "incorrect_address",
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_zip",
            "invalid_account",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
            "new_account_information_available",
            "card_not_supported",
            "currency_not_supported",
            "account_number_invalid",
            "bank_account_unusable",
            "bank_ownership_changed",
            "branch_does_not_exist",
            "incorrect_account_holder_name",
            "invalid_account_number",
            "invalid_currency",
            "no_account",
            "sepa_unsupported_account",
            "payment_method_currency_mismatch",
            "payment_method_not_available",
            "payment_method_unexpected_state",
        ),
        Decline.NEW_DATA,
    ),
    **dict.fromkeys(
        (
            "authentication_required",
            "authentication_not_handled",
            "payment_intent_action_required",
            "payment_intent_authentication_failure",
            "mobile_device_authentication_required",
            "approve_with_id",
            "offline_pin_required",
            "online_or_offline_pin_required",
            "debit_authorization_not_match",
        ),
        Decline.AUTHENTICATION,
    ),
    **dict.fromkeys(
        (
            "processing_error",
            "reenter_transaction",
            "issuer_not_available",
            "try_again_later",
            "generic_could_not_process",
            "could_not_process",
            "payment_intent_payment_attempt_expired",
            "payment_intent_payment_attempt_failed",
            "payment_intent_rate_limit_exceeded",
            "card_decline_rate_limit_exceeded",
            "payment_method_provider_timeout",
        ),
        Decline.SYSTEM,
    ),
    **dict.fromkeys(
        ("invalid_amount", "duplicate_transaction", "testmode_decline", "live_mode_test_card"),
        Decline.CONFIGURATION,
    ),
    **dict.fromkeys(
        ("fraudulent", "merchant_blacklist", "security_violation", "highest_risk_level"), Decline.FRAUD
    ),
    **dict.fromkeys(
        (
            "call_issuer",
            "do_not_honor",
            "generic_decline",
            "transaction_not_allowed",
            "service_not_allowed",
            "not_permitted",
            "refer_to_customer",
            "card_declined",
        ),
        Decline.UNKNOWN,
    ),
}
# A request that is refused with one of these was refused for what it would be paid with.
METHOD_IS_GONE = frozenset(
    (
        "payment_method_unexpected_state",
        "payment_method_not_available",
        "payment_method_currency_mismatch",
        "payment_intent_mandate_invalid",
        "sepa_unsupported_account",
        "expired_payment_method",
    )
)


def decline_of(code: str) -> Decline:
    return DECLINES.get(code, Decline.UNKNOWN)


def advice_of(decline: Decline, advice_code: str, network_advice_code: str) -> str:
    """The one advice of two. Stripe's goes first, but where it only says to wait, the network's says for how long. Who must
    confirm with his bank is not helped by waiting, nor by another card: whatever is advised beside that is left out."""
    if decline is Decline.AUTHENTICATION:
        return ""
    if network_advice_code and advice_code in ("", "try_again_later"):
        return network_advice_code
    return advice_code
