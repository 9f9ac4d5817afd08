"""What gateways' codes, numbers and sentences mean at a shop's own checkout. To miss a stolen card is the one mistake that
must not happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.sdk.declines import decline_of, told


@pytest.mark.parametrize(
    ("gateway", "reason", "decline"),
    [
        ("stripe", "insufficient_funds", "funds"),
        ("stripe", "The card was declined. Reason: Insufficient funds.", "funds"),
        ("stripe", "Votre carte ne dispose pas de fonds suffisants.", "funds"),
        ("stripe", "card_velocity_exceeded", "limit"),
        ("stripe", "withdrawal_count_limit_exceeded", "limit"),
        ("stripe", "generic_decline", "other"),
        ("stripe", "do_not_honor", "other"),
        ("stripe", "lost_card", "fraud"),
        ("stripe", "stolen_card", "fraud"),
        ("stripe", "pickup_card", "fraud"),
        ("stripe", "restricted_card", "fraud"),
        ("stripe", "merchant_blacklist", "fraud"),
        ("stripe", "Stripe: La carte a été déclarée perdue.", "fraud"),
        ("mollie_wc_gateway_creditcard", "possible_fraud", "fraud"),
        ("mollie_wc_gateway_creditcard", "insufficient_funds", "funds"),
        ("mollie_wc_gateway_creditcard", "refused_by_issuer", "other"),
        ("adyen_cc", "Refused: Not enough balance", "funds"),
        ("adyen_cc", "Withdrawal amount exceeded", "limit"),
        ("adyen_cc", "Lost Card", "fraud"),
        ("adyen_cc", "Issuer Suspected Fraud", "fraud"),
        ("braintree_credit_card", "2001", "funds"),
        ("braintree_credit_card", "Processor response code 2002", "limit"),
        ("braintree_credit_card", "Processor Declined (2013)", "fraud"),
        ("braintree_credit_card", "2047", "fraud"),
        ("ppcp-credit-card-gateway", "Response code 9500", "fraud"),
        ("ppcp-credit-card-gateway", "5120", "funds"),
        ("stripe", "2013", "other"),
        ("shopify", "PICK_UP_CARD", "fraud"),
        ("shopify", "FRAUD_SUSPECTED", "fraud"),
        ("shopify", "AMOUNT_TOO_LARGE", "limit"),
        ("shopify", "card_declined", "other"),
        ("", "05", "other"),
        ("", "41", "fraud"),
        ("", "43", "fraud"),
        ("", "51", "funds"),
        ("", "61", "limit"),
        ("", "Order 41 was refused", "other"),
        ("", "", "unknown"),
        ("stripe", "  ", "unknown"),
    ],
)
def test_what_a_gateway_said_has_a_class(gateway: str, reason: str, decline: str) -> None:
    assert decline_of(reason, gateway) == decline


@given(
    st.sampled_from(["stolen", "lost card", "fraud", "pick up"]), st.text(max_size=50), st.text(max_size=50)
)
def test_whatever_else_is_said_a_stolen_card_is_one(word: str, before: str, after: str) -> None:
    assert decline_of(f"{before} {word} {after}", "stripe") == "fraud"


@given(st.text(max_size=300), st.text(max_size=100))
def test_anything_has_a_class(reason: str, gateway: str) -> None:
    assert decline_of(reason, gateway) in ("limit", "funds", "fraud", "other", "unknown")


@pytest.mark.parametrize(
    ("named", "reason", "decline"),
    [
        ("limit", "generic_decline", "limit"),
        ("limit", "stolen_card", "fraud"),
        ("fraud", "", "fraud"),
        ("unknown", "stolen_card", "fraud"),
        ("", "insufficient_funds", "funds"),
        ("nonsense", "", "unknown"),
    ],
)
def test_the_class_that_is_named_counts_before_the_reason_but_never_before_fraud(
    named: str, reason: str, decline: str
) -> None:
    assert told(named, reason, "stripe") == decline
